//! What other processes do to a database: this test binary started again as a child that writes.

#![expect(
    clippy::disallowed_methods,
    reason = "the test starts and kills a process of its own"
)]

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::Connection;
use trainyard_store::db::{self, Db, Write, WriteError};
use trainyard_store::lock::{FolderLock, LockError, holder};

use crate::support::{Folder, Refusal, insert, numbers, open};

/// Names the child's role and its folder: `role folder`.
const ROLE: &str = "TRAINYARD_STORE_TEST_CHILD";
const WRITERS: i64 = 4;
/// A child ends by itself after so many rows a writer, should its parent be gone.
const MOST_ROWS: i64 = 100_000;

struct Running {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(role: &str, folder: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
            .env(ROLE, format!("{role} {}", folder.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, lines }
    }

    /// Reads on until the child has told `word number`, or has ended.
    fn next(&mut self, word: &str) -> Option<i64> {
        self.lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (told, number) = line.split_once(' ')?;
            if told == word { number.parse().ok() } else { None }
        })
    }

    fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Fails when it was killed already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child's whole life; in an ordinary run of the tests there is nothing to do here.
#[test]
fn child() {
    let Ok(told) = std::env::var(ROLE) else { return };
    let (role, folder) = told.split_once(' ').expect("role and folder");
    let folder = Path::new(folder);
    match role {
        "write" => write_on(&open(&folder.join("store.db"))),
        "panic" => panic_in_a_work(&open(&folder.join("store.db"))),
        "lock" => hold(folder),
        other => panic!("no role {other}"),
    }
}

fn tell(word: &str, number: i64) {
    let mut out = std::io::stdout().lock();
    // On a line of its own, whatever the test harness has begun.
    writeln!(out, "\n{word} {number}")
        .and_then(|()| out.flush())
        .expect("the parent reads");
}

/// Rows always come in pairs: one in each table, in one work.
fn insert_pair(write: &Write<'_>, number: i64) -> Result<i64, Refusal> {
    insert(write, number)?;
    write
        .prepare_cached("INSERT INTO doubles VALUES (?1)")?
        .execute([number])?;
    Ok(number)
}

fn write_on(db: &Db) {
    let refused = AtomicI64::new(-1);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let refused = &refused;
            scope.spawn(move || {
                for row in 0..MOST_ROWS {
                    let number = row * WRITERS + writer;
                    let answer = db.write_blocking(move |write| insert_pair(write, number));
                    tell("ack", answer.expect("written"));
                    let negative = refused.fetch_sub(1, Ordering::Relaxed);
                    let answer = db.write_blocking(move |write| {
                        insert(write, negative)?;
                        Err::<(), _>(Refusal::ByTheWork)
                    });
                    assert!(matches!(answer, Err(WriteError::Refused(_))));
                }
            });
        }
    });
}

fn panic_in_a_work(db: &Db) {
    db.write_blocking(|write| insert(write, 1)).expect("written");
    tell("ack", 1);
    let answer = db.write_blocking::<(), Refusal>(|write| {
        insert(write, 2)?;
        panic!("on purpose")
    });
    tell("ack", 2);
    drop(answer);
}

fn hold(folder: &Path) {
    let _lock = FolderLock::acquire(folder).expect("free");
    tell("locked", 0);
    // Until killed; not for ever, should the parent be gone.
    let (_kept, never) = std::sync::mpsc::channel::<()>();
    let _ = never.recv_timeout(crate::support::PATIENCE);
}

fn pairs_are_whole(conn: &Connection) -> bool {
    conn.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM numbers WHERE number NOT IN (SELECT number FROM doubles))",
        [],
        |row| row.get(0),
    )
    .expect("readable")
}

#[test]
fn acknowledged_rows_survive_a_kill_at_any_moment() {
    for acks_before in [1, 7, 50, 180, 400] {
        let folder = Folder::new();
        let mut writer = Running::start("write", folder.path());
        let mut acknowledged: Vec<i64> = (0..acks_before).map_while(|_| writer.next("ack")).collect();
        assert_eq!(acknowledged.len(), acks_before, "the child writes");
        writer.kill();
        acknowledged.extend(std::iter::from_fn(|| writer.next("ack")));
        let db = open(&folder.database());
        let stored = numbers(&db);
        for number in &acknowledged {
            assert!(
                stored.binary_search(number).is_ok(),
                "row {number} was acknowledged and is gone"
            );
        }
        assert!(
            stored.iter().all(|number| *number >= 0),
            "a refused row was stored"
        );
        assert!(
            stored.len() <= acknowledged.len() + WRITERS as usize,
            "rows nobody asked for"
        );
        assert!(
            db.read(|conn| Ok::<_, db::Error>(pairs_are_whole(conn)))
                .expect("readable")
        );
        drop(db);
        db::check(&folder.database()).expect("sound");
    }
}

#[test]
fn a_backup_of_a_busy_database_is_one_moment_of_it() {
    let folder = Folder::new();
    let mut writer = Running::start("write", folder.path());
    let mut acknowledged = Vec::new();
    for round in 0..6 {
        acknowledged.extend((0..40).map_while(|_| writer.next("ack")));
        assert_eq!(acknowledged.len(), 40 * (round + 1), "the child writes on");
        let copy = folder.path().join(format!("copy-{round}.db"));
        db::backup(&folder.database(), &copy).expect("copied");
        db::check(&copy).expect("sound");
        let conn = Connection::open(&copy).expect("opens");
        assert!(pairs_are_whole(&conn));
        let stored = crate::support::stored(&conn).expect("readable");
        assert!(
            acknowledged
                .iter()
                .all(|number| stored.binary_search(number).is_ok())
        );
    }
    assert!(
        writer.child.try_wait().expect("asked").is_none(),
        "the writer goes on"
    );
}

#[test]
fn a_panic_in_a_work_ends_the_process() {
    use std::os::unix::process::ExitStatusExt;
    let folder = Folder::new();
    let mut writer = Running::start("panic", folder.path());
    let acknowledged: Vec<i64> = std::iter::from_fn(|| writer.next("ack")).collect();
    assert_eq!(acknowledged, [1]);
    let status = writer.child.wait().expect("ended");
    assert_eq!(status.signal(), Some(6), "SIGABRT: {status}");
    assert_eq!(numbers(&open(&folder.database())), [1]);
}

#[test]
fn a_folder_is_locked_as_long_as_its_server_lives() {
    let folder = Folder::new();
    let mut server = Running::start("lock", folder.path());
    server.next("locked").expect("the child locks");
    let pid = server.child.id();
    assert_eq!(holder(folder.path()).expect("held"), Some(pid));
    match FolderLock::acquire(folder.path()) {
        Err(LockError::Held { pid: told, .. }) => assert_eq!(told, Some(pid)),
        other => panic!("{other:?}"),
    }
    server.kill();
    assert_eq!(holder(folder.path()).expect("free"), None);
    FolderLock::acquire(folder.path()).expect("free");
}
