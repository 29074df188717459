//! `trainyard bench container`: what a job in a container costs beside podman alone.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use trainyard_client::{Client, ClusterPath, JobPath, State, WorkspacePath};

use super::gang::{line, median};
use super::load::{await_end, await_nodes, cluster_body, in_own_workspace};
use crate::clock;

/// The image: it holds nothing but a shell of this machine.
const IMAGE: &str = "trainyard/bench:1";
const FILE: &str = "trainyard_bench_1.tar";
const SHELL: &str = "/bin/sh";

/// Times of all rounds, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContainerReport {
    /// From the PUT of a job in a container to its end, as a client sees it.
    job_ms: Vec<f64>,
    /// The same for a job on the node itself.
    plain_ms: Vec<f64>,
    /// `podman run --rm` of the same image.
    bare_ms: Vec<f64>,
    /// Median of the first by median of the last.
    ratio: f64,
}

/// A folder with the image, made of this machine's shell.
pub struct Images {
    folder: TempDir,
}

impl Images {
    /// Makes it.
    ///
    /// # Errors
    /// When the shell cannot be copied or tar fails.
    pub fn make() -> anyhow::Result<Images> {
        let folder = tempfile::Builder::new().prefix("trainyard-bench-").tempdir()?;
        let root = folder.path().join("root");
        for directory in ["bin", "proc", "sys", "dev", "tmp"] {
            fs::create_dir_all(root.join(directory))?;
        }
        for file in shell_files()? {
            let target = root.join(file.trim_start_matches('/'));
            fs::create_dir_all(target.parent().context("a file of the shell has no folder")?)?;
            fs::copy(&file, target).with_context(|| format!("{file} cannot be copied"))?;
        }
        let archive = folder.path().join(FILE);
        let (from, to) = (root.display().to_string(), archive.display().to_string());
        run("tar", &["-C", &from, "-cf", &to, "."], None)?;
        fs::remove_dir_all(root)?;
        Ok(Images { folder })
    }

    /// What the server that is measured needs to find it.
    pub fn variables(&self) -> [(&'static str, &Path); 1] {
        [("TRAINYARD_CONTAINERS_IMAGES", self.folder.path())]
    }
}

/// The shell and what the loader loads for it.
fn shell_files() -> anyhow::Result<Vec<String>> {
    let said = run(SHELL, &["-c", "true"], Some(("LD_TRACE_LOADED_OBJECTS", "1")))?;
    let libraries = said.split_whitespace().filter(|word| word.starts_with('/'));
    Ok(std::iter::once(SHELL)
        .chain(libraries)
        .map(str::to_owned)
        .collect())
}

/// Podman as anybody would call it, with the image in a state of its own.
struct Bare {
    folder: TempDir,
}

impl Bare {
    fn new(images: &Images) -> anyhow::Result<Bare> {
        // Podman wants a short path.
        let short = |base| tempfile::Builder::new().prefix("ty").tempdir_in(base);
        let folder = short("/run").or_else(|_| short("/tmp"))?;
        let bare = Bare { folder };
        let runtime = ["/usr/bin/runc", "/usr/sbin/runc"]
            .into_iter()
            .find(|runc| Path::new(runc).exists());
        let runtime = runtime.map_or("", |_| "runtime = \"runc\"\n");
        let configuration = format!(
            "[engine]\n{runtime}cgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\nlock_type = \"file\"\n\
             [network]\nnetwork_backend = \"netavark\"\n"
        );
        fs::write(bare.folder.path().join("conf"), configuration)?;
        let archive = images.folder.path().join(FILE).display().to_string();
        bare.podman(&["import", &archive, "bare:1"])?;
        Ok(bare)
    }

    /// One container that does nothing; milliseconds.
    fn run(&self) -> anyhow::Result<f64> {
        let begun = clock::instant();
        // As many as a job has; a machine that may not raise its limits refuses podman's own.
        let limits = ["--ulimit=nofile=1000:1000", "--ulimit=nproc=1000:1000"];
        let run = ["run", "--rm", "--network=host", limits[0], limits[1]];
        self.podman(&[&run[..], &["bare:1", SHELL, "-c", "true"]].concat())?;
        Ok(begun.elapsed().as_secs_f64() * 1000.0)
    }

