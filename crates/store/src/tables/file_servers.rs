//! File servers, who mounts them, and the folders they leave behind.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Row, params};
use trainyard_domain::ids::Uid;
use trainyard_domain::name::Name;
use trainyard_domain::resource_id::ResourceId;
use trainyard_domain::spec::FileServerSpec;
use trainyard_domain::state::{FileServer, MountSettings, Provisioning, Workspace};
use trainyard_domain::stored;

use super::rows::{META, META_COLUMNS, group_path, meta, name};
use super::tree::{Page, Table};
use super::{Snapshot, StoreError, Tx};

/// A file server to be made.
pub struct NewFileServer<'a> {
    /// Its workspace.
    pub workspace: &'a Workspace,
    /// Its name.
    pub name: &'a Name,
    /// The wish.
    pub spec: &'a FileServerSpec,
    /// The subnet that is made for it.
    pub made_subnet: ResourceId,
    /// Its folder and how to reach it; `None` where it has failed.
    pub made: Option<(String, MountSettings)>,
}

fn select(rest: &str) -> String {
    format!(
        "SELECT {META}, g.subscription, g.name, w.name, r.spec, r.mount_settings, \
         r.made_subnet, r.folder \
         FROM file_servers r JOIN workspaces w ON w.uid = r.workspace_uid \
         JOIN resource_groups g ON g.uid = w.group_uid {rest}"
    )
}

fn file_server(row: &Row<'_>) -> Result<FileServer, StoreError> {
    let text = |i: usize| row.get::<_, String>(META_COLUMNS + i);
    let maybe = |i: usize| row.get::<_, Option<String>>(META_COLUMNS + i);
    let damaged = |_| StoreError::Damaged { what: "a subnet" };
    Ok(FileServer {
        meta: meta(row)?,
        scope: group_path(&text(0)?, &text(1)?)?,
        workspace: name(&text(2)?)?,
        spec: stored::read(&text(3)?)?,
        mount_settings: maybe(4)?.map(|text| stored::read(&text)).transpose()?,
        made_subnet: maybe(5)?
            .map(|id| ResourceId::new(&id, "subnet.id"))
            .transpose()
            .map_err(damaged)?,
        folder: maybe(6)?,
    })
}

fn context(uid: Uid) -> String {
    format!("file server {uid}")
}

impl Snapshot<'_> {
    /// A file server by name.
    pub fn file_server(&self, workspace: Uid, name: &Name) -> Result<Option<FileServer>, StoreError> {
        let sql = select("WHERE r.workspace_uid = ?1 AND r.name_key = ?2");
        self.row(&sql, params![workspace.0, name.key()], file_server)
    }

    /// A file server by uid.
    pub fn file_server_by_uid(&self, uid: Uid) -> Result<Option<FileServer>, StoreError> {
        self.row(&select("WHERE r.uid = ?1"), params![uid.0], file_server)
    }

    /// A file server's wish with its secrets.
    pub fn file_server_secrets(&self, found: &FileServer) -> Result<FileServerSpec, StoreError> {
        let uid = found.meta.uid;
        let sealed = self.row(
            "SELECT sealed FROM file_servers WHERE uid = ?1",
            params![uid.0],
            |row| Ok(row.get(0)?),
        )?;
        let mut spec = found.spec.clone();
        self.unseal(&mut spec, &context(uid), sealed.flatten())?;
        Ok(spec)
    }

    /// The file servers of a workspace.
    pub fn file_servers(&self, workspace: Uid, page: Page) -> Result<Vec<FileServer>, StoreError> {
        let sql = select("WHERE r.workspace_uid = ?1 AND r.uid > ?2 ORDER BY r.uid LIMIT ?3");
        self.rows(&sql, params![workspace.0, page.after(), page.limit], file_server)
    }

    /// Every file server.
    pub fn all_file_servers(&self) -> Result<Vec<FileServer>, StoreError> {
        self.rows(&select("ORDER BY r.uid"), [], file_server)
    }

    /// The folder that each entry of the `fileServers` of a cluster or of an open job means. Entries whose
    /// file server is gone are not there.
    pub fn mounted_folders(&self, user: Uid) -> Result<BTreeMap<u32, String>, StoreError> {
        let sql = "SELECT m.entry, r.folder FROM file_server_mounts m \
                   JOIN file_servers r ON r.uid = m.file_server_uid \
                   WHERE m.user_uid = ?1 AND r.folder IS NOT NULL";
        let found = self.rows(sql, params![user.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.into_iter().collect())
    }

    /// Up to `limit` of the clusters, and of the jobs that are not over, that mount a file server.
    pub fn file_server_users(&self, uid: Uid, limit: u32) -> Result<Vec<Uid>, StoreError> {
        let sql = "SELECT DISTINCT user_uid FROM file_server_mounts WHERE file_server_uid = ?1 \
                   ORDER BY user_uid LIMIT ?2";
        self.rows(sql, params![uid.0, limit], |row| Ok(Uid(row.get(0)?)))
    }

    /// Up to `limit` folders whose file server is gone and that were not taken away yet.
    pub fn folders_to_remove(&self, limit: u32) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT name FROM folders_to_remove ORDER BY name LIMIT ?1";
        self.rows(sql, params![limit], |row| Ok(row.get(0)?))
    }
}

