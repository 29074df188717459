//! The container of a job (behaviour.md section 10).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::spec::{ContainerSettings, PrivateRegistryCredentials, SecretSource};

/// The registry of images that name none.
const PUBLIC: &str = "docker.io";
/// Code of a job whose container cannot be started (errors.md).
pub const FAILED_STARTING_CONTAINER: &str = "FailedStartingContainer";

/// The container in which a job runs on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// The image as its user wrote it.
    pub image: String,
    /// The image with its registry and its tag, as a registry is asked for it.
    pub reference: String,
    /// Size of `/dev/shm` in bytes.
    pub shm_bytes: Option<u64>,
    /// Login for the registry.
    pub login: Option<Login>,
    /// Path at which processes of the job find the program that reaches its other nodes.
    pub remote_shell: String,
}

/// Login for a registry.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Login {
    /// The registry's host, with its port if it has one.
    pub server: String,
    /// Login name.
    pub username: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("server", &self.server)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The container that a job asks for, or what is wrong with what it asks for. A vault's password is refused before.
pub(super) fn container(settings: &ContainerSettings, remote_shell: &str) -> Result<Container, String> {
    let reference = reference(settings.server_url.as_deref(), &settings.image)?;
    let server = reference.split('/').next().unwrap_or(PUBLIC);
    let login = settings.credentials.as_ref();
    Ok(Container {
        image: settings.image.clone(),
        shm_bytes: settings.shm_size.as_deref().map(bytes).transpose()?,
        login: login.and_then(|login| revealed(login, server)),
        remote_shell: remote_shell.to_owned(),
        reference,
    })
}

fn revealed(credentials: &PrivateRegistryCredentials, server: &str) -> Option<Login> {
    match &credentials.password {
        SecretSource::Value(password) => Some(Login {
            server: server.to_owned(),
            username: credentials.username.clone(),
            password: password.reveal().to_owned(),
        }),
        SecretSource::Vault(_) => None,
    }
}

/// The image with its registry and its tag. `server` counts where the image does not name a registry itself; images of
/// the public registry without an owner are its library's.
fn reference(server: Option<&str>, image: &str) -> Result<String, String> {
    let wrong =
        || format!("{image:?} is no name of an image. Write it as in docker.io/library/ubuntu:16.04.");
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let parts_are_good = image
        .split('/')
        .all(|part| part.starts_with(|c: char| c.is_ascii_alphanumeric()));
    if image.len() > 512 || !image.chars().all(allowed) || !parts_are_good {
        return Err(wrong());
    }
    let (host, path) = match image.split_once('/') {
        Some((first, rest)) if first == "localhost" || first.contains(['.', ':']) => {
            (host(first), rest.to_owned())
        }
        _ => (server.map_or_else(|| PUBLIC.to_owned(), host), image.to_owned()),
    };
    let path = if host == PUBLIC && !path.contains('/') {
        format!("library/{path}")
    } else {
        path
    };
    let name = path.rsplit('/').next().unwrap_or_default();
    let tag = if name.contains([':', '@']) { "" } else { ":latest" };
    let host_is_good = host.chars().all(|c| allowed(c) && !"/@".contains(c)) && !host.is_empty();
    if host_is_good {
        Ok(format!("{host}/{path}{tag}"))
    } else {
        let server = server.unwrap_or_default();
        Err(format!(
            "{server:?} is no registry. Write serverUrl as in registry.example.org."
        ))
    }
}

/// The host in the address of a registry. The public one has several names.
fn host(server: &str) -> String {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default().to_ascii_lowercase();
    match host.as_str() {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" | "hub.docker.com" => {
            PUBLIC.to_owned()
        }
        _ => host,
    }
}

/// A size as `docker run --shm-size` takes it: `16gb`, `512m`, `1g`, or bytes.
fn bytes(size: &str) -> Result<u64, String> {
    let wrong = || format!("{size:?} is no size of /dev/shm. Write a number and b, k, m or g, as in 16gb.");
    let text = size.trim().to_ascii_lowercase();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let scale: u64 = match unit.trim() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    let bytes = number * scale as f64;
    if bytes >= 1.0 && bytes < (1_u64 << 53) as f64 {
        Ok(bytes as u64)
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_gets_its_registry_and_tag() {
        for (server, image, expected) in [
            (None, "ubuntu", "docker.io/library/ubuntu:latest"),
            (None, "ubuntu:16.04", "docker.io/library/ubuntu:16.04"),
            (None, "docker.io/ubuntu:16.04", "docker.io/library/ubuntu:16.04"),
            (
                None,
                "tensorflow/tensorflow:1.8.0-gpu",
                "docker.io/tensorflow/tensorflow:1.8.0-gpu",
            ),
            (
                None,
                "reg.example.org:5000/a/b",
                "reg.example.org:5000/a/b:latest",
            ),
            (
                Some("https://reg.example.org/v2/"),
                "a/b:1",
                "reg.example.org/a/b:1",
            ),
            (
                Some("reg.example.org"),
                "reg.example.org/a/b:1",
                "reg.example.org/a/b:1",
            ),
            (
                Some("https://index.docker.io/v1/"),
                "me/x",
                "docker.io/me/x:latest",
            ),
            (None, "localhost/x@sha256:aa", "localhost/x@sha256:aa"),
        ] {
            assert_eq!(reference(server, image).unwrap(), expected, "{image}");
        }
        for image in ["", "../x", "a/../b", "-v", "a b", "a//b", "/etc", "a/.b"] {
            assert!(reference(None, image).is_err(), "{image}");
        }
        assert!(reference(Some("https://"), "a/b").is_err());
    }

    #[test]
    fn a_size_is_read_as_docker_reads_it() {
        for (size, expected) in [
            ("16gb", 16 << 30),
            ("1G", 1 << 30),
            ("512m", 512 << 20),
            ("1.5g", 3 << 29),
            ("64", 64),
            ("8 KB", 8192),
        ] {
            assert_eq!(bytes(size), Ok(expected), "{size}");
        }
        for size in ["", "g", "-1g", "1x", "0", "inf", "1e3"] {
            assert!(bytes(size).is_err(), "{size}");
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let login = Login {
            server: "r".to_owned(),
            username: "u".to_owned(),
            password: "hush".to_owned(),
        };
        assert!(!format!("{login:?}").contains("hush"));
    }
}
