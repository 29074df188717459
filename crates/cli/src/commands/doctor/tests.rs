use std::collections::BTreeMap;

use trainyard_nfs::Lack as NfsLack;
use trainyard_node::cgroup::Support;

use super::*;
use crate::commands::doctor::programs;
use crate::serve::Exportable;

/// A machine that has everything.
fn machine() -> Facts {
    Facts {
        level: Ok(Ok(())),
        cgroups: Support {
            kill: true,
            controllers: Controller::ALL.map(|one| (one, Ok(Held::Unified))).into(),
        },
        limits: true,
        programs: programs::ALL.map(|name| (name, true)).into(),
        containers: BTreeMap::from([("podman", Ok("4.3.1".to_owned()))]),
        file_systems: ["fuse", "cifs", "nfs4"].map(str::to_owned).to_vec(),
        fuse: true,
        gpus: 2,
        loopback: true,
        ports: (3, 10_000),
        listen: Ok("127.0.0.1:8080".parse().unwrap()),
        exports: Exportable {
            wanted: true,
            lack: None,
            listen: Ok("127.0.0.1:2049".parse().unwrap()),
        },
        running: false,
        data: ("/data".to_owned(), Ok(())),
        free: (Some(2 << 30), 1 << 30),
        clock: (SENSIBLE + 1000, Some(SENSIBLE)),
    }
}

fn lacking(wanted: bool) -> Exportable {
    Exportable {
        wanted,
        lack: Some(NfsLack::Program),
        ..machine().exports
    }
}

fn about(facts: &Facts, what: &str) -> Finding {
    judge(facts)
        .into_iter()
        .find(|finding| finding.about == what)
        .unwrap()
}

#[test]
fn a_machine_that_has_everything_is_well() {
    for finding in judge(&machine()) {
        assert_eq!((finding.state, finding.serves), (State::Ok, true), "{finding:?}");
        assert_eq!(finding.next, None, "{finding:?}");
    }
}

#[test]
fn what_is_less_has_a_next_step_and_the_server_runs() {
    let bare = Facts {
        level: Ok(Err("it takes root".to_owned())),
        cgroups: Support {
            kill: false,
            controllers: Controller::ALL.map(|one| (one, Err(Lack::NotAllowed))).into(),
        },
        programs: BTreeMap::new(),
        containers: BTreeMap::new(),
        exports: lacking(false),
        file_systems: Vec::new(),
        fuse: false,
        gpus: 0,
        ports: (9_000, 10_000),
        free: (Some(1), 2),
        clock: (1, None),
        ..machine()
    };
    let less: Vec<Finding> = judge(&bare)
        .into_iter()
        .filter(|f| f.state != State::Ok)
        .collect();
    assert_eq!(
        less.len(),
        judge(&bare).len() - 3,
        "all but data folder, listen and addresses"
    );
    for finding in less {
        assert!(finding.serves && finding.next.is_some(), "{finding:?}");
    }
    assert!(about(&bare, "nodes").found.contains("it takes root"));
    assert!(
        about(&bare, "limit of memory")
            .next
            .unwrap()
            .contains("systemd-run")
    );
}

#[test]
fn what_a_server_cannot_do_without_fails() {
    let cases = [
        (
            "data folder",
            Facts {
                data: ("/d".to_owned(), Err("no".to_owned())),
                ..machine()
            },
        ),
        (
            "listen",
            Facts {
                listen: Err("taken".to_owned()),
                ..machine()
            },
        ),
        (
            "nodes",
            Facts {
                level: Err("local.level asks".to_owned()),
                ..machine()
            },
        ),
        (
            "addresses",
            Facts {
                loopback: false,
                ..machine()
            },
        ),
    ];
    for (what, facts) in cases {
        let failed: Vec<Finding> = judge(&facts).into_iter().filter(|f| !f.serves).collect();
        assert_eq!(failed.len(), 1, "{what}");
        assert_eq!(failed[0].about, what);
    }
    let running = Facts {
        listen: Err("taken".to_owned()),
        running: true,
        ..machine()
    };
    assert!(about(&running, "listen").serves);
}

#[test]
fn a_container_engine_that_is_broken_says_why() {
    let containers = BTreeMap::from([("docker", Err("no daemon".to_owned()))]);
    let found = about(
        &Facts {
            containers,
            ..machine()
        },
        "containers",
    );
    assert_eq!(found.state, State::Degraded);
    assert!(
        found
            .found
            .contains("docker is there and does not work: no daemon")
    );
}

#[test]
fn a_limit_that_is_switched_off_is_no_fault() {
    let mut off = machine();
    off.limits = false;
    off.cgroups
        .controllers
        .insert(Controller::Cpu, Err(Lack::NoController));
    assert_eq!(about(&off, "limit of cores").state, State::Ok);
    off.limits = true;
    assert_eq!(about(&off, "limit of cores").state, State::Missing);
}

#[test]
fn a_clock_that_was_set_back_is_noticed() {
    let back = Facts {
        clock: (SENSIBLE + 10, Some(SENSIBLE + 1000)),
        ..machine()
    };
    assert_eq!(about(&back, "clock").state, State::Degraded);
}

#[test]
fn exports_that_are_asked_for_and_cannot_be_had_keep_the_server_from_running() {
    let wanted = Facts {
        exports: lacking(true),
        ..machine()
    };
    let found = about(&wanted, "NFS exports");
    assert!(!found.serves && found.found.contains("ganesha.nfsd"), "{found:?}");
    assert!(found.next.unwrap().starts_with("Install nfs-ganesha"));
    let taken = |running| Facts {
        exports: Exportable {
            listen: Err("127.0.0.1:2049: it is taken".to_owned()),
            ..machine().exports
        },
        running,
        ..machine()
    };
    assert!(!about(&taken(false), "NFS exports").serves);
    assert_eq!(
        about(&taken(true), "NFS exports").state,
        State::Ok,
        "taken by its own"
    );
}
