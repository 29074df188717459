//! The joint between this command and the rooms it runs: the server, the node process, the store's files.

mod accounts;
mod backup;
mod exports;
mod files;
mod hidden;
mod key;
mod listen;
mod logins;
mod ports;
mod rooms;
mod scratch;
mod settings;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
pub use backup::{backup, restore};
pub use exports::{Exportable, exportable};
pub use key::{Keys, keys};
pub use scratch::{Scratch, Scratches};
pub use settings::level;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing::info;
use trainyard_engine_local::{LocalEngine, NodeProgram, end_all};
use trainyard_login::Doors;
use trainyard_nfs::Exporter;
use trainyard_server::{App, GcHook, Ports, Random, SignInKey, Stop};
use trainyard_storage::{AccountName, Kind, LinkKey, ShareName};
use trainyard_store::lock::FolderLock;
use trainyard_store::{Store, StoreError};
use trainyard_vaults::Fetcher;

use crate::config::Config;
use crate::config::layers::Surroundings;
use crate::rooms::How;
use listen::{AdminSocket, Listening};
use ports::SystemRandom;
pub use ports::{SystemClock, monotonic};
pub use rooms::gc;

/// The store's file in the data folder.
const STORE: &str = "trainyard.db";
/// Under what the store keeps the subscription made at the first start, and the key of download links.
const SUBSCRIPTION: &str = "subscription";
const LINK_KEY: &str = "link_key";
/// The same of the tenant, and of the key of access tokens.
const TENANT: &str = "tenant";
const SIGN_IN_KEY: &str = "sign_in_key";
/// How long nodes may take to end beyond the grace of their jobs.
const NODES_END: Duration = Duration::from_secs(15);

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nodes and jobs go on without it.
    JobsGoOn,
    /// Nodes and jobs end with it.
    NodesToo,
}

/// A server in this process.
pub struct Running {
    /// Where it listens, as a URL.
    pub url: String,
    /// Moves it; ends when it has failed, or has been told to end and is closed.
    pub serving: Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>,
    /// Tells it to end.
    pub ending: oneshot::Sender<Ending>,
}

impl Running {
    /// Ends it and waits until it is closed.
    pub async fn end(self, how: Ending) -> anyhow::Result<()> {
        // Where the server has ended by itself nobody listens any more, and `serving` says why.
        let _ = self.ending.send(how);
        self.serving.await
    }
}

/// Starts the server: listening and ready when this returns.
pub async fn start(config: &Config, surroundings: &Surroundings) -> anyhow::Result<Running> {
    let data = config.data().to_owned();
    key::keep_private();
    let lock = FolderLock::acquire(&data)?;
    let random = SystemRandom;
    let store = key::open_store(config, surroundings)?;
    let facts = first_facts(&store, &random)?;
    let engine = Arc::new(LocalEngine::open(
        &settings::engine_root(&data),
        settings::local_engine(config, surroundings)?,
        NodeProgram {
            program: std::env::current_exe()?,
            arguments: vec!["node".to_owned()],
            remote: vec!["remote".to_owned()],
        },
    )?);
    let owner = settings::owner(config)?;
    let ports = Ports {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        store: store.clone(),
        engine: engine.clone(),
        accounts: Arc::new(accounts::accounts(config, surroundings)?.owned_by(owner)),
        file_servers: settings::file_servers(config).owned_by(owner),
        vaults: settings::vaults(config, surroundings),
        link_key: Arc::new(LinkKey::new(facts.link_key)),
        sign_in_key: Arc::new(SignInKey::new(facts.sign_in_key)),
    };
    let (asked, wishes) = oneshot::channel();
    let asked = Mutex::new(Some(asked));
    let on_stop = Box::new(move |stop: Stop| {
        if let Some(asked) = asked.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = asked.send(if stop.nodes {
                Ending::NodesToo
            } else {
                Ending::JobsGoOn
            });
        }
    });
    let vaults = ports.vaults.clone();
    let app = App::new(
        settings::service(config, facts.subscription, facts.tenant)?,
        ports,
        on_stop,
    );
    app.ensure_admin_token(&files::admin_token(&data, &random)?)?;
    app.look_after_folders()?;
    let exporter = exports::open(config, surroundings, &app)?;
    let doors = logins::open(config, &app)?;
    app.open_logins()?;
    let rooms = rooms::Rooms::new(config, surroundings, store.clone());
    app.set_gc(gc_hook(Arc::clone(&rooms)));
    let listening = Listening::open(config).await?;
    let url = listening.url.clone();
    let socket = AdminSocket::open(&data)?;
    files::note(&data, &url, listening.authority.as_deref())?;
    let house = House {
        app,
        rooms,
        store,
        engine,
        doors,
        exporter,
        vaults,
        data,
        grace: config.local.grace_seconds,
        _lock: lock,
    };
    let (ending, told) = oneshot::channel();
    let serving = Box::pin(house.serve(listening, socket, told, wishes));
    info!(url, "the server is ready");
    Ok(Running { url, serving, ending })
}

/// What the server does when somebody asks what may go.
fn gc_hook(rooms: Arc<rooms::Rooms>) -> GcHook {
    Box::new(move |delete| {
        let rooms = Arc::clone(&rooms);
        let how = if delete { How::Free } else { How::Look };
        Box::pin(async move {
            let visited = tokio::task::spawn_blocking(move || rooms.visit(how)).await?;
            Ok(serde_json::to_value(visited)?)
        })
    })
}

