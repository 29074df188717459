//! Where resources are in each version.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{CURRENT, Need, REGION, Replay, Request, SUBSCRIPTION, bodies};
use crate::known::EXPERIMENT;

/// What lies in a group, older versions and new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named after its resource")]
pub enum Kind {
    FileServer,
    Cluster,
    Job,
}

impl Kind {
    /// As paths have it.
    pub fn segment(self) -> &'static str {
        match self {
            Self::FileServer => "fileServers",
            Self::Cluster => "clusters",
            Self::Job => "jobs",
        }
    }

    fn of_segment(text: &str) -> Option<Self> {
        [Self::FileServer, Self::Cluster, Self::Job]
            .into_iter()
            .find(|kind| kind.segment().eq_ignore_ascii_case(text))
    }
}

/// The home of a call's resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Right beneath the group, in an older version.
    Flat {
        /// That version.
        version: &'static str,
    },
    /// In a workspace, jobs in an experiment there.
    Nested {
        /// The workspace.
        workspace: String,
        /// The experiment of jobs.
        experiment: String,
    },
}

impl Place {
    /// Where things of the older versions are in the new one.
    pub fn migrated(region: &str) -> Self {
        Self::Nested {
            workspace: workspace(region),
            experiment: EXPERIMENT.to_owned(),
        }
    }

    /// Its api-version.
    pub fn version(&self) -> &'static str {
        match self {
            Self::Flat { version } => version,
            Self::Nested { .. } => CURRENT,
        }
    }

    /// Path of the resources of a kind in a group.
    pub fn list(&self, group: &str, kind: Kind) -> String {
        let provider = provider(group);
        match self {
            Self::Flat { .. } => format!("{provider}/{}", kind.segment()),
            Self::Nested {
                workspace,
                experiment,
            } if kind == Kind::Job => {
                format!("{provider}/workspaces/{workspace}/experiments/{experiment}/jobs")
            }
            Self::Nested { workspace, .. } => {
                format!("{provider}/workspaces/{workspace}/{}", kind.segment())
            }
        }
    }

    /// Path and id of a resource.
    pub fn path(&self, group: &str, kind: Kind, name: &str) -> String {
        format!("{}/{name}", self.list(group, kind))
    }
}

/// The workspace of a region.
pub fn workspace(region: &str) -> String {
    format!("migrated-{region}")
}

/// Path of a group.
pub fn group(name: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}")
}

/// Path of what a group has of Batch AI.
pub fn provider(name: &str) -> String {
    format!("{}/providers/Microsoft.BatchAI", group(name))
}

