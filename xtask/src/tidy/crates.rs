//! Rules about the crates: who may depend on whom, and what every manifest holds.

use super::Finding;
use super::tree::{Package, Tree, short_name};

/// A room of the house: its floor, and the rooms of the workspace that it may use outside its tests. In its tests
/// it may use any room that is not on a higher floor.
struct Room {
    name: &'static str,
    floor: u8,
    may_use: &'static [&'static str],
}

const ROOMS: &[Room] = &[
    Room {
        name: "domain",
        floor: 0,
        may_use: &[],
    },
    Room {
        name: "sched",
        floor: 1,
        may_use: &["domain"],
    },
    Room {
        name: "wire",
        floor: 1,
        may_use: &["domain"],
    },
    Room {
        name: "store",
        floor: 1,
        may_use: &["domain"],
    },
    Room {
        name: "engine",
        floor: 1,
        may_use: &["domain"],
    },
    Room {
        name: "node",
        floor: 1,
        may_use: &["domain"],
    },
    Room {
        name: "storage",
        floor: 1,
        may_use: &["domain"],
    },
    Room {
        name: "vaults",
        floor: 1,
        may_use: &["domain"],
    },
    Room {
        name: "nfs",
        floor: 1,
        may_use: &[],
    },
    Room {
        name: "engine-local",
        floor: 2,
        may_use: &["domain", "engine", "node"],
    },
    Room {
        name: "login",
        floor: 2,
        may_use: &["domain", "node"],
    },
    Room {
        name: "client",
        floor: 2,
        may_use: &["domain", "wire"],
    },
    Room {
        name: "migrate",
        floor: 2,
        may_use: &["domain", "wire"],
    },
    Room {
        name: "server",
        floor: 3,
        may_use: &["domain", "engine", "sched", "storage", "store", "vaults", "wire"],
    },
    Room {
        name: "sim",
        floor: 4,
        may_use: &[
            "client",
            "domain",
            "engine",
            "engine-local",
            "node",
            "sched",
            "server",
            "storage",
            "store",
            "wire",
        ],
    },
    Room {
        name: "cli",
        floor: 5,
        may_use: &[
            "client",
            "domain",
            "engine",
            "engine-local",
            "login",
            "migrate",
            "nfs",
            "node",
            "sched",
            "server",
            "storage",
            "store",
            "vaults",
            "wire",
        ],
    },
    Room {
        name: "xtask",
        floor: 0,
        may_use: &[],
    },
];

/// Packages that a room never uses directly, its tests included, and why.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "domain",
        &["axum", "hyper", "rusqlite", "rustix", "tokio"],
        "the domain is pure: no I/O, no async, no SQL",
    ),
    (
        "sched",
        &["axum", "hyper", "rusqlite", "rustix", "tokio"],
        "the planner is pure: no store, no I/O",
    ),
    (
        "wire",
        &["axum", "hyper", "rusqlite", "tokio"],
        "an adapter turns values into values",
    ),
    ("server", &["rusqlite"], "only the store speaks SQL"),
    (
        "node",
        &["axum", "hyper", "rusqlite", "tokio"],
        "a node knows nothing of store and HTTP, and stays small",
    ),
    ("client", &["rusqlite"], "only the store speaks SQL"),
    ("cli", &["rusqlite"], "only the store speaks SQL"),
    (
        "login",
        &["axum", "hyper", "rusqlite"],
        "remote login is told what it must know by its port",
    ),
    (
        "migrate",
        &["axum", "hyper", "rusqlite", "tokio"],
        "a scanner turns text into text",
    ),
    (
        "nfs",
        &["axum", "hyper", "rusqlite", "tokio"],
        "it is told what to export, and needs no runtime",
    ),
    ("storage", &["rusqlite"], "only the store speaks SQL"),
    (
        "vaults",
        &["rusqlite", "tokio"],
        "it knows nothing of the store and needs no runtime",
    ),
];

fn finding(package: &Package, rule: &'static str, what: String) -> Finding {
    Finding {
        path: package.manifest.clone(),
        line: 1,
        rule,
        what,
    }
}

/// A crate depends only on the crates below it that the table names.
pub fn directions(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for package in &tree.packages {
        let Some(room) = room(&package.name) else {
            let what = format!(
                "`{}` is not in the table of rooms of tidy: decide its place there",
                package.name
            );
            found.push(finding(package, "directions", what));
            continue;
        };
        for dependency in &package.dependencies {
            let Some(used) = short_name(&dependency.name) else {
                continue;
            };
            let allowed = room.may_use.contains(&used)
                || (dependency.dev && room_floor(used).is_some_and(|floor| floor <= room.floor));
            if !allowed {
                let what = format!(
                    "`{}` must not depend on `{used}`: move the shared part down a floor",
                    room.name
                );
                found.push(finding(package, "directions", what));
            }
        }
    }
    found
}

