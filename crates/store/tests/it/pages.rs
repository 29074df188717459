//! Free pages go back to the file system.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use trainyard_store::db::{Settings, compact, is_current};
use trainyard_store::seal::{SealKey, system_random};
use trainyard_store::{Event, MIGRATIONS, Store, StoreError};

const EVENTS: usize = 20_000;

fn settings() -> Settings {
    Settings::new(Arc::new(|| Duration::ZERO))
}

fn open(file: &Path) -> Store {
    Store::open(file, &settings(), SealKey::from_bytes(&[7; 32], system_random())).expect("store opens")
}

fn fill(store: &Store) {
    let write = store.write(|tx| -> Result<(), StoreError> {
        for _ in 0..EVENTS {
            tx.insert_event(&Event {
                time: Timestamp::UNIX_EPOCH,
                caller: "admin".to_owned(),
                action: "a".to_owned(),
                target: "t".repeat(1500),
                request: None,
                detail: None,
            })?;
        }
        Ok(())
    });
    write.wait().expect("events");
}

fn sweep(store: &Store) -> usize {
    let write = store.write(|tx| -> Result<usize, StoreError> {
        tx.give_pages_back()?;
        tx.sweep_events(None, 1)
    });
    write.wait().expect("sweep")
}

fn length(file: &Path) -> u64 {
    std::fs::metadata(file).expect("file").len()
}

#[test]
fn a_store_shrinks_while_it_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    let store = open(&file);
    assert!(store.read(|s| s.gives_pages_back()).unwrap());
    fill(&store);
    while sweep(&store) > 0 {}
    for _ in 0..60 {
        sweep(&store);
    }
    let spare = store.read(|s| s.free_page_bytes()).unwrap();
    assert!(spare <= 16 << 20, "{spare}");
    store.close();
    assert!(length(&file) < 20 << 20, "{}", length(&file));
}

#[test]
fn a_stopped_store_is_written_anew_without_free_pages() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("t.db");
    // As versions before made it.
    let old = rusqlite::Connection::open(&file).unwrap();
    old.execute_batch("PRAGMA auto_vacuum = NONE; PRAGMA application_id = 1; VACUUM;")
        .unwrap();
    old.execute_batch("PRAGMA application_id = 0;").unwrap();
    drop(old);
    let store = open(&file);
    assert!(!store.read(|s| s.gives_pages_back()).unwrap());
    fill(&store);
    while sweep(&store) > 0 {}
    store.close();
    let before = length(&file);
    assert!(is_current(&file, MIGRATIONS).unwrap() && !is_current(&file, &MIGRATIONS[..1]).unwrap());
    compact(&file, &settings()).unwrap();
    assert!(
        before > 25 << 20 && length(&file) < 1 << 20,
        "{before}, {}",
        length(&file)
    );
    let store = open(&file);
    assert!(
        store.read(|s| s.gives_pages_back()).unwrap(),
        "from now on it can"
    );
    assert_eq!(store.read(|s| s.events(0, 10)).unwrap().len(), 1);
    store.close();
}
