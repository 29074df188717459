//! Resource ids in the shape of Azure Resource Manager.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::invalid::Invalid;
use crate::migrated;
use crate::name::{GroupName, Name, SubscriptionId, excerpt};

/// A resource id as somebody wrote it: it compares without case and prints as given.
///
/// It need not point to a resource of this service: subnets, vaults and the like are kept as they are.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceId(String);

impl ResourceId {
    /// Takes an id: it begins with a slash, has no empty or dotted segment and no control character.
    pub fn new(text: &str, target: &str) -> Result<ResourceId, Invalid> {
        let wrong = text.len() > 2048
            || !text.starts_with('/')
            || text.chars().any(char::is_control)
            || text[1..]
                .trim_end_matches('/')
                .split('/')
                .any(|s| s.is_empty() || s == "." || s == "..");
        if wrong {
            return Err(Invalid::new(
                target,
                format!(
                    "'{}' is not a resource id. Use one such as /subscriptions/…/resourceGroups/….",
                    excerpt(text)
                ),
            ));
        }
        Ok(ResourceId(text.trim_end_matches('/').to_owned()))
    }

    /// As given, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The subnet that the service makes for a file server without one: `id` is a GUID of its own
    /// (behaviour.md section 3).
    pub fn made_subnet(subscription: &SubscriptionId, id: impl fmt::Display) -> ResourceId {
        ResourceId(format!(
            "/subscriptions/{subscription}/resourceGroups/fileserverrg-{id}/providers/Microsoft.Network\
             /virtualNetworks/{id}vnet/subnets/Subnet-1"
        ))
    }

    /// Lower-cased: what comparisons use.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// Reads the id as one of this service's clusters, in any workspace of any group.
    ///
    /// `workspace/` for `workspaces/` is read too: the published PutJob example has it.
    pub fn cluster(&self) -> Option<ClusterPath> {
        let (scope, workspace, name) = self.in_workspace("clusters")?;
        Some(ClusterPath {
            scope,
            workspace,
            name,
        })
    }

    /// Reads the id as one of this service's file servers.
    pub fn file_server(&self) -> Option<FileServerPath> {
        let (scope, workspace, name) = self.in_workspace("fileservers")?;
        Some(FileServerPath {
            scope,
            workspace,
            name,
        })
    }

    /// Reads the id as a cluster of the flat api-versions, which stands right beneath its group.
    pub fn flat_cluster(&self) -> Option<FlatPath> {
        self.in_group("clusters")
    }

    /// Reads the id as a file server of the flat api-versions.
    pub fn flat_file_server(&self) -> Option<FlatPath> {
        self.in_group("fileservers")
    }

    /// The id by which the flat api-versions know the cluster or file server of this service that it names; other
    /// ids, those outside of migrated workspaces among them, stay as they are.
    pub fn flattened(&self) -> ResourceId {
        let flat = |(scope, workspace, name): (GroupPath, Name, Name),
                    write: fn(&GroupPath, &Name) -> String| {
            migrated::region_of(&workspace).map(|_| ResourceId(write(&scope, &name)))
        };
        let cluster = self
            .in_workspace("clusters")
            .and_then(|path| flat(path, flat_cluster_id));
        cluster
            .or_else(|| {
                self.in_workspace("fileservers")
                    .and_then(|path| flat(path, flat_file_server_id))
            })
            .unwrap_or_else(|| self.clone())
    }

    /// Becomes `other` where one is the flat form of the other, or both are one. Ids in two workspaces mean two resources.
    pub(crate) fn take_spelling(&mut self, other: &ResourceId) {
        let same = *self == *other || self.flattened() == *other || *self == other.flattened();
        if same {
            self.clone_from(other);
        }
    }

