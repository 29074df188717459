//! Where the resources of the flat api-versions (2017-09-01-preview, 2018-03-01) live: clusters and file servers
//! in the workspace `migrated-<region>` of their group, jobs in its experiment `migrated`
//! (behaviour.md section 14).

use crate::name::{Name, Region};

/// Begins the name of a migrated workspace; its region follows.
const PREFIX: &str = "migrated-";
/// The experiment of the jobs.
const EXPERIMENT: &str = "migrated";

/// The workspace of a region: `migrated-eastus`.
pub fn workspace(region: &Region) -> Name {
    Name::fixed(format!("{PREFIX}{region}"))
}

/// The experiment of the jobs in such a workspace.
pub fn experiment() -> Name {
    Name::fixed(EXPERIMENT.to_owned())
}

/// The region whose migrated workspace has this name; `None` where it is a workspace like any other.
pub fn region_of(workspace: &Name) -> Option<Region> {
    let key = workspace.key();
    Region::new(key.strip_prefix(PREFIX)?, "location").ok()
}

/// Whether an experiment is the one of the flat jobs.
pub fn is_experiment(name: &Name) -> bool {
    name.key() == EXPERIMENT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;

    #[test]
    fn every_region_has_a_workspace_whose_name_is_legal_and_leads_back() {
        let longest = "x".repeat(limits::REGION_LENGTH);
        for text in ["eastus", "West Europe", &longest] {
            let region = Region::new(text, "location").unwrap();
            let name = workspace(&region);
            assert_eq!(Name::new(name.as_str(), "workspaceName"), Ok(name.clone()));
            assert_eq!(region_of(&name), Some(region));
        }
        assert_eq!(
            Name::new(experiment().as_str(), "experimentName"),
            Ok(experiment())
        );
    }

    #[test]
    fn other_workspaces_are_of_no_region() {
        for text in ["eastus", "migrated", "migrated-", "migrated-a.b"] {
            assert_eq!(
                region_of(&Name::new(text, "workspaceName").unwrap()),
                None,
                "{text}"
            );
        }
        let spelt = Name::new("Migrated-EastUS", "workspaceName").unwrap();
        assert_eq!(region_of(&spelt).unwrap().as_str(), "eastus");
    }
}
