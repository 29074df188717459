//! Every recipe's job, filled in as the command line client does it (recipes/README.md).

use serde_json::{Value, json};
use trainyard_domain::ids::Uid;
use trainyard_domain::launch::{
    Behind, JobLaunch, LaunchPlan, NodePaths, Process, job_plans, node_decides, ports_of,
};
use trainyard_domain::name::Name;
use trainyard_domain::spec::JobSpec;
use trainyard_domain::state::{OutputLayout, PlacedNode, Seen};
use trainyard_wire::v2018_05_01 as wire;

use crate::{reference, samples};

fn fill_in(recipe: &Value) -> Value {
    let text = recipe
        .to_string()
        .replace("<AZURE_BATCHAI_STORAGE_ACCOUNT>", "acc");
    let mut body: Value = serde_json::from_str(&text).unwrap();
    body["properties"]["cluster"] = json!({"id": samples::cluster_id()});
    for kind in ["azureFileShares", "azureBlobFileSystems"] {
        let mounts = body["properties"]
            .get_mut("mountVolumes")
            .and_then(|m| m.get_mut(kind));
        for mount in mounts.and_then(Value::as_array_mut).into_iter().flatten() {
            mount["accountName"] = json!("acc");
            mount["credentials"] = json!({"accountKey": "KEY=="});
        }
    }
    body
}

/// Every recipe: its name and what it asks for.
fn recipes() -> Option<Vec<(String, JobSpec)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(reference::folder("recipes")?).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        for (file, recipe) in reference::json_files(&folder) {
            let folder = folder.file_name().unwrap().to_str().unwrap();
            let spec = wire::job_create(fill_in(&recipe).to_string().as_bytes());
            let spec = spec.unwrap_or_else(|error| panic!("{folder}/{file}: {error}"));
            let block = &recipe["properties"][spec.toolkit.member()];
            assert!(block.is_object(), "{folder}/{file}: {:?}", spec.toolkit);
            assert_eq!(spec.node_count, recipe["properties"]["nodeCount"]);
            found.push((format!("{folder} {file}"), spec));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Some(found)
}

#[test]
fn every_recipe_is_accepted_and_planned() {
    let Some(recipes) = recipes() else { return };
    assert_eq!(recipes.len(), 17);
    let plans: Vec<String> = recipes
        .iter()
        .map(|(name, spec)| format!("{name}\n{}", planned(spec)))
        .collect();
    insta::assert_snapshot!(plans.join("\n"));
}

/// What a recipe's job becomes on its number of nodes, each with the one GPU of the recipes' clusters. Containers are
/// left out: what runs in one is the same.
fn planned(spec: &JobSpec) -> String {
    let name = |text| Name::new(text, "").unwrap();
    let spec = JobSpec {
        container_settings: None,
        ..spec.clone()
    };
    let nodes: Vec<PlacedNode> = (1..=spec.node_count)
        .map(|n| PlacedNode {
            uid: Uid(i64::from(n)),
            name: format!("tvm-7_{n}"),
            address: [10, 0, 0, 3 + n as u8].into(),
            seen: Seen::Nothing,
            decides: node_decides(&spec, n - 1),
        })
        .collect();
    let mut ports = (2221..).take(ports_of(&spec) as usize);
    let port = ports.next().unwrap_or_default();
    let task_ports: Vec<u16> = ports.collect();
    let plans = job_plans(&JobLaunch {
        placement: "50-1".parse().unwrap(),
        spec: &spec,
        workspace: &name("ws"),
        experiment: &name("exp"),
        job: &name("job"),
        output_segment: "SEGMENT",
        layout: OutputLayout::Usual,
        nodes: &nodes,
        port,
        task_ports: &task_ports,
        paths: &|node| NodePaths {
            mount_root: format!("/n{node}/mounts"),
            jobs_root: format!("/n{node}/jobs"),
            shared_root: "/shared".to_owned(),
            remote_shell: "/remote-shell".to_owned(),
            share_loopback: false,
            share_cores: false,
            apart: false,
        },
        shares: &|share| Behind::Source(format!("/{}", share.name)),
        file_servers: &|entry| format!("/file-servers/{entry}"),
        gpus: &|_| 1,
        grace_seconds: 30,
        caps: trainyard_domain::launch::Caps::default(),
    });
    plans.unwrap().iter().map(|(_, plan)| shown(plan)).collect()
}

/// A plan without what is the same for every job.
fn shown(plan: &LaunchPlan) -> String {
    let mut out = format!("  node {} of {}", plan.node_index, plan.node_count);
    out += if plan.until_stopped {
        ", waits until it is stopped\n"
    } else {
        "\n"
    };
    for content in plan.files.values().filter(|_| plan.node_index == 0) {
        out += &format!("    hostfile {content:?}\n");
    }
    if let Some(preparation) = &plan.preparation {
        out += &format!("    preparation: {}\n", preparation.arguments[2]);
    }
    for process in &plan.processes {
        out += &process_shown(process);
    }
    out
}

fn process_shown(process: &Process) -> String {
    let decides = if process.decides { "" } else { " (does not decide)" };
    let file = |path: &str| path.rsplit_once("SEGMENT/").map(|(_, file)| file.to_owned());
    let command = match process.arguments.as_slice() {
        [_, _, line] => line.clone(),
        [_, _, _, launcher, count, nodes, line] => format!("{launcher} {count} on {nodes}: {line}"),
        other => panic!("{other:?}"),
    };
    let mut out = format!(
        "    {}{decides}: {command}\n      > {}\n",
        process.name,
        file(&process.stdout).unwrap()
    );
    let told = |name: &str| {
        let named = ["TF_CONFIG", "MASTER_ADDR", "RANK", "WORLD_SIZE", "NODE_RANK"].contains(&name);
        let of_toolkit = ["INPUT_", "OUTPUT_", "TASK_", "PS_", "WORKER_", "PYTORCH_"];
        let ours = name.strip_prefix("AZ_BATCHAI_");
        named || ours.is_some_and(|rest| of_toolkit.iter().any(|prefix| rest.starts_with(prefix)))
    };
    for (name, value) in process.environment.iter().filter(|(name, _)| told(name)) {
        out += &format!("      {name}={value}\n");
    }
    out
}
