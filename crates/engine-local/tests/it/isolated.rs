//! Isolated nodes: what their jobs see and may do.

use std::fs;

use rustix::process::{Signal, kill_process};
use trainyard_domain::ids::Uid;
use trainyard_domain::launch::{Behind, LaunchPlan, Mount};
use trainyard_domain::state::Verdict;
use trainyard_engine::{Engine, NodeSeen};

use crate::yard::{Yard, id};

/// What a script says on a node; it must end well.
fn say(yard: &Yard, job: i64, node: Uid, script: &str) -> String {
    let verdict = yard.run(id(job), node, script);
    let said = yard.read(id(job), node, "stdout.txt") + &yard.read(id(job), node, "stderr.txt");
    assert_eq!(verdict, Verdict::Exited(0), "{said}");
    said
}

/// Adds a directory of the machine as a volume of the job.
fn add_volume(yard: &Yard, plan: &mut LaunchPlan, name: &str, at: &str) {
    let source = yard.root.join(name);
    fs::create_dir_all(&source).unwrap();
    let path = format!("{}/mounts/{at}", plan.job_directory);
    plan.mounts
        .push(Mount::new(path, Behind::Source(source.display().to_string())));
}

/// What is mounted on the machine of this yard, or where nodes show things. Others mount too.
fn mounted(yard: &Yard) -> Vec<String> {
    let all = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let root = yard.root.display().to_string();
    let of_yard = |line: &&str| line.contains(&root) || line.contains("/mnt/batch/tasks/");
    all.lines().filter(of_yard).map(str::to_owned).collect()
}

#[test]
fn paths_are_those_of_the_original_service_and_the_host_name_is_the_nodes() {
    let Some(yard) = Yard::isolated() else { return };
    let node = yard.node(1);
    let said = say(
        &yard,
        1,
        node,
        "pwd; hostname; getent hosts $(hostname); echo $HOME $USER; id -u",
    );
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], "/mnt/batch/tasks/shared/LS_root/jobs/job-1-1");
    assert_eq!(lines[1], "tvm-1-1");
    assert!(lines[2].starts_with("127.0.0.1"), "{said}");
    assert_eq!(lines[4], "0");
}

#[test]
fn a_job_finds_no_way_to_the_data_folder() {
    let Some(yard) = Yard::isolated() else { return };
    let node = yard.node(1);
    let secret = yard.root.join("admin-token");
    fs::write(&secret, "planted").unwrap();
    let root = yard.root.display();
    let tries = [
        format!("cat {root}/admin-token"),
        format!("ls {root}/nodes"),
        format!("umount {root} && cat {root}/admin-token"),
        format!("umount -l {root} && cat {root}/admin-token"),
        format!("cat /proc/1/root{root}/admin-token"),
        format!("for t in /proc/1/task/*; do cat $t/root{root}/admin-token && break; done"),
        "for d in /proc/1/task/*/fd/* /proc/1/fd/*; do cat $d/admin-token $d/../../admin-token && break; done"
            .to_owned(),
        format!("nsenter --target 1 --mount cat {root}/admin-token"),
        format!("unshare --map-root-user --mount bash -c 'umount {root}; cat {root}/admin-token'"),
        format!("mkdir m; mount --bind / m && cat m{root}/admin-token"),
        format!("mkdir n; mount --move {root} n && cat {root}/admin-token"),
        "dd if=/proc/1/mem of=/dev/null count=1".to_owned(),
        "for t in /proc/1/task/*; do dd if=$t/mem of=/dev/null count=1 && break; done".to_owned(),
        "strings /proc/1/environ | grep .".to_owned(),
        "mknod disk b $(stat -c '%Hd %Ld' /) && head -c 1 disk".to_owned(),
        "ls /dev | grep -E '^(vd|sd|nvme|mem$|kmem$|loop)'".to_owned(),
        "echo x > /proc/sys/kernel/core_pattern".to_owned(),
        "mkdir /sys/fs/cgroup/x".to_owned(),
        "ls /run | grep -vE '^(lock|systemd|mount)$'".to_owned(),
        "grep -l . /proc/keys".to_owned(),
        "hostname other".to_owned(),
        // The same programs are first in the PATH of all jobs.
        "cd /mnt/batch/tasks/shared/LS_root/tools || exit 0; echo x > ssh".to_owned(),
        "cd /mnt/batch/tasks/shared/LS_root/tools || exit 0; unshare --map-root-user --mount bash -c \
         'mount -o remount,rw,bind . && touch x'"
            .to_owned(),
        "chrt --fifo 1 true".to_owned(),
        "ls /proc/scsi /proc/acpi | grep -v :".to_owned(),
    ];
    for (job, script) in (1..).zip(&tries) {
        let verdict = yard.run(id(job), node, script);
        let said = yard.read(id(job), node, "stdout.txt");
        assert!(
            !matches!(verdict, Verdict::Exited(0)) && !said.contains("planted"),
            "{script}: {verdict:?}, {said}"
        );
    }
    // It runs as root even so, and may do what root does with its files.
    say(
        &yard,
        100,
        node,
        "touch f; chown 1234 f; chroot / true; [ $(stat -c %u f) = 1234 ]",
    );
}

