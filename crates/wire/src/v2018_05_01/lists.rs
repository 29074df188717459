//! Lists and the small things that are only ever listed.

use std::fmt::Display;

use jiff::Timestamp;
use serde_json::Value;

use crate::out::Out;
use crate::time;

/// A page of a list; `next_link` is an absolute URL, absent on the last page.
pub fn list(values: Vec<Value>, next_link: Option<&str>) -> Value {
    Out::new()
        .with("value", values)
        .maybe("nextLink", next_link)
        .into()
}

/// An entry of an output directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Its base name.
    pub name: String,
    /// What it is.
    pub kind: FileKind,
}

/// File or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileKind {
    /// A file.
    File {
        /// Signed link.
        download_url: String,
        /// Last write.
        modified: Timestamp,
        /// Size in bytes.
        length: u64,
    },
    /// A directory.
    Directory,
}

/// A page of an output directory.
pub fn files(entries: &[FileEntry], next_link: Option<&str>) -> Value {
    list(entries.iter().map(file).collect(), next_link)
}

fn file(entry: &FileEntry) -> Value {
    let out = Out::new().with("name", entry.name.as_str());
    match &entry.kind {
        FileKind::Directory => out.with("fileType", "directory").into(),
        FileKind::File {
            download_url,
            modified,
            length,
        } => out
            .with("fileType", "file")
            .with("downloadUrl", download_url.as_str())
            .with(
                "properties",
                Out::new()
                    .with("lastModified", time::timestamp(*modified))
                    .with("contentLength", *length),
            )
            .into(),
    }
}

/// How to log in to a node by SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteLogin<A> {
    /// The node's id.
    pub node_id: String,
    /// Address to reach it at.
    pub ip_address: A,
    /// Port there.
    pub port: u16,
}

/// A page of remote login information.
pub fn remote_login<A: Display>(logins: &[RemoteLogin<A>], next_link: Option<&str>) -> Value {
    let one = |login: &RemoteLogin<A>| {
        Out::new()
            .with("nodeId", login.node_id.as_str())
            .with("ipAddress", login.ip_address.to_string())
            .with("port", login.port)
            .into()
    };
    list(logins.iter().map(one).collect(), next_link)
}

/// A quota and how much of it is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// Machine name of what is counted.
    pub name: String,
    /// Name for people; differs from `name` in few rows only.
    pub localized_name: String,
    /// In use now.
    pub current: u32,
    /// The quota.
    pub limit: u64,
}

/// All quotas.
pub fn usages(rows: &[UsageRow]) -> Value {
    let one = |row: &UsageRow| {
        Out::new()
            .with("unit", "Count")
            .with("currentValue", row.current)
            .with("limit", row.limit)
            .with(
                "name",
                Out::new()
                    .with("value", row.name.as_str())
                    .with("localizedValue", row.localized_name.as_str()),
            )
            .into()
    };
    list(rows.iter().map(one).collect(), None)
}

/// An action that a role may allow, for Operations_List.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationRow<'a> {
    /// `Microsoft.BatchAI/{resource}/{verb}`.
    pub name: &'a str,
    /// `Microsoft Batch AI`.
    pub provider: &'a str,
    /// Kind of resource.
    pub resource: &'a str,
    /// What it does.
    pub operation: &'a str,
    /// A longer text.
    pub description: &'a str,
}

/// All actions.
pub fn operation_list(rows: &[OperationRow<'_>]) -> Value {
    let one = |row: &OperationRow<'_>| {
        Out::new()
            .with("name", row.name)
            .with(
                "display",
                Out::new()
                    .with("provider", row.provider)
                    .with("operation", row.operation)
                    .with("resource", row.resource)
                    .with("description", row.description),
            )
            .with("origin", "user,system")
            .into()
    };
    list(rows.iter().map(one).collect(), None)
}