    fn in_group(&self, kind: &str) -> Option<FlatPath> {
        let segments: Vec<&str> = self.0[1..].split('/').collect();
        let [s, subscription, g, group, p, provider, k, name] = segments[..] else {
            return None;
        };
        let fixed = s.eq_ignore_ascii_case("subscriptions")
            && g.eq_ignore_ascii_case("resourceGroups")
            && p.eq_ignore_ascii_case("providers")
            && provider.eq_ignore_ascii_case("Microsoft.BatchAI")
            && k.eq_ignore_ascii_case(kind);
        if !fixed {
            return None;
        }
        let scope = GroupPath {
            subscription: SubscriptionId::new(subscription).ok()?,
            group: GroupName::new(group).ok()?,
        };
        let name = Name::new(name, "").ok()?;
        Some(FlatPath { scope, name })
    }

    fn in_workspace(&self, kind: &str) -> Option<(GroupPath, Name, Name)> {
        let segments: Vec<&str> = self.0[1..].split('/').collect();
        let [s, subscription, g, group, p, provider, w, workspace, k, name] = segments[..] else {
            return None;
        };
        let fixed = s.eq_ignore_ascii_case("subscriptions")
            && g.eq_ignore_ascii_case("resourceGroups")
            && p.eq_ignore_ascii_case("providers")
            && provider.eq_ignore_ascii_case("Microsoft.BatchAI")
            && (w.eq_ignore_ascii_case("workspaces") || w.eq_ignore_ascii_case("workspace"))
            && k.eq_ignore_ascii_case(kind);
        if !fixed {
            return None;
        }
        let scope = GroupPath {
            subscription: SubscriptionId::new(subscription).ok()?,
            group: GroupName::new(group).ok()?,
        };
        Some((scope, Name::new(workspace, "").ok()?, Name::new(name, "").ok()?))
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &ResourceId) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ResourceId {}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A resource group of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPath {
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The group's name as given.
    pub group: GroupName,
}

/// A cluster's place in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterPath {
    /// Subscription and group.
    pub scope: GroupPath,
    /// The workspace.
    pub workspace: Name,
    /// The cluster.
    pub name: Name,
}

/// A file server's place in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileServerPath {
    /// Subscription and group.
    pub scope: GroupPath,
    /// The workspace.
    pub workspace: Name,
    /// The file server.
    pub name: Name,
}

/// The place of a cluster or file server of the flat api-versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlatPath {
    /// Subscription and group.
    pub scope: GroupPath,
    /// The resource.
    pub name: Name,
}

impl fmt::Display for GroupPath {
    /// The id of the group. Groups print lower-cased in ids, as recorded (api.md section 1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "/subscriptions/{}/resourceGroups/{}",
            self.subscription,
            self.group.key()
        )
    }
}

/// The id of a workspace.
pub fn workspace_id(scope: &GroupPath, workspace: &Name) -> String {
    format!("{scope}/providers/Microsoft.BatchAI/workspaces/{workspace}")
}

/// The id of a cluster.
pub fn cluster_id(scope: &GroupPath, workspace: &Name, cluster: &Name) -> String {
    format!("{}/clusters/{cluster}", workspace_id(scope, workspace))
}

/// The id of a file server; its path segment prints in lower case, as recorded.
pub fn file_server_id(scope: &GroupPath, workspace: &Name, file_server: &Name) -> String {
    format!("{}/fileservers/{file_server}", workspace_id(scope, workspace))
}

/// The id of an experiment.
pub fn experiment_id(scope: &GroupPath, workspace: &Name, experiment: &Name) -> String {
    format!("{}/experiments/{experiment}", workspace_id(scope, workspace))
}

/// The id of a job.
pub fn job_id(scope: &GroupPath, workspace: &Name, experiment: &Name, job: &Name) -> String {
    format!("{}/jobs/{job}", experiment_id(scope, workspace, experiment))
}

/// The id of a cluster in the flat api-versions.
pub fn flat_cluster_id(scope: &GroupPath, cluster: &Name) -> String {
    format!("{scope}/providers/Microsoft.BatchAI/clusters/{cluster}")
}

