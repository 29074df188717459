//! Volumes that programs mount: what jobs see of them, what reaches the store, and that nothing is left.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use trainyard_domain::ids::Uid;
use trainyard_domain::launch::{Asked, Behind, CifsShare, LaunchPlan, Mount};
use trainyard_domain::state::{BatchAiError, Verdict};
use trainyard_engine::{Engine, NodeSeen, Observation};

use crate::store::{Store, have, poll_for, poll_until};
use crate::yard::{Yard, id, runs};

/// The plan of a job with one volume at `mounts/v` of its directory.
pub fn with_volume(yard: &Yard, mount: impl Fn(&str) -> Mount, script: &str) -> LaunchPlan {
    let mut plan = yard.plan(id(1), Uid(1), script);
    let path = format!("{}/mounts/v", plan.job_directory);
    for process in &mut plan.processes {
        process.environment.insert("V".to_owned(), path.clone());
    }
    plan.mounts.push(mount(&path));
    plan
}

/// Runs it on a fresh node.
fn run(yard: &Yard, plan: LaunchPlan) -> Verdict {
    yard.node(1);
    yard.launch(Uid(1), plan);
    yard.verdict(id(1), Uid(1))
}

/// What programs have mounted for the node, as it sees it; as the machine does when it is gone.
pub fn mounted(yard: &Yard) -> Vec<String> {
    let volumes = yard.folder(Uid(1)).volumes().display().to_string();
    let status = yard.folder(Uid(1)).status();
    let node = status.exists().then(|| yard.status(Uid(1)).pid.to_string());
    let table = |of: &str| fs::read_to_string(format!("/proc/{of}/mountinfo"));
    let seen = node.map_or_else(|| table("self"), |node| table(&node));
    let seen = seen.or_else(|_| table("self")).unwrap() + &table("self").unwrap();
    let places: BTreeSet<&str> = seen.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    let of_volumes = places.into_iter().filter(|place| place.starts_with(&volumes));
    of_volumes.map(str::to_owned).collect()
}

/// Where a volume of the cluster appears on the node.
pub fn of_cluster(yard: &Yard, name: &str) -> String {
    format!("{}/{name}", yard.engine().paths(Uid(1)).mount_root)
}

fn unmanaged(command: &str) -> impl Fn(&str) -> Mount {
    move |path| Mount {
        path: path.to_owned(),
        behind: Behind::Command(command.to_owned()),
        asked: Asked::Unmanaged,
        options: None,
    }
}

pub fn info(error: &BatchAiError) -> &str {
    error
        .details
        .iter()
        .find(|(name, _)| name == "Info")
        .map_or("", |(_, value)| value)
}

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("left out: only root can mount (volumes)");
    }
    root
}

#[test]
fn what_a_job_wrote_is_in_the_store_when_its_success_is_told() {
    if !have(&["rclone"]) {
        return;
    }
    for yard in Yard::each() {
        let store = Store::web();
        fs::write(store.files().join("in.txt"), "hello").unwrap();
        let script = r#"set -e
            test "$(cat $V/in.txt)" = hello
            mkdir -p $V/out/deep
            head -c 3000000 /dev/zero > $V/out/deep/model.bin
            echo last > $V/out/last.txt
            stat -c '%a %A' $V/out/last.txt $V/out > $OUT/modes.txt"#;
        let plan = with_volume(&yard, |path| store.mount(path), script);
        let log = plan.execution_log.clone();
        assert_eq!(
            run(&yard, plan),
            Verdict::Exited(0),
            "{}",
            fs::read_to_string(log).unwrap()
        );
        let out = store.files().join("out");
        assert_eq!(fs::metadata(out.join("deep/model.bin")).unwrap().len(), 3_000_000);
        assert_eq!(fs::read_to_string(out.join("last.txt")).unwrap(), "last\n");
        assert_eq!(
            yard.read(id(1), Uid(1), "modes.txt"),
            "640 -rw-r-----\n750 drwxr-x---\n"
        );
        assert_eq!(mounted(&yard), Vec::<String>::new());
        let volumes = yard.folder(Uid(1)).volumes();
        assert_eq!(
            fs::read_dir(volumes).unwrap().count(),
            0,
            "no cache and no log stays"
        );
    }
}

