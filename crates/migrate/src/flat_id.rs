//! Resource ids of the older versions in a text: `…/providers/Microsoft.BatchAI/clusters/NAME`.

use crate::known::EXPERIMENT;

/// The provider as ids write it; case does not count.
pub const PROVIDER: &str = "microsoft.batchai/";

/// Where the type of a flat resource stands in a text, and which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlatId {
    /// Byte of the type's first letter: the workspace is put in here.
    pub at: usize,
    /// A job needs its experiment too.
    pub job: bool,
}

/// Every flat id of `text`. What has its workspace already is none.
pub fn find(text: &str) -> Vec<FlatId> {
    let folded = text.to_ascii_lowercase();
    folded
        .match_indices(PROVIDER)
        .filter_map(|(found, _)| {
            let at = found + PROVIDER.len();
            let rest = folded.get(at..)?;
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            let job = match rest.get(..end)? {
                "clusters" | "fileservers" => false,
                "jobs" => true,
                _ => return None,
            };
            // Without a name behind it, it is the type alone.
            rest.get(end..)?.starts_with('/').then_some(FlatId { at, job })
        })
        .collect()
}

impl FlatId {
    /// What is put in at its place.
    pub fn insertion(self, workspace: &str) -> String {
        if self.job {
            format!("workspaces/{workspace}/experiments/{EXPERIMENT}/")
        } else {
            format!("workspaces/{workspace}/")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_ids_are_found_and_nested_ones_are_not() {
        let text = "/subscriptions/S/resourceGroups/g/providers/Microsoft.BatchAI/clusters/c \
                    /providers/microsoft.batchai/Jobs/j /providers/Microsoft.BatchAI/workspaces/w/clusters/c";
        let found = find(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].insertion("w"), "workspaces/w/");
        assert!(text[found[1].at..].starts_with("Jobs/j"));
        assert_eq!(found[1].insertion("w"), "workspaces/w/experiments/migrated/");
    }
}
