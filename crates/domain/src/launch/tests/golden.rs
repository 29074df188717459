//! Whole plans of jobs shaped like the recipes, compared with kept texts.

use std::net::Ipv4Addr;

use super::*;
use crate::launch::{NodeLaunch, NodeLimits, NodePlan, node_plan};
use CommunicationBackend::{Gloo, Tcp};

fn variable(name: &str, value: &str) -> EnvironmentVariable {
    EnvironmentVariable {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn secret(name: &str, value: &str) -> SecretVariable {
    SecretVariable {
        name: name.to_owned(),
        value: SecretSource::Value(Secret::new(value)),
    }
}

/// A custom job that uses all there is.
fn rich(node_count: u32) -> JobSpec {
    JobSpec {
        node_count,
        mount_volumes: Some(both(
            container("data", "blobs/data"),
            file_share("https://acc.file.core.windows.net/logs", "/blobs/"),
        )),
        job_preparation: Some("pip install x".to_owned()),
        std_out_err_path_prefix: "$AZ_BATCHAI_JOB_MOUNT_ROOT/blobs/".to_owned(),
        input_directories: vec![InputDirectory {
            id: "DATA".to_owned(),
            path: "/mnt/batch/tasks/shared/LS_root/mounts/nfs//mnist/".to_owned(),
        }],
        output_directories: vec![
            OutputDirectory {
                id: "MODEL".to_owned(),
                path_prefix: "${AZ_BATCHAI_MOUNT_ROOT}/azfiles".to_owned(),
                path_suffix: Some("Models".to_owned()),
            },
            OutputDirectory {
                id: "LOCAL".to_owned(),
                path_prefix: "out".to_owned(),
                path_suffix: None,
            },
        ],
        environment_variables: vec![
            variable("MODELS", "$AZ_BATCHAI_OUTPUT_MODEL:$HOME"),
            variable("AZ_BATCHAI_NUM_GPUS", "99"),
        ],
        secrets: vec![
            secret("TOKEN", "$AZ_BATCHAI_JOB_TEMP"),
            secret("AZ_BATCHAI_JOB_TEMP", "/"),
        ],
        ..custom("mpirun --hostfile $AZ_BATCHAI_MPI_HOST_FILE hostname && echo 'done'")
    }
}

#[test]
fn custom_on_one_node() {
    insta::assert_snapshot!(render::launch_plans(&plans(&rich(1), 0)));
}

#[test]
fn custom_on_two_nodes() {
    insta::assert_snapshot!(render::launch_plans(&plans(&rich(2), 4)));
}

#[test]
fn a_job_that_runs_nothing() {
    let plans = plans(&job(Toolkit::Custom(None)), 0);
    assert_eq!(plans.len(), 1);
    assert!(plans[0].processes.is_empty() && plans[0].preparation.is_none());
}

#[test]
fn pytorch_on_one_node_without_a_backend() {
    insta::assert_snapshot!(render::launch_plans(&plans(&pytorch(None, None), 1)));
}

#[test]
fn pytorch_tcp_three_ranks_on_two_nodes() {
    let mut spec = pytorch(Some(Tcp), Some(3));
    spec.node_count = 2;
    if let Toolkit::PyTorch(settings) = &mut spec.toolkit {
        settings.script.python_interpreter_path = Some("/opt/it's here/python".to_owned());
        settings.script.command_line_args = None;
    }
    insta::assert_snapshot!(render::launch_plans(&plans(&spec, 0)));
}

const RECIPE_SCRIPT: &str = "$AZ_BATCHAI_JOB_MOUNT_ROOT/scripts/pytorch/mnist_trainer.py";
const RECIPE_ARGUMENTS: &str = "--epochs 10 --world-size 2 --dist-backend gloo --dist-url \
     $AZ_BATCHAI_PYTORCH_INIT_METHOD --rank $AZ_BATCHAI_TASK_INDEX";
const RECIPE_PREFIX: &str = "$AZ_BATCHAI_JOB_MOUNT_ROOT/logs";

#[test]
fn pytorch_gloo_recipe_without_its_container() {
    let spec = JobSpec {
        node_count: 2,
        std_out_err_path_prefix: RECIPE_PREFIX.to_owned(),
        mount_volumes: Some(both(
            file_share("https://acc.file.core.windows.net/logs", "logs"),
            file_share("https://acc.file.core.windows.net/scripts", "scripts"),
        )),
        ..job(Toolkit::PyTorch(PyTorchSettings {
            script: PythonScript {
                python_script_file_path: RECIPE_SCRIPT.to_owned(),
                python_interpreter_path: None,
                command_line_args: Some(RECIPE_ARGUMENTS.to_owned()),
            },
            process_count: None,
            communication_backend: Some(Gloo),
        }))
    };
    insta::assert_snapshot!(render::launch_plans(&plans(&spec, 1)));
}

#[test]
fn the_recipe_of_the_golden_is_the_published_one() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/reference/recipes/PyTorch-GPU-Distributed-Gloo/job.json"
    );
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("left out: ../shared is not here (the PyTorch-GPU-Distributed-Gloo recipe)");
        return;
    };
    let recipe: serde_json::Value = serde_json::from_str(&text).unwrap();
    let properties = &recipe["properties"];
    let settings = &properties["pyTorchSettings"];
    assert_eq!(settings["pythonScriptFilePath"], RECIPE_SCRIPT);
    assert_eq!(settings["commandLineArgs"], RECIPE_ARGUMENTS);
    assert_eq!(settings["communicationBackend"], "gloo");
    assert_eq!(properties["stdOutErrPathPrefix"], RECIPE_PREFIX);
    assert_eq!(properties["nodeCount"], 2);
}

