//! File servers.

use jiff::Timestamp;
use rusqlite::{Row, params};
use trainyard_domain::ids::Uid;
use trainyard_domain::name::Name;
use trainyard_domain::spec::FileServerSpec;
use trainyard_domain::state::{FileServer, MountSettings, Workspace};
use trainyard_domain::stored;

use super::rows::{META, META_COLUMNS, group_path, meta, name};
use super::tree::{Page, Table};
use super::{Snapshot, StoreError, Tx};

fn select(rest: &str) -> String {
    format!(
        "SELECT {META}, g.subscription, g.name, w.name, r.spec, r.mount_settings, r.sealed \
         FROM file_servers r JOIN workspaces w ON w.uid = r.workspace_uid \
         JOIN resource_groups g ON g.uid = w.group_uid {rest}"
    )
}

fn file_server(row: &Row<'_>) -> Result<FileServer, StoreError> {
    let text = |i: usize| row.get::<_, String>(META_COLUMNS + i);
    let mount_settings = row.get::<_, Option<String>>(META_COLUMNS + 4)?;
    Ok(FileServer {
        meta: meta(row)?,
        scope: group_path(&text(0)?, &text(1)?)?,
        workspace: name(&text(2)?)?,
        spec: stored::read(&text(3)?)?,
        mount_settings: mount_settings.map(|text| stored::read(&text)).transpose()?,
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
}

impl Tx<'_> {
    /// A new file server.
    pub fn insert_file_server(
        &self,
        workspace: &Workspace,
        name: &Name,
        spec: &FileServerSpec,
        mount_settings: &MountSettings,
        now: Timestamp,
    ) -> Result<FileServer, StoreError> {
        let meta = self.new_meta(name, now)?;
        let (text, sealed) = self.seal(spec, &context(meta.uid))?;
        self.run(
            "INSERT INTO file_servers VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, 'succeeded', ?5, ?6, ?7, ?8)",
            params![
                meta.uid.0,
                workspace.meta.uid.0,
                name.as_str(),
                name.key(),
                now.as_millisecond(),
                text,
                sealed,
                stored::write(mount_settings)?
            ],
        )?;
        Ok(FileServer {
            meta,
            scope: workspace.scope.clone(),
            workspace: workspace.meta.name.clone(),
            spec: spec.clone(),
            mount_settings: Some(mount_settings.clone()),
        })
    }

    /// Removes it.
    pub fn remove_file_server(&self, uid: Uid) -> Result<(), StoreError> {
        self.remove(Table::FileServers, uid)
    }
}
