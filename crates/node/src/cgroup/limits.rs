//! A node's limits: cores, memory and processes of its VM size, for all that it runs and itself.
//!
//! They are written once, when the node begins, into a directory of its own: in the v2 tree the one that
//! [`super::Cgroup`] has made, in v1 one below each controller. The node moves into one below that, so that whatever it
//! starts is born there: a job of root can mount the tree with its own directory as the top, and must not find its limits
//! in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use trainyard_domain::launch::NodeLimits;

use super::count::Counters;
use super::tree::{Controller, Trees};
use super::{Cgroup, enter, name};

/// Length of a period in which the cores are shared out, in microseconds: the kernel's own.
const PERIOD: u64 = 100_000;
/// Threads of the node itself, which count too and must not hinder the job.
const NODES_OWN: u64 = 4;

/// Directory in which processes stand, below the limited one.
const MAIN: &str = "main";

/// Where a node's limits are.
#[derive(Debug, Default)]
pub struct Limits {
    asked: Option<NodeLimits>,
    counters: Counters,
    /// Directories in v1 trees, to be left at the end.
    separate: Vec<PathBuf>,
}

impl Limits {
    /// Puts this process, a node, under its limits as far as the machine lets it. `say` hears what is enforced and
    /// what is not.
    pub fn enter(
        folder: &Path,
        asked: Option<&NodeLimits>,
        cgroup: Option<&Cgroup>,
        say: impl Fn(&str),
    ) -> Limits {
        let mut limits = Limits {
            asked: asked.cloned(),
            ..Limits::default()
        };
        crate::first_to_die::prepare();
        let Some(asked) = asked else { return limits };
        let trees = Trees::here();
        for one in Controller::ALL {
            let unified = cgroup.map(Cgroup::home).filter(|home| has(home, one));
            let done = match (unified, trees.separate.get(&one)) {
                (Some(home), _) => write_unified(home, one, asked).map(|()| home.to_owned()),
                (None, Some(places)) => enter_separate(places, folder, one, asked),
                (None, None) => Err(io::Error::other("the machine has no controller for it")),
            };
            match done {
                Ok(home) => {
                    say(&format!("limit: {} by {}", figure(one, asked), home.display()));
                    if unified.is_none() {
                        limits.separate.push(home.clone());
                    }
                    let standing = unified.is_none().then(|| home.join(MAIN));
                    limits.counters.watch(one, &home, standing.as_deref());
                }
                Err(error) => say(&format!("no limit of {}: {error}", one.limits())),
            }
        }
        limits
    }

    /// What is limited.
    pub fn asked(&self) -> Option<&NodeLimits> {
        self.asked.as_ref()
    }

    /// What the kernel counts.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Takes this process out of the v1 directories, so that they can be removed.
    pub fn step_out(&self) {
        for home in &self.separate {
            let outside = home.ancestors().nth(2);
            if let Some(Err(error)) = outside.map(enter) {
                crate::say(format_args!("cannot leave {}: {error}", home.display()));
            }
        }
    }
}

fn figure(one: Controller, asked: &NodeLimits) -> String {
    match one {
        Controller::Cpu => format!("{} cores", asked.cores),
        Controller::Memory => format!("{} MiB of memory", asked.memory >> 20),
        Controller::Pids => format!("{} processes", asked.processes),
    }
}

/// Whether the parent has handed the controller down.
fn has(home: &Path, one: Controller) -> bool {
    let file = match one {
        Controller::Cpu => "cpu.max",
        Controller::Memory => "memory.max",
        Controller::Pids => "pids.max",
    };
    home.join(file).exists()
}

fn write_unified(home: &Path, one: Controller, asked: &NodeLimits) -> io::Result<()> {
    let set = |file: &str, value: String| fs::write(home.join(file), value);
    match one {
        Controller::Cpu => set("cpu.max", format!("{} {PERIOD}", quota(asked))),
        Controller::Memory => {
            set("memory.max", asked.memory.to_string())?;
            // Else a job over its memory would go on in the swap space, and slow down all others.
            where_it_is(set("memory.swap.max", "0".to_owned()))
        }
        Controller::Pids => set("pids.max", processes(asked).to_string()),
    }
}

