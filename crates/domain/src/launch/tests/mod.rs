//! Tests of the launch plans as a whole, and the words in which they are written.

mod golden;
mod gpus;
mod mounts;
mod place;
mod render;
mod toolkits;
mod unavailable;

use std::net::Ipv4Addr;

use crate::ids::{Attempt, PlacementId, Uid};
use crate::name::Name;
use crate::resource_id::ResourceId;
use crate::secret::Secret;
use crate::spec::*;
use crate::state::{BatchAiError, OutputLayout, PlacedNode, Seen, Share};

use super::{Behind, JobLaunch, LaunchPlan, NodePaths, job_plans, node_decides, ports_of};

pub const SEGMENT: &str = "SUB/rg/workspaces/ws/experiments/exp/jobs/job/aa0c44ca";

pub fn key() -> SecretSource {
    SecretSource::Value(Secret::new("key"))
}

pub fn vault() -> SecretSource {
    SecretSource::Vault(KeyVaultSecretReference {
        source_vault: ResourceId::new("/vaults/v", "").unwrap(),
        secret_url: "https://v/secrets/s".to_owned(),
    })
}

pub fn file_share(url: &str, path: &str) -> MountVolumes {
    MountVolumes {
        azure_file_shares: vec![AzureFileShareReference {
            account_name: "Acc".to_owned(),
            azure_file_url: url.to_owned(),
            credentials: key(),
            relative_mount_path: path.to_owned(),
            file_mode: "0777".to_owned(),
            directory_mode: "0777".to_owned(),
        }],
        ..MountVolumes::default()
    }
}

pub fn container(name: &str, path: &str) -> MountVolumes {
    MountVolumes {
        azure_blob_file_systems: vec![AzureBlobFileSystemReference {
            account_name: "acc".to_owned(),
            container_name: name.to_owned(),
            credentials: key(),
            relative_mount_path: path.to_owned(),
            mount_options: None,
        }],
        ..MountVolumes::default()
    }
}

pub fn file_server(path: &str) -> MountVolumes {
    MountVolumes {
        file_servers: vec![FileServerReference {
            file_server: ResourceId::new("/fileServers/nfs", "").unwrap(),
            source_directory: None,
            relative_mount_path: path.to_owned(),
            mount_options: None,
        }],
        ..MountVolumes::default()
    }
}

/// Two sets of volumes in one.
pub fn both(mut a: MountVolumes, b: MountVolumes) -> MountVolumes {
    a.azure_file_shares.extend(b.azure_file_shares);
    a.azure_blob_file_systems.extend(b.azure_blob_file_systems);
    a.file_servers.extend(b.file_servers);
    a.unmanaged_file_systems.extend(b.unmanaged_file_systems);
    a
}

/// A job as small as can be; tests say what else it asks for.
pub fn job(toolkit: Toolkit) -> JobSpec {
    JobSpec {
        priority: Priority::NORMAL,
        cluster: ResourceId::new("/clusters/c", "").unwrap(),
        mount_volumes: None,
        node_count: 1,
        container_settings: None,
        toolkit,
        job_preparation: None,
        std_out_err_path_prefix: "$AZ_BATCHAI_MOUNT_ROOT/azfiles".to_owned(),
        input_directories: Vec::new(),
        output_directories: Vec::new(),
        environment_variables: Vec::new(),
        secrets: Vec::new(),
        max_wall_clock_seconds: 3600,
        flat: FlatJob::default(),
    }
}

pub fn custom(command: &str) -> JobSpec {
    job(Toolkit::Custom(Some(command.to_owned())))
}

pub fn pytorch(backend: Option<CommunicationBackend>, processes: Option<u32>) -> JobSpec {
    job(Toolkit::PyTorch(PyTorchSettings {
        script: PythonScript {
            python_script_file_path: "$AZ_BATCHAI_MOUNT_ROOT/azfiles/train.py".to_owned(),
            python_interpreter_path: None,
            command_line_args: Some("--rank $AZ_BATCHAI_TASK_INDEX".to_owned()),
        },
        process_count: processes,
        communication_backend: backend,
    }))
}

pub fn paths(node: Uid) -> NodePaths {
    NodePaths {
        mount_root: format!("/n{node}/mounts"),
        jobs_root: format!("/n{node}/jobs"),
        shared_root: "/shared".to_owned(),
        remote_shell: "/engine/remote-shell".to_owned(),
        share_loopback: true,
        share_cores: true,
        apart: false,
    }
}

pub fn shares(share: &Share) -> Behind {
    Behind::Source(format!(
        "/shares/{}/{:?}/{}",
        share.account, share.kind, share.name
    ))
}

pub fn file_servers(entry: usize) -> String {
    format!("/file-servers/{entry}")
}

/// The plans of a job on as many nodes as it asks for, each with `gpus` GPUs.
pub fn plans_of(spec: &JobSpec, gpus: u32) -> Result<Vec<(Uid, LaunchPlan)>, BatchAiError> {
    plans_with(spec, &|_| gpus)
}

/// The same where each node has GPUs of its own number.
pub fn plans_with(spec: &JobSpec, gpus: &dyn Fn(Uid) -> u32) -> Result<Vec<(Uid, LaunchPlan)>, BatchAiError> {
    plans_placed(spec, gpus, &|index| node_decides(spec, index))
}

/// The same where the placement says which nodes decide.
pub fn plans_placed(
    spec: &JobSpec,
    gpus: &dyn Fn(Uid) -> u32,
    decides: &dyn Fn(u32) -> bool,
) -> Result<Vec<(Uid, LaunchPlan)>, BatchAiError> {
    let name = |text| Name::new(text, "").unwrap();
    let nodes: Vec<PlacedNode> = (1..=spec.node_count)
        .map(|n| PlacedNode {
            uid: Uid(i64::from(n)),
            name: format!("tvm-7_{n}"),
            address: Ipv4Addr::new(10, 0, 0, 3 + n as u8),
            seen: Seen::Nothing,
            decides: decides(n - 1),
        })
        .collect();
    let mut ports = (23456..).take(ports_of(spec) as usize);
    let port = ports.next().unwrap_or_default();
    let task_ports: Vec<u16> = ports.collect();
    job_plans(&JobLaunch {
        placement: PlacementId {
            job: Uid(50),
            attempt: Attempt(2),
        },
        spec,
        workspace: &name("ws"),
        experiment: &name("exp"),
        job: &name("job"),
        output_segment: SEGMENT,
        layout: OutputLayout::Usual,
        nodes: &nodes,
        port,
        task_ports: &task_ports,
        paths: &paths,
        shares: &shares,
        file_servers: &file_servers,
        gpus,
        grace_seconds: 30,
        caps: crate::launch::Caps::default(),
    })
}

pub fn plans(spec: &JobSpec, gpus: u32) -> Vec<LaunchPlan> {
    let plans = plans_of(spec, gpus).unwrap();
    plans.into_iter().map(|(_, plan)| plan).collect()
}