impl Tx<'_> {
    /// A new file server.
    pub fn insert_file_server(
        &self,
        new: NewFileServer<'_>,
        now: Timestamp,
    ) -> Result<FileServer, StoreError> {
        let mut meta = self.new_meta(new.name, now)?;
        if new.made.is_none() {
            meta.provisioning = Provisioning::Failed;
        }
        let (text, sealed) = self.seal(new.spec, &context(meta.uid))?;
        let (folder, mount_settings) = new.made.unzip();
        self.run(
            "INSERT INTO file_servers VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, ?6, ?5, ?7, ?8, ?9, ?10, ?11)",
            params![
                meta.uid.0,
                new.workspace.meta.uid.0,
                new.name.as_str(),
                new.name.key(),
                now.as_millisecond(),
                meta.provisioning.as_str(),
                text,
                sealed,
                mount_settings.as_ref().map(stored::write).transpose()?,
                folder,
                new.made_subnet.as_str()
            ],
        )?;
        Ok(FileServer {
            meta,
            scope: new.workspace.scope.clone(),
            workspace: new.workspace.meta.name.clone(),
            spec: new.spec.clone(),
            mount_settings,
            made_subnet: Some(new.made_subnet),
            folder,
        })
    }

    /// Gives a folder to a file server that has none.
    pub fn set_file_server_folder(&self, uid: Uid, folder: &str) -> Result<(), StoreError> {
        self.run(
            "UPDATE file_servers SET folder = ?2 WHERE uid = ?1 AND folder IS NULL",
            params![uid.0, folder],
        )?;
        Ok(())
    }

    /// A new cluster or job mounts file servers, one for each entry of its `fileServers`. That ends by itself
    /// when the cluster is removed, and when the job is over or removed.
    pub fn insert_mounts(&self, user: Uid, file_servers: &[Uid]) -> Result<(), StoreError> {
        for (entry, file_server) in (0u32..).zip(file_servers) {
            self.run(
                "INSERT INTO file_server_mounts VALUES (?1, ?2, ?3)",
                params![user.0, entry, file_server.0],
            )?;
        }
        Ok(())
    }

    /// Removes it. Its folder is one to be taken away from now on.
    pub fn remove_file_server(&self, uid: Uid) -> Result<(), StoreError> {
        self.remove(Table::FileServers, uid)
    }

    /// A folder was taken away.
    pub fn folder_is_removed(&self, name: &str) -> Result<(), StoreError> {
        self.run("DELETE FROM folders_to_remove WHERE name = ?1", params![name])?;
        Ok(())
    }
}
