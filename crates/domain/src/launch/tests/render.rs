//! Plans as text, every member of them: what goldens compare.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::launch::{LaunchPlan, Mount, NodePlan, Process};

pub fn launch_plans(plans: &[LaunchPlan]) -> String {
    plans.iter().map(launch_plan).collect::<Vec<_>>().join("\n")
}

fn launch_plan(plan: &LaunchPlan) -> String {
    let mut out = String::new();
    line(
        &mut out,
        format!(
            "node {} of {}, placement {}",
            plan.node_index, plan.node_count, plan.placement
        ),
    );
    line(&mut out, format!("  job directory {}", plan.job_directory));
    let shared = &plan.shared_directory;
    line(&mut out, format!("  shared {} at {}", shared.source, shared.path));
    mounts(&mut out, "mount", &plan.mounts);
    for directory in &plan.directories {
        line(&mut out, format!("  directory {directory}"));
    }
    for (path, content) in &plan.files {
        line(&mut out, format!("  file {path} {content:?}"));
    }
    line(&mut out, format!("  execution log {}", plan.execution_log));
    line(
        &mut out,
        format!("  at most {} s, grace {} s", plan.max_seconds, plan.grace_seconds),
    );
    if plan.until_stopped {
        line(&mut out, "  waits until it is stopped".to_owned());
    }
    if let Some(remote) = &plan.remote {
        line(
            &mut out,
            format!("  commands by {} run in {}", remote.socket, remote.directory),
        );
        environment(&mut out, &remote.environment);
    }
    for each in plan.preparation.iter().chain(&plan.processes) {
        process(&mut out, each);
    }
    out
}

pub fn node_plan(plan: &NodePlan) -> String {
    let mut out = String::new();
    line(
        &mut out,
        format!("node {} {} at {}", plan.uid, plan.name, plan.address),
    );
    if let Some(limits) = &plan.limits {
        let (cores, memory, processes) = (limits.cores, limits.memory, limits.processes);
        line(
            &mut out,
            format!("  {cores} cores, {memory} bytes, {processes} processes"),
        );
    }
    mounts(&mut out, "mount", &plan.mounts);
    for directory in &plan.directories {
        line(&mut out, format!("  directory {directory}"));
    }
    line(&mut out, format!("  execution log {:?}", plan.execution_log));
    if let Some(each) = &plan.setup {
        process(&mut out, each);
    }
    out
}

fn mounts(out: &mut String, word: &str, mounts: &[Mount]) {
    for mount in mounts {
        line(out, format!("  {word} {} at {}", mount.behind, mount.path));
    }
}

fn process(out: &mut String, process: &Process) {
    let decides = if process.decides {
        "decides"
    } else {
        "does not decide"
    };
    line(
        out,
        format!("  {} ({decides}) in {}", process.name, process.directory),
    );
    line(out, format!("    {:?}", process.arguments));
    line(out, format!("    > {}", process.stdout));
    line(out, format!("    2> {}", process.stderr));
    environment(out, &process.environment);
}

fn environment(out: &mut String, environment: &BTreeMap<String, String>) {
    for (name, value) in environment {
        line(out, format!("    {name}={value}"));
    }
}

fn line(out: &mut String, text: String) {
    writeln!(out, "{text}").unwrap();
}
