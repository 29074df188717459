//! What was found on the machine.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use trainyard_node::cgroup::{Support, support};

use super::{machine, programs};
use crate::config::layers::Surroundings;
use crate::config::{Config, NodeLimits};
use crate::serve::{self, Exportable};

/// Everything that is judged.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Isolated nodes, or why plain ones; an error where the server would refuse to start.
    pub level: Result<Result<(), String>, String>,
    /// What can be enforced.
    pub cgroups: Support,
    /// Whether the operator wants it enforced.
    pub limits: bool,
    /// Programs that were found, by name.
    pub programs: BTreeMap<&'static str, bool>,
    /// Container engines that answered, with what they said, or why they did not.
    pub containers: BTreeMap<&'static str, Result<String, String>>,
    /// File systems of the kernel that are of use to mounts.
    pub file_systems: Vec<String>,
    /// Whether `/dev/fuse` is there.
    pub fuse: bool,
    /// How many GPUs.
    pub gpus: usize,
    /// Whether addresses such as 127.16.0.5 can be taken.
    pub loopback: bool,
    /// Ports that jobs may use and that are taken by others, and how many there are in all.
    pub ports: (usize, usize),
    /// Whether the server could listen, or why not.
    pub listen: Result<SocketAddr, String>,
    /// Whether file servers can be exported.
    pub exports: Exportable,
    /// A server runs on the data folder already.
    pub running: bool,
    /// The data folder, and whether it can be used.
    pub data: (String, Result<(), String>),
    /// Bytes free there, and how many the configuration wants.
    pub free: (Option<u64>, u64),
    /// The time of day, in seconds since 1970, and that of the store's last change.
    pub clock: (i64, Option<i64>),
}

/// Looks at the machine. The directory in which isolated nodes show their files is made on the way.
pub fn gather(config: &Config, surroundings: &Surroundings) -> Facts {
    let path = surroundings.variables.get(OsStr::new("PATH"));
    let path = path
        .map(|path| path.to_string_lossy().into_owned())
        .unwrap_or_default();
    let data = config.data();
    let level = serve::level(config).map_err(|error| format!("{error:#}"));
    Facts {
        level,
        cgroups: support(),
        limits: config.local.limits == NodeLimits::Enforce,
        programs: programs::ALL
            .map(|name| (name, programs::find(name, &path).is_some()))
            .into(),
        containers: programs::containers(&path),
        file_systems: machine::file_systems(),
        fuse: std::path::Path::new("/dev/fuse").exists(),
        gpus: trainyard_engine_local::gpus_here(),
        loopback: TcpListener::bind((Ipv4Addr::new(127, 16, 0, 5), 0)).is_ok(),
        ports: machine::ports_taken(&trainyard_engine_local::Settings::default().ports),
        listen: TcpListener::bind(config.listen)
            .map(|_| config.listen)
            .map_err(|error| format!("{}: {error}", config.listen)),
        exports: serve::exportable(config, surroundings),
        running: machine::is_running(data),
        data: (data.display().to_string(), machine::can_be_used(data)),
        free: (machine::free_bytes(data), config.min_free.0),
        clock: (crate::clock::now().as_second(), machine::changed(data)),
    }
}