/// The id of a file server in the flat api-versions.
pub fn flat_file_server_id(scope: &GroupPath, file_server: &Name) -> String {
    format!("{scope}/providers/Microsoft.BatchAI/fileservers/{file_server}")
}

/// The id of a job in the flat api-versions.
pub fn flat_job_id(scope: &GroupPath, job: &Name) -> String {
    format!("{scope}/providers/Microsoft.BatchAI/jobs/{job}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: &str =
        "/subscriptions/S-1/resourceGroups/Rg/providers/Microsoft.BatchAI/workspaces/w/clusters/c";

    #[test]
    fn a_cluster_id_is_read_without_case_and_with_the_published_misspelling() {
        for text in [
            CLUSTER.to_owned(),
            CLUSTER.replace("resourceGroups", "resourcegroups"),
            CLUSTER.replace("workspaces", "workspace"),
            format!("{CLUSTER}/"),
        ] {
            let path = ResourceId::new(&text, "cluster.id").unwrap().cluster().unwrap();
            assert_eq!(
                cluster_id(&path.scope, &path.workspace, &path.name),
                CLUSTER.replace("/Rg/", "/rg/")
            );
        }
    }

    #[test]
    fn other_ids_are_not_clusters() {
        let server = ResourceId::new(&CLUSTER.replace("clusters", "fileServers"), "x").unwrap();
        assert!(server.cluster().is_none());
        assert!(server.file_server().is_some());
    }

    #[test]
    fn ids_in_migrated_workspaces_have_a_flat_form_and_others_stay() {
        let id = |text: &str| ResourceId::new(text, "id").unwrap();
        let beneath = "/subscriptions/S-1/resourceGroups/Rg/providers/Microsoft.BatchAI";
        for (long, flat) in [
            ("workspaces/migrated-eastus/clusters/c.1", "clusters/c.1"),
            ("workspaces/Migrated-EastUS/fileServers/f", "fileservers/f"),
        ] {
            let long = id(&format!("{beneath}/{long}"));
            assert_eq!(long.flattened(), id(&format!("{beneath}/{flat}")));
            let mut written = long.flattened();
            written.take_spelling(&long);
            assert_eq!(written.as_str(), long.as_str());
        }
        let flat = id(&format!("{beneath}/clusters/c")).flat_cluster().unwrap();
        assert_eq!((flat.scope.group.as_str(), flat.name.as_str()), ("Rg", "c"));
        for stays in [
            CLUSTER,
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/x/y",
        ] {
            assert_eq!(id(stays).flattened().as_str(), stays);
            assert!(id(stays).flat_cluster().is_none());
        }
        let mut east = id(&format!("{beneath}/workspaces/migrated-eastus/clusters/c"));
        let west = id(&format!("{beneath}/workspaces/migrated-westus/clusters/c"));
        east.take_spelling(&west);
        assert_ne!(east, west);
        let mut own = id(CLUSTER);
        own.take_spelling(&id(&format!("{beneath}/clusters/c")));
        assert_eq!(own.as_str(), CLUSTER);
    }

    #[test]
    fn a_made_subnet_looks_as_recorded_and_is_an_id() {
        let subscription = SubscriptionId::new("s-1").unwrap();
        let id = ResourceId::made_subnet(&subscription, "7feb1976");
        assert_eq!(
            id.as_str(),
            "/subscriptions/s-1/resourceGroups/fileserverrg-7feb1976/providers/Microsoft.Network\
             /virtualNetworks/7feb1976vnet/subnets/Subnet-1"
        );
        assert_eq!(ResourceId::new(id.as_str(), "subnet.id").unwrap(), id);
    }

    #[test]
    fn dotted_and_empty_segments_are_refused() {
        for bad in ["", "x", "/a/../b", "/a//b", "/a/\u{0}"] {
            assert!(ResourceId::new(bad, "id").is_err(), "{bad:?}");
        }
    }
}
