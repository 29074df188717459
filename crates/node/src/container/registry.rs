//! The login for a registry: in a file for one call, never on a command line.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use trainyard_domain::launch::Login;

use super::order::make_private;

/// A login in a file that is gone with this.
#[derive(Debug)]
pub struct LoginFile {
    folder: PathBuf,
}

impl LoginFile {
    /// Writes it into the folder `folder`, readable by its owner only.
    pub fn write(folder: PathBuf, login: &Login) -> io::Result<LoginFile> {
        let _ = fs::remove_dir_all(&folder);
        make_private(&folder)?;
        let made = LoginFile { folder };
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(made.path())?;
        file.write_all(text(login).as_bytes())?;
        Ok(made)
    }

    /// The file, as podman wants it.
    pub fn path(&self) -> PathBuf {
        self.folder.join("config.json")
    }

    /// Its folder, as docker wants it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for LoginFile {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn text(login: &Login) -> String {
    // The public registry is known by its former address.
    let server = match login.server.as_str() {
        "docker.io" => "https://index.docker.io/v1/",
        server => server,
    };
    json!({"auths": {server: {"auth": pair(login)}}}).to_string()
}

fn pair(login: &Login) -> String {
    STANDARD.encode(format!("{}:{}", login.username, login.password))
}

/// A text without the login's secrets, should a runtime have said them.
pub fn without_secrets(text: &str, login: Option<&Login>) -> String {
    let Some(login) = login.filter(|login| !login.password.is_empty()) else {
        return text.to_owned();
    };
    text.replace(&login.password, "(secret)")
        .replace(&pair(login), "(secret)")
}
