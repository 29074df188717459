//! The parts that talk to the server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use trainyard_client::{Client, ClusterPath, ExperimentPath, JobPath, State, WorkspacePath};

use super::Load;
use super::report::Rates;
use crate::clock;

const LOCATION: &str = "eastus";
/// How often a job or cluster that is not there yet is looked at again.
const LOOK: Duration = Duration::from_millis(10);
/// How long the nodes may take to be ready.
const NODES_PATIENCE: Duration = Duration::from_secs(120);
/// How long a job may take from its turn in line: far more than any does.
const JOB_PATIENCE: Duration = Duration::from_secs(600);

/// Measures both parts in a workspace of its own.
pub async fn measure(load: Load, client: Client) -> anyhow::Result<Rates> {
    in_own_workspace(client, async |client, workspace| {
        both_parts(load, client, workspace).await
    })
    .await
}

/// Makes a resource group with a workspace, does something there, removes all of it.
pub async fn in_own_workspace<T>(
    client: Client,
    work: impl AsyncFnOnce(&Arc<Client>, &WorkspacePath) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let client = Arc::new(client);
    let subscriptions = client
        .subscriptions()
        .await
        .context("the subscriptions cannot be read")?;
    let subscription = subscriptions
        .into_iter()
        .next()
        .context("the token sees no subscription")?;
    let group = format!("bench-{}", clock::stamp());
    let workspace = WorkspacePath {
        subscription,
        group,
        workspace: "bench".into(),
    };
    client.put_group(&workspace, LOCATION).await?;
    let outcome = match client.put_workspace(&workspace, LOCATION).await {
        Ok(()) => work(&client, &workspace).await,
        Err(error) => Err(error.into()),
    };
    let removed = client
        .delete_group(&workspace)
        .await
        .context("what was made cannot be removed");
    let done = outcome?;
    removed?;
    Ok(done)
}

async fn both_parts(load: Load, client: &Arc<Client>, workspace: &WorkspacePath) -> anyhow::Result<Rates> {
    let (empty, full) = (workspace.cluster("empty"), workspace.cluster("full"));
    client.put_cluster(&empty, &cluster_body(0)).await?;
    client.put_cluster(&full, &cluster_body(load.nodes)).await?;
    await_nodes(client, &full, load.nodes).await?;
    let (puts, runs) = (workspace.experiment("puts"), workspace.experiment("runs"));
    client.put_experiment(&puts).await?;
    client.put_experiment(&runs).await?;

    let begun = clock::instant();
    let mut times = submit(load, client, &puts, &empty).await?;
    let put_rate = f64::from(load.jobs) / begun.elapsed().as_secs_f64();
    times.sort_unstable();

    let begun = clock::instant();
    submit(load, client, &runs, &full).await?;
    let failed = await_ends(load, client, &runs).await?;
    let run_rate = f64::from(load.jobs - failed) / begun.elapsed().as_secs_f64();
    Ok(Rates {
        puts_per_second: put_rate,
        put_median_ms: millis(&times, 50),
        put_99th_ms: millis(&times, 99),
        runs_per_second: run_rate,
        failed,
    })
}

/// Waits until a cluster has so many idle nodes.
pub async fn await_nodes(client: &Client, cluster: &ClusterPath, nodes: u32) -> anyhow::Result<()> {
    let ready = tokio::time::timeout(NODES_PATIENCE, nodes_ready(client, cluster, nodes)).await;
    ready.with_context(|| format!("{nodes} nodes are not ready in time"))?
}

async fn nodes_ready(client: &Client, cluster: &ClusterPath, nodes: u32) -> anyhow::Result<()> {
    loop {
        let now = client.get_cluster(cluster).await?;
        if now.counts.idle == nodes {
            return Ok(());
        }
        if now.counts.unusable > 0 {
            bail!(
                "{} nodes cannot be used: see the server's log",
                now.counts.unusable
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Submits all jobs; how long each PUT took.
async fn submit(
    load: Load,
    client: &Arc<Client>,
    experiment: &ExperimentPath,
    cluster: &ClusterPath,
) -> anyhow::Result<Vec<Duration>> {
    let body = Arc::new(job_body(cluster));
    in_parallel(load, |index| {
        let (client, body) = (client.clone(), body.clone());
        let path = experiment.job(&job_name(index));
        async move {
            let begun = clock::instant();
            client.put_job(&path, &body).await?;
            Ok(begun.elapsed())
        }
    })
    .await
}

/// Waits for every job's end, one after the other, so that asking costs the server little; how many failed.
async fn await_ends(load: Load, client: &Client, experiment: &ExperimentPath) -> anyhow::Result<u32> {
    let mut failed = 0;
    for index in 0..load.jobs {
        let state = await_end(client, &experiment.job(&job_name(index))).await?;
        failed += u32::from(state != State::Succeeded);
    }
    Ok(failed)
}

/// Waits for a job's end; its last state.
pub async fn await_end(client: &Client, path: &JobPath) -> anyhow::Result<State> {
    let end = async {
        loop {
            let state = client.get_job(path).await?.state;
            if state.is_final() {
                return anyhow::Ok(state);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(JOB_PATIENCE, end)
        .await
        .with_context(|| format!("job {} has not ended in time", path.job))
        .flatten()
}

/// Does one thing for each job, as many at a time as there are connections, in order.
async fn in_parallel<T, F, W>(load: Load, work: F) -> anyhow::Result<Vec<T>>
where
    T: Send + 'static,
    F: Fn(u32) -> W,
    W: Future<Output = anyhow::Result<T>> + Send + 'static,
{
    let mut next = load.connections.min(load.jobs);
    let mut running = JoinSet::new();
    let mut done = Vec::new();
    for index in 0..next {
        running.spawn(work(index));
    }
    while let Some(end) = running.join_next().await {
        done.push(end??);
        if next < load.jobs {
            running.spawn(work(next));
            next += 1;
        }
    }
    Ok(done)
}

fn job_name(index: u32) -> String {
    format!("job-{index:06}")
}

/// A cluster of so many nodes.
pub fn cluster_body(nodes: u32) -> Value {
    json!({
        "vmSize": "STANDARD_D1",
        "scaleSettings": {"manual": {"targetNodeCount": nodes}},
        // Nobody signs in to these nodes; the service asks for a password.
        "userAccountSettings": {"adminUserName": "bench", "adminUserPassword": "bench"},
    })
}

fn job_body(cluster: &ClusterPath) -> Value {
    json!({
        "cluster": {"id": cluster.to_string()},
        "nodeCount": 1,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_JOB_TEMP",
        "customToolkitSettings": {"commandLine": "true"},
    })
}

/// The time that `percent` of the sorted times do not exceed.
fn millis(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}
