//! Jobs change their directories while these are listed and read.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use trainyard_storage::{Page, StorageError};

use crate::Ground;

/// Ends the other thread's loop, also when an assertion fails.
struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

const ROUNDS: usize = 3000;

#[test]
fn a_directory_swapped_for_a_link_out_is_never_followed() {
    let ground = Ground::prepare();
    let (real, link) = (ground.output.join("swapped"), ground.output.join("other"));
    fs::create_dir(&real).unwrap();
    fs::write(real.join("inside"), "inside").unwrap();
    fs::write(real.join("secret"), "inside").unwrap();
    symlink(&ground.outside, &link).unwrap();
    fs::write(ground.outside.join("only outside"), "secret").unwrap();
    let done = AtomicBool::new(false);
    let (mut listed, mut read, mut refused) = (0, 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, &real, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let _end = EndOnDrop(&done);
        for _ in 0..ROUNDS {
            match ground
                .accounts
                .list(&ground.place, "swapped", &Page::new(None, 10))
            {
                Ok(listing) => {
                    let names: Vec<_> = listing.entries.iter().map(|entry| entry.name.as_str()).collect();
                    assert_eq!(names, ["inside", "secret"]);
                    listed += 1;
                }
                Err(StorageError::Outside(_)) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
            match ground
                .accounts
                .open(&ground.place.join("swapped/secret").unwrap())
            {
                Ok(mut open) => {
                    let mut text = String::new();
                    open.file.read_to_string(&mut text).unwrap();
                    assert_eq!(text, "inside");
                    read += 1;
                }
                Err(StorageError::Outside(_)) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
    });
    assert_eq!(listed + read + refused, 2 * ROUNDS);
    assert!(refused > 0, "the directory was never seen swapped");
}

#[test]
fn what_was_there_before_is_listed_once_while_the_directory_grows_and_shrinks() {
    let ground = Ground::prepare();
    let lasting: BTreeSet<String> = (0..200).map(|number| format!("lasting-{number:03}")).collect();
    for name in &lasting {
        fs::write(ground.output.join(name), "").unwrap();
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in (0..500_u32).cycle() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let name = ground.output.join(format!(
                    "{}-{number}",
                    ["a", "lasting-1", "z"][number as usize % 3]
                ));
                match name.exists() {
                    true => fs::remove_file(name).unwrap(),
                    false => fs::write(name, "growing").unwrap(),
                }
            }
        });
        let _end = EndOnDrop(&done);
        for _ in 0..60 {
            let (mut seen, mut after) = (Vec::new(), None);
            // Far more pages than all names that ever exist need.
            for _ in 0..100 {
                let page = ground
                    .accounts
                    .list(&ground.place, ".", &Page::new(after, 37))
                    .unwrap();
                seen.extend(page.entries.into_iter().map(|entry| entry.name));
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
            assert_eq!(
                seen.into_iter().filter(|name| lasting.contains(name)).count(),
                lasting.len()
            );
        }
    });
}