#[test]
fn a_job_neither_sees_nor_ends_its_node_or_another_one() {
    let Some(yard) = Yard::isolated() else { return };
    let (node, other) = (yard.node(1), yard.node(2));
    let secret = "echo mine > /tmp/mine; echo mine > mine; echo on > $OUT/on; exec sleep 1234.5";
    yard.launch(other, yard.plan(id(1), other, secret));
    yard.line(id(1), other, "on");
    let said = say(
        &yard,
        2,
        node,
        "cat /proc/*/cmdline | tr '\\0' ' '; ls -A /tmp; ls ..; kill -9 1; kill -TERM 1",
    );
    assert!(!said.contains("1234.5") && !said.contains("mine"), "{said}");
    // The node goes on.
    say(&yard, 3, node, "true");
    yard.engine().ensure_stopped(id(1), &[other]);
    assert_eq!(yard.verdict(id(1), other), Verdict::Stopped);
}

#[test]
fn volumes_are_mounted_for_the_time_of_the_job() {
    let Some(yard) = Yard::isolated() else { return };
    let node = yard.node(1);
    let before = mounted(&yard);
    let mut plan = yard.plan(
        id(1),
        node,
        "echo 1 > mounts/outer/f; echo 2 > mounts/outer/inner/f; echo 3 > shared/f; grep -c /mounts/ /proc/self/mounts",
    );
    add_volume(&yard, &mut plan, "share", "outer");
    add_volume(&yard, &mut plan, "other", "outer/inner");
    let directory = plan.job_directory.clone();
    yard.launch(node, plan);
    assert_eq!(yard.verdict(id(1), node), Verdict::Exited(0));
    assert_eq!(fs::read_to_string(yard.root.join("share/f")).unwrap(), "1\n");
    assert_eq!(fs::read_to_string(yard.root.join("other/f")).unwrap(), "2\n");
    let shared = yard.root.join("shared").join(id(1).to_string());
    assert_eq!(fs::read_to_string(shared.join("f")).unwrap(), "3\n");
    assert_eq!(mounted(&yard), before, "the machine itself has nothing mounted");
    // A job from another folder sees what is left of the first one's: without its volumes.
    let mut next = yard.plan(id(2), node, "true");
    next.job_directory = format!("{directory}-next");
    next.processes[0].directory = next.job_directory.clone();
    next.processes[0].arguments[2] =
        format!("! grep {directory} /proc/self/mounts && ! ls {directory}/mounts/outer/f");
    yard.launch(node, next);
    assert_eq!(yard.verdict(id(2), node), Verdict::Exited(0));
    assert!(
        yard.root.join("share/f").exists(),
        "a volume is not deleted with the job"
    );
    assert!(yard.root.join("other/f").exists());
}

#[test]
fn what_a_job_leaves_in_a_share_makes_nobody_root_and_opens_no_device() {
    let Some(yard) = Yard::isolated() else { return };
    let node = yard.node(1);
    let script = "for place in . mounts/share shared; do \
                  options=$(findmnt --noheadings --output OPTIONS --target $place) || exit 2; \
                  case $options in *nosuid*nodev*) ;; *) echo $place $options; exit 3;; esac; done";
    let mut plan = yard.plan(id(1), node, script);
    add_volume(&yard, &mut plan, "share", "share");
    yard.launch(node, plan);
    let verdict = yard.verdict(id(1), node);
    assert_eq!(
        verdict,
        Verdict::Exited(0),
        "{}",
        yard.read(id(1), node, "stdout.txt")
    );
}

