//! The files in a node's folder: the protocol between a node and whoever wants something of it.
//!
//! | file | written by | says |
//! |---|---|---|
//! | `node.json` | engine | [`NodeFile`]: what the node has to be |
//! | `wanted/{job}-{attempt}.json` | engine | [`WantedFile`]: an attempt that is wanted; removed when its end is stored |
//! | `wanted/{job}-{attempt}.stop` | engine | the attempt is not wanted any more |
//! | `tidy` | engine | directories of jobs that are over are to go; removed when that is done |
//! | `leave` | engine | the node is to end all it runs and to exit |
//! | `status.json` | node | [`StatusFile`]: what became of it |
//! | `look` | node | its datagram socket; anything sent there means "look" |
//! | `login` | node | its socket for people who are logged in, see [`crate::login`] |
//! | `alive` | node | touched every few seconds while a job is being ended, however long that takes |
//! | `grown` | node | by how much its job grew; other nodes read it when their disk is full |
//! | `node.log` | node | its own messages, the latest 256 KiB at least |
//!
//! All JSON is written beside its place and renamed, readable by its owner only (plans hold secrets), and
//! carries `format`. A reader knows [`FORMAT`] and the one before it, so that jobs outlive an upgrade:
//! members may be added with a default at any time; anything else raises [`FORMAT`], and the reader then
//! keeps a way from the former shape. Format 1 is the first.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use trainyard_domain::ids::{PlacementId, Uid};
use trainyard_domain::launch::{LaunchPlan, NodePlan};
use trainyard_domain::state::{BatchAiError, Verdict};

use crate::container;
use crate::isolation::Isolation;

/// The format that is written now.
pub const FORMAT: u32 = 1;

/// `node.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeFile {
    /// What the node has to be.
    pub plan: NodePlan,
    /// Variables that every process gets where its own environment does not name them.
    pub environment: BTreeMap<String, String>,
    /// Whether a cgroup v2 tree may be used to keep processes together.
    #[serde(default = "yes")]
    pub cgroups: bool,
    /// How many seconds the directory of a job stays after its end, where no other job comes; without, it stays.
    #[serde(default)]
    pub keep_job_temp: Option<u64>,
    /// How containers are run.
    #[serde(default)]
    pub containers: container::Settings,
    /// Programs that mount commands of users may run beside `mount`.
    #[serde(default)]
    pub mount_commands: Vec<String>,
    /// How it is kept apart; not at all on the plain level.
    #[serde(default)]
    pub isolation: Option<Isolation>,
}

fn yes() -> bool {
    true
}

/// `wanted/{job}-{attempt}.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WantedFile {
    /// What to do.
    pub plan: LaunchPlan,
    /// When it was first wanted, since boot; a node lives no longer than that.
    #[serde(default)]
    pub since: Option<Duration>,
}

/// `status.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusFile {
    /// The node.
    pub node: Uid,
    /// Its process, as the machine counts it.
    pub pid: i32,
    /// When that was started, in clock ticks since boot: a pid alone is no identity.
    pub start_time: u64,
    /// The boot it belongs to.
    pub boot_id: String,
    /// Its directory in the cgroup v2 tree; everything it starts is below it.
    pub cgroup: Option<PathBuf>,
    /// How far the node is.
    pub phase: Phase,
    /// Attempts that have begun, until their wanted file is gone.
    pub placements: Vec<PlacementStatus>,
}

/// How far a node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Mounts or setup task.
    Preparing,
    /// It takes jobs.
    Ready,
    /// It will never take jobs.
    SetupFailed(Vec<BatchAiError>),
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacementStatus {
    /// Which attempt.
    pub placement: PlacementId,
    /// How it ended; `None` while anything of it may be running.
    pub ended: Option<Verdict>,
    /// All its processes that decide have ended with 0; others go on until it is stopped.
    #[serde(default)]
    pub decided: bool,
}

/// Why a file of the protocol cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {path}; is the node's folder whole?")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It does not have the shape of its format.
    #[error("{path} does not have the shape of its format; it may be damaged")]
    Shape {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Another version of Trainyard wrote it.
    #[error("{path} has format {found}, this Trainyard knows {FORMAT}; use the version that wrote it")]
    Format {
        /// The file.
        path: PathBuf,
        /// The format found.
        found: u32,
    },
}

#[derive(Serialize)]
struct Out<'a, T> {
    format: u32,
    #[serde(flatten)]
    is: &'a T,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// Reads a file of the protocol.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let bytes = fs::read(path).map_err(|source| FileError::Read {
        path: path.to_owned(),
        source,
    })?;
    let shape = |source| FileError::Shape {
        path: path.to_owned(),
        source,
    };
    let Format { format } = serde_json::from_slice(&bytes).map_err(shape)?;
    if format != FORMAT {
        return Err(FileError::Format {
            path: path.to_owned(),
            found: format,
        });
    }
    serde_json::from_slice(&bytes).map_err(shape)
}

