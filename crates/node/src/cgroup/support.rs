//! What of a node's limits this machine can enforce. Server, nodes and `trainyard doctor` ask here, so that they say
//! the same.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::process::getpid;

use super::tree::{Controller, Trees};
use super::{delegate, enter, own_pids};

/// Directory below `trainyard` in which a server stands that had to make room.
const SERVER: &str = "server";

/// Which tree holds a controller that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// The v2 tree.
    Unified,
    /// A v1 tree of its own.
    Separate,
}

/// Why a controller cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// No tree that is mounted here holds it.
    NoController,
    /// This user may make no directory where it is.
    NotAllowed,
    /// Processes that are not ours stand in the only place there is, which the kernel does not allow.
    Occupied(PathBuf),
}

/// The next step is said by whoever shows it.
impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::NoController => f.write_str("no cgroup tree of this machine has the controller"),
            Lack::NotAllowed => f.write_str("this user may make no directory in the cgroup tree"),
            Lack::Occupied(place) => write!(f, "other processes stand in {}", place.display()),
        }
    }
}

/// What can be enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Support {
    /// Whether all processes of a job can be ended at once, whatever they did (`cgroup.kill` of a v2 tree).
    pub kill: bool,
    /// Each controller: where it is, or why it cannot be used.
    pub controllers: BTreeMap<Controller, Result<Held, Lack>>,
}

/// Looks, and changes nothing.
pub fn support() -> Support {
    support_of(&Trees::here())
}

fn support_of(trees: &Trees) -> Support {
    let place = trees.unified.iter().find(|place| may_write(place));
    let controllers = Controller::ALL.map(|one| (one, held(one, trees, place.map(PathBuf::as_path))));
    Support {
        // The top of the whole tree has no such file, the directories below it have.
        kill: place.is_some_and(|place| kernel_kills() || place.join("cgroup.kill").exists()),
        controllers: controllers.into(),
    }
}

fn held(one: Controller, trees: &Trees, place: Option<&Path>) -> Result<Held, Lack> {
    let unified = trees
        .unified
        .first()
        .is_some_and(|top| lists(top, "cgroup.controllers", one));
    if let Some(places) = trees.separate.get(&one) {
        let usable = places.iter().any(|place| may_write(place));
        return usable.then_some(Held::Separate).ok_or(Lack::NotAllowed);
    }
    match place {
        _ if !unified => Err(Lack::NoController),
        None => Err(Lack::NotAllowed),
        Some(place) if lists(place, "cgroup.subtree_control", one) => Ok(Held::Unified),
        Some(place) if !lists(place, "cgroup.controllers", one) => Err(Lack::NotAllowed),
        Some(place) if is_occupied(place) => Err(Lack::Occupied(place.to_owned())),
        Some(_) => Ok(Held::Unified),
    }
}

/// Readies the v2 tree for nodes: hands the controllers down to them. The server does that, once. Where it stands alone
/// in the only place, as in a container, it makes room.
pub fn prepare() {
    delegate::close_tops();
    let Some(place) = Trees::here().unified.into_iter().find(|place| may_write(place)) else {
        return;
    };
    let home = place.join(super::OURS);
    if fs::create_dir(&home).is_err() && !home.is_dir() {
        return;
    }
    let me = getpid();
    if !is_root(&place) && own_pids(&place) == [me] {
        let aside = home.join(SERVER);
        let _ = fs::create_dir(&aside);
        let _ = enter(&aside);
    }
    hand_down(&place);
    hand_down(&home);
}

/// Hands all controllers that the directory has to those below it, each by itself: one may be refused.
pub fn hand_down(directory: &Path) {
    let missing = |one: &Controller| {
        lists(directory, "cgroup.controllers", *one) && !lists(directory, "cgroup.subtree_control", *one)
    };
    let wanted: Vec<Controller> = Controller::ALL.into_iter().filter(missing).collect();
    for one in wanted {
        let _ = fs::write(
            directory.join("cgroup.subtree_control"),
            format!("+{}", one.name()),
        );
    }
}

