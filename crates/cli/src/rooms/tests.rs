use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use trainyard_store::db::InlineHandle;
use trainyard_store::seal::{SealKey, system_random};
use trainyard_store::{Event, StoreError};

use super::*;
use crate::clock;

struct Yard {
    base: tempfile::TempDir,
    rooms: Vec<Box<dyn Room>>,
}

fn yard() -> Yard {
    let base = tempfile::tempdir().unwrap();
    let key = SealKey::from_bytes(&[7; 32], system_random());
    let store = Store::inline(InlineHandle::memory().unwrap(), key).unwrap();
    let now = clock::now();
    let write = store.write(move |tx| -> Result<(), StoreError> {
        for hours in [24 * 500, 24 * 300] {
            tx.insert_event(&Event {
                time: now - jiff::SignedDuration::from_hours(hours),
                caller: "admin".to_owned(),
                action: "a".to_owned(),
                target: "/t".to_owned(),
                request: None,
                detail: None,
            })?;
        }
        Ok(())
    });
    write.wait().unwrap();
    let engine = base.path().join("engine");
    let rooms = all(House {
        data: base.path(),
        engine,
        store,
        closed: None,
        file_servers: FileServers::new(base.path().join("file-servers")),
        kept: Kept::default(),
        containers: container::Settings::default(),
        images_kept: Some(Duration::from_secs(86_400)),
        variables: BTreeMap::new(),
    });
    Yard { base, rooms }
}

fn make(base: &Path, folders: &[&str]) {
    for folder in folders {
        fs::create_dir_all(base.join(folder)).unwrap();
        fs::write(base.join(folder).join("file"), vec![1; 100_000]).unwrap();
    }
}

fn shown(report: &Report) -> Vec<(&str, &str)> {
    let rooms = report.rooms.iter();
    rooms
        .flat_map(|room| {
            room.waste.iter().map(|waste| {
                let name = waste.place.rsplit('/').next().unwrap_or_default();
                (room.room.as_str(), name)
            })
        })
        .collect()
}

#[test]
fn a_look_changes_nothing_and_what_it_showed_goes() {
    let yard = yard();
    let at = |name: &str| yard.base.path().join(name);
    let waste = [
        "engine/nodes/gone-5",
        "engine/shared/9-1",
        "file-servers/trainyard.gone-abc",
    ];
    let kept = [
        "engine/nodes/6",
        "engine/shared/other",
        "file-servers/abc",
        "precious",
        "gone-5",
    ];
    make(yard.base.path(), &waste);
    make(yard.base.path(), &kept);
    symlink(at("precious"), at("engine/nodes/gone-8")).unwrap();
    symlink(at("precious"), at("engine/nodes/gone-5/link")).unwrap();
    fs::write(at("server.new"), "being written").unwrap();
    let expected = [
        ("released nodes", "gone-5"),
        ("shared directories", "9-1"),
        ("deleted file servers", "trainyard.gone-abc"),
        ("events", "audit trail in trainyard.db"),
    ];
    for _ in 0..2 {
        let look = visit(&yard.rooms, How::Look);
        assert_eq!(shown(&look), expected);
        let (items, bytes) = look.sum();
        assert!(items == 4 && (300_000..400_000).contains(&bytes), "{look:?}");
    }
    assert!(waste.iter().all(|folder| at(folder).exists()));
    let freed = visit(&yard.rooms, How::Free);
    assert!(
        freed.freed && freed.is_whole() && shown(&freed) == expected,
        "{freed:?}"
    );
    assert!(!waste.iter().any(|folder| at(folder).exists()));
    assert!(kept.iter().all(|folder| at(folder).join("file").exists()));
    assert!(at("engine/nodes/gone-8").is_symlink() && at("server.new").exists());
    assert_eq!(shown(&visit(&yard.rooms, How::Free)), []);
}

#[test]
fn a_room_that_cannot_be_seen_keeps_no_other_from_being_freed() {
    let yard = yard();
    make(yard.base.path(), &["file-servers/trainyard.gone-abc"]);
    fs::write(yard.base.path().join("engine"), "no folder").unwrap();
    let report = visit(&yard.rooms, How::Free);
    assert!(!report.is_whole());
    let first = report.rooms[0].error.as_deref().unwrap();
    assert!(
        first.contains("engine") && first.contains("cannot be listed"),
        "{first}"
    );
    assert!(!yard.base.path().join("file-servers/trainyard.gone-abc").exists());
}
