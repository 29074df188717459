//! Ids of the old service, flat ones and those with workspaces.

use std::fmt;

/// The id of a resource of the old service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OldId {
    /// Subscription.
    pub subscription: String,
    /// Resource group.
    pub group: String,
    /// Workspace; none in the flat api-versions.
    pub workspace: Option<String>,
    /// Experiment, of a job with a workspace.
    pub experiment: Option<String>,
    /// The last type in it, lower-cased: `workspaces`, `experiments`, `clusters`, `fileservers`, `jobs`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl OldId {
    /// Reads an id; `None` where it is none of Batch AI.
    pub fn parse(text: &str) -> Option<OldId> {
        let mut parts = text.strip_prefix('/')?.trim_end_matches('/').split('/');
        let is = |part: Option<&str>, wanted: &str| {
            part.filter(|part| part.eq_ignore_ascii_case(wanted)).map(|_| ())
        };
        is(parts.next(), "subscriptions")?;
        let subscription = parts.next()?.to_owned();
        is(parts.next(), "resourceGroups")?;
        let group = parts.next()?.to_owned();
        is(parts.next(), "providers")?;
        is(parts.next(), "Microsoft.BatchAI")?;
        let rest: Vec<&str> = parts.collect();
        let (pairs, odd) = rest.as_chunks::<2>();
        if !odd.is_empty() || rest.iter().any(|part| part.is_empty()) {
            return None;
        }
        let kinds: Vec<String> = pairs.iter().map(|[kind, _]| plural(kind)).collect();
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        let name = |i: usize| pairs.get(i).map(|[_, name]| (*name).to_owned());
        let (workspace, experiment) = match kinds[..] {
            ["workspaces"] | ["clusters"] | ["fileservers"] | ["jobs"] => (None, None),
            ["workspaces", "clusters" | "fileservers" | "experiments"] => (name(0), None),
            ["workspaces", "experiments", "jobs"] => (name(0), name(1)),
            _ => return None,
        };
        Some(OldId {
            subscription,
            group,
            workspace,
            experiment,
            kind: (*kinds.last()?).to_owned(),
            name: name(pairs.len() - 1)?,
        })
    }

    /// Whether it is of a flat api-version.
    pub fn is_flat(&self) -> bool {
        self.workspace.is_none() && self.kind != "workspaces"
    }

    /// Lower-cased, for comparisons.
    pub fn key(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }
}

/// The published examples have `workspace/` for `workspaces/` once.
fn plural(kind: &str) -> String {
    let lower = kind.to_ascii_lowercase();
    if lower == "workspace" {
        "workspaces".to_owned()
    } else {
        lower
    }
}

impl fmt::Display for OldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.BatchAI",
            self.subscription, self.group
        )?;
        if let Some(workspace) = &self.workspace {
            write!(f, "/workspaces/{workspace}")?;
        }
        if let Some(experiment) = &self.experiment {
            write!(f, "/experiments/{experiment}")?;
        }
        write!(f, "/{}/{}", self.kind, self.name)
    }
}
