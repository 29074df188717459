//! The ranks for real, as two plain processes with variables set by hand.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use super::*;

#[expect(
    clippy::disallowed_methods,
    reason = "the script's own interpreter, waited for below"
)]
fn rank(index: u32, port: u16) -> Option<Child> {
    Command::new("python3")
        .args(["-c", SCRIPT])
        .env("AZ_BATCHAI_TASK_INDEX", index.to_string())
        .env("AZ_BATCH_HOST_LIST", "127.0.0.2,127.0.0.3")
        .env(
            "AZ_BATCHAI_PYTORCH_INIT_METHOD",
            format!("tcp://127.0.0.2:{port}"),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()
}

fn output(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

#[test]
fn ranks_talk_over_their_own_addresses() {
    let port = TcpListener::bind("127.0.0.2:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let Some(mut second) = rank(1, port) else {
        println!("left out: python3 is not here");
        return;
    };
    // Rank 1 first: once it has said its line it tries to connect, and has to try again.
    let mut lines = BufReader::new(second.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    std::thread::scope(|scope| {
        let rest = scope.spawn(|| {
            let mut text = line;
            lines.read_to_string(&mut text).unwrap();
            output(second);
            text
        });
        let first = output(rank(0, port).unwrap());
        let second = rest.join().unwrap();
        assert!(
            first.contains("rank 1 sent") && first.contains("from 127.0.0.3"),
            "{first}"
        );
        assert!(
            first.contains("rank 0: together 333338333350000, which is right"),
            "{first}"
        );
        assert!(second.contains("rank 1 of 2 on 127.0.0.3"), "{second}");
        assert!(
            second.contains("rank 1: together 333338333350000, which is right"),
            "{second}"
        );
    });
}

#[test]
fn the_script_is_replaced_whole() {
    let share = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        write_script(share.path()).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(share.path().join(SCRIPT_NAME)).unwrap(),
        SCRIPT
    );
    assert_eq!(std::fs::read_dir(share.path()).unwrap().count(), 1);
}

#[test]
fn next_steps_name_everything() {
    let workspace = WorkspacePath {
        subscription: "s".into(),
        group: NAME.into(),
        workspace: NAME.into(),
    };
    let shown = Shown {
        job: workspace.experiment(NAME).job("ranks-1"),
    };
    let text = next_steps("http://127.0.0.1:8080", Path::new("/d/admin-token"), &shown);
    assert!(
        text.contains("/experiments/quickstart/jobs?api-version=2018-05-01'"),
        "{text}"
    );
    assert!(
        text.contains("http://127.0.0.1:8080/subscriptions/s/") && text.contains("--data '/d'"),
        "{text}"
    );
}

#[tokio::test]
async fn a_second_show_uses_what_the_first_made() {
    let server = crate::standin::serve().await;
    let share = tempfile::tempdir().unwrap();
    let with = |stamp: &str| Show {
        client: server.client(),
        share: share.path().to_owned(),
        stamp: stamp.into(),
        password: "p".into(),
    };
    show(&with("1")).await.unwrap();
    let shown = show(&with("2")).await.unwrap();
    assert!(
        shown
            .job
            .to_string()
            .ends_with("/experiments/quickstart/jobs/ranks-2")
    );
    let calls = server.calls();
    let count = |what: &str| {
        calls
            .iter()
            .filter(|call| call.starts_with("PUT") && call.contains(what))
            .count()
    };
    assert_eq!((count("/clusters/"), count("/jobs/")), (1, 2), "{calls:?}");
    let failed = show(&with("9")).await.err().unwrap().to_string();
    assert!(
        failed.contains("job ranks-9 failed") && failed.contains("exit code 1"),
        "{failed}"
    );
}
