//! The folders of file servers at the start of the server.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::{info, warn};
use trainyard_domain::ids::Uid;
use trainyard_domain::resource_id::file_server_id;
use trainyard_domain::state::{FileServer, Provisioning};
use trainyard_storage::FolderName;
use trainyard_store::StoreError;

use crate::App;
use crate::app::StartError;
use crate::reconcile::delete_folders;

impl App {
    /// Looks after the folders of file servers once at the start: gives one to each file server that an older
    /// version made, says in the log where each is and which belong to none, and deletes what a crash left of
    /// those that are gone. A folder that belongs to none is never deleted: it may be all that is left of a
    /// file server after a restore.
    ///
    /// # Errors
    /// The store's.
    pub fn look_after_folders(self: &Arc<App>) -> Result<(), StartError> {
        let servers = self.ports.store.read(|s| s.all_file_servers())?;
        let mut owners = BTreeMap::new();
        for server in &servers {
            if let Some(folder) = self.folder_of(server)? {
                owners.insert(folder, server);
            }
        }
        let going = self.ports.store.read(|s| s.folders_to_remove(u32::MAX))?;
        let found = self.ports.file_servers.names().unwrap_or_else(|error| {
            warn!(%error, "the folders of file servers cannot be listed; see to file_servers.directory");
            owners.keys().cloned().collect()
        });
        for (folder, server) in &owners {
            let (id, folder_is) = (id_of(server), self.place(folder));
            if found.contains(folder) {
                info!(file_server = id, folder = folder_is, "file server");
            } else {
                warn!(
                    file_server = id,
                    folder = folder_is,
                    "the folder of a file server is missing"
                );
            }
        }
        for name in found
            .iter()
            .filter(|name| !owners.contains_key(*name) && !going.contains(name))
        {
            let folder = self.place(name);
            warn!(folder, "a folder belongs to no file server; it is left alone");
        }
        delete_folders(&self.ports.file_servers);
        Ok(())
    }

    /// Where a folder of this name lies.
    fn place(&self, name: &str) -> String {
        let path = FolderName::new(name).map(|name| self.ports.file_servers.path(&name));
        path.map_or_else(|_| name.to_owned(), |path| path.display().to_string())
    }

    /// The folder of a file server that stands, made now if it has none.
    fn folder_of(&self, server: &FileServer) -> Result<Option<String>, StartError> {
        if server.folder.is_some() || server.meta.provisioning == Provisioning::Failed {
            return Ok(server.folder.clone());
        }
        let made = FolderName::new(&self.ports.random.uuid().to_string())
            .ok()
            .filter(|name| match self.ports.file_servers.make(name) {
                Ok(()) => true,
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    warn!(file_server = id_of(server), %error, cause, "a file server gets no folder; it is tried again at the next start");
                    false
                }
            });
        let Some(name) = made else { return Ok(None) };
        let (uid, folder): (Uid, String) = (server.meta.uid, name.as_str().to_owned());
        let stored = folder.clone();
        let write = self
            .ports
            .store
            .write(move |tx| -> Result<(), StoreError> { tx.set_file_server_folder(uid, &stored) });
        write.wait().map_err(|error| error.flatten())?;
        Ok(Some(folder))
    }
}

fn id_of(server: &FileServer) -> String {
    file_server_id(&server.scope, &server.workspace, &server.meta.name)
}
