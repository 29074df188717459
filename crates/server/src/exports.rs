//! Exports of file servers: who exports, and what clients are told.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tracing::warn;
use trainyard_domain::state::{FileServer, MountSettings};
use trainyard_storage::FolderName;
use trainyard_store::StoreError;

use crate::App;

/// What exports the folders of file servers.
pub trait Exports: Send + Sync {
    /// The address for those outside.
    fn public_address(&self) -> String;

    /// The address for those near.
    fn internal_address(&self) -> String;

    /// Exports these folders and no others, soon. It does not wait.
    fn keep(&self, wanted: Vec<Exported>);
}

/// A folder to be exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The folder's name, never used again for another.
    pub name: String,
    /// Where it is on this machine.
    pub folder: PathBuf,
    /// The names that its path for clients is made of.
    pub path: Vec<String>,
}

/// The exports of a server, if it has any.
#[derive(Default)]
pub(crate) struct Exporting {
    exports: OnceLock<Arc<dyn Exports>>,
    /// Held from the look at the rows until they are told: an older look must not undo a newer one.
    turn: Mutex<()>,
}

impl App {
    /// From now on file servers are exported by these.
    pub fn export_by(&self, exports: Arc<dyn Exports>) {
        let _ = self.exporting.exports.set(exports);
    }

    /// Has every file server of the store exported, and none that is gone.
    ///
    /// # Errors
    /// The store's.
    pub fn export_file_servers(&self) -> Result<(), StoreError> {
        let Some(exports) = self.exporting.exports.get() else {
            return Ok(());
        };
        let _turn = self.exporting.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let servers = self.ports.store.read(|s| s.all_file_servers())?;
        exports.keep(
            servers
                .iter()
                .filter_map(|server| self.exported(server))
                .collect(),
        );
        Ok(())
    }

    /// The same after file servers were made, or may have gone.
    pub(crate) fn look_after_exports(&self) {
        if let Err(error) = self.export_file_servers() {
            warn!(%error, cause = ?std::error::Error::source(&error), "exports of file servers may be old; it is tried again");
        }
    }

    fn exported(&self, server: &FileServer) -> Option<Exported> {
        let name = server.folder.clone()?;
        Some(Exported {
            folder: self.ports.file_servers.path(&FolderName::new(&name).ok()?),
            name,
            path: self.export_path(server),
        })
    }

    /// Names of a group are unique in its subscription, so that is named where there are several.
    fn export_path(&self, server: &FileServer) -> Vec<String> {
        let scope = &server.scope;
        let several = self.settings.subscriptions.len() > 1;
        let subscription = several.then(|| scope.subscription.to_string());
        let below = [
            &scope.group.to_string(),
            server.workspace.as_str(),
            server.meta.name.as_str(),
        ];
        subscription.into_iter().chain(below.map(str::to_owned)).collect()
    }

    /// The file server with what its clients need to mount it, which goes by how this server was started.
    pub(crate) fn as_reached(&self, mut server: FileServer) -> FileServer {
        if let Some(exports) = self.exporting.exports.get()
            && server.mount_settings.is_some()
        {
            server.mount_settings = Some(MountSettings {
                mount_point: format!("/{}", self.export_path(&server).join("/")),
                public_ip: exports.public_address(),
                internal_ip: exports.internal_address(),
            });
        }
        server
    }
}
