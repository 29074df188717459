//! What each toolkit starts, and where.

use std::collections::BTreeMap;

use super::*;
use crate::launch::{Process, node_decides, ports_of};
use CommunicationBackend::{Gloo, Mpi, Nccl, Tcp};

fn script(path: &str, arguments: &str) -> PythonScript {
    PythonScript {
        python_script_file_path: path.to_owned(),
        python_interpreter_path: None,
        command_line_args: Some(arguments.to_owned()),
    }
}

fn on(nodes: u32, toolkit: Toolkit) -> JobSpec {
    JobSpec {
        node_count: nodes,
        ..job(toolkit)
    }
}

fn mpi(nodes: u32, processes: Option<u32>) -> JobSpec {
    on(
        nodes,
        Toolkit::CustomMpi(CustomMpiSettings {
            command_line: "./train --data $AZ_BATCHAI_JOB_TEMP".to_owned(),
            process_count: processes,
        }),
    )
}

fn tensorflow(nodes: u32, workers: Option<u32>, servers: Option<u32>) -> JobSpec {
    on(
        nodes,
        Toolkit::TensorFlow(TensorFlowSettings {
            python_script_file_path: "$AZ_BATCHAI_MOUNT_ROOT/t.py".to_owned(),
            python_interpreter_path: Some("python2.7".to_owned()),
            master_command_line_args: Some("--master".to_owned()),
            worker_command_line_args: Some("--worker".to_owned()),
            parameter_server_command_line_args: Some("--ps".to_owned()),
            worker_count: workers,
            parameter_server_count: servers,
        }),
    )
}

fn cntk(config: Option<&str>, file: Option<&str>, processes: Option<u32>) -> JobSpec {
    job(Toolkit::Cntk(CntkSettings {
        language_type: None,
        config_file_path: config.map(str::to_owned),
        python_script_file_path: file.map(str::to_owned),
        python_interpreter_path: None,
        command_line_args: Some("rootDir=.".to_owned()),
        process_count: processes,
    }))
}

fn caffe(config: Option<&str>, file: Option<&str>, processes: Option<u32>) -> JobSpec {
    job(Toolkit::Caffe(CaffeSettings {
        config_file_path: config.map(str::to_owned),
        python_script_file_path: file.map(str::to_owned),
        python_interpreter_path: None,
        command_line_args: None,
        process_count: processes,
    }))
}

/// Name, whether it decides, and command line of each process, node by node.
fn processes(spec: &JobSpec) -> Vec<Vec<(String, bool, String)>> {
    let shown = |process: Process| (process.name, process.decides, process.arguments[2].clone());
    let plans = plans(spec, 0).into_iter();
    plans
        .map(|plan| plan.processes.into_iter().map(shown).collect())
        .collect()
}

fn names(spec: &JobSpec) -> Vec<Vec<String>> {
    let name = |(name, decides, _): (String, bool, String)| if decides { name } else { format!("({name})") };
    let nodes = processes(spec).into_iter();
    nodes.map(|node| node.into_iter().map(name).collect()).collect()
}

/// The one command line of a job that has one process.
fn command(spec: &JobSpec) -> String {
    let mut all: Vec<_> = processes(spec).into_iter().flatten().collect();
    assert_eq!(all.len(), 1);
    all.remove(0).2
}

fn environment(spec: &JobSpec, node: usize, process: usize) -> BTreeMap<String, String> {
    plans(spec, 0)[node].processes[process].environment.clone()
}

fn tails(spec: &JobSpec) -> Vec<String> {
    let all = plans(spec, 0).into_iter().flat_map(|plan| plan.processes);
    all.map(|p| p.stdout.rsplit('/').next().unwrap().to_owned())
        .collect()
}

#[test]
fn mpi_runs_its_launcher_on_the_master_and_the_other_nodes_wait() {
    let plans = plans(&mpi(2, Some(5)), 4);
    assert_eq!(names(&mpi(2, Some(5))), [vec!["mpirun"], vec![]]);
    assert_eq!(
        plans[0].processes[0].arguments[3..],
        [
            "mpirun",
            "5",
            "10.0.0.4:3,10.0.0.5:2",
            "./train --data $AZ_BATCHAI_JOB_TEMP"
        ]
    );
    let waits: Vec<bool> = plans.iter().map(|plan| plan.until_stopped).collect();
    assert_eq!(waits, [false, true]);
    let hostfile = plans[0].files.values().next().unwrap();
    assert_eq!(hostfile, "10.0.0.4 slots=3\n10.0.0.5 slots=2\n");
    assert_eq!(tails(&mpi(2, None)), ["stdout.txt"]);
}

