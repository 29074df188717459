//! The show: one job of two ranks, from nothing to its output.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use trainyard_client::{Client, Cluster, ClusterPath, Job, JobPath, State, WorkspacePath};

use crate::out;

/// Storage account and share of the show; the share appears as `files` under the mount root.
pub const ACCOUNT: &str = "quickstart";
/// See [`ACCOUNT`].
pub const SHARE: &str = "files";

const NAME: &str = "quickstart";
const LOCATION: &str = "eastus";
const NODES: u32 = 2;
const SCRIPT: &str = include_str!("ranks.py");
const SCRIPT_NAME: &str = "ranks.py";
/// How often we look at the job.
const LOOK: Duration = Duration::from_millis(100);
/// How long the job may take in all.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the show needs.
pub struct Show {
    /// The server.
    pub client: Client,
    /// Directory behind the share.
    pub share: PathBuf,
    /// The time, for the job's name, which no earlier start may have used.
    pub stamp: String,
    /// A password for the cluster's user; the service asks for one.
    pub password: String,
}

/// What the show made.
pub struct Shown {
    /// Path of the job.
    pub job: JobPath,
}

/// Makes what is missing, runs the job, prints its output to stdout and the rest to stderr.
///
/// # Errors
/// Anything that keeps the job from succeeding, with what to look at next.
pub async fn show(what: &Show) -> anyhow::Result<Shown> {
    write_script(&what.share)?;
    let workspace = make_workspace(&what.client).await?;
    let cluster = workspace.cluster(NAME);
    make_cluster(&what.client, &cluster, &what.password).await?;
    let experiment = workspace.experiment(NAME);
    what.client
        .put_experiment(&experiment)
        .await
        .context("the experiment cannot be made")?;
    let job = experiment.job(&format!("ranks-{}", what.stamp));
    say!("job {}: submitting, two ranks on two nodes", job.job);
    what.client
        .put_job(&job, &job_body(&cluster))
        .await
        .context("the job is not taken")?;
    let waited = tokio::time::timeout(PATIENCE, wait(&what.client, &cluster, &job)).await;
    let end = waited.with_context(|| {
        format!(
            "job {} has not ended after {} s: see the server's log",
            job.job,
            PATIENCE.as_secs()
        )
    })??;
    print_output(&what.client, &job).await?;
    if end.state != State::Succeeded {
        bail!(
            "job {} {}: {}; what it wrote is above",
            job.job,
            end.state.word(),
            reasons(&end)
        );
    }
    Ok(Shown { job })
}

/// What to do after the show.
pub fn next_steps(url: &str, token_file: &Path, shown: &Shown) -> String {
    let token = token_file.display();
    let experiment = &shown.job.experiment;
    let workspace = &experiment.workspace;
    format!(
        "\nThe server is at {url}, the admin token in {token}\n\
         Go on with:\n\
         \x20 curl -H \"Authorization: Bearer $(cat '{token}')\" '{url}{experiment}/jobs?api-version=2018-05-01'\n\
         \x20 curl -X POST -H \"Authorization: Bearer $(cat '{token}')\" -d '' \
         '{url}{job}/listOutputFiles?api-version=2018-05-01&outputdirectoryid=stdouterr'\n\
         \x20 trainyard token create --data '{data}' --name me --role Contributor --scope {workspace}\n",
        job = shown.job,
        data = token_file.parent().unwrap_or(Path::new(".")).display(),
    )
}

/// Written beside and renamed, since a job of an earlier start may be reading it.
fn write_script(share: &Path) -> anyhow::Result<()> {
    let new = share.join(format!(".{SCRIPT_NAME}.new"));
    let failed = || format!("the script cannot be written to {}", share.display());
    std::fs::write(&new, SCRIPT).with_context(failed)?;
    std::fs::rename(&new, share.join(SCRIPT_NAME)).with_context(failed)
}

async fn make_workspace(client: &Client) -> anyhow::Result<WorkspacePath> {
    let subscriptions = client
        .subscriptions()
        .await
        .context("the subscriptions cannot be read")?;
    let subscription = subscriptions
        .into_iter()
        .next()
        .context("the server has no subscription: name one with `subscriptions` in its configuration")?;
    let workspace = WorkspacePath {
        subscription,
        group: NAME.into(),
        workspace: NAME.into(),
    };
    client
        .put_group(&workspace, LOCATION)
        .await
        .context("the resource group cannot be made")?;
    client
        .put_workspace(&workspace, LOCATION)
        .await
        .context("the workspace cannot be made")?;
    say!("workspace {NAME} in resource group {NAME}");
    Ok(workspace)
}