/// Makes the node's directory in the first place that lets it, and moves in.
fn enter_separate(
    places: &[PathBuf],
    folder: &Path,
    one: Controller,
    asked: &NodeLimits,
) -> io::Result<PathBuf> {
    let name = name(folder).ok_or(io::ErrorKind::InvalidInput)?;
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for place in places {
        let home = place.join(&name);
        let main = home.join(MAIN);
        let done = make(&home)
            .and_then(|()| write_separate(&home, one, asked))
            .and_then(|()| make(&main))
            .and_then(|()| enter(&main));
        match done {
            Ok(()) => return Ok(home),
            Err(error) => last = error,
        }
        super::remove(&home);
    }
    Err(last)
}

/// Another node of the same folder may be removing its last traces just now: once more, then.
fn make(home: &Path) -> io::Result<()> {
    let again = |_: io::Error| fs::create_dir_all(home);
    fs::create_dir_all(home).or_else(again).or_else(again)
}

fn write_separate(home: &Path, one: Controller, asked: &NodeLimits) -> io::Result<()> {
    let set = |file: &str, value: String| fs::write(home.join(file), value);
    match one {
        Controller::Cpu => {
            set("cpu.cfs_period_us", PERIOD.to_string())?;
            set("cpu.cfs_quota_us", quota(asked).to_string())
        }
        Controller::Memory => {
            // Old kernels count what is below only if told so.
            where_it_is(set("memory.use_hierarchy", "1".to_owned()))?;
            set("memory.limit_in_bytes", asked.memory.to_string())?;
            // Memory and swap space together. Kernels may be built or started without it.
            where_it_is(set("memory.memsw.limit_in_bytes", asked.memory.to_string()))
        }
        Controller::Pids => set("pids.max", processes(asked).to_string()),
    }
}

/// A file that this kernel does not have needs no writing. (None can be made there: that is refused.)
fn where_it_is(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        done => done,
    }
}

fn quota(asked: &NodeLimits) -> u64 {
    PERIOD * u64::from(asked.cores.max(1))
}

fn processes(asked: &NodeLimits) -> u64 {
    asked.processes.saturating_add(NODES_OWN)
}

/// Where the v1 directories of the node in `folder` may be.
pub fn homes(folder: &Path) -> Vec<PathBuf> {
    let places = Trees::here().separate.into_values().flatten();
    places
        .filter_map(|place| Some(place.join(name(folder)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> NodeLimits {
        NodeLimits {
            vm_size: "STANDARD_D2".to_owned(),
            cores: 2,
            memory: 7 << 30,
            processes: 4096,
        }
    }

    fn written(write: impl Fn(&Path, Controller)) -> impl Fn(&str) -> String {
        let home = tempfile::tempdir().unwrap();
        for one in Controller::ALL {
            write(home.path(), one);
        }
        move |file| fs::read_to_string(home.path().join(file)).unwrap_or_default()
    }

    #[test]
    fn the_files_of_v2() {
        let read = written(|home, one| write_unified(home, one, &asked()).unwrap());
        assert_eq!(read("cpu.max"), "200000 100000");
        assert_eq!(read("memory.max"), "7516192768");
        assert_eq!(read("memory.swap.max"), "0");
        assert_eq!(read("pids.max"), "4100");
    }

    #[test]
    fn the_files_of_v1() {
        let read = written(|home, one| write_separate(home, one, &asked()).unwrap());
        assert_eq!(
            (read("cpu.cfs_period_us"), read("cpu.cfs_quota_us")),
            ("100000".to_owned(), "200000".to_owned())
        );
        assert_eq!(read("memory.limit_in_bytes"), "7516192768");
        assert_eq!(read("memory.memsw.limit_in_bytes"), "7516192768");
        assert_eq!(read("pids.max"), "4100");
    }

    #[test]
    fn a_controller_is_there_where_its_file_is() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("memory.max"), "max").unwrap();
        let found = Controller::ALL.map(|one| has(home.path(), one));
        assert_eq!(found, [false, true, false]);
    }
}
