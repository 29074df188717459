//! What is refused, and what is not.

use super::golden::cluster;
use super::*;
use crate::launch::{cluster_unavailable, job_unavailable};
use CommunicationBackend::{Gloo, Mpi, Nccl, Tcp};

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

fn script() -> PythonScript {
    PythonScript {
        python_script_file_path: "x.py".to_owned(),
        python_interpreter_path: None,
        command_line_args: None,
    }
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
fn what_is_built_is_not_refused() {
    let mut mounting = custom("true");
    mounting.mount_volumes = Some(file_server("nfs"));
    let mut two_nodes = pytorch(Some(Tcp), None);
    two_nodes.node_count = 2;
    let one_process = [Some(Mpi), Some(Nccl), Some(Gloo), None].map(|backend| pytorch(backend, None));
    for spec in [custom("true"), mounting, pytorch(Some(Gloo), Some(4)), two_nodes]
        .iter()
        .chain(&one_process)
    {
        assert_eq!(refused(spec), None);
    }
}

#[test]
fn several_processes_need_gloo_or_tcp() {
    for backend in [Some(Mpi), Some(Nccl), None] {
        let expected = Some("properties.pyTorchSettings.communicationBackend".to_owned());
        assert_eq!(refused(&pytorch(backend, Some(2))), expected);
        let mut two_nodes = pytorch(backend, None);
        two_nodes.node_count = 2;
        assert_eq!(refused(&two_nodes), expected);
    }
}

#[test]
fn toolkits_to_come_are_named() {
    let processes = || PythonProcesses {
        script: script(),
        process_count: None,
    };
    for (toolkit, expected) in [
        (Toolkit::Caffe2(script()), "properties.caffe2Settings"),
        (Toolkit::Chainer(processes()), "properties.chainerSettings"),
        (Toolkit::Horovod(processes()), "properties.horovodSettings"),
        (
            Toolkit::CustomMpi(CustomMpiSettings {
                command_line: "x".to_owned(),
                process_count: None,
            }),
            "properties.customMpiSettings",
        ),
    ] {
        assert_eq!(refused(&job(toolkit)).as_deref(), Some(expected));
    }
}

#[test]
fn containers_volumes_and_vaults_are_named() {
    let mut contained = custom("true");
    contained.container_settings = Some(ContainerSettings {
        server_url: None,
        image: "ubuntu".to_owned(),
        credentials: None,
        shm_size: None,
    });
    assert_eq!(
        refused(&contained).as_deref(),
        Some("properties.containerSettings")
    );

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
