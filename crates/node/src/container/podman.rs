//! Calls of podman.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, getuid};

use super::call::{Call, World};
use super::find::in_path;
use super::garbage::parts;
use super::order::{self, Order};
use super::settings::Settings;

/// One state of podman: images and containers, and what it keeps of them while the machine is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Podman {
    root: PathBuf,
    run: PathBuf,
    /// Images of another state, which are read only.
    images: Option<PathBuf>,
    /// Where parts of images lie while they come.
    parts: Option<PathBuf>,
}

impl Podman {
    /// The state that holds the images of all nodes.
    pub fn store(settings: &Settings, world: &World) -> io::Result<Podman> {
        let parts = parts(&settings.store);
        order::make_private(&parts)?;
        let podman = Podman::new(image_root(settings), &settings.store, None, world)?;
        Ok(Podman {
            parts: Some(parts),
            ..podman
        })
    }

    /// The state of a node, which uses those images.
    pub fn node(order: &Order, world: &World) -> io::Result<Podman> {
        let images = Some(image_root(&order.settings));
        Podman::new(order.folder().join("podman"), &order.node, images, world)
    }

    fn new(root: PathBuf, owner: &Path, images: Option<PathBuf>, world: &World) -> io::Result<Podman> {
        order::make_private(&root)?;
        let run = order::make_short(owner)?;
        let podman = Podman {
            root,
            run,
            images,
            parts: None,
        };
        // Written once for this boot: other calls may read it just now. Those of isolated nodes may have this one's number.
        let held = File::open(&podman.run)?;
        flock(&held, FlockOperation::LockExclusive)?;
        if !podman.configuration().exists() {
            let new = podman.run.join(".containers.conf.new");
            fs::write(&new, configuration(&podman.run, world.path()))?;
            fs::rename(new, podman.configuration())?;
        }
        Ok(podman)
    }

    /// Whether a process was started for this state.
    pub fn is_used_by(&self, pid: Pid) -> bool {
        let words = fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid())).unwrap_or_default();
        let mut words = words.split(|byte| *byte == 0);
        words.any(|word| word == self.root.as_os_str().as_encoded_bytes())
    }

    fn configuration(&self) -> PathBuf {
        self.run.join("containers.conf")
    }

    /// A call with these arguments on this state.
    pub fn call<S: AsRef<str>>(&self, arguments: &[S]) -> Call {
        let path = |path: &Path| path.display().to_string();
        let mut all = vec![
            "--root".to_owned(),
            path(&self.root),
            "--runroot".to_owned(),
            path(&self.run.join("r")),
            "--tmpdir".to_owned(),
            path(&self.run.join("t")),
        ];
        let rootless = !getuid().is_root();
        if rootless {
            // Left to itself podman takes a driver here that knows no images of another state.
            all.push("--storage-driver=overlay".to_owned());
        }
        if let Some(images) = &self.images {
            all.push("--storage-opt".to_owned());
            all.push(format!("additionalimagestore={}", path(images)));
        }
        let parts = self.parts.iter().map(|parts| ("TMPDIR".to_owned(), path(parts)));
        // Of an ordinary user podman keeps more, in folders of the user's that all states would share.
        let runtime = rootless.then(|| ("XDG_RUNTIME_DIR".to_owned(), path(&self.run)));
        Call {
            arguments: all,
            variables: [("CONTAINERS_CONF".to_owned(), path(&self.configuration()))]
                .into_iter()
                .chain(parts)
                .chain(runtime)
                .collect(),
        }
        .and(arguments)
    }
}

/// Where podman keeps the images of all nodes.
pub fn image_root(settings: &Settings) -> PathBuf {
    settings.store.join("images")
}

/// Podman's own configuration: nothing that needs a service manager, no locks in memory that all of the machine's
/// states share, no limit on processes but the node's. crun does not work where cgroups of both versions are in use, so
/// runc is taken where it is found.
fn configuration(run: &Path, path: &str) -> String {
    let runtime = in_path("runc", path).map_or("", |_| "runtime = \"runc\"\n");
    format!(
        "[containers]\npids_limit = 0\n\
         [engine]\n{runtime}cgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\nlock_type = \"file\"\n\
         [network]\nnetwork_backend = \"netavark\"\nnetwork_config_dir = \"{}\"\n",
        run.join("n").display()
    )
}
