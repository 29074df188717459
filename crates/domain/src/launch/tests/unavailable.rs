//! What is refused, and what is not.

use super::golden::cluster;
use super::*;
use crate::launch::{cluster_unavailable, job_unavailable};

fn member(error: Option<BatchAiError>) -> Option<String> {
    error.map(|error| {
        assert_eq!(error.code, "NotAvailable");
        let member = error.details[0].1.clone();
        assert!(error.message.contains(&member), "{}", error.message);
        member
    })
}

fn refused(spec: &JobSpec) -> Option<String> {
    let found = job_unavailable(spec);
    assert_eq!(plans_of(spec, 0).err(), found, "the plans agree");
    member(found)
}

fn unmanaged() -> MountVolumes {
    MountVolumes {
        unmanaged_file_systems: vec![UnmanagedFileSystemReference {
            mount_command: "mount -t nfs 10.0.0.4:/x".to_owned(),
            relative_mount_path: "nfs".to_owned(),
        }],
        ..MountVolumes::default()
    }
}

#[test]
fn file_servers_are_not_refused() {
    let mut mounting = custom("true");
    mounting.mount_volumes = Some(file_server("nfs"));
    assert_eq!(refused(&mounting), None);
}

#[test]
fn volumes_and_vaults_are_named() {
    for (mounts, expected) in [
        (unmanaged(), "properties.mountVolumes.unmanagedFileSystems"),
        (
            file_share("https://acc/..", "x"),
            "properties.mountVolumes.azureFileShares[0].azureFileUrl",
        ),
        (
            container("a/b", "x"),
            "properties.mountVolumes.azureBlobFileSystems[0].containerName",
        ),
    ] {
        let mut spec = custom("true");
        spec.mount_volumes = Some(mounts);
        assert_eq!(refused(&spec).as_deref(), Some(expected));
    }

    let secrets = |sources: Vec<SecretSource>| {
        let named = |value| SecretVariable {
            name: "TOKEN".to_owned(),
            value,
        };
        sources.into_iter().map(named).collect::<Vec<_>>()
    };
    let mut spec = custom("true");
    spec.secrets = secrets(vec![key(), vault()]);
    assert_eq!(
        refused(&spec).as_deref(),
        Some("properties.secrets[1].valueSecretReference")
    );

    let task = SetupTask {
        command_line: "true".to_owned(),
        environment_variables: Vec::new(),
        secrets: secrets(vec![vault()]),
        std_out_err_path_prefix: "/x".to_owned(),
    };
    let setup = |task, mounts| {
        let setup = NodeSetup {
            setup_task: task,
            mount_volumes: mounts,
            performance_counters_settings: None,
        };
        member(cluster_unavailable(&cluster(Some(setup))))
    };
    assert_eq!(
        setup(Some(task), None).as_deref(),
        Some("properties.nodeSetup.setupTask.secrets[0].valueSecretReference")
    );
    assert_eq!(
        setup(None, Some(unmanaged())).as_deref(),
        Some("properties.nodeSetup.mountVolumes.unmanagedFileSystems")
    );
    // The account keys of volumes are not needed, so they may be in a vault.
    let mut shares = file_share("https://acc.file.core.windows.net/logs", "x");
    shares.azure_file_shares[0].credentials = vault();
    assert_eq!(setup(None, Some(shares)), None);
    assert_eq!(member(cluster_unavailable(&cluster(None))), None);
}
