//! What the service knows of each resource beside the wish, and how it changes.
//!
//! Transitions are pure: a state, an event and a time give a new state or a refusal. Every pair of state
//! and event is spelt out, so that a new one stops the build.

mod cluster;
mod job;
mod node;

pub use cluster::*;
use jiff::Timestamp;
pub use job::*;
pub use node::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::ids::Uid;
use crate::name::{Name, Region};
use crate::resource_id::{GroupPath, ResourceId};
use crate::spec::FileServerSpec;

/// What every resource has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Its identity.
    pub uid: Uid,
    /// Its name as first given.
    pub name: Name,
    /// When it was made (`creationTime`).
    pub created: Timestamp,
    /// When the stored wish was last written (`Last-Modified`).
    pub modified: Timestamp,
    /// Grows by one with each write of the stored wish; with `modified` it makes the ETag.
    pub revision: i64,
    /// Life-cycle state of the record.
    pub provisioning: Provisioning,
    /// When that changed (`provisioningStateTransitionTime`).
    pub provisioning_since: Timestamp,
}

impl Meta {
    /// The entity tag: a quoted hexadecimal number, as recorded (api.md section 1). It changes with the
    /// stored wish only, never with run-time state.
    pub fn etag(&self) -> String {
        const TICKS_AT_EPOCH: i128 = 621_355_968_000_000_000;
        let ticks = TICKS_AT_EPOCH + i128::from(self.modified.as_microsecond()) * 10;
        format!("\"0x{:X}\"", ticks + i128::from(self.revision))
    }
}

/// Life-cycle state of a record. What is made here is made at its commit, so nothing is ever `creating`. Only a
/// file server can have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provisioning {
    /// It stands.
    Succeeded,
    /// It is going away.
    Deleting,
    /// It could not be made as it was wished; it stays until it is deleted.
    Failed,
}

impl Provisioning {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Provisioning::Succeeded => "succeeded",
            Provisioning::Deleting => "deleting",
            Provisioning::Failed => "failed",
        }
    }
}

/// Tags of a workspace or group.
pub type Tags = BTreeMap<String, String>;

/// A resource group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its identity.
    pub uid: Uid,
    /// Subscription and name, as first given.
    pub path: GroupPath,
    /// Its region.
    pub region: Region,
    /// Its tags.
    pub tags: Tags,
    /// Life-cycle state.
    pub provisioning: Provisioning,
}

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// What every resource has.
    pub meta: Meta,
    /// Where it is.
    pub scope: GroupPath,
    /// Its region and that of all below it.
    pub region: Region,
    /// Its tags.
    pub tags: Tags,
}

/// An experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// What every resource has.
    pub meta: Meta,
    /// Where it is.
    pub scope: GroupPath,
    /// Its workspace.
    pub workspace: Name,
}

/// A file server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileServer {
    /// What every resource has.
    pub meta: Meta,
    /// Where it is.
    pub scope: GroupPath,
    /// Its workspace.
    pub workspace: Name,
    /// The wish.
    pub spec: FileServerSpec,
    /// Where it can be reached; `None` where it has failed.
    pub mount_settings: Option<MountSettings>,
    /// The subnet that was made for it when it was; of use where the wish names none.
    pub made_subnet: Option<ResourceId>,
    /// Name of its folder on this machine, never used again for another. `None` where it has failed, and
    /// where an older version made it, until the server's next start.
    pub folder: Option<String>,
}

impl FileServer {
    /// The subnet it is in: that of the wish, else the one made for it (behaviour.md section 3).
    pub fn subnet(&self) -> Option<&ResourceId> {
        self.spec.subnet.as_ref().or(self.made_subnet.as_ref())
    }
}

/// How to reach a file server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MountSettings {
    /// Export path.
    pub mount_point: String,
    /// Address from outside.
    pub public_ip: String,
    /// Address for the mount.
    pub internal_ip: String,
}

/// A problem of a job or a node, for people and programs (errors.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchAiError {
    /// Stable identifier.
    pub code: String,
    /// Text for people.
    pub message: String,
    /// Names and values that go with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<(String, String)>,
}

impl BatchAiError {
    /// An error without details.
    pub fn new(code: &str, message: impl Into<String>) -> BatchAiError {
        BatchAiError {
            code: code.to_owned(),
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// What is asked for with `member` is not built yet.
    pub fn not_available(member: &str, message: impl Into<String>) -> BatchAiError {
        BatchAiError {
            code: "NotAvailable".to_owned(),
            message: message.into(),
            details: vec![("member".to_owned(), member.to_owned())],
        }
    }
}
