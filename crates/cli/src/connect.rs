//! The way to the server that runs on a data folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use trainyard_client::{Client, ClientError, Endpoint};

/// The admin token's file in the data folder.
pub const TOKEN_FILE: &str = "admin-token";
const SOCKET: &str = "admin.sock";
const NOTE: &str = "server.json";

/// What a running server notes in its data folder.
#[derive(Debug, Deserialize)]
pub struct Note {
    /// Where it listens.
    pub url: String,
    /// The certificate of its local authority, where it has one.
    #[serde(default)]
    pub authority: Option<PathBuf>,
}

/// A client of the server on this data folder: by its socket, else by the address it noted.
///
/// # Errors
/// When there is no token, or no sign of a server.
pub fn admin(data: &Path) -> anyhow::Result<Client> {
    let token = token(data)?;
    let socket = data.join(SOCKET);
    let endpoint = if socket.exists() {
        Endpoint::Unix(socket)
    } else {
        Endpoint::from_url(&note(data)?.url)?
    };
    Ok(Client::new(endpoint, &token)?)
}

/// The admin token.
///
/// # Errors
/// When there is none: no server was ever started on the folder.
pub fn token(data: &Path) -> anyhow::Result<String> {
    let file = data.join(TOKEN_FILE);
    let text = std::fs::read_to_string(&file).with_context(|| {
        format!(
            "the admin token {} cannot be read: {}",
            file.display(),
            start_one(data)
        )
    })?;
    Ok(text.trim().to_owned())
}

/// What the running server noted.
///
/// # Errors
/// When there is no note, or it cannot be understood.
pub fn note(data: &Path) -> anyhow::Result<Note> {
    let file = data.join(NOTE);
    let text = std::fs::read(&file).with_context(|| no_server(data))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not understood", file.display()))
}

/// An address as clients of this machine reach it: one that means all of them is none of them.
pub fn reachable(url: &str) -> String {
    url.replacen("//0.0.0.0:", "//127.0.0.1:", 1)
        .replacen("//[::]:", "//[::1]:", 1)
}

/// Adds the next step to a failed call.
///
/// # Errors
/// The call's own.
pub fn explain<T>(data: &Path, outcome: Result<T, ClientError>) -> anyhow::Result<T> {
    match outcome {
        Ok(value) => Ok(value),
        Err(error) if error.is_connect() => Err(error).with_context(|| no_server(data)),
        Err(error) => bail!(error),
    }
}

fn no_server(data: &Path) -> String {
    format!("no server runs on {}: {}", data.display(), start_one(data))
}

fn start_one(data: &Path) -> String {
    format!(
        "start one with `trainyard serve --data {}`, or name another folder with --data",
        data.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(data: &Path) -> String {
        format!("{:#}", admin(data).err().unwrap())
    }

    #[test]
    fn finds_the_socket_first_and_says_what_is_missing() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path();
        assert!(said(data).contains("admin-token") && said(data).contains("trainyard serve --data"));
        std::fs::write(data.join(TOKEN_FILE), "t\n").unwrap();
        assert!(said(data).starts_with("no server runs on"));
        std::fs::write(data.join(NOTE), r#"{"pid": 1, "url": "http://127.0.0.1:9"}"#).unwrap();
        assert_eq!(
            *admin(data).unwrap().endpoint(),
            Endpoint::Tcp("127.0.0.1:9".into())
        );
        std::fs::write(data.join(SOCKET), "").unwrap();
        assert_eq!(
            *admin(data).unwrap().endpoint(),
            Endpoint::Unix(data.join(SOCKET))
        );
    }
}
