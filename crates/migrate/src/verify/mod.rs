//! What a call does, old form and new, as requests: so that both can be sent to a server and compared.
//!
//! Only calls that were recognised get here, never the script around them: no shell runs, no client, and a value
//! that the text does not tell (a variable, a mark) gets a [stand-in](standin) which is the same in both forms.
//! What a client sends is worked out here from the words of the call, for the old form by the rules of its old
//! version, for the new one by those of the new version; whoever has a server sends it and asks
//! [`compare`] what differs.

pub mod az;
pub(crate) mod bodies;
pub mod compare;
pub mod file;
pub mod pair;
pub mod place;
pub mod regions;
pub mod standin;

use std::collections::BTreeMap;

use serde_json::Value;

use place::Kind;

/// Api-version of the new forms, and of everything that is looked at afterwards.
pub const CURRENT: &str = "2018-05-01";
/// Stands for the subscription of every call; a server that replays has this one.
pub const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";
/// Where things are of which no text says it.
pub const REGION: &str = "anyregion";
/// The group of calls that name none.
pub const GROUP: &str = "anygroup";

/// One request of a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// `GET`, `PUT`, `PATCH`, `POST` or `DELETE`.
    pub method: &'static str,
    /// Path with the query, without api-version.
    pub path: String,
    /// Its api-version.
    pub version: &'static str,
    /// JSON, if it has a body.
    pub body: Option<Value>,
}

impl Request {
    /// Without a body.
    pub fn new(method: &'static str, path: impl Into<String>, version: &'static str) -> Self {
        Self {
            method,
            path: path.into(),
            version,
            body: None,
        }
    }

    /// With a body.
    pub fn with(self, body: Value) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    /// Path, query and api-version.
    pub fn uri(&self) -> String {
        let joint = if self.path.contains('?') { '&' } else { '?' };
        format!("{}{joint}api-version={}", self.path, self.version)
    }
}

/// What has to be there before a call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Clusters come before jobs.
    pub kind: Kind,
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Of a job: an output directory that the call asks for.
    pub output: Option<String>,
}

/// What one form of a call does.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replay {
    /// The group it speaks of.
    pub group: String,
    /// The region that the form itself tells.
    pub region: Option<String>,
    /// The workspace it names, in the new form.
    pub workspace: Option<String>,
    /// The experiment it names, in the new form.
    pub experiment: Option<String>,
    /// What has to be there before.
    pub needs: Vec<Need>,
    /// What is sent, in this order.
    pub steps: Vec<Request>,
    /// What the client does by itself, which no server sees: how it prints, whether it asks first.
    pub client: BTreeMap<&'static str, String>,
    /// Why the client itself refuses the call, before anything is sent.
    pub refused: Option<String>,
    /// What of it can't be replayed.
    pub notes: Vec<String>,
}

impl Replay {
    /// The same of an old form that does not tell where: there.
    #[must_use]
    pub fn located(mut self, region: &str) -> Self {
        if self.region.is_none() {
            for body in self.steps.iter_mut().filter_map(|step| step.body.as_mut()) {
                if let Some(location) = body.get_mut("location") {
                    *location = region.into();
                }
            }
        }
        self
    }
}

/// Why a call is not replayed at all; a short sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotReplayed(pub String);

impl NotReplayed {
    /// With this reason.
    pub fn because(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}