#[test]
fn fewer_processes_than_nodes_leave_nodes_without() {
    let plans = plans(&mpi(3, Some(1)), 0);
    assert_eq!(plans[0].processes[0].arguments[5], "10.0.0.4:1");
    let mut ranks = pytorch(Some(Gloo), Some(1));
    ranks.node_count = 3;
    assert_eq!(names(&ranks), [vec!["rank 0"], vec![], vec![]]);
    let decide: Vec<bool> = (0..3).map(|node| node_decides(&ranks, node)).collect();
    assert_eq!(decide, [true, false, false]);
}

#[test]
fn the_plan_and_the_state_machine_agree_on_who_decides() {
    for spec in [
        mpi(3, Some(2)),
        tensorflow(3, Some(1), Some(3)),
        tensorflow(2, None, None),
        on(2, Toolkit::CustomPerNode("x".to_owned())),
        on(3, Toolkit::Custom(Some("x".to_owned()))),
        on(2, Toolkit::Caffe2(script("x.py", ""))),
    ] {
        for (index, plan) in (0..).zip(plans(&spec, 0)) {
            assert_eq!(plan.until_stopped, !node_decides(&spec, index));
            let decides = plan.processes.iter().any(|process| process.decides);
            assert_eq!(decides, node_decides(&spec, index), "{:?}", spec.toolkit);
        }
    }
    // A placement that an earlier version stored says that all decide: then none may wait for a stop.
    let spec = on(2, Toolkit::Custom(Some("x".to_owned())));
    let plans = plans_placed(&spec, &|_| 0, &|_| true).unwrap();
    assert!(plans.iter().all(|(_, plan)| !plan.until_stopped));
    let nothing = on(2, Toolkit::Custom(None));
    let plans = plans_of(&nothing, 0).unwrap();
    assert!(plans.iter().all(|(_, plan)| !plan.until_stopped));
}

#[test]
fn horovod_and_chainer_run_their_script_by_mpi() {
    for toolkit in [Toolkit::Horovod, Toolkit::Chainer] {
        let settings = PythonProcesses {
            script: script("$AZ_BATCHAI_JOB_MOUNT_ROOT/train it.py", "--epochs $EPOCHS"),
            process_count: None,
        };
        let plan = &plans(&on(2, toolkit(settings)), 0)[0];
        let expected = r#""$(command -v python || echo python3)" "${AZ_BATCHAI_JOB_MOUNT_ROOT}"'/train it.py' --epochs $EPOCHS"#;
        assert_eq!(
            plan.processes[0].arguments[4..],
            ["2", "10.0.0.4:1,10.0.0.5:1", expected]
        );
    }
}

#[test]
fn cntk_runs_brain_script_or_python() {
    let config = "$AZ_BATCHAI_INPUT_CONFIG/c.cntk";
    let one = command(&cntk(Some(config), None, None));
    assert_eq!(
        one,
        r#"cntk configFile="${AZ_BATCHAI_INPUT_CONFIG}"'/c.cntk' rootDir=."#
    );
    assert!(command(&cntk(None, Some("t.py"), None)).ends_with("'t.py' rootDir=."));
    assert_eq!(names(&cntk(Some(config), None, Some(2))), [vec!["mpirun"]]);
}

#[test]
fn caffe_runs_a_solver_or_a_script() {
    assert_eq!(
        command(&caffe(Some("s.prototxt"), None, None)),
        "caffe train --solver='s.prototxt'"
    );
    assert!(command(&caffe(None, Some("t.py"), None)).ends_with(" 't.py'"));
    assert_eq!(names(&caffe(None, Some("t.py"), Some(4))), [vec!["mpirun"]]);
}