/// A cluster that is there is taken as it is, but with nodes enough: its password is not ours to know.
async fn make_cluster(client: &Client, path: &ClusterPath, password: &str) -> anyhow::Result<()> {
    let made = async {
        match client.get_cluster(path).await {
            Err(error) if error.is_not_found() => {
                say!("cluster {NAME}: making it, {NODES} nodes of size STANDARD_D1");
                client.put_cluster(path, &cluster_body(password)).await
            }
            Err(error) => Err(error),
            Ok(found) if found.target.is_some_and(|target| target < NODES) => {
                say!("cluster {NAME}: back to {NODES} nodes");
                client.resize_cluster(path, NODES).await
            }
            Ok(_) => Ok(()),
        }
    };
    made.await.context("the cluster cannot be made")
}

fn cluster_body(password: &str) -> Value {
    json!({
        "vmSize": "STANDARD_D1",
        "scaleSettings": {"manual": {"targetNodeCount": NODES}},
        "userAccountSettings": {"adminUserName": "quickstart", "adminUserPassword": password},
        "nodeSetup": {"mountVolumes": {"azureFileShares": [{
            "accountName": ACCOUNT,
            "azureFileUrl": format!("https://{ACCOUNT}.file.core.windows.net/{SHARE}"),
            "relativeMountPath": SHARE,
            // The built-in storage asks for no key; the service asks for the member.
            "credentials": {"accountKey": "none"},
        }]}},
    })
}

fn job_body(cluster: &ClusterPath) -> Value {
    let files = format!("$AZ_BATCHAI_MOUNT_ROOT/{SHARE}");
    json!({
        "cluster": {"id": cluster.to_string()},
        "nodeCount": NODES,
        "stdOutErrPathPrefix": files,
        "pyTorchSettings": {
            "pythonScriptFilePath": format!("{files}/{SCRIPT_NAME}"),
            "pythonInterpreterPath": "python3",
            "communicationBackend": "tcp",
        },
    })
}

/// Waits for the job's end; says every change.
async fn wait(client: &Client, cluster: &ClusterPath, job: &JobPath) -> anyhow::Result<Job> {
    let mut said = String::new();
    loop {
        let nodes = client
            .get_cluster(cluster)
            .await
            .context("the cluster cannot be read")?;
        let now = client.get_job(job).await.context("the job cannot be read")?;
        let line = progress(&now, &nodes);
        if line != said {
            say!("job {}: {line}", job.job);
            said = line;
        }
        if now.state.is_final() {
            return Ok(now);
        }
        if nodes.counts.unusable > 0 && now.state == State::Queued {
            bail!(
                "nodes of the cluster cannot be used: {}; see the server's log",
                node_errors(&nodes)
            );
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn progress(job: &Job, cluster: &Cluster) -> String {
    match job.state {
        State::Queued => {
            let counts = &cluster.counts;
            format!(
                "queued; nodes: {} of {}, {} preparing, {} idle",
                cluster.nodes,
                cluster.target.unwrap_or_default(),
                counts.preparing,
                counts.idle
            )
        }
        State::Running | State::Terminating | State::Succeeded | State::Failed | State::Other(_) => {
            job.state.word().to_owned()
        }
    }
}

fn reasons(job: &Job) -> String {
    let code = job.exit_code.map(|code| format!("exit code {code}"));
    let errors = job
        .errors
        .iter()
        .map(|error| format!("{}: {}", error.code, error.message));
    code.into_iter().chain(errors).collect::<Vec<_>>().join("; ")
}

fn node_errors(cluster: &Cluster) -> String {
    let errors = cluster
        .errors
        .iter()
        .map(|error| format!("{}: {}", error.code, error.message));
    errors.collect::<Vec<_>>().join("; ")
}

/// Each rank's stdout; of a rank that wrote to stderr that too.
async fn print_output(client: &Client, job: &JobPath) -> anyhow::Result<()> {
    let files = client
        .list_output_files(job, "stdouterr")
        .await
        .context("the output cannot be listed")?;
    for file in files {
        let Some(url) = file.download_url.filter(|_| file.name.starts_with("std")) else {
            continue;
        };
        let text = client
            .download(&url, None)
            .await
            .with_context(|| format!("{} cannot be read", file.name))?;
        if !text.is_empty() {
            out::print(format_args!(
                "--- {}\n{}",
                file.name,
                String::from_utf8_lossy(&text)
            ))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
