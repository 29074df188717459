//! Jobs that run as an account of the machine without rights.

use std::fs;
use std::os::unix::fs::MetadataExt;

use trainyard_domain::launch::{Behind, Mount};
use trainyard_domain::state::Verdict;
use trainyard_engine::Engine;

use crate::remote::{launch, pair};
use crate::yard::{Yard, id, process};

const NAME: &str = "nobody";

#[test]
fn two_nodes_prepare_share_and_call_one_another() {
    let Some(yard) = Yard::run_as(NAME) else { return };
    let script = "id -un; cat shared/prepared-a shared/prepared-b; echo file > mounts/share/mine; \
        ssh -o StrictHostKeyChecking=no root@b 'id -un; echo \"on $ON\"; cat mounts/share/mine; exit 7'; echo \"code $?\"; \
        ssh tvm-b 'echo by name'; $SHELL_OF_NODES a echo back";
    let share = yard.directory("share").display().to_string();
    let mut plans = pair(&yard, script);
    for ((node, plan), name) in plans.iter_mut().zip(["a", "b"]) {
        let path = format!("{}/mounts/share", plan.job_directory);
        plan.mounts.push(Mount::new(path, Behind::Source(share.clone())));
        let out = yard.shown(id(1), *node);
        let prepare = format!("id -un > shared/prepared-{name}");
        plan.preparation = Some(process("job preparation", &prepare, &plan.job_directory, &out));
    }
    let [a, b] = launch(&yard, plans);
    let verdict = yard.verdict(id(1), a);
    let complaints = yard.read(id(1), a, "stderr.txt");
    assert_eq!(verdict, Verdict::Exited(0), "{complaints}");
    let said = yard.read(id(1), a, "stdout.txt");
    let expected = "nobody\nnobody\nnobody\nnobody\non b\nfile\ncode 7\nby name\nback\n";
    assert_eq!(said, expected, "{complaints}");
    yard.engine().ensure_stopped(id(1), &[b]);
    assert_eq!(yard.verdict(id(1), b), Verdict::Stopped);
    let mine = fs::metadata(yard.root.join("share/mine")).unwrap();
    let output = fs::metadata(yard.out(id(1), a).join("stdout.txt")).unwrap();
    assert!(mine.uid() != 0 && mine.uid() == output.uid());
}

#[test]
fn nothing_of_a_job_stays_when_the_next_one_begins() {
    let Some(yard) = Yard::run_as(NAME) else { return };
    let node = yard.node(1);
    let script = "mkdir -p closed/deep; touch closed/deep/file; chmod 500 closed closed/deep; ls mounts/deep";
    let mut plan = yard.plan(id(1), node, script);
    let path = format!("{}/mounts/deep/share", plan.job_directory);
    let share = yard.directory("share").display().to_string();
    plan.mounts.push(Mount::new(path, Behind::Source(share)));
    yard.launch(node, plan);
    assert_eq!(yard.verdict(id(1), node), Verdict::Exited(0));
    assert_eq!(yard.run(id(2), node, "true"), Verdict::Exited(0));
    let view = yard.folder(node).view();
    yard.until("the first job's directory is deleted", || {
        let gone = !view.join("trash").exists() && !view.join("jobs/job-1-1").exists();
        gone.then_some(())
    });
}