/// Everything that is open while the server runs.
struct House {
    app: Arc<App>,
    rooms: Arc<rooms::Rooms>,
    store: Store,
    engine: Arc<LocalEngine>,
    doors: Option<Arc<Doors>>,
    exporter: Option<Arc<Exporter>>,
    vaults: Option<Fetcher>,
    data: PathBuf,
    grace: u32,
    _lock: FolderLock,
}

impl House {
    async fn serve(
        self,
        listening: Listening,
        socket: AdminSocket,
        told: oneshot::Receiver<Ending>,
        asked: oneshot::Receiver<Ending>,
    ) -> anyhow::Result<()> {
        let pump_app = Arc::clone(&self.app);
        let pump = std::thread::Builder::new()
            .name("pump".to_owned())
            .spawn(move || {
                let pumped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pump_app.run_pump()));
                if pumped.is_err() {
                    // A server that takes jobs and never runs one is worse than none; the next start goes on.
                    tracing::error!("the reconcilers panicked; the process ends, jobs go on");
                    std::process::abort();
                }
            })?;
        let handle = listen::handle();
        let (close_socket, socket_closes) = oneshot::channel::<()>();
        let (fail, failed) = oneshot::channel::<()>();
        let by_tcp = async {
            let served = listening.serve(self.app.router(), handle.clone()).await;
            // A server that nobody reaches is none: all of it ends.
            let _ = fail.send(());
            served
        };
        let by_socket = socket.serve(self.app.router(), async move {
            let _ = socket_closes.await;
        });
        let mut how = Ending::JobsGoOn;
        let ended = async {
            how = tokio::select! {
                Ok(how) = told => how,
                Ok(how) = asked => how,
                Ok(()) = failed => Ending::JobsGoOn,
            };
            listen::end(&handle);
            let _ = close_socket.send(());
        };
        let looked_after = Arc::clone(&self.rooms).look_after();
        let ended = async {
            tokio::select! {
                () = ended => {}
                () = looked_after => {}
            }
        };
        let (by_tcp, by_socket, ()) = tokio::join!(by_tcp, by_socket, ended);
        self.app.end_pump();
        if let Some(vaults) = self.vaults {
            tokio::task::spawn_blocking(move || vaults.end()).await?;
        }
        tokio::task::spawn_blocking(move || pump.join())
            .await?
            .map_err(|_| anyhow::anyhow!("the pump panicked"))?;
        // Nobody opens them again now.
        if let Some(doors) = &self.doors {
            doors.close();
        }
        if let Some(exporter) = self.exporter {
            tokio::task::spawn_blocking(move || exporter.end()).await?;
        }
        if how == Ending::NodesToo {
            self.app.requeue_all()?;
            let root = settings::engine_root(&self.data);
            let patience = Duration::from_secs(u64::from(self.grace)) + NODES_END;
            let engine = Arc::clone(&self.engine);
            let end = move || {
                // A node that is started behind our back would stay.
                engine.close();
                end_all(&root, patience)
            };
            let nodes = tokio::task::spawn_blocking(end).await??;
            info!(nodes, "the nodes have ended");
        }
        files::remove_note(&self.data);
        self.store.close();
        info!("the server has ended");
        by_tcp.and(by_socket)
    }
}

/// Facts made at the first start and kept in the store.
struct Facts {
    subscription: String,
    tenant: String,
    link_key: [u8; 32],
    sign_in_key: [u8; 32],
}

fn first_facts(store: &Store, random: &dyn Random) -> anyhow::Result<Facts> {
    let new = [random.uuid().to_string(), random.uuid().to_string()];
    let mut keys = [[0; 32]; 2];
    keys.iter_mut().for_each(|key| random.fill(key));
    let kept = store.write(move |tx| -> Result<_, StoreError> {
        let mut notes = Vec::new();
        for (name, new) in [SUBSCRIPTION, TENANT].into_iter().zip(new) {
            if tx.note(name)?.is_none() {
                tx.set_note(name, &new)?;
            }
            notes.push(tx.note(name)?.unwrap_or(new));
        }
        let link_key = tx.ensure_secret(LINK_KEY, &keys[0])?;
        Ok((notes, link_key, tx.ensure_secret(SIGN_IN_KEY, &keys[1])?))
    });
    let (notes, link_key, sign_in_key) = kept.wait().map_err(|error| error.flatten())?;
    let key = |key: Vec<u8>, what: &str| {
        <[u8; 32]>::try_from(key).map_err(|_| anyhow::anyhow!("the key of {what} is damaged"))
    };
    let [subscription, tenant] = <[String; 2]>::try_from(notes)
        .map_err(|_| anyhow::anyhow!("the store has no subscription or no tenant"))?;
    Ok(Facts {
        subscription,
        tenant,
        link_key: key(link_key, "download links")?,
        sign_in_key: key(sign_in_key, "access tokens")?,
    })
}

/// The directory behind a file share of the built-in storage, made if it is missing.
pub fn share_directory(config: &Config, account: &str, share: &str) -> anyhow::Result<PathBuf> {
    let (account, share) = (AccountName::new(account)?, ShareName::new(share)?);
    Ok(accounts::directories(config)?.ensure(&account, Kind::FileShare, &share)?)
}

/// Runs a node to its end.
pub fn node(folder: &Path) -> anyhow::Result<()> {
    trainyard_node::run(folder).with_context(|| format!("the node in {} cannot run", folder.display()))
}

/// Ends the nodes of a data folder without a server.
pub fn end_nodes(data: &Path, patience: Duration) -> anyhow::Result<usize> {
    let _lock = FolderLock::acquire(data)?;
    exports::end_exports(data)?;
    Ok(end_all(&settings::engine_root(data), patience)?)
}

/// Resolves at SIGTERM or Ctrl-C, from now on.
pub fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