#[test]
fn caffe2_and_commands_for_every_node_run_on_all_of_them() {
    let caffe2 = on(2, Toolkit::Caffe2(script("x.py", "")));
    assert_eq!(names(&caffe2), [vec!["shard 0"], vec!["shard 1"]]);
    assert_eq!(tails(&caffe2), ["stdout-wk-0.txt", "stdout-wk-1.txt"]);
    assert_eq!(environment(&caffe2, 1, 0)["AZ_BATCHAI_TASK_INDEX"], "1");
    let each = on(2, Toolkit::CustomPerNode("torchrun x.py".to_owned()));
    assert_eq!(tails(&each), ["stdout-0.txt", "stdout-1.txt"]);
    assert!(!environment(&each, 1, 0).contains_key("RANK"));
    assert_eq!(environment(&each, 1, 0)["NODE_RANK"], "1");
}

#[test]
fn tensorflow_places_servers_and_workers_and_tells_them_of_one_another() {
    let spec = tensorflow(2, None, None);
    assert_eq!(
        names(&spec),
        [vec!["(parameter server 0)", "worker 0"], vec!["worker 1"]]
    );
    assert_eq!(
        tails(&spec),
        ["stdout-ps-0.txt", "stdout-wk-0.txt", "stdout-wk-1.txt"]
    );
    let worker = environment(&spec, 1, 0);
    assert_eq!(worker["AZ_BATCHAI_PS_HOSTS"], "10.0.0.4:23457");
    assert_eq!(worker["AZ_BATCHAI_WORKER_HOSTS"], "10.0.0.4:23458,10.0.0.5:23459");
    assert_eq!(worker["AZ_BATCHAI_TASK_INDEX"], "1");
    let config = |node, process| -> serde_json::Value {
        serde_json::from_str(&environment(&spec, node, process)["TF_CONFIG"]).unwrap()
    };
    assert_eq!(
        config(0, 0)["task"],
        serde_json::json!({"type": "ps", "index": 0})
    );
    assert_eq!(
        config(0, 1)["task"],
        serde_json::json!({"type": "master", "index": 0})
    );
    assert_eq!(
        config(1, 0)["task"],
        serde_json::json!({"type": "worker", "index": 1})
    );
    assert_eq!(config(1, 0)["cluster"]["worker"][1], "10.0.0.5:23459");
    let commands: Vec<String> = processes(&spec)
        .into_iter()
        .flatten()
        .map(|(_, _, c)| c)
        .collect();
    for (command, argument) in commands.iter().zip(["--ps", "--master", "--worker"]) {
        assert_eq!(
            *command,
            format!(r#"'python2.7' "${{AZ_BATCHAI_MOUNT_ROOT}}"'/t.py' {argument}"#)
        );
    }
}

/// The first port is where the job meets, so that there has to be one more than tasks, on one node too.
#[test]
fn each_tensorflow_task_has_a_port_of_its_own_on_one_node_too() {
    let worker = environment(&tensorflow(1, Some(2), Some(1)), 0, 1);
    assert_eq!(worker["AZ_BATCHAI_PS_HOSTS"], "10.0.0.4:23457");
    assert_eq!(worker["AZ_BATCHAI_WORKER_HOSTS"], "10.0.0.4:23458,10.0.0.4:23459");
    assert_eq!(worker["MASTER_PORT"], "23456");
}

#[test]
fn tensorflow_with_one_process_talks_to_nobody() {
    let spec = tensorflow(1, None, None);
    assert_eq!(names(&spec), [vec!["worker 0"]]);
    assert_eq!(tails(&spec), ["stdout-wk-0.txt"]);
    assert!(!environment(&spec, 0, 0).contains_key("TF_CONFIG"));
    assert_eq!(ports_of(&spec), 0);
}

#[test]
fn ports_are_asked_for_where_processes_meet() {
    let mut ranks = pytorch(Some(Gloo), Some(2));
    assert_eq!(ports_of(&ranks), 1);
    ranks.node_count = 2;
    assert_eq!(ports_of(&ranks), 1);
    for (spec, ports) in [
        (custom("x"), 0),
        (pytorch(None, None), 1),
        (on(2, Toolkit::Custom(Some("x".to_owned()))), 1),
        (job(Toolkit::CustomPerNode("x".to_owned())), 1),
        (tensorflow(2, Some(2), Some(1)), 4),
        (tensorflow(1, Some(2), Some(0)), 3),
        (mpi(1, Some(4)), 0),
        (mpi(2, None), 1),
    ] {
        assert_eq!(ports_of(&spec), ports, "{:?}", spec.toolkit);
    }
}

#[test]
fn pytorch_ranks_know_their_world_and_mpi_ranks_their_index() {
    let mut spec = pytorch(Some(Tcp), Some(3));
    spec.node_count = 2;
    let rank = environment(&spec, 0, 1);
    let told = [
        "RANK",
        "WORLD_SIZE",
        "LOCAL_RANK",
        "MASTER_ADDR",
        "MASTER_PORT",
        "NNODES",
        "NODE_RANK",
    ];
    assert_eq!(
        told.map(|name| rank[name].as_str()),
        ["1", "3", "1", "10.0.0.4", "23456", "2", "0"]
    );
    spec.toolkit = pytorch(Some(Nccl), Some(3)).toolkit;
    assert_eq!(
        environment(&spec, 1, 0)["AZ_BATCHAI_PYTORCH_INIT_METHOD"],
        "tcp://10.0.0.4:23456"
    );
    spec.toolkit = pytorch(Some(Mpi), Some(3)).toolkit;
    assert_eq!(names(&spec), [vec!["mpirun"], vec![]]);
    let command = &plans(&spec, 0)[0].processes[0].arguments[6];
    assert!(
        command.contains("AZ_BATCHAI_TASK_INDEX=\"${OMPI_COMM_WORLD_RANK"),
        "{command}"
    );
    assert_eq!(environment(&spec, 0, 0)["AZ_BATCHAI_PYTORCH_BACKEND"], "mpi");
    assert!(!environment(&spec, 0, 0).contains_key("RANK"));
}

/// A script that finds RANK begins to look for the others, also where there are none.
#[test]
fn a_single_rank_is_told_where_to_meet_too() {
    let rank = environment(&pytorch(None, None), 0, 0);
    let told = ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"];
    assert_eq!(
        told.map(|name| rank[name].as_str()),
        ["0", "1", "10.0.0.4", "23456"]
    );
}

#[test]
fn one_process_of_pytorch_by_mpi_runs_without_a_launcher_and_says_the_same_files() {
    let spec = pytorch(Some(Mpi), None);
    assert!(command(&spec).starts_with("export AZ_BATCHAI_TASK_INDEX="));
    assert_eq!(tails(&spec), ["stdout.txt"]);
    assert!(!environment(&spec, 0, 0).contains_key("RANK"));
}

#[test]
fn a_user_may_say_otherwise_what_launchers_look_for() {
    let mut spec = on(2, Toolkit::Custom(Some("x".to_owned())));
    let variable = |name: &str, value: &str| EnvironmentVariable {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    spec.environment_variables = vec![
        variable("MASTER_PORT", "29500"),
        variable("COORDINATOR", "$MASTER_ADDR:1234"),
    ];
    let environment = environment(&spec, 0, 0);
    assert_eq!(environment["MASTER_PORT"], "29500");
    assert_eq!(environment["COORDINATOR"], "10.0.0.4:1234");
    assert_eq!(environment["OMPI_MCA_plm_rsh_agent"], "/engine/remote-shell");
}

#[test]
fn mpi_goes_by_loopback_where_nodes_share_it_and_spares_cores_that_they_share() {
    let of = |share_loopback, share_cores, apart| {
        let paths = NodePaths {
            share_loopback,
            share_cores,
            apart,
            ..paths(Uid(1))
        };
        let all = crate::launch::environment::of_mpi(&paths, "/job");
        let [interface, yields] = ["HYDRA_IFACE", "OMPI_MCA_mpi_yield_when_idle"].map(|name| all.get(name));
        (interface.cloned(), yields.cloned())
    };
    let (link, yields) = (|name: &str| Some(name.to_owned()), Some("1".to_owned()));
    assert_eq!(of(true, true, false), (link("lo"), yields.clone()));
    assert_eq!(of(true, true, true), (link("lo"), yields.clone()));
    assert_eq!(of(false, true, true), (link("eth0"), yields), "on a bridge");
    assert_eq!(of(false, false, false), (None, None), "on machines of their own");
}