#[test]
fn a_volume_goes_with_its_job_also_when_the_jobs_directory_was_renamed() {
    let Some(yard) = Yard::isolated() else { return };
    let node = yard.node(1);
    let jobs = yard.engine().paths(node).jobs_root;
    let mut plan = yard.plan(id(1), node, "echo 1 > mounts/share/f; mv \"$PWD\" ../kept");
    add_volume(&yard, &mut plan, "share", "share");
    yard.launch(node, plan);
    assert_eq!(yard.verdict(id(1), node), Verdict::Exited(0));
    say(
        &yard,
        2,
        node,
        &format!("! grep {jobs}/kept /proc/self/mounts && ! ls {jobs}/kept/mounts/share/f"),
    );
    assert_eq!(fs::read_to_string(yard.root.join("share/f")).unwrap(), "1\n");
}

#[test]
fn a_volume_does_not_follow_a_link_that_a_job_has_laid() {
    let Some(yard) = Yard::isolated() else { return };
    let node = yard.node(1);
    let elsewhere = yard.root.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let jobs = yard.engine().paths(node).jobs_root;
    say(&yard, 1, node, &format!("ln -s /var/lib {jobs}/trap"));
    let mut plan = yard.plan(id(2), node, "true");
    let path = format!("{jobs}/trap/x");
    let source = elsewhere.display().to_string();
    plan.mounts.push(Mount::new(path, Behind::Source(source)));
    yard.launch(node, plan);
    let verdict = yard.verdict(id(2), node);
    assert!(
        matches!(&verdict, Verdict::NotStarted(error, Some(-1)) if error.code == "MountFailed"),
        "{verdict:?}"
    );
    assert!(!std::path::Path::new("/var/lib/x").exists());
}

#[test]
fn a_volume_is_not_what_a_link_in_a_share_leads_to() {
    let Some(yard) = Yard::isolated() else { return };
    let node = yard.node(1);
    let (share, secret) = (yard.root.join("share"), yard.root.join("secret"));
    fs::create_dir(&share).unwrap();
    fs::create_dir(&secret).unwrap();
    std::os::unix::fs::symlink(&secret, share.join("link")).unwrap();
    let mut plan = yard.plan(id(1), node, "true");
    add_volume(&yard, &mut plan, "share/link", "x");
    yard.launch(node, plan);
    let verdict = yard.verdict(id(1), node);
    assert!(matches!(verdict, Verdict::NotStarted(_, Some(-1))), "{verdict:?}");
}

/// It would stop the node, which stands in the same group, for good.
#[test]
fn a_job_does_not_freeze_its_node_by_a_mount_of_control_groups() {
    let Some(yard) = Yard::isolated() else { return };
    let node = yard.node(1);
    let freeze = "mkdir m; mount -t cgroup2 none m && echo mounted; echo 1 > m/cgroup.freeze && echo frozen";
    let said = say(&yard, 1, node, &format!("unshare -UrmC bash -c '{freeze}'; true"));
    assert!(!said.contains("frozen"), "{said}");
    if !said.contains("mounted") {
        println!("left out: jobs cannot mount control groups here at all ({said})");
    }
    say(&yard, 2, node, "true");
}

/// Of the two processes of a node, either may be the one that dies.
#[test]
fn the_death_of_either_process_of_a_node_ends_all_that_it_started() {
    for dies in ["inner", "outer"] {
        let Some(yard) = Yard::isolated() else { return };
        let before = mounted(&yard);
        let node = yard.node(1);
        let mut plan = yard.plan(
            id(1),
            node,
            "setsid -f env -i /bin/sleep 1000; trap '' TERM; echo on > $OUT/on; while :; do sleep 1; done",
        );
        add_volume(&yard, &mut plan, "share", "share");
        yard.launch(node, plan);
        yard.line(id(1), node, "on");
        assert!(yard.left().len() > 2);
        kill_process(yard.process_of(node, dies), Signal::KILL).unwrap();
        yard.until_node(node, &NodeSeen::Gone);
        assert_eq!(yard.left(), Vec::<String>::new(), "the {dies} process was killed");
        assert_eq!(mounted(&yard), before);
    }
}

#[test]
fn a_released_node_leaves_nothing_mounted_and_no_folder() {
    let Some(yard) = Yard::isolated() else { return };
    let before = mounted(&yard);
    let node = yard.node(1);
    say(&yard, 1, node, "mkdir -p a/b; touch a/b/c");
    yard.engine().release_node(node);
    yard.until_node(node, &NodeSeen::Gone);
    yard.until("its folder is gone", || {
        (!yard.folder(node).root().exists()).then_some(())
    });
    assert_eq!((mounted(&yard), yard.left()), (before, Vec::new()));
}