#[test]
fn a_share_of_samba_is_mounted_by_rclone() {
    if !have(&["rclone", "smbd", "smbpasswd"]) || !is_root() {
        return;
    }
    for yard in Yard::levels() {
        let store = Store::samba();
        let plan = with_volume(&yard, |path| store.mount(path), "mkdir $V/empty && echo x > $V/f");
        assert_eq!(run(&yard, plan), Verdict::Exited(0));
        assert_eq!(fs::read_to_string(store.files().join("f")).unwrap(), "x\n");
        assert!(store.files().join("empty").is_dir());
        assert_eq!(mounted(&yard), Vec::<String>::new());
    }
}

#[test]
fn a_volume_of_cluster_and_job_is_mounted_once_and_stays_with_the_cluster() {
    if !have(&["rclone"]) {
        return;
    }
    for yard in Yard::levels() {
        let store = Store::web();
        let shared = of_cluster(&yard, "c");
        let mut node = yard.node_plan(Uid(1), None);
        node.mounts.push(store.mount(&shared));
        yard.engine().ensure_node(node);
        yard.until_node(Uid(1), &NodeSeen::Ready);
        assert_eq!(mounted(&yard).len(), 1);
        let script = format!("echo 1 > $V/one && cat {shared}/one && echo 2 > {shared}/two");
        let mut plan = with_volume(&yard, |path| store.mount(path), &script);
        let again = plan.mounts[0].path.clone() + "2";
        plan.mounts.push(store.mount(&again));
        yard.launch(Uid(1), plan);
        assert_eq!(yard.verdict(id(1), Uid(1)), Verdict::Exited(0));
        assert_eq!(
            yard.read(id(1), Uid(1), "stdout.txt"),
            "1\n",
            "one sees what the other wrote"
        );
        for name in ["one", "two"] {
            assert!(
                store.files().join(name).exists(),
                "{name} is stored, though the mount stays"
            );
        }
        assert_eq!(mounted(&yard).len(), 1);
        assert!(!Path::new(&again).exists());
        yard.engine().release_node(Uid(1));
        yard.until_node(Uid(1), &NodeSeen::Gone);
        assert_eq!(mounted(&yard), Vec::<String>::new());
    }
}

