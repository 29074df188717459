//! `trainyard bench gang`: how soon the last rank of a job of many nodes runs.

use std::fmt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use trainyard_client::{Client, ClusterPath, JobPath, State, WorkspacePath};

use super::load::{await_end, await_nodes, cluster_body, in_own_workspace};
use crate::clock;

/// What each rank runs: it says the time, in nanoseconds since the epoch.
const SAY_THE_TIME: &str = "date +%s%N";
/// Storage account and share of the ranks' output.
const ACCOUNT: &str = "trainyardbench";
const SHARE: &str = "bench";

/// Times of all rounds, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GangReport {
    nodes: u32,
    /// From the PUT of a job to the moment when its last rank ran.
    gang_ms: Vec<f64>,
    /// The same for as many shells, started one after the other without any server.
    bare_ms: Vec<f64>,
    /// Median of the former by median of the latter.
    ratio: f64,
}

/// Runs `rounds` jobs of `nodes` nodes on a cluster of that size, one after the other, bare starts between them.
pub async fn measure(nodes: u32, rounds: u32, client: Client) -> anyhow::Result<GangReport> {
    in_own_workspace(client, async |client, workspace| {
        let cluster = workspace.cluster("gang");
        client.put_cluster(&cluster, &cluster_of(nodes)).await?;
        await_nodes(client, &cluster, nodes).await?;
        all_rounds(nodes, rounds, client, workspace, &cluster).await
    })
    .await
}

async fn all_rounds(
    nodes: u32,
    rounds: u32,
    client: &Arc<Client>,
    workspace: &WorkspacePath,
    cluster: &ClusterPath,
) -> anyhow::Result<GangReport> {
    let experiment = workspace.experiment("gangs");
    client.put_experiment(&experiment).await?;
    let (mut gang_ms, mut bare_ms) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let job = experiment.job(&format!("gang-{round:03}"));
        gang_ms.push(gang(client, &job, cluster, nodes).await?);
        await_nodes(client, cluster, nodes).await?;
        bare_ms.push(tokio::task::spawn_blocking(move || bare(nodes)).await??);
    }
    Ok(GangReport::new(nodes, gang_ms, bare_ms))
}

/// One job; milliseconds from its PUT to its last rank.
async fn gang(client: &Client, job: &JobPath, cluster: &ClusterPath, nodes: u32) -> anyhow::Result<f64> {
    let begun = clock::nanoseconds();
    client.put_job(job, &job_body(cluster, nodes)).await?;
    let state = await_end(client, job).await?;
    ensure!(state == State::Succeeded, "job {} has failed", job.job);
    let mut last = None;
    for file in client.list_output_files(job, "stdouterr").await? {
        if let Some(url) = file.download_url.filter(|_| file.name.starts_with("stdout-")) {
            let said = client.download(&url, None).await?;
            last = last.max(Some(
                time_in(&said).with_context(|| format!("{} holds no time", file.name))?,
            ));
        }
    }
    millis(begun, last.context("no rank has said anything")?)
}

/// As many shells without a server; milliseconds to the last of them.
fn bare(nodes: u32) -> anyhow::Result<f64> {
    let begun = clock::nanoseconds();
    let mut shells = Vec::new();
    for _ in 0..nodes {
        shells.push(start_shell()?);
    }
    let mut last = begun;
    for shell in shells {
        let output = shell.wait_with_output()?;
        last = last.max(time_in(&output.stdout).context("a bare shell has said no time")?);
    }
    millis(begun, last)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this start is what is measured; it is waited for"
)]
fn start_shell() -> anyhow::Result<std::process::Child> {
    Command::new("bash")
        .args(["-c", SAY_THE_TIME])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("bash cannot be started: the measurement needs it")
}

fn time_in(text: &[u8]) -> Option<i128> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

fn millis(from: i128, to: i128) -> anyhow::Result<f64> {
    let nanoseconds = u64::try_from(to - from).context("the clocks of this machine and the nodes differ")?;
    Ok(std::time::Duration::from_nanos(nanoseconds).as_secs_f64() * 1000.0)
}

/// A cluster whose nodes have a share for what the ranks say.
fn cluster_of(nodes: u32) -> Value {
    let mut body = cluster_body(nodes);
    body["nodeSetup"] = json!({"mountVolumes": {"azureFileShares": [{
        "accountName": ACCOUNT,
        "azureFileUrl": format!("https://{ACCOUNT}.file.core.windows.net/{SHARE}"),
        // The share is a directory here: no key opens it.
        "credentials": {"accountKey": "none"},
        "relativeMountPath": SHARE,
    }]}});
    body
}

/// One rank a node: a shell as the interpreter of a script that says the time.
fn job_body(cluster: &ClusterPath, nodes: u32) -> Value {
    json!({
        "cluster": {"id": cluster.to_string()},
        "nodeCount": nodes,
        "stdOutErrPathPrefix": format!("$AZ_BATCHAI_MOUNT_ROOT/{SHARE}"),
        "pyTorchSettings": {
            "pythonInterpreterPath": "bash",
            "pythonScriptFilePath": "-c",
            "commandLineArgs": format!("'{SAY_THE_TIME}'"),
            "communicationBackend": "gloo",
        },
    })
}

impl GangReport {
    fn new(nodes: u32, mut gang_ms: Vec<f64>, mut bare_ms: Vec<f64>) -> GangReport {
        gang_ms.sort_by(f64::total_cmp);
        bare_ms.sort_by(f64::total_cmp);
        let ratio = median(&gang_ms) / median(&bare_ms);
        GangReport {
            nodes,
            gang_ms,
            bare_ms,
            ratio,
        }
    }
}

/// The median of sorted times.
pub fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Says what times were, from the least to the most.
pub fn line(f: &mut fmt::Formatter<'_>, what: &str, sorted: &[f64]) -> fmt::Result {
    let end = |time: Option<&f64>| time.copied().unwrap_or(f64::NAN);
    let (least, most) = (end(sorted.first()), end(sorted.last()));
    writeln!(f, "{what} {:>8.1}   ({least:.1} to {most:.1})", median(sorted))
}

impl fmt::Display for GangReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            nodes,
            gang_ms,
            bare_ms,
            ratio,
        } = self;
        line(f, "PUT to the last rank, ms, median  ", gang_ms)?;
        line(f, "as many bare shells, ms, median   ", bare_ms)?;
        writeln!(f, "{} rounds of {nodes} nodes; ratio {ratio:.2}", gang_ms.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_shells_say_times_in_order() {
        let took = bare(3).unwrap();
        assert!(took > 0.0 && took < 60_000.0, "{took}");
    }

    #[test]
    fn the_report_shows_medians_and_their_ratio() {
        let text = GangReport::new(16, vec![90.0, 30.0, 60.0], vec![10.0, 20.0, 30.0]).to_string();
        assert!(text.contains("60.0   (30.0 to 90.0)"), "{text}");
        assert!(text.ends_with("3 rounds of 16 nodes; ratio 3.00\n"), "{text}");
    }
}