    fn podman(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let (root, run_root, temporary) = (path("s"), path("r"), path("t"));
        let state = [
            "--storage-driver=overlay",
            "--root",
            &root,
            "--runroot",
            &run_root,
            "--tmpdir",
            &temporary,
        ];
        let all = [&state[..], arguments].concat();
        run("podman", &all, Some(("CONTAINERS_CONF", &path("conf")))).map(|_| ())
    }
}

/// What podman has mounted on its folder goes before the folder.
impl Drop for Bare {
    fn drop(&mut self) {
        let layers = self.folder.path().join("s/overlay");
        let _ = run("umount", &["--lazy", &layers.display().to_string()], None);
    }
}

/// Runs a program with one variable more; what it says.
fn run(program: &str, arguments: &[&str], variable: Option<(&str, &str)>) -> anyhow::Result<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "its time is what is measured, or it prepares that; awaited"
    )]
    let mut command = Command::new(program);
    let output = command
        .args(arguments)
        .envs(variable)
        .stdin(Stdio::null())
        .output();
    let output = output.with_context(|| format!("{program} cannot be started: the measurement needs it"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{program} failed ({}): {}",
        output.status,
        said.trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `rounds` jobs in containers on one node, each beside one on the node itself and one bare container.
///
/// # Errors
/// When podman is missing, or a call or job fails.
pub async fn measure(rounds: u32, images: Arc<Images>, client: Client) -> anyhow::Result<ContainerReport> {
    let bare = tokio::task::spawn_blocking(move || Bare::new(&images)).await??;
    in_own_workspace(client, async |client, workspace| {
        let cluster = workspace.cluster("containers");
        client.put_cluster(&cluster, &cluster_body(1)).await?;
        await_nodes(client, &cluster, 1).await?;
        all_rounds(rounds, client, workspace, &cluster, bare).await
    })
    .await
}

async fn all_rounds(
    rounds: u32,
    client: &Arc<Client>,
    workspace: &WorkspacePath,
    cluster: &ClusterPath,
    bare: Bare,
) -> anyhow::Result<ContainerReport> {
    let experiment = workspace.experiment("containers");
    client.put_experiment(&experiment).await?;
    let (contained, plain) = (job_body(cluster, true), job_body(cluster, false));
    // The first one reads the image, which the bare state has done already.
    one(client, &experiment.job("first"), cluster, &contained).await?;
    let (mut job_ms, mut plain_ms, mut bare_ms) = (Vec::new(), Vec::new(), Vec::new());
    let bare = Arc::new(bare);
    for round in 0..rounds {
        let job = experiment.job(&format!("contained-{round:03}"));
        job_ms.push(one(client, &job, cluster, &contained).await?);
        let job = experiment.job(&format!("plain-{round:03}"));
        plain_ms.push(one(client, &job, cluster, &plain).await?);
        let bare = Arc::clone(&bare);
        bare_ms.push(tokio::task::spawn_blocking(move || bare.run()).await??);
    }
    Ok(ContainerReport::new(job_ms, plain_ms, bare_ms))
}

/// One job; milliseconds from its PUT to its end.
async fn one(client: &Client, job: &JobPath, cluster: &ClusterPath, body: &Value) -> anyhow::Result<f64> {
    let begun = clock::instant();
    client.put_job(job, body).await?;
    let state = await_end(client, job).await?;
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    ensure!(state == State::Succeeded, "job {} has failed", job.job);
    await_nodes(client, cluster, 1).await?;
    Ok(took)
}

fn job_body(cluster: &ClusterPath, contained: bool) -> Value {
    let mut body = json!({
        "cluster": {"id": cluster.to_string()},
        "nodeCount": 1,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_JOB_TEMP",
        "customToolkitSettings": {"commandLine": "true"},
    });
    if contained {
        body["containerSettings"] = json!({"imageSourceRegistry": {"image": IMAGE}});
    }
    body
}

impl ContainerReport {
    fn new(mut job_ms: Vec<f64>, mut plain_ms: Vec<f64>, mut bare_ms: Vec<f64>) -> ContainerReport {
        for times in [&mut job_ms, &mut plain_ms, &mut bare_ms] {
            times.sort_by(f64::total_cmp);
        }
        let ratio = median(&job_ms) / median(&bare_ms);
        ContainerReport {
            job_ms,
            plain_ms,
            bare_ms,
            ratio,
        }
    }
}

impl fmt::Display for ContainerReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "a job in a container, PUT to end, ms", &self.job_ms)?;
        line(f, "a job on the node, PUT to end, ms   ", &self.plain_ms)?;
        line(f, "podman run --rm, ms                 ", &self.bare_ms)?;
        writeln!(
            f,
            "{} rounds, medians; ratio {:.2}",
            self.job_ms.len(),
            self.ratio
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_a_root_directory_with_a_shell() {
        let images = Images::make().unwrap();
        let archive = images.folder.path().join(FILE);
        let listed = run("tar", &["-tf", &archive.display().to_string()], None).unwrap();
        assert!(listed.lines().any(|name| name == "./bin/sh"), "{listed}");
        assert!(listed.contains("/lib"), "{listed}");
    }

    #[test]
    fn the_report_shows_medians_and_their_ratio() {
        let report = ContainerReport::new(
            vec![90.0, 30.0, 60.0],
            vec![5.0, 7.0, 6.0],
            vec![10.0, 20.0, 30.0],
        );
        let text = report.to_string();
        assert!(text.contains("60.0   (30.0 to 90.0)"), "{text}");
        assert!(text.ends_with("3 rounds, medians; ratio 3.00\n"), "{text}");
    }
}