#[test]
fn a_store_that_is_unplugged_fails_the_job_that_wrote_to_it() {
    if !have(&["rclone"]) {
        return;
    }
    let yard = Yard::new();
    let mut store = Store::web();
    let script = "echo begun > $OUT/begun.txt; until test -e $OUT/go; do read -t 0.05 <> <(:); done; echo x > $V/lost.txt";
    let plan = with_volume(&yard, |path| store.mount(path), script);
    yard.node(1);
    yard.launch(Uid(1), plan);
    yard.line(id(1), Uid(1), "begun.txt");
    store.unplug();
    fs::write(yard.out(id(1), Uid(1)).join("go"), "").unwrap();
    // The store is given half a minute to come back, longer than the yard's own patience.
    let verdict = poll_for(Duration::from_secs(100), "the end", || yard.ended(id(1), Uid(1)));
    match verdict {
        Verdict::VolumeFailed(error, 0) => {
            assert_eq!(error.code, "VolumeNotStored");
            assert!(error.message.contains("lost.txt"), "{}", error.message);
            assert!(info(&error).contains("refused"), "{}", info(&error));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(mounted(&yard), Vec::<String>::new());
}

#[test]
fn a_volume_whose_program_dies_is_named_when_the_job_fails() {
    if !have(&["rclone"]) {
        return;
    }
    for yard in Yard::levels() {
        let store = Store::web();
        let script =
            "echo begun > $OUT/begun.txt; until ! test -e $V/.; do read -t 0.05 <> <(:); done; ls $V; exit 3";
        let plan = with_volume(&yard, |path| store.mount(path), script);
        yard.node(1);
        yard.launch(Uid(1), plan);
        yard.line(id(1), Uid(1), "begun.txt");
        let place = mounted(&yard).remove(0);
        let rclone = keeper_of(&place);
        rustix::process::kill_process(rclone, rustix::process::Signal::KILL).unwrap();
        match yard.verdict(id(1), Uid(1)) {
            Verdict::VolumeFailed(error, 3) => {
                assert_eq!(error.code, "VolumeDied");
                assert!(error.message.contains("/mounts/v"), "{}", error.message);
            }
            other => panic!("{other:?}"),
        }
        let said = yard.read(id(1), Uid(1), "stderr.txt");
        assert!(said.contains("Transport endpoint is not connected"), "{said}");
        assert!(yard.read(id(1), Uid(1), "execution.log").contains("VolumeDied"));
        assert_eq!(mounted(&yard), Vec::<String>::new());
    }
}

/// The process that serves a mount, by its command line.
pub fn keeper_of(place: &str) -> rustix::process::Pid {
    let of = |pid: &rustix::process::Pid| {
        let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_pid())).unwrap_or_default();
        line.starts_with(b"rclone\0mount") && String::from_utf8_lossy(&line).contains(place)
    };
    trainyard_node::machine::processes().into_iter().find(of).unwrap()
}

#[test]
fn nothing_is_mounted_after_a_node_was_killed_and_the_store_keeps_its_files() {
    if !have(&["rclone"]) {
        return;
    }
    for yard in Yard::each() {
        let store = Store::web();
        fs::write(store.files().join("kept"), "1").unwrap();
        let plan = with_volume(
            &yard,
            |path| store.mount(path),
            "echo begun > $OUT/begun.txt; exec tail -f /dev/null",
        );
        yard.node(1);
        yard.launch(Uid(1), plan);
        yard.line(id(1), Uid(1), "begun.txt");
        let keeper = keeper_of(&mounted(&yard)[0]);
        let node = rustix::process::Pid::from_raw(yard.status(Uid(1)).pid).unwrap();
        rustix::process::kill_process(node, rustix::process::Signal::KILL).unwrap();
        yard.until_node(Uid(1), &NodeSeen::Gone);
        assert_eq!(mounted(&yard), Vec::<String>::new());
        assert!(!runs(&keeper.as_raw_pid().to_string()));
        yard.engine().release_node(Uid(1));
        let folder = yard.folder(Uid(1));
        poll_until("the folder is gone", || !folder.root().exists());
        assert!(store.files().join("kept").exists());
    }
}

