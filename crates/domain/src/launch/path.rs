//! Paths as users write them.

use std::collections::BTreeMap;

use super::expand::expand;

/// Where cluster volumes are on a node of the original service (behaviour.md section 6). Scripts have it
/// written out, so it is read as `$AZ_BATCHAI_MOUNT_ROOT` wherever that is here.
pub const FIXED_MOUNT_ROOT: &str = "/mnt/batch/tasks/shared/LS_root/mounts";

/// Name of the root of cluster volumes.
pub(super) const MOUNT_ROOT: &str = "AZ_BATCHAI_MOUNT_ROOT";
/// Name of the root of job volumes.
pub(super) const JOB_MOUNT_ROOT: &str = "AZ_BATCHAI_JOB_MOUNT_ROOT";

/// Which volumes a path lies among.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    /// Those of the cluster.
    Cluster,
    /// Those of the job.
    Job,
}

/// Reads a path that begins at a mount root: which, and what follows. The path must be tidy.
pub(super) fn split_root(path: &str) -> Option<(Root, &str)> {
    let forms = [
        (Root::Cluster, format!("${MOUNT_ROOT}")),
        (Root::Cluster, format!("${{{MOUNT_ROOT}}}")),
        (Root::Cluster, FIXED_MOUNT_ROOT.to_owned()),
        (Root::Job, format!("${JOB_MOUNT_ROOT}")),
        (Root::Job, format!("${{{JOB_MOUNT_ROOT}}}")),
    ];
    forms
        .iter()
        .find_map(|(root, form)| Some((*root, beneath(path, form)?)))
}

/// What follows `root` in `path`, if it ends there or at a slash.
fn beneath<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    path.strip_prefix(root)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Without doubled slashes and without slashes at the end.
pub(super) fn tidy(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        if c != '/' || !out.ends_with('/') {
            out.push(c);
        }
    }
    if out.len() > 1 && out.ends_with('/') {
        out.pop();
    }
    out
}

/// `parent` and `child` with one slash between them.
pub(super) fn join(parent: &str, child: &str) -> String {
    tidy(&format!("{parent}/{child}"))
}

/// The parts of a path without empty and `.` ones; `None` when it climbs with `..`.
pub(super) fn parts(path: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty() && *p != ".").collect();
    (!parts.contains(&"..")).then_some(parts)
}

/// A tidy path in which the fixed mount root is written as the variable that holds this node's.
pub(super) fn tidy_root(path: &str) -> String {
    let path = tidy(path);
    match beneath(&path, FIXED_MOUNT_ROOT) {
        Some(rest) => format!("${{{MOUNT_ROOT}}}{rest}"),
        None => path,
    }
}

/// A path as it is on a node: variables expanded, the fixed mount root read as this node's, tidy.
pub(super) fn resolve(path: &str, known: &BTreeMap<String, String>) -> String {
    tidy(&expand(&tidy_root(path), known))
}

/// The same for a directory: one that does not begin at the root begins at `home`.
pub(super) fn resolve_directory(path: &str, known: &BTreeMap<String, String>, home: &str) -> String {
    let path = resolve(path, known);
    if path.starts_with('/') {
        path
    } else {
        join(home, &path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_tidied() {
        for (path, expected) in [
            ("//a///b//", "/a/b"),
            ("/", "/"),
            ("", ""),
            ("./a/", "./a"),
            ("///", "/"),
        ] {
            assert_eq!(tidy(path), expected, "{path}");
        }
    }

    #[test]
    fn the_fixed_root_is_this_nodes_root() {
        let known = BTreeMap::from([(MOUNT_ROOT.to_owned(), "/n1/mounts".to_owned())]);
        for (path, expected) in [
            ("/mnt/batch/tasks//shared/LS_root/mounts/afs/", "/n1/mounts/afs"),
            ("/mnt/batch/tasks/shared/LS_root/mounts", "/n1/mounts"),
            (
                "/mnt/batch/tasks/shared/LS_root/mountsx",
                "/mnt/batch/tasks/shared/LS_root/mountsx",
            ),
            ("$AZ_BATCHAI_MOUNT_ROOT//afs", "/n1/mounts/afs"),
            ("python3", "python3"),
        ] {
            assert_eq!(resolve(path, &known), expected, "{path}");
        }
        assert_eq!(resolve_directory("out", &known, "/n1/job"), "/n1/job/out");
        assert_eq!(resolve_directory("/out", &known, "/n1/job"), "/out");
    }
}
