//! The joint between exports of file servers and the service.

use std::ffi::OsStr;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use tracing::warn;
use trainyard_engine_local::Account;
use trainyard_nfs::{Client, Export, ExportPath, Exporter, Lack, NfsError, Settings, end_left, find};
use trainyard_server::{App, Exported, Exports};

use super::ports::monotonic;
use crate::config::layers::Surroundings;
use crate::config::{Config, Nfs};

/// The folder of the NFS server's own files in the data folder.
const FOLDER: &str = "nfs";

/// Exports the file servers of the service, if the configuration wants it. They are there when this returns.
pub fn open(
    config: &Config,
    surroundings: &Surroundings,
    app: &Arc<App>,
) -> anyhow::Result<Option<Arc<Exporter>>> {
    if !config.nfs.enabled {
        // It may have been switched on when a server was killed.
        end_exports(config.data())?;
        return Ok(None);
    }
    let wanted = "nfs.enabled asks for exports of file servers, and they cannot be had";
    let settings = settings(config, surroundings).context(wanted)?;
    let exporter = Exporter::open(settings).context(wanted)?;
    let exporter = Arc::new(exporter);
    app.export_by(Arc::new(OfExporter {
        exporter: Arc::clone(&exporter),
        nfs: config.nfs.clone(),
    }));
    app.export_file_servers()?;
    exporter.wait_started().context(wanted)?;
    Ok(Some(exporter))
}

/// Ends the NFS server that a server of this data folder has left.
pub fn end_exports(data: &Path) -> Result<(), NfsError> {
    end_left(&data.join(FOLDER))
}

fn settings(config: &Config, surroundings: &Surroundings) -> anyhow::Result<Settings> {
    let nfs = &config.nfs;
    let clients = if nfs.clients.is_empty() {
        Client::of_this_machine()
    } else {
        nfs.clients.clone()
    };
    Ok(Settings {
        program: program(config, surroundings)?,
        folder: config.data().canonicalize()?.join(FOLDER),
        listen: SocketAddr::new(nfs.listen, nfs.port),
        clients,
        owner: owner(config)?,
        clock: Arc::new(monotonic()),
    })
}

fn program(config: &Config, surroundings: &Surroundings) -> Result<PathBuf, Lack> {
    let path = surroundings.variables.get(OsStr::new("PATH"));
    let path = path.map(|path| path.to_string_lossy().into_owned());
    find(config.nfs.program.as_deref(), &path.unwrap_or_default())
}

/// Clients read and write as jobs do.
fn owner(config: &Config) -> anyhow::Result<(u32, u32)> {
    let Some(name) = &config.local.run_as else {
        use rustix::process::{getegid, geteuid};
        return Ok((geteuid().as_raw(), getegid().as_raw()));
    };
    let account = Account::named(name).context("local.run_as")?;
    Ok((account.uid, account.gid))
}

/// Whether file servers can be exported from this machine.
#[derive(Debug, Clone)]
pub struct Exportable {
    /// The configuration wants it.
    pub wanted: bool,
    /// What is missing, if anything.
    pub lack: Option<Lack>,
    /// Whether the port is free, or why not.
    pub listen: Result<SocketAddr, String>,
}

/// Looks whether they can.
pub fn exportable(config: &Config, surroundings: &Surroundings) -> Exportable {
    let listen = SocketAddr::new(config.nfs.listen, config.nfs.port);
    Exportable {
        wanted: config.nfs.enabled,
        lack: program(config, surroundings).err(),
        listen: TcpListener::bind(listen)
            .map(|_| listen)
            .map_err(|error| format!("{listen}: {error}")),
    }
}

/// What the service asks of the exporter.
struct OfExporter {
    exporter: Arc<Exporter>,
    nfs: Nfs,
}

impl OfExporter {
    fn public(&self) -> IpAddr {
        self.nfs.public_address.unwrap_or(self.nfs.listen)
    }
}

impl Exports for OfExporter {
    fn public_address(&self) -> String {
        self.public().to_string()
    }

    fn internal_address(&self) -> String {
        let listen = self.nfs.listen;
        let near = if listen.is_unspecified() {
            self.public()
        } else {
            listen
        };
        near.to_string()
    }

    fn keep(&self, wanted: Vec<Exported>) {
        self.exporter
            .keep(wanted.into_iter().filter_map(export).collect());
    }
}

fn export(wanted: Exported) -> Option<Export> {
    let at = ExportPath::new(wanted.path.iter().map(String::as_str));
    let at = at.inspect_err(|error| warn!(%error, folder = wanted.name, "a file server is not exported"));
    Some(Export {
        at: at.ok()?,
        name: wanted.name,
        folder: wanted.folder,
    })
}