fn room(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

fn room_floor(name: &str) -> Option<u8> {
    room(name).map(|room| room.floor)
}

/// A crate does not use the packages that its purpose rules out.
pub fn forbidden_packages(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for package in &tree.packages {
        for (_, names, why) in FORBIDDEN.iter().filter(|(room, _, _)| *room == package.name) {
            for dependency in package
                .dependencies
                .iter()
                .filter(|used| names.contains(&used.name.as_str()))
            {
                let what = format!("remove `{}`: {why}", dependency.name);
                found.push(finding(package, "forbidden_packages", what));
            }
        }
    }
    found
}

/// Every manifest takes lints, licence and edition from the workspace.
pub fn inherited(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for package in &tree.packages {
        let Some(manifest) = tree.file(&package.manifest) else {
            continue;
        };
        let lines: Vec<&str> = manifest
            .text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        if !lines
            .windows(2)
            .any(|pair| pair == ["[lints]", "workspace = true"])
        {
            found.push(finding(
                package,
                "inherited",
                "add `[lints]` with `workspace = true`".into(),
            ));
        }
        for key in ["license", "edition", "rust-version", "publish"] {
            let wanted = format!("{key}.workspace = true");
            if !lines.contains(&wanted.as_str()) {
                found.push(finding(package, "inherited", format!("add `{wanted}`")));
            }
        }
    }
    found
}

/// A crate's own `clippy.toml` would silently replace the root's.
pub fn one_clippy_toml(tree: &Tree) -> Vec<Finding> {
    let others = tree.files.iter().filter(|file| {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        ["clippy.toml", ".clippy.toml"].contains(&name) && file.path != "clippy.toml"
    });
    let what = "remove it: it replaces the root's clippy.toml for this crate";
    others
        .map(|file| Finding {
            path: file.path.clone(),
            line: 1,
            rule: "one_clippy_toml",
            what: what.into(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Package, samples};
    use super::*;

    #[test]
    fn the_table_itself_goes_downward() {
        for room in ROOMS {
            for used in room.may_use {
                assert!(
                    room_floor(used).unwrap() < room.floor,
                    "{} uses {used}",
                    room.name
                );
            }
        }
    }

    #[test]
    fn upward_and_sideways_dependencies_are_found() {
        assert_eq!(
            directions(&samples::package(
                "server",
                &[("trainyard-store", false), ("serde", false)]
            )),
            []
        );
        for (name, used) in [
            ("server", "trainyard-engine-local"),
            ("sched", "trainyard-store"),
            ("cli", "trainyard-sim"),
        ] {
            assert_eq!(
                directions(&samples::package(name, &[(used, false)])).len(),
                1,
                "{name} {used}"
            );
        }
    }

    #[test]
    fn tests_may_use_the_same_floor_but_nothing_above() {
        assert_eq!(
            directions(&samples::package("store", &[("trainyard-engine", true)])),
            []
        );
        assert_eq!(
            directions(&samples::package("store", &[("trainyard-server", true)])).len(),
            1
        );
    }

    #[test]
    fn an_unknown_room_is_found() {
        assert_eq!(directions(&samples::package("cellar", &[])).len(), 1);
    }

    #[test]
    fn forbidden_packages_are_found_in_tests_too() {
        assert_eq!(
            forbidden_packages(&samples::package("store", &[("rusqlite", false)])),
            []
        );
        assert_eq!(
            forbidden_packages(&samples::package("domain", &[("tokio", true)])).len(),
            1
        );
        assert_eq!(
            forbidden_packages(&samples::package("server", &[("rusqlite", false)])).len(),
            1
        );
    }

    #[test]
    fn a_manifest_must_inherit() {
        let whole = "[package]\nedition.workspace = true\nrust-version.workspace = true\nlicense.workspace = true\n\
                     publish.workspace = true\n\n[lints]\nworkspace = true\n";
        let with = |text: &str| {
            let mut tree = samples::files(&[("crates/x/Cargo.toml", text)]);
            tree.packages.push(Package {
                name: "x".into(),
                manifest: "crates/x/Cargo.toml".into(),
                dependencies: Vec::new(),
            });
            inherited(&tree).len()
        };
        assert_eq!(with(whole), 0);
        assert_eq!(with(&whole.replace("[lints]\nworkspace", "[lints]\nother")), 1);
        assert_eq!(
            with(&whole.replace("license.workspace = true", "license = \"MIT\"")),
            1
        );
    }

    #[test]
    fn only_the_root_may_hold_a_clippy_toml() {
        let found = one_clippy_toml(&samples::files(&[
            ("clippy.toml", ""),
            ("crates/x/clippy.toml", ""),
        ]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "crates/x/clippy.toml");
    }
}
