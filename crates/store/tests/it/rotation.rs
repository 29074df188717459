//! Another key for what is sealed: wherever the process dies, all of it stays readable.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use trainyard_store::db::InlineHandle;
use trainyard_store::seal::{KeyRing, Origin, system_random};
use trainyard_store::{RotateError, Rotated, Store, StoreError};

use crate::support::Folder;

/// More than two batches.
const SECRETS: usize = 250;

struct Ground {
    folder: Folder,
    disk: InlineHandle,
}

impl Ground {
    fn new() -> Ground {
        Ground {
            folder: Folder::new(),
            disk: InlineHandle::memory().expect("memory"),
        }
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("secret-key")
    }

    /// The store as a new process finds it.
    fn store(&self) -> Store {
        let ring = KeyRing::of_file(&self.key(), Path::new("/no/store"), system_random()).expect("a key");
        Store::inline(self.disk.clone(), ring).expect("opens")
    }
}

fn put(store: &Store, names: std::ops::Range<usize>) {
    for i in names {
        let write = store.write(move |tx| tx.ensure_secret(&format!("secret {i}"), &[i as u8; 40]));
        assert_eq!(write.wait().expect("kept"), [i as u8; 40], "secret {i}");
    }
}

/// Reads every secret: `put` gives what is kept.
fn all_readable(store: &Store) {
    put(store, 0..SECRETS);
}

fn rotate_fully(store: &Store) -> Rotated {
    loop {
        let step = store.rotate().expect("a step");
        if step.done {
            return step;
        }
    }
}

#[test]
fn all_is_moved_to_a_new_key_and_the_old_one_is_gone() {
    let ground = Ground::new();
    let store = ground.store();
    put(&store, 0..SECRETS);
    let (old, text) = (store.key_ids(), fs::read_to_string(ground.key()).expect("key"));
    let end = rotate_fully(&store);
    assert_eq!(end.moved, SECRETS as u64);
    assert_eq!(store.key_ids(), std::slice::from_ref(&end.key));
    assert_ne!(store.key_ids(), old);
    let kept = fs::read_to_string(ground.key()).expect("key");
    assert_eq!((kept.lines().count(), kept == text), (1, false));
    assert_eq!(
        store
            .sealed_by()
            .expect("counted")
            .into_keys()
            .collect::<Vec<_>>(),
        [end.key]
    );
    all_readable(&store);
    all_readable(&ground.store());
}

/// A new process after each number of steps, until one gets to the end: as a server that is killed there finds it.
#[test]
fn whoever_dies_after_any_step_leaves_a_readable_store_and_the_next_goes_on() {
    for steps in 0.. {
        let ground = Ground::new();
        put(&ground.store(), 0..SECRETS);
        let before = ground.store().key_ids();
        let dying = ground.store();
        let done = (0..steps).any(|_| dying.rotate().expect("a step").done);
        drop(dying);
        let next = ground.store();
        all_readable(&next);
        put(&next, SECRETS..SECRETS + 1);
        let ids: BTreeSet<String> = next.key_ids().into_iter().chain(before.clone()).collect();
        if !done {
            rotate_fully(&next);
            let kept: Vec<String> = next.key_ids();
            assert!(
                kept.len() == 1 && ids.len() <= 2 && kept != before,
                "{steps} steps"
            );
        }
        all_readable(&ground.store());
        if done {
            return;
        }
    }
}

/// Killed when the new key was in the file and nothing was sealed by it: it is used, and no third one is made.
#[test]
fn a_new_key_that_has_sealed_nothing_yet_is_the_one_that_is_used() {
    let ground = Ground::new();
    put(&ground.store(), 0..SECRETS);
    let old = fs::read_to_string(ground.key()).expect("key");
    fs::write(ground.key(), format!("{}\n{old}", "cd".repeat(32))).expect("two keys");
    let store = ground.store();
    let new = store.key_ids()[0].clone();
    all_readable(&store);
    let end = rotate_fully(&store);
    assert_eq!((end.key.clone(), end.moved), (new, SECRETS as u64));
    assert_eq!(ground.store().key_ids(), [end.key]);
    all_readable(&ground.store());
}

/// What is sealed while the rotation is under way is sealed by the new key.
#[test]
fn what_is_written_meanwhile_needs_no_old_key() {
    let ground = Ground::new();
    let store = ground.store();
    put(&store, 0..SECRETS);
    store.rotate().expect("a step");
    put(&store, SECRETS..SECRETS + 10);
    let end = rotate_fully(&store);
    assert_eq!(end.moved, SECRETS as u64);
    put(&ground.store(), 0..SECRETS + 10);
}

#[test]
fn keys_of_the_operator_are_moved_to_the_first_and_never_written() {
    let ground = Ground::new();
    let (old, new) = ("ab".repeat(32), "cd".repeat(32));
    let open = |text: &str| {
        let ring = KeyRing::of_text(text, Origin::Variable("SOME_KEY"), system_random()).expect("a key");
        Store::inline(ground.disk.clone(), ring).expect("opens")
    };
    let store = open(&old);
    put(&store, 0..SECRETS);
    let refused = store.rotate().expect_err("one key alone");
    assert!(matches!(refused, RotateError::OneKey { .. }) && refused.to_string().contains("SOME_KEY"));
    let store = open(&format!("{new}\n{old}\n"));
    assert_eq!(rotate_fully(&store).moved, SECRETS as u64);
    all_readable(&open(&new));
    let read = open(&old).write(|tx| tx.ensure_secret("secret 1", &[0])).wait();
    let said = match read.map_err(|error| error.flatten()) {
        Err(StoreError::Secret(error)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert!(said.contains("SOME_KEY"), "{said}");
    assert_eq!(fs::read_dir(ground.folder.path()).expect("folder").count(), 0);
}

#[test]
fn a_value_that_no_key_opens_keeps_the_old_key() {
    let ground = Ground::new();
    let store = ground.store();
    put(&store, 0..3);
    let alien = format!("{}\n", "ef".repeat(32));
    let ring = KeyRing::of_text(&alien, Origin::Memory, system_random()).expect("a key");
    let other = Store::inline(ground.disk.clone(), ring).expect("opens");
    put(&other, 3..4);
    let failed = (0..10)
        .find_map(|_| store.rotate().err())
        .expect("not all can be moved");
    assert!(
        matches!(failed, RotateError::Store(StoreError::Secret(_))),
        "{failed:?}"
    );
    assert_eq!(ground.store().key_ids().len(), 2);
    put(&ground.store(), 0..3);
}
