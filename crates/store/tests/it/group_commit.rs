use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake};

use trainyard_store::db::{Answer, Db, Error, Settings, WriteError};

use crate::support::{Folder, Gate, MIGRATIONS, PATIENCE, Refusal, insert, numbers, open, settings};

fn queue(db: &Db, range: std::ops::Range<i64>) -> Vec<Answer<i64, Refusal>> {
    range
        .map(|number| db.write(move |write| insert(write, number)))
        .collect()
}

/// Batches that are bounded by their number of works only.
fn patient() -> Settings {
    Settings {
        max_batch_time: PATIENCE,
        ..settings()
    }
}

#[test]
fn what_waits_is_committed_together() {
    let folder = Folder::new();
    let db = Db::open(&folder.database(), &patient(), MIGRATIONS).expect("opens");
    let gate = Gate::shut(&db, 0);
    let answers = queue(&db, 1..51);
    assert_eq!(db.stats().queued, 50);
    gate.open();
    for (number, answer) in (1..).zip(answers) {
        assert_eq!(answer.wait().expect("written"), number);
    }
    let stats = db.stats();
    assert_eq!((stats.commits, stats.works, stats.queued), (1, 51, 0));
    assert_eq!((stats.batch_sizes.count(), stats.batch_sizes.sum), (1, 51.0));
    assert_eq!(stats.commit_seconds.count(), 1);
    assert_eq!(numbers(&db), (0..51).collect::<Vec<_>>());
}

#[test]
fn a_batch_is_bounded() {
    let folder = Folder::new();
    let db = Db::open(
        &folder.database(),
        &Settings {
            max_batch: 10,
            ..patient()
        },
        MIGRATIONS,
    )
    .expect("opens");
    let gate = Gate::shut(&db, 0);
    let answers = queue(&db, 1..25);
    gate.open();
    for answer in answers {
        answer.wait().expect("written");
    }
    let stats = db.stats();
    assert_eq!((stats.commits, stats.works), (3, 25));
}

#[test]
fn a_refusal_is_undone_alone() {
    let folder = Folder::new();
    let db = Db::open(&folder.database(), &patient(), MIGRATIONS).expect("opens");
    let gate = Gate::shut(&db, 0);
    let before = db.write(|write| insert(write, 1));
    let refused = db.write(|write| {
        insert(write, 2)?;
        Err::<(), _>(Refusal::ByTheWork)
    });
    let constraint = db.write(|write| {
        insert(write, 3)?;
        insert(write, 1)
    });
    let after = db.write(|write| insert(write, 4));
    gate.open();
    before.wait().expect("written");
    assert!(matches!(
        refused.wait(),
        Err(WriteError::Refused(Refusal::ByTheWork))
    ));
    assert!(matches!(
        constraint.wait(),
        Err(WriteError::Refused(Refusal::Db(Error::Other(_))))
    ));
    after.wait().expect("written");
    assert_eq!(numbers(&db), [0, 1, 4]);
    let stats = db.stats();
    assert_eq!((stats.commits, stats.works, stats.refused), (1, 5, 2));
}

#[test]
fn nobody_is_answered_before_the_commit() {
    let folder = Folder::new();
    let db = Db::open(&folder.database(), &patient(), MIGRATIONS).expect("opens");
    let first = Gate::shut(&db, 0);
    let (hook, hooked) = mpsc::channel();
    let kept = db.write(move |write| {
        write.on_commit(Box::new(move || hook.send(()).expect("the test waits")));
        insert(write, 1)
    });
    let refused = db.write(|_| Err::<(), _>(Refusal::ByTheWork));
    let last = Gate::queued(&db, 2);
    first_goes_on(first, &last);
    // All but the last have run; the batch is still open.
    assert!(!kept.is_ready() && !refused.is_ready() && !last.answered());
    assert!(hooked.try_recv().is_err());
    assert_eq!(numbers(&db), [0i64; 0]);
    last.open();
    kept.wait().expect("written");
    assert!(refused.wait().is_err());
    hooked.recv_timeout(PATIENCE).expect("hook ran");
    assert_eq!(numbers(&db), [0, 1, 2]);
}

/// Opens `first` from another thread, since it is answered with its batch only, and waits for `last`.
fn first_goes_on(first: Gate, last: &Gate) {
    std::thread::spawn(move || first.open());
    last.reached();
}

#[test]
fn hooks_of_a_refused_work_never_run() {
    let folder = Folder::new();
    let db = open(&folder.database());
    let (hook, hooked) = mpsc::channel();
    let refused = db.write_blocking(move |write| {
        write.on_commit(Box::new(move || hook.send(()).expect("nobody waits")));
        Err::<(), _>(Refusal::ByTheWork)
    });
    assert!(refused.is_err());
    assert!(matches!(hooked.try_recv(), Err(mpsc::TryRecvError::Disconnected)));
}

#[test]
fn a_work_cannot_end_the_transaction() {
    let folder = Folder::new();
    let db = Db::open(&folder.database(), &patient(), MIGRATIONS).expect("opens");
    let gate = Gate::shut(&db, 0);
    let mate = db.write(|write| insert(write, 1));
    let rude = db.write(|write| {
        write.execute_batch("ROLLBACK")?;
        insert(write, 2)
    });
    let next = db.write(|write| insert(write, 3));
    std::thread::spawn(move || gate.open());
    assert!(matches!(
        mate.wait(),
        Err(WriteError::Unavailable(Error::TransactionLost))
    ));
    assert!(matches!(rude.wait(), Err(WriteError::Refused(Refusal::Db(_)))));
    next.wait().expect("a batch of its own");
    assert_eq!(numbers(&db), [3]);

    let committed = db.write_blocking(|write| {
        insert(write, 4)?;
        Ok::<_, Refusal>(write.execute_batch("COMMIT")?)
    });
    assert!(committed.is_err());
    assert_eq!(numbers(&db), [3]);
}

