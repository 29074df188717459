//! What is behind the volumes of a node and of a job.

use super::golden::{cluster, node_plan_of};
use super::*;
use crate::launch::{Asked, Behind, Mount};

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

#[test]
fn what_is_asked_for_goes_along() {
    let mut mounts = both(
        both(
            file_share("https://acc.file.core.windows.net/logs/deep", "afs"),
            container("models", "bfs"),
        ),
        file_server("nfs"),
    );
    mounts.azure_file_shares[0].file_mode = "0640".to_owned();
    mounts.azure_blob_file_systems[0].mount_options = Some("-o ro".to_owned());
    mounts.file_servers[0].mount_options = Some("rw".to_owned());
    mounts.unmanaged_file_systems.push(UnmanagedFileSystemReference {
        mount_command: "mount -t tmpfs none".to_owned(),
        relative_mount_path: "scratch".to_owned(),
    });
    let spec = JobSpec {
        mount_volumes: Some(mounts),
        ..custom("true")
    };
    let plan = &plans(&spec, 0)[0];
    let said: Vec<_> = plan
        .mounts
        .iter()
        .map(|mount| (mount.asked.clone(), mount.options.as_deref()))
        .collect();
    let (account, of) = ("acc".to_owned(), |name: &str| name.to_owned());
    assert_eq!(
        said,
        [
            (
                Asked::FileShare {
                    account: account.clone(),
                    share: of("logs")
                },
                None
            ),
            (
                Asked::Container {
                    account,
                    container: of("models")
                },
                Some("-o ro")
            ),
            (Asked::FileServer(of("/fileServers/nfs")), Some("rw")),
            (Asked::Unmanaged, None),
        ]
    );
    assert_eq!(
        plan.mounts[3].behind,
        Behind::Command("mount -t tmpfs none".to_owned())
    );
}
