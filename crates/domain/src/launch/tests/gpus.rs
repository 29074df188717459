//! What plans say of GPUs.

use crate::ids::{GpuId, Uid};
use crate::launch::NodePlan;

use super::{custom, plans_with};

#[test]
fn each_node_of_a_job_tells_its_own_gpus() {
    let mut spec = custom("true");
    spec.node_count = 2;
    spec.job_preparation = Some("true".to_owned());
    let has = |node| if node == Uid(1) { 2 } else { 0 };
    let plans = plans_with(&spec, &has).unwrap();
    for (node, plan) in plans {
        let told = has(node).to_string();
        let processes = plan.preparation.iter().chain(&plan.processes);
        assert_eq!(processes.clone().count(), if node == Uid(1) { 2 } else { 1 });
        for process in processes {
            assert_eq!(process.environment["AZ_BATCHAI_NUM_GPUS"], told);
            assert_eq!(process.environment["AZ_BATCHAI_NUM_GPUS_PER_NODE"], told);
        }
        let hostfile: Vec<&String> = plan.files.values().collect();
        assert_eq!(hostfile, ["10.0.0.4 slots=2\n10.0.0.5 slots=1\n"]);
    }
}

/// A node's plan as it was written before there were GPUs: nodes outlive an upgrade of the server.
#[test]
fn a_plan_of_before_gpus_is_readable() {
    let old = r#"{"uid":5,"name":"n","address":"127.16.0.1","mounts":[],"directories":[],"setup":null,
        "executionLog":null}"#;
    let plan: NodePlan = serde_json::from_str(old).unwrap();
    assert!(plan.gpus.is_empty());
    let gpus = vec![GpuId("GPU-b".to_owned()), GpuId("GPU-a".to_owned())];
    let with = NodePlan { gpus, ..plan };
    let text = serde_json::to_string(&with).unwrap();
    assert_eq!(serde_json::from_str::<NodePlan>(&text).unwrap(), with);
}
