//! What is behind the volumes of a node and of a job.

use super::golden::{cluster, node_plan_of};
use super::*;
use crate::launch::plan::Mount;

fn shown(mounts: &[Mount]) -> Vec<String> {
    mounts
        .iter()
        .map(|mount| format!("{} at {}", mount.behind, mount.path))
        .collect()
}

#[test]
fn file_servers_are_mounted_by_their_place_in_the_list_like_shares() {
    let mounts = both(
        both(file_server("a/deep/nfs"), file_server("other")),
        file_share("https://acc.file.core.windows.net/logs", "azfiles"),
    );
    let setup = NodeSetup {
        mount_volumes: Some(mounts.clone()),
        ..NodeSetup::default()
    };
    let node = node_plan_of(&cluster(Some(setup)));
    assert_eq!(
        shown(&node.mounts),
        [
            "/shares/acc/File/logs at /n1/mounts/azfiles",
            "/file-servers/1 at /n1/mounts/other",
            "/file-servers/0 at /n1/mounts/a/deep/nfs",
        ]
    );
    let spec = JobSpec {
        node_count: 2,
        mount_volumes: Some(mounts),
        ..custom("true")
    };
    for (plan, node) in plans(&spec, 0).iter().zip(["/n1", "/n2"]) {
        let root = format!("{node}/jobs/ws/exp/job/mounts");
        assert_eq!(
            shown(&plan.mounts)[1..],
            [
                format!("/file-servers/1 at {root}/other"),
                format!("/file-servers/0 at {root}/a/deep/nfs"),
            ]
        );
    }
}