/// Writes a file of the protocol: whole or not at all, mode 0600.
pub fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec(&Out {
        format: FORMAT,
        is: value,
    })?;
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("file");
    let temporary = path.with_file_name(format!(".{name}.new"));
    let written = write_new(&temporary, &bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // What could not be written must not lie about: it may hold secrets, and the disk may be full.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Removes what an engine that died while it wrote has left in the node's folder: it may hold secrets. No engine may be
/// writing there.
pub fn remove_drafts(folder: &Folder) -> io::Result<()> {
    let entries = match fs::read_dir(folder.wanted()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".new") {
            fs::remove_file(entry.path())?;
        }
    }
    match fs::remove_file(folder.root().join(".node.json.new")) {
        // The node itself may be writing it, and has put it in place by now.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}

/// Where things are in a node's folder.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The node's folder at `root`, an absolute path.
    pub fn new(root: impl Into<PathBuf>) -> Folder {
        Folder { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `node.json`.
    pub fn node(&self) -> PathBuf {
        self.root.join("node.json")
    }

    /// `status.json`.
    pub fn status(&self) -> PathBuf {
        self.root.join("status.json")
    }

    /// `leave`.
    pub fn leave(&self) -> PathBuf {
        self.root.join("leave")
    }

    /// `alive`.
    pub fn alive(&self) -> PathBuf {
        self.root.join("alive")
    }

    /// `login`.
    pub fn login(&self) -> PathBuf {
        self.root.join("login")
    }

    /// `tidy`.
    pub fn tidy(&self) -> PathBuf {
        self.root.join("tidy")
    }

    /// `node.log`.
    pub fn log(&self) -> PathBuf {
        self.root.join("node.log")
    }

    /// Directory of what is wanted.
    pub fn wanted(&self) -> PathBuf {
        self.root.join("wanted")
    }

    /// The plan of an attempt.
    pub fn plan(&self, placement: PlacementId) -> PathBuf {
        self.wanted().join(format!("{placement}.json"))
    }

    /// The wish to stop an attempt.
    pub fn stop(&self, placement: PlacementId) -> PathBuf {
        self.wanted().join(format!("{placement}.stop"))
    }

    /// Directory in which mounts and job directories are.
    pub fn view(&self) -> PathBuf {
        self.root.join("root")
    }

    /// Directory in which programs mount volumes; jobs see them where they are shown.
    pub fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// Directory in which mounts of the cluster appear.
    pub fn mounts(&self) -> PathBuf {
        self.view().join("mounts")
    }

    /// Directory of all job directories.
    pub fn jobs(&self) -> PathBuf {
        self.view().join("jobs")
    }
}

/// Sets the times of a file to now.
pub fn touch(file: &File) -> io::Result<()> {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let times = Timestamps {
        last_access: now,
        last_modification: now,
    };
    Ok(futimens(file, &times)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> StatusFile {
        StatusFile {
            node: Uid(5),
            pid: 1,
            start_time: 2,
            boot_id: "b".to_owned(),
            cgroup: None,
            phase: Phase::Ready,
            placements: vec![PlacementStatus {
                placement: "3-1".parse().unwrap(),
                ended: Some(Verdict::Exited(2)),
                decided: false,
            }],
        }
    }

    #[test]
    fn what_is_written_is_read_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.json");
        write(&path, &status()).unwrap();
        assert_eq!(read::<StatusFile>(&path).unwrap(), status());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing temporary stays"
        );
    }

    /// A status as format 1 wrote it: it must be readable for ever after.
    #[test]
    fn format_1_is_readable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.json");
        let text = r#"{"format":1,"node":5,"pid":1,"startTime":2,"bootId":"b","cgroup":null,"phase":"ready",
            "placements":[{"placement":{"job":3,"attempt":1},"ended":{"exited":2}}]}"#;
        fs::write(&path, text).unwrap();
        assert_eq!(read::<StatusFile>(&path).unwrap(), status());
    }

    #[test]
    fn drafts_of_an_engine_that_died_are_removed_and_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let folder = Folder::new(base.path());
        remove_drafts(&folder).unwrap();
        fs::create_dir(folder.wanted()).unwrap();
        let kept = [
            folder.node(),
            folder.wanted().join("1-1.json"),
            folder.wanted().join("1-1.stop"),
        ];
        let drafts = [
            base.path().join(".node.json.new"),
            folder.wanted().join(".1-2.json.new"),
        ];
        for file in kept.iter().chain(&drafts) {
            fs::write(file, "").unwrap();
        }
        remove_drafts(&folder).unwrap();
        assert!(kept.iter().all(|file| file.exists()) && !drafts.iter().any(|file| file.exists()));
    }

    #[test]
    fn another_format_and_damage_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.json");
        fs::write(&path, r#"{"format":9}"#).unwrap();
        assert!(matches!(
            read::<StatusFile>(&path),
            Err(FileError::Format { found: 9, .. })
        ));
        fs::write(&path, r#"{"format":1,"node"#).unwrap();
        assert!(matches!(read::<StatusFile>(&path), Err(FileError::Shape { .. })));
        assert!(matches!(
            read::<StatusFile>(&folder.path().join("no")),
            Err(FileError::Read { .. })
        ));
    }
}
