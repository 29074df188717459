//! The trees of cgroups that this process sees, and where in them it could make directories.
//!
//! A machine has one v2 tree, a v1 tree for each controller, or both; a controller is in one of them. In each, a
//! directory may be made at the top (root does), or somewhere on the way down to where this process is (what systemd
//! has handed to a user).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What limits nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Controller {
    /// Cores.
    Cpu,
    /// Memory.
    Memory,
    /// Processes and threads.
    Pids,
}

impl Controller {
    /// All that are used.
    pub const ALL: [Controller; 3] = [Controller::Cpu, Controller::Memory, Controller::Pids];

    /// The kernel's name.
    pub fn name(self) -> &'static str {
        match self {
            Controller::Cpu => "cpu",
            Controller::Memory => "memory",
            Controller::Pids => "pids",
        }
    }

    /// What it limits, in plain words.
    pub fn limits(self) -> &'static str {
        match self {
            Controller::Cpu => "cores",
            Controller::Memory => "memory",
            Controller::Pids => "processes",
        }
    }
}

/// Directories in which another may be made, outermost first.
pub type Places = Vec<PathBuf>;

/// The trees of cgroups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trees {
    /// In the v2 tree; none where there is no such tree.
    pub unified: Places,
    /// In the v1 tree of each controller that has one.
    pub separate: BTreeMap<Controller, Places>,
}

impl Trees {
    /// Those that this process sees.
    pub fn here() -> Trees {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Trees::of(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
    }

    /// From the text of `/proc/self/mountinfo` and `/proc/self/cgroup`.
    pub fn of(mounts: &str, own: &str) -> Trees {
        let mut trees = Trees::default();
        for mount in mounts.lines().filter_map(Mount::of) {
            match mount.version {
                Version::Unified if trees.unified.is_empty() => {
                    trees.unified = mount.places(own_path(own, ""));
                }
                Version::Separate(ref controllers) => {
                    for controller in controllers {
                        let places = || mount.places(own_path(own, controller.name()));
                        trees.separate.entry(*controller).or_insert_with(places);
                    }
                }
                Version::Unified => {}
            }
        }
        trees
    }
}

enum Version {
    Unified,
    Separate(Vec<Controller>),
}

/// A mounted tree.
struct Mount<'a> {
    /// The directory of the tree that is seen at `at`.
    root: &'a str,
    at: &'a str,
    version: Version,
}

impl Mount<'_> {
    /// Spaces are written as `\040` in mountinfo; such a path is not used.
    fn of(line: &str) -> Option<Mount<'_>> {
        let (left, right) = line.split_once(" - ")?;
        let mut left = left.split(' ').skip(3);
        let (root, at) = (left.next()?, left.next()?);
        let mut right = right.split(' ');
        let version = match right.next()? {
            "cgroup2" => Version::Unified,
            "cgroup" => {
                let options: Vec<&str> = right.nth(1)?.split(',').collect();
                let all = Controller::ALL.into_iter();
                Version::Separate(all.filter(|one| options.contains(&one.name())).collect())
            }
            _ => return None,
        };
        (!at.contains('\\')).then_some(Mount { root, at, version })
    }

    /// The top of what is seen, and each step from there down to `own`, where this process is in the whole tree.
    fn places(&self, own: Option<&str>) -> Places {
        let mut at = PathBuf::from(self.at);
        let mut places = vec![at.clone()];
        let below = own.and_then(|own| Path::new(own).strip_prefix(self.root).ok());
        for step in below.into_iter().flat_map(Path::components) {
            if !matches!(step, std::path::Component::Normal(_)) {
                break;
            }
            at.push(step);
            places.push(at.clone());
        }
        places
    }
}

/// Where this process is: the line of the controller, or that of v2, which names none.
fn own_path<'a>(own: &'a str, controller: &str) -> Option<&'a str> {
    own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let named = parts.next()?.split(',').any(|name| name == controller);
        let path = parts.next()?;
        named.then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(all: &[&str]) -> Places {
        all.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn a_machine_with_both_has_its_controllers_in_v1() {
        let mounts = "\
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:3 - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
42 31 0:39 / /proc rw - proc proc rw";
        let own = "4:memory:/a/b\n2:cpu,cpuacct:/\n1:name=systemd:/init.scope\n0::/";
        let trees = Trees::of(mounts, own);
        assert_eq!(trees.unified, paths(&["/sys/fs/cgroup/unified"]));
        let cpu = paths(&["/sys/fs/cgroup/cpu"]);
        let memory = [
            "/sys/fs/cgroup/memory",
            "/sys/fs/cgroup/memory/a",
            "/sys/fs/cgroup/memory/a/b",
        ];
        let expected = [(Controller::Cpu, cpu), (Controller::Memory, paths(&memory))];
        assert_eq!(trees.separate, expected.into());
    }

    #[test]
    fn a_user_of_systemd_has_places_on_the_way_down() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate";
        let own = "0::/user.slice/user-7.slice/user@7.service";
        let expected = [
            "/sys/fs/cgroup",
            "/sys/fs/cgroup/user.slice",
            "/sys/fs/cgroup/user.slice/user-7.slice",
            "/sys/fs/cgroup/user.slice/user-7.slice/user@7.service",
        ];
        assert_eq!(Trees::of(mounts, own).unified, paths(&expected));
    }

    #[test]
    fn a_container_sees_a_part_of_the_tree() {
        let mounts = "30 23 0:26 /docker/c1 /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids";
        let inside = Trees::of(mounts, "5:pids:/docker/c1/x");
        let expected = paths(&["/sys/fs/cgroup/pids", "/sys/fs/cgroup/pids/x"]);
        assert_eq!(inside.separate[&Controller::Pids], expected);
        let hidden = Trees::of(mounts, "5:pids:/../other");
        assert_eq!(
            hidden.separate[&Controller::Pids],
            paths(&["/sys/fs/cgroup/pids"])
        );
    }

    #[test]
    fn paths_with_spaces_and_other_systems_are_left_alone() {
        let mounts = "41 31 0:38 / /odd\\040path rw - cgroup2 cgroup2 rw\n1 2 0:3 / / rw - ext4 /dev/vda rw";
        assert_eq!(Trees::of(mounts, "0::/"), Trees::default());
    }
}