/// `text` with every subscription's id made that of the replay.
pub fn in_our_subscription(text: &str) -> String {
    const MARK: &str = "/subscriptions/";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.to_ascii_lowercase().find(MARK) {
        let (before, after) = rest.split_at(at + MARK.len());
        let end = after.find('/').unwrap_or(after.len());
        out.push_str(before);
        out.push_str(SUBSCRIPTION);
        rest = after.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The cluster, file server or job of an id, whatever its version; its workspace and experiment if it has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What it is, as a need.
    pub need: Need,
    /// Its workspace.
    pub workspace: Option<String>,
    /// Its experiment.
    pub experiment: Option<String>,
}

/// What an id names.
pub fn named(id: &str) -> Option<Named> {
    let segments: Vec<&str> = id.trim_matches('/').split('/').collect();
    let after = |name: &str| {
        let at = segments
            .iter()
            .position(|segment| segment.eq_ignore_ascii_case(name))?;
        segments.get(at + 1).map(|text| (*text).to_owned())
    };
    if !after("providers")?.eq_ignore_ascii_case("Microsoft.BatchAI") {
        return None;
    }
    let (name, kind) = (segments.last()?, segments.iter().rev().nth(1)?);
    Some(Named {
        need: Need {
            kind: Kind::of_segment(kind)?,
            group: after("resourceGroups")?,
            name: (*name).to_owned(),
            output: None,
        },
        workspace: after("workspaces"),
        experiment: after("experiments"),
    })
}

/// Requests that make a world ready for both forms: groups, `migrated-<region>`, its experiment `migrated`, and
/// what the call needs, in `place`.
pub fn ready(replay: &Replay, region: &str, place: &Place) -> Vec<Request> {
    let mut groups = vec![replay.group.clone()];
    groups.extend(replay.needs.iter().map(|need| need.group.clone()));
    groups.sort_by_key(|name| name.to_lowercase());
    groups.dedup_by_key(|name| name.to_lowercase());
    let mut all = Vec::new();
    for name in &groups {
        all.extend(homes(name, &workspace(region), EXPERIMENT, region));
    }
    all.extend(made(replay.needs.iter().cloned(), region, place));
    all
}

/// Requests that make what a call of the new version, which stands alone, finds there: the workspace and experiment
/// that it names, unless it makes them itself, and what it needs in them.
pub fn ready_for_current(replay: &Replay) -> Vec<Request> {
    let workspace = replay.workspace.clone().unwrap_or_else(|| workspace(REGION));
    let experiment = replay.experiment.clone().unwrap_or_else(|| EXPERIMENT.to_owned());
    let region = workspace
        .strip_prefix("migrated-")
        .unwrap_or(REGION)
        .to_lowercase();
    let makes = |request: &Request| {
        replay
            .steps
            .iter()
            .any(|step| step.method == "PUT" && step.path.eq_ignore_ascii_case(&request.path))
    };
    let mut things: Vec<Named> = replay.needs.iter().cloned().map(Named::from).collect();
    for body in replay.steps.iter().filter_map(|step| step.body.as_ref()) {
        mentioned(body, &mut things);
    }
    let of = |thing: &Named| {
        (
            thing.need.group.clone(),
            thing.workspace.clone().unwrap_or_else(|| workspace.clone()),
        )
    };
    let mut all: BTreeSet<(String, String)> = things.iter().map(of).collect();
    all.insert((replay.group.clone(), workspace.clone()));
    let mut requests = Vec::new();
    for (group, workspace) in &all {
        let homes = homes(group, workspace, &experiment, &region);
        requests.extend(homes.into_iter().take_while(|request| !makes(request)));
        let here = things
            .iter()
            .filter(|thing| of(thing) == (group.clone(), workspace.clone()));
        let place = Place::Nested {
            workspace: workspace.clone(),
            experiment: experiment.clone(),
        };
        requests.extend(made(here.map(|thing| thing.need.clone()), &region, &place));
    }
    requests
}

/// Clusters and file servers whose ids stand in a body.
pub fn mentioned(value: &Value, found: &mut Vec<Named>) {
    match value {
        Value::String(text) => {
            let named = text.starts_with('/').then(|| named(text)).flatten();
            found.extend(named.filter(|named| named.need.kind != Kind::Job));
        }
        Value::Array(entries) => entries.iter().for_each(|entry| mentioned(entry, found)),
        Value::Object(members) => members.values().for_each(|member| mentioned(member, found)),
        _ => {}
    }
}

/// What the ids in a body need to be there.
pub fn needs_of(body: &Value) -> Vec<Need> {
    let mut found = Vec::new();
    mentioned(body, &mut found);
    let all: BTreeSet<Need> = found.into_iter().map(|named| named.need).collect();
    all.into_iter().collect()
}

impl From<Need> for Named {
    fn from(need: Need) -> Self {
        Self {
            need,
            workspace: None,
            experiment: None,
        }
    }
}

/// Requests that make a group, a workspace and an experiment.
pub fn homes(name: &str, workspace: &str, experiment: &str, region: &str) -> Vec<Request> {
    let location = || serde_json::json!({ "location": region });
    let at = format!("{}/workspaces/{workspace}", provider(name));
    vec![
        Request::new("PUT", group(name), CURRENT).with(location()),
        Request::new("PUT", at.clone(), CURRENT).with(location()),
        Request::new("PUT", format!("{at}/experiments/{experiment}"), CURRENT),
    ]
}

/// Requests that make what a call needs.
pub fn made(needs: impl Iterator<Item = Need>, region: &str, place: &Place) -> Vec<Request> {
    let mut needs: Vec<Need> = needs.collect();
    let clusters = needs
        .iter()
        .filter(|need| need.kind == Kind::Job)
        .map(|job| Need {
            kind: Kind::Cluster,
            group: job.group.clone(),
            name: bodies::CLUSTER.to_owned(),
            output: None,
        });
    let clusters: Vec<Need> = clusters.collect();
    needs.extend(clusters);
    needs.sort();
    needs.dedup_by_key(|need| (need.kind, need.group.to_lowercase(), need.name.to_lowercase()));
    needs
        .iter()
        .map(|need| {
            let mut body = match need.kind {
                Kind::FileServer => bodies::file_server(),
                Kind::Cluster => bodies::needed_cluster(),
                Kind::Job => {
                    let cluster = place.path(&need.group, Kind::Cluster, bodies::CLUSTER);
                    bodies::job(&cluster, need.output.as_deref())
                }
            };
            if let (Place::Flat { .. }, Some(members)) = (place, body.as_object_mut()) {
                members.insert("location".to_owned(), region.into());
            }
            let path = place.path(&need.group, need.kind, &need.name);
            Request::new("PUT", path, place.version()).with(body)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_all_versions_name_the_same_thing() {
        let flat = "/subscriptions/s/resourceGroups/g/providers/Microsoft.BatchAI/clusters/c";
        let nested = "/subscriptions/s/resourcegroups/g/providers/microsoft.batchai/workspaces/w/clusters/c";
        let (flat, nested) = (named(flat).unwrap(), named(nested).unwrap());
        assert_eq!(flat.need, nested.need);
        assert_eq!((flat.workspace, nested.workspace.as_deref()), (None, Some("w")));
        assert!(named("/subscriptions/s/resourceGroups/g").is_none());
        assert!(named("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/i").is_none());
    }

    #[test]
    fn every_subscription_becomes_ours() {
        let text = "/subscriptions/abc/resourceGroups/g /Subscriptions/SUBSCRIPTION";
        let ours = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/g /Subscriptions/{SUBSCRIPTION}");
        assert_eq!(in_our_subscription(text), ours);
    }
}