pub fn cluster(setup: Option<NodeSetup>) -> ClusterSpec {
    ClusterSpec {
        vm_size: "STANDARD_D1".to_owned(),
        vm_priority: VmPriority::Dedicated,
        scale: Scale::Manual {
            target_node_count: 1,
            node_deallocation_option: DeallocationOption::Requeue,
        },
        image: ImageReference::default(),
        node_setup: setup,
        user_account_settings: UserAccountSettings {
            admin_user_name: "demoUser".to_owned(),
            admin_user_ssh_public_key: None,
            admin_user_password: None,
        },
        subnet: None,
        flat: FlatCluster::default(),
    }
}

pub fn node_plan_of(cluster: &ClusterSpec) -> NodePlan {
    let plan = node_plan(&NodeLaunch {
        uid: Uid(1),
        name: "tvm-7_1",
        address: Ipv4Addr::new(10, 0, 0, 4),
        cluster,
        std_out_err_path_suffix: "SUB/rg/workspaces/ws/clusters/c/0f3c",
        paths: &paths(Uid(1)),
        shares: &shares,
        file_servers: &file_servers,
        gpus: &[],
        limits: Some(NodeLimits {
            vm_size: cluster.vm_size.clone(),
            cores: 1,
            memory: 3584 << 20,
            processes: 4096,
        }),
    });
    plan.unwrap()
}

fn rendered_node(cluster: &ClusterSpec) -> String {
    render::node_plan(&node_plan_of(cluster))
}

#[test]
fn node_with_mounts_and_a_setup_task() {
    let setup = NodeSetup {
        setup_task: Some(SetupTask {
            command_line: "apt-get install -y tree && echo $GREETING".to_owned(),
            environment_variables: vec![
                variable("GREETING", "volumes are in $AZ_BATCHAI_MOUNT_ROOT"),
                variable("AZ_BATCHAI_MOUNT_ROOT", "/elsewhere"),
            ],
            secrets: vec![secret("TOKEN", "s3cret")],
            std_out_err_path_prefix: "$AZ_BATCHAI_MOUNT_ROOT/azfiles/".to_owned(),
        }),
        mount_volumes: Some(both(
            file_share("https://acc.file.core.windows.net/logs", "azfiles"),
            container("data", "blobs"),
        )),
        performance_counters_settings: None,
    };
    insta::assert_snapshot!(rendered_node(&cluster(Some(setup))));
}

#[test]
fn node_of_a_plain_cluster() {
    insta::assert_snapshot!(rendered_node(&cluster(None)));
}