/// The kernel lets no process stand in a directory that hands controllers down, but for the top of the whole tree.
fn is_occupied(place: &Path) -> bool {
    !is_root(place) && own_pids(place).iter().any(|pid| *pid != getpid())
}

/// Only the top of the whole tree has no type.
fn is_root(place: &Path) -> bool {
    !place.join("cgroup.type").exists()
}

fn lists(directory: &Path, file: &str, one: Controller) -> bool {
    fs::read_to_string(directory.join(file))
        .is_ok_and(|text| text.split_whitespace().any(|name| name == one.name()))
}

fn may_write(place: &Path) -> bool {
    let rights = Access::WRITE_OK | Access::EXEC_OK;
    access(place, rights).is_ok() && access(place.join("cgroup.procs"), Access::WRITE_OK).is_ok()
}

/// Since Linux 5.14.
fn kernel_kills() -> bool {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    is_at_least(&release, (5, 14))
}

fn is_at_least(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= wanted,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like a directory of the v2 tree.
    fn place(controllers: &str, handed_down: &str, processes: &str, is_root: bool) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("cgroup.controllers", controllers);
        write("cgroup.subtree_control", handed_down);
        write("cgroup.procs", processes);
        if !is_root {
            write("cgroup.type", "domain\n");
        }
        folder
    }

    fn found(place: &tempfile::TempDir) -> Vec<Result<Held, Lack>> {
        let trees = Trees {
            unified: vec![place.path().to_owned()],
            separate: BTreeMap::new(),
        };
        support_of(&trees).controllers.into_values().collect()
    }

    #[test]
    fn the_top_of_a_v2_tree_hands_all_down() {
        let top = place(
            "cpuset cpu io memory hugetlb pids\n",
            "memory pids\n",
            "1\n2\n",
            true,
        );
        assert_eq!(
            found(&top),
            [Ok(Held::Unified), Ok(Held::Unified), Ok(Held::Unified)]
        );
        hand_down(top.path());
        let written = fs::read_to_string(top.path().join("cgroup.subtree_control")).unwrap();
        assert_eq!(
            written, "+cpu",
            "what is handed down already is not asked for again"
        );
    }

    #[test]
    fn a_tree_for_killing_alone_limits_nothing() {
        let top = place("hugetlb\n", "", "1\n", true);
        let none = || Err(Lack::NoController);
        assert_eq!(found(&top), [none(), none(), none()]);
    }

    #[test]
    fn strangers_in_the_only_place_are_named() {
        let busy = place("cpu memory pids\n", "pids\n", "1\n", false);
        let occupied = || Err(Lack::Occupied(busy.path().to_owned()));
        assert_eq!(found(&busy), [occupied(), occupied(), Ok(Held::Unified)]);
        let alone = place("cpu memory pids\n", "", &getpid().as_raw_pid().to_string(), false);
        assert_eq!(found(&alone).into_iter().filter(Result::is_ok).count(), 3);
    }

    #[test]
    fn a_v1_tree_goes_before() {
        let (v2, v1) = (place("hugetlb\n", "", "", true), place("", "", "", true));
        let trees = Trees {
            unified: vec![v2.path().to_owned()],
            separate: [(Controller::Memory, vec![v1.path().to_owned()])].into(),
        };
        let found = support_of(&trees).controllers;
        assert_eq!(found[&Controller::Memory], Ok(Held::Separate));
        assert_eq!(found[&Controller::Pids], Err(Lack::NoController));
        let nowhere = Trees {
            unified: Vec::new(),
            separate: [(Controller::Cpu, vec![PathBuf::from("/nowhere")])].into(),
        };
        assert_eq!(
            support_of(&nowhere).controllers[&Controller::Cpu],
            Err(Lack::NotAllowed)
        );
    }

    #[test]
    fn releases_are_compared_by_number() {
        for (release, enough) in [
            ("6.18.44-fc", true),
            ("5.14.0-1.el9.x86_64", true),
            ("5.4.0-generic", false),
            ("4.18.0", false),
            ("odd", false),
        ] {
            assert_eq!(is_at_least(release, (5, 14)), enough, "{release}");
        }
    }
}
