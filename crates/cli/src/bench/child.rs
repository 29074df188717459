//! A server of our own: a child on a temporary folder.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::json;
use tempfile::TempDir;

use crate::connect;

/// How long the server may take to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// The child and its folder, which goes with it.
pub struct Own {
    child: Child,
    data: TempDir,
}

impl Own {
    /// Starts it with these variables beside ours, and waits until it is ready.
    pub async fn start(variables: &[(&str, &Path)]) -> anyhow::Result<Self> {
        let data = tempfile::Builder::new().prefix("trainyard-bench-").tempdir()?;
        let child = spawn(&data, variables).context("the server cannot be started")?;
        let mut own = Self { child, data };
        match tokio::time::timeout(PATIENCE, own.ready()).await {
            Ok(Ok(())) => Ok(own),
            Ok(Err(error)) => {
                own.kill();
                Err(error)
            }
            Err(_) => {
                own.kill();
                bail!("the server is not ready after {} s", PATIENCE.as_secs())
            }
        }
    }

    /// Address and admin token.
    pub fn access(&self) -> anyhow::Result<(String, String)> {
        let data = self.data.path();
        Ok((connect::note(data)?.url, connect::token(data)?))
    }

    /// Ends server, nodes and jobs.
    pub async fn end(mut self) -> anyhow::Result<()> {
        let asked = async {
            let client = connect::admin(self.data.path())?;
            client
                .post("/trainyard/stop", Some(&json!({"nodes": true})))
                .await?;
            anyhow::Ok(())
        };
        let outcome = match asked.await {
            Ok(()) => tokio::time::timeout(PATIENCE, self.gone())
                .await
                .context("the server does not end")
                .flatten(),
            Err(error) => Err(error),
        };
        self.kill();
        outcome
    }

    async fn gone(&mut self) -> anyhow::Result<()> {
        while self.child.try_wait()?.is_none() {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn ready(&mut self) -> anyhow::Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended at once ({status}): what it said is above");
            }
            if let Ok(client) = connect::admin(self.data.path())
                && client.get("/healthz").await.is_ok()
            {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Nothing is left of the server itself; an ended child is only collected.
    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server that is measured; ended by Own::end"
)]
fn spawn(data: &TempDir, variables: &[(&str, &Path)]) -> anyhow::Result<Child> {
    let child = Command::new(std::env::current_exe()?)
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--log-level",
            "warn",
            "--data",
        ])
        .arg(data.path())
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // Ctrl-C is for us: we then end it with its nodes, which it would leave.
        .process_group(0)
        .spawn()?;
    Ok(child)
}