#[test]
fn a_store_that_cannot_be_reached_is_told_with_the_recorded_code() {
    if !have(&["rclone"]) {
        return;
    }
    for yard in Yard::levels() {
        let mut store = Store::web();
        store.unplug();
        let plan = with_volume(&yard, |path| store.mount(path), "true");
        match run(&yard, plan) {
            Verdict::NotStarted(error, Some(1)) => {
                assert_eq!(error.code, "BFSMountError");
                assert!(info(&error).contains("refused"), "{error:?}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(mounted(&yard), Vec::<String>::new());
    }
}

#[test]
fn a_tool_that_is_missing_is_named() {
    let mut yard = Yard::new();
    yard.close();
    yard.path = Some("/nowhere".to_owned());
    yard.open();
    let remote = |path: &str| Mount {
        asked: Asked::FileShare {
            account: "acc".to_owned(),
            share: "s".to_owned(),
        },
        behind: Behind::Rclone(trainyard_domain::launch::RcloneRemote {
            settings: [("type".to_owned(), "local".to_owned())].into(),
            path: "/tmp".to_owned(),
            file_mode: "0777".to_owned(),
            directory_mode: "0777".to_owned(),
        }),
        path: path.to_owned(),
        options: None,
    };
    let plan = with_volume(&yard, remote, "true");
    match run(&yard, plan) {
        Verdict::NotStarted(error, Some(-1)) => {
            assert_eq!(error.code, "AZFMountError");
            let said = info(&error);
            assert!(said.contains("acc.file.core.windows.net/s at"), "{said}");
            assert!(said.contains("rclone is not on this machine"), "{said}");
        }
        other => panic!("{other:?}"),
    }
}

/// This kernel may have no cifs: a program of the name `mount` takes down what it is told, and fails as mount does.
#[test]
fn a_share_is_mounted_by_the_kernel_with_its_password_in_a_private_file_that_goes() {
    let mut yard = Yard::new();
    yard.close();
    let programs = yard.root.join("programs");
    fs::create_dir_all(&programs).unwrap();
    let heard = yard.root.join("heard");
    let script = format!(
        "#!/bin/bash\necho \"$*\" > {heard}\nkey=${{4#credentials=}}; key=${{key%%,*}}\n\
         stat -c %a $key >> {heard}; cat $key >> {heard}\necho 'mount error(13): Permission denied'; exit 32\n",
        heard = heard.display()
    );
    fs::write(programs.join("mount"), script).unwrap();
    fs::set_permissions(programs.join("mount"), fs::Permissions::from_mode(0o755)).unwrap();
    yard.path = Some(format!("{}:/usr/bin:/bin", programs.display()));
    yard.open();
    let share = |path: &str| Mount {
        path: path.to_owned(),
        behind: Behind::Cifs(CifsShare {
            host: "acc.file.core.windows.net".to_owned(),
            port: None,
            share: "logs".to_owned(),
            directory: String::new(),
            username: "acc".to_owned(),
            password: "hush7391".to_owned(),
            file_mode: "0640".to_owned(),
            directory_mode: "0750".to_owned(),
            options: String::new(),
        }),
        asked: Asked::FileShare {
            account: "acc".to_owned(),
            share: "logs".to_owned(),
        },
        options: None,
    };
    let plan = with_volume(&yard, share, "true");
    match run(&yard, plan) {
        Verdict::NotStarted(error, Some(-1)) => {
            assert_eq!(
                (error.code.as_str(), error.message.as_str()),
                ("AZFMountError", "Unable to mount Azure File")
            );
            assert!(
                info(&error).contains("mount error(13): Permission denied"),
                "{}",
                info(&error)
            );
        }
        other => panic!("{other:?}"),
    }
    let heard = fs::read_to_string(heard).unwrap();
    let lines: Vec<&str> = heard.lines().collect();
    assert!(lines[0].starts_with("-t cifs -o credentials="), "{heard}");
    assert!(lines[0].contains("file_mode=0640,dir_mode=0750") && !lines[0].contains("hush7391"));
    assert_eq!(lines[1..], ["600", "username=acc", "password=hush7391"]);
    assert_eq!(fs::read_dir(yard.folder(Uid(1)).volumes()).unwrap().count(), 0);
}

#[test]
fn a_mount_command_mounts_and_goes_with_the_job() {
    if !is_root() {
        return;
    }
    for yard in Yard::levels() {
        let script = "stat -f -c %T $V > $OUT/kind.txt && echo x > $V/x";
        let plan = with_volume(&yard, unmanaged("mount -t tmpfs -o size=1m none"), script);
        assert_eq!(run(&yard, plan), Verdict::Exited(0));
        assert_eq!(yard.read(id(1), Uid(1), "kind.txt"), "tmpfs\n");
        assert_eq!(mounted(&yard), Vec::<String>::new());
    }
}

#[test]
fn a_bind_is_refused_until_the_configuration_allows_it_and_its_files_outlive_the_job() {
    if !is_root() {
        return;
    }
    for mut yard in Yard::levels() {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("f"), "1").unwrap();
        let bind = format!("mount --bind {}", data.path().display());
        let plan = with_volume(&yard, unmanaged(&bind), "true");
        match run(&yard, plan) {
            Verdict::NotStarted(error, Some(-1)) => {
                assert_eq!(error.code, "UnmanagedMountError");
                assert!(info(&error).contains("local.mount_commands"), "{error:?}");
            }
            other => panic!("{other:?}"),
        }
        yard.engine().release_node(Uid(1));
        yard.until_node(Uid(1), &NodeSeen::Gone);
        yard.close();
        yard.mount_commands = vec!["mount".to_owned()];
        yard.open();
        yard.look_afresh();
        let plan = with_volume(&yard, unmanaged(&bind), "cat $V/f && echo 2 > $V/g");
        assert_eq!(run(&yard, plan), Verdict::Exited(0));
        yard.launch(Uid(1), yard.plan(id(2), Uid(1), "true"));
        yard.verdict(id(2), Uid(1));
        yard.engine().release_node(Uid(1));
        yard.until_node(Uid(1), &NodeSeen::Gone);
        assert_eq!(mounted(&yard), Vec::<String>::new());
        assert_eq!(
            fs::read_dir(data.path()).unwrap().count(),
            2,
            "nothing of it was deleted"
        );
    }
}

#[test]
fn a_cluster_whose_volume_fails_says_why() {
    if !is_root() {
        return;
    }
    for yard in Yard::levels() {
        let at = |name: &str| of_cluster(&yard, name);
        let mut plan = yard.node_plan(Uid(1), None);
        plan.mounts = vec![
            unmanaged("mount -t tmpfs none")(&at("a")),
            unmanaged("mount -t nfs 127.0.0.1:/nothing")(&at("b")),
        ];
        yard.engine().ensure_node(plan);
        let seen = yard.until("the node fails", || {
            yard.seen().into_iter().find_map(|seen| match seen {
                Observation::Node {
                    seen: NodeSeen::SetupFailed(errors),
                    ..
                } => Some(errors),
                _ => None,
            })
        });
        assert_eq!(seen[0].code, "UnmanagedMountError");
        assert!(info(&seen[0]).contains("exit code"), "{seen:?}");
        yard.engine().release_node(Uid(1));
        yard.until_node(Uid(1), &NodeSeen::Gone);
        assert_eq!(mounted(&yard), Vec::<String>::new());
    }
}

#[test]
fn a_file_that_the_setup_task_holds_open_keeps_no_job_waiting() {
    if !have(&["rclone"]) {
        return;
    }
    for yard in Yard::levels() {
        let store = Store::web();
        let shared = of_cluster(&yard, "c");
        // A process of the setup task's goes on, and so does its log.
        let script = format!(
            "(exec >> {shared}/held.log; echo begun; exec tail -f /dev/null) & \
             for i in {{1..500}}; do test -s {shared}/held.log && exit 0; read -t 0.02 <> <(:); done; exit 1"
        );
        let mut node = yard.node_plan(Uid(1), Some(&script));
        node.mounts.push(store.mount(&shared));
        yard.engine().ensure_node(node);
        yard.until_node(Uid(1), &NodeSeen::Ready);
        let plan = yard.plan(id(1), Uid(1), &format!("echo x > {shared}/out.txt"));
        yard.launch(Uid(1), plan);
        assert_eq!(yard.verdict(id(1), Uid(1)), Verdict::Exited(0));
        assert!(store.files().join("out.txt").exists());
        yard.engine().release_node(Uid(1));
        yard.until_node(Uid(1), &NodeSeen::Gone);
        assert_eq!(mounted(&yard), Vec::<String>::new());
    }
}