#[test]
fn a_full_line_answers_at_once() {
    let folder = Folder::new();
    let db = Db::open(
        &folder.database(),
        &Settings {
            max_queue: 2,
            ..settings()
        },
        MIGRATIONS,
    )
    .expect("opens");
    let gate = Gate::shut(&db, 0);
    let waiting = queue(&db, 1..3);
    let refused = db.write_blocking(|write| insert(write, 3));
    assert!(matches!(
        refused,
        Err(WriteError::Unavailable(Error::QueueFull { limit: 2 }))
    ));
    gate.open();
    for answer in waiting {
        answer.wait().expect("written");
    }
}

#[test]
fn the_future_wakes_its_task() {
    struct Count(AtomicUsize, mpsc::Sender<()>);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
            self.1.send(()).expect("the test waits");
        }
    }
    let folder = Folder::new();
    let db = open(&folder.database());
    let gate = Gate::shut(&db, 0);
    let mut answer = pin!(db.write(|write| insert(write, 1)));
    let (woken, wakes) = mpsc::channel();
    let count = Arc::new(Count(AtomicUsize::new(0), woken));
    let waker = Arc::clone(&count).into();
    let mut context = Context::from_waker(&waker);
    assert!(answer.as_mut().poll(&mut context).is_pending());
    gate.open();
    wakes.recv_timeout(PATIENCE).expect("woken");
    assert!(matches!(answer.as_mut().poll(&mut context), Poll::Ready(Ok(1))));
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
}

#[test]
fn a_dropped_answer_takes_nothing_back() {
    let folder = Folder::new();
    let db = open(&folder.database());
    drop(db.write(|write| insert(write, 1)));
    db.write_blocking(|write| insert(write, 2)).expect("written");
    assert_eq!(numbers(&db), [1, 2]);
}

#[test]
fn closing_finishes_what_is_queued() {
    let folder = Folder::new();
    let db = open(&folder.database());
    let gate = Gate::shut(&db, 0);
    let answers = queue(&db, 1..20);
    let closing = std::thread::spawn({
        let db = db.clone();
        move || db.close()
    });
    gate.open();
    closing.join().expect("closed");
    assert!(answers.into_iter().all(|answer| answer.wait().is_ok()));
    assert!(matches!(
        db.write_blocking(|write| insert(write, 99)),
        Err(WriteError::Unavailable(Error::Closed))
    ));
    assert!(matches!(db.read(|_| Ok::<_, Error>(())), Err(Error::Closed)));
    let wal = folder.path().join("store.db-wal");
    assert!(!wal.exists(), "one file is left");
    assert_eq!(numbers(&open(&folder.database())), (0..20).collect::<Vec<_>>());
}

#[test]
fn the_last_handle_may_go_inside_a_work() {
    let folder = Folder::new();
    let db = open(&folder.database());
    let inner = db.clone();
    let gate = Gate::shut(&db, 0);
    let answer = db.write(move |write| {
        let number = insert(write, 1);
        drop(inner);
        number
    });
    drop(db);
    gate.open();
    answer.wait().expect("written");
}

#[test]
fn readers_are_bounded_and_never_write() {
    let folder = Folder::new();
    let one = Settings {
        max_readers: 1,
        busy_timeout: std::time::Duration::from_millis(50),
        ..settings()
    };
    let db = Db::open(&folder.database(), &one, MIGRATIONS).expect("opens");
    let nested: Result<(), Error> = db.read(|_| match db.read(|_| Ok::<_, Error>(())) {
        Err(Error::ReadersBusy { limit: 1 }) => Ok(()),
        other => panic!("{other:?}"),
    });
    nested.expect("the outer read goes on");
    let refused = db.read(|conn| Ok::<_, Error>(conn.execute("INSERT INTO numbers VALUES (1, NULL)", [])?));
    assert!(refused.is_err());
    assert_eq!(numbers(&db), [0i64; 0]);
}

#[test]
fn a_read_sees_one_moment() {
    let folder = Folder::new();
    let db = open(&folder.database());
    db.write_blocking(|write| insert(write, 1)).expect("written");
    let (before, after) = db
        .read(|conn| {
            let before = crate::support::stored(conn)?;
            db.write_blocking(|write| insert(write, 2))
                .expect("the writer does not wait for readers");
            Ok::<_, Error>((before, crate::support::stored(conn)?))
        })
        .expect("read");
    assert_eq!((before, after), (vec![1], vec![1]));
    assert_eq!(numbers(&db), [1, 2]);
}

#[test]
fn a_panicking_read_leaves_the_pool_usable() {
    let folder = Folder::new();
    let db = Db::open(
        &folder.database(),
        &Settings {
            max_readers: 1,
            ..settings()
        },
        MIGRATIONS,
    )
    .expect("opens");
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        db.read::<(), Error>(|_| panic!("on purpose"))
    }));
    assert!(panic.is_err());
    assert_eq!(numbers(&db), [0i64; 0]);
}
