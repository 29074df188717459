//! What is behind a volume, as a node needs it to mount it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::path::join;

/// The mode of files and directories where the volume names none (behaviour.md section 6).
pub const MOUNT_MODE: &str = "0777";

/// What is behind a volume. Which tool mounts it is told by its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Behind {
    /// A directory of this machine, which is there already.
    Source(String),
    /// A remote of rclone, mounted by FUSE.
    Rclone(RcloneRemote),
    /// A share mounted by the kernel's cifs client.
    Cifs(CifsShare),
    /// An export mounted by the kernel's NFS client.
    Nfs(NfsExport),
    /// The user's own command; the mount path is put behind it.
    Command(String),
}

/// One remote of rclone, and where in it the volume begins.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RcloneRemote {
    /// The remote's options by name, such as `type` and `sas_url`. Some are secret: they travel in the environment
    /// (`RCLONE_CONFIG_…`), never on a command line.
    pub settings: BTreeMap<String, String>,
    /// Bucket or container, and the directory in it where it goes on.
    pub path: String,
    /// Mode of files, octal.
    pub file_mode: String,
    /// Mode of directories, octal.
    pub directory_mode: String,
}

/// A share of an SMB server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CifsShare {
    /// The server's name or address.
    pub host: String,
    /// Its port, where it is not the usual one.
    pub port: Option<u16>,
    /// The share.
    pub share: String,
    /// The directory of it that is mounted; empty for all of it.
    pub directory: String,
    /// Who mounts it.
    pub username: String,
    /// Their password: a secret.
    pub password: String,
    /// Mode of files, octal.
    pub file_mode: String,
    /// Mode of directories, octal.
    pub directory_mode: String,
    /// More options of the mount, with commas between them.
    pub options: String,
}

/// A directory of an NFS server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NfsExport {
    /// `HOST:/PATH`.
    pub source: String,
    /// Options of the mount, with commas between them.
    pub options: String,
}

impl Behind {
    /// The directory `directory` of it; itself where that is empty. The user's own command stays as it is.
    #[must_use]
    pub fn beneath(self, directory: &str) -> Behind {
        if directory.is_empty() {
            return self;
        }
        match self {
            Behind::Source(source) => Behind::Source(join(&source, directory)),
            Behind::Rclone(remote) => Behind::Rclone(RcloneRemote {
                path: join(&remote.path, directory),
                ..remote
            }),
            Behind::Cifs(share) => Behind::Cifs(CifsShare {
                directory: join(&share.directory, directory)
                    .trim_start_matches('/')
                    .to_owned(),
                ..share
            }),
            Behind::Nfs(export) => Behind::Nfs(NfsExport {
                source: join(&export.source, directory),
                ..export
            }),
            Behind::Command(command) => Behind::Command(command),
        }
    }

    /// The same with these modes of files and directories, where its kind has any.
    #[must_use]
    pub fn with_modes(self, file_mode: &str, directory_mode: &str) -> Behind {
        let (file_mode, directory_mode) = (file_mode.to_owned(), directory_mode.to_owned());
        match self {
            Behind::Rclone(remote) => Behind::Rclone(RcloneRemote {
                file_mode,
                directory_mode,
                ..remote
            }),
            Behind::Cifs(share) => Behind::Cifs(CifsShare {
                file_mode,
                directory_mode,
                ..share
            }),
            Behind::Source(_) | Behind::Nfs(_) | Behind::Command(_) => self,
        }
    }
}

/// What it is, without secrets.
impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Behind::Source(directory) => f.write_str(directory),
            Behind::Rclone(remote) => write!(f, "{} by rclone ({})", remote.path, remote.kind()),
            Behind::Cifs(share) => write!(f, "{}", share.address()),
            Behind::Nfs(export) => f.write_str(&export.source),
            // A user may write a password into it.
            Behind::Command(_) => f.write_str("a mount command"),
        }
    }
}

impl RcloneRemote {
    /// The kind of the remote, as rclone names it.
    fn kind(&self) -> &str {
        self.settings.get("type").map_or("no type", String::as_str)
    }
}

impl CifsShare {
    /// `//HOST/SHARE/DIRECTORY`.
    #[must_use]
    pub fn address(&self) -> String {
        let address = format!("//{}/{}/{}", self.host, self.share, self.directory);
        address.trim_end_matches('/').to_owned()
    }
}

/// Settings hold secrets, so only the names of them are shown.
impl fmt::Debug for RcloneRemote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RcloneRemote")
            .field("settings", &self.settings.keys().collect::<Vec<_>>())
            .field("path", &self.path)
            .field("file_mode", &self.file_mode)
            .field("directory_mode", &self.directory_mode)
            .finish()
    }
}

/// All but the password.
impl fmt::Debug for CifsShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CifsShare")
            .field("address", &self.address())
            .field("port", &self.port)
            .field("username", &self.username)
            .field("file_mode", &self.file_mode)
            .field("directory_mode", &self.directory_mode)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(path: &str) -> Behind {
        let settings = [("type", "azureblob"), ("sas_url", "https://a/c?sig=hush7391")];
        Behind::Rclone(RcloneRemote {
            settings: settings
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            path: path.to_owned(),
            file_mode: MOUNT_MODE.to_owned(),
            directory_mode: MOUNT_MODE.to_owned(),
        })
    }

    fn share(directory: &str) -> Behind {
        Behind::Cifs(CifsShare {
            host: "acc.file.example.org".to_owned(),
            port: None,
            share: "s".to_owned(),
            directory: directory.to_owned(),
            username: "acc".to_owned(),
            password: "hush7391".to_owned(),
            file_mode: MOUNT_MODE.to_owned(),
            directory_mode: MOUNT_MODE.to_owned(),
            options: "vers=3.1.1".to_owned(),
        })
    }

    #[test]
    fn nothing_shows_a_secret() {
        let command = Behind::Command("mount -o password=hush7391 //h/s".to_owned());
        for behind in [remote("c"), share("d")] {
            let shown = format!("{behind} {behind:?}");
            assert!(!shown.contains("hush7391"), "{shown}");
        }
        assert_eq!(remote("c/d").to_string(), "c/d by rclone (azureblob)");
        assert_eq!(share("").to_string(), "//acc.file.example.org/s");
        assert_eq!(command.to_string(), "a mount command");
    }

    #[test]
    fn a_plan_keeps_them_all() {
        for behind in [remote("c"), share("d"), Behind::Source("/x".to_owned())] {
            let text = serde_json::to_string(&behind).unwrap();
            assert_eq!(serde_json::from_str::<Behind>(&text).unwrap(), behind);
        }
    }

    #[test]
    fn a_directory_goes_on_where_it_began() {
        let source = |path: &str| Behind::Source(path.to_owned());
        assert_eq!(source("/x").beneath("a/b"), source("/x/a/b"));
        assert_eq!(remote("c").beneath("a"), remote("c/a"));
        assert_eq!(share("").beneath("a/b"), share("a/b"));
        assert_eq!(share("d").beneath(""), share("d"));
        let Behind::Cifs(modes) = share("").with_modes("0600", "0700") else {
            panic!("it was a share");
        };
        assert_eq!(
            (modes.file_mode.as_str(), modes.directory_mode.as_str()),
            ("0600", "0700")
        );
    }
}
