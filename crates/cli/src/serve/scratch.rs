//! A service to try requests on: in this process, in memory, on no port. It has no nodes and gets none, so
//! nothing that is sent to it ever runs; when it is dropped nothing is left.

use std::sync::Arc;

use anyhow::Context;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use serde_json::Value;
use tempfile::TempDir;
use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::launch::{LaunchPlan, NodePaths, NodePlan};
use trainyard_engine::{Capacity, Engine, Observation};
use trainyard_migrate::verify::SUBSCRIPTION;
use trainyard_migrate::verify::compare::Answer;
use trainyard_server::{App, Ports, Pump, Random, Settings, SignInKey};
use trainyard_storage::LinkKey;
use trainyard_store::Store;
use trainyard_store::db::InlineHandle;
use trainyard_store::seal::{SealKey, system_random};

use super::ports::{SystemClock, SystemRandom};
use super::{accounts, settings};
use crate::config::Config;
use crate::config::layers::{Flag, Surroundings, load};

/// Rounds of the reconcilers after a request, at most.
const ROUNDS: u32 = 1000;
/// Bytes of an answer, at most.
const ANSWER_BYTES: usize = 64 << 20;
/// Clusters at once: nobody's scripts come near.
const CLUSTERS: u32 = 100_000;

/// A machine without nodes.
struct NoNodes;

impl Engine for NoNodes {
    fn ensure_node(&self, _: NodePlan) {}
    fn release_node(&self, _: Uid) {}
    fn ensure_launched(&self, _: Vec<(Uid, LaunchPlan)>) {}
    fn ensure_stopped(&self, _: PlacementId, _: &[Uid]) {}
    fn forget(&self, _: PlacementId, _: Uid) {}

    fn observe(&self) -> Vec<Observation> {
        Vec::new()
    }

    fn observe_all(&self) -> Vec<Observation> {
        Vec::new()
    }

    fn paths(&self, _: Uid) -> NodePaths {
        NodePaths {
            mount_root: String::new(),
            jobs_root: String::new(),
            shared_root: String::new(),
            remote_shell: String::new(),
            share_loopback: true,
            share_cores: true,
            apart: false,
        }
    }

    fn capacity(&self, _: usize) -> Capacity {
        Capacity {
            max_nodes: 0,
            gpus: Vec::new(),
            free_ports: Vec::new(),
            free_bytes: u64::MAX,
        }
    }

    fn on_change(&self, _: Arc<dyn Fn() + Send + Sync>) {}
}

/// Makes services that know nothing of one another.
pub struct Scratches {
    folder: TempDir,
    config: Config,
    settings: Settings,
    token: String,
    made: u64,
}

impl Scratches {
    /// Prepares a temporary folder and a token.
    ///
    /// # Errors
    /// Where the folder can't be made.
    pub fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("trainyard-verify-")
            .tempdir()
            .context("a temporary folder can't be made")?;
        let nothing = Surroundings {
            folder: folder.path().to_owned(),
            ..Surroundings::default()
        };
        let data = Flag {
            flag: "--data",
            key: "data",
            text: folder.path().display().to_string(),
        };
        let mut config = load(&nothing, None, &[data])?;
        config.quotas.clusters = CLUSTERS;
        let settings = settings::service(&config, SUBSCRIPTION.to_owned(), SUBSCRIPTION.to_owned())?;
        Ok(Self {
            folder,
            config,
            settings,
            token: crate::clock::random_hex()?,
            made: 0,
        })
    }

    /// An empty service.
    ///
    /// # Errors
    /// Where its store can't be made.
    pub fn make(&mut self) -> anyhow::Result<Scratch> {
        self.made += 1;
        let mut config = self.config.clone();
        config.data = Some(self.folder.path().join(self.made.to_string()));
        let mut secret = [0; 32];
        SystemRandom.fill(&mut secret);
        let key = SealKey::from_bytes(&secret, system_random());
        let ports = Ports {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            store: Store::inline(InlineHandle::memory()?, key)?,
            engine: Arc::new(NoNodes),
            accounts: Arc::new(accounts::directories(&config)?),
            file_servers: settings::file_servers(&config),
            vaults: None,
            link_key: Arc::new(LinkKey::new(secret)),
            sign_in_key: Arc::new(SignInKey::new(secret)),
        };
        let app = App::new(self.settings.clone(), ports, Box::new(|_| {}));
        app.ensure_admin_token(&self.token)?;
        Ok(Scratch {
            pump: app.pump(),
            app,
            authorization: format!("Bearer {}", self.token),
        })
    }
}

/// One service.
pub struct Scratch {
    app: Arc<App>,
    pump: Pump,
    authorization: String,
}

impl Scratch {
    /// Sends a request and does all that it began; what a long one came to is its answer.
    ///
    /// # Errors
    /// Where the request can't be built, the service's store fails or it does not come to rest.
    pub async fn send(&mut self, method: &str, uri: &str, body: Option<&Value>) -> anyhow::Result<Answer> {
        let (answer, operation) = self.once(method, uri, body).await?;
        self.rest()?;
        let Some(operation) = operation.filter(|_| answer.status == 202) else {
            return Ok(answer);
        };
        let (end, _) = self.once("GET", &operation, None).await?;
        let failed = end.body.get("status").and_then(Value::as_str) == Some("Failed");
        Ok(Answer {
            status: if failed { 409 } else { answer.status },
            body: if failed { end.body } else { answer.body },
        })
    }

    async fn once(
        &self,
        method: &str,
        uri: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(Answer, Option<String>)> {
        let text = body.map(Value::to_string).unwrap_or_default();
        let uri = uri.replace(' ', "%20");
        let request = Request::builder()
            .method(method)
            .uri(&uri)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("authorization", &self.authorization)
            .body(Body::from(text))
            .with_context(|| format!("{method} {uri} is no request"))?;
        let (parts, body) = self.app.answer(request).await.into_parts();
        let bytes = to_bytes(body, ANSWER_BYTES).await?;
        let operation = parts.headers.get("azure-asyncoperation").and_then(|url| {
            let (_, rest) = url.to_str().ok()?.split_once("://")?;
            rest.find('/').and_then(|at| rest.get(at..)).map(str::to_owned)
        });
        let answer = Answer {
            status: parts.status.as_u16(),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        };
        Ok((answer, operation))
    }

    fn rest(&mut self) -> anyhow::Result<()> {
        for _ in 0..ROUNDS {
            if !self.pump.round(true)?.again {
                return Ok(());
            }
        }
        anyhow::bail!("the scratch service does not come to rest; please report it with the script")
    }
}
