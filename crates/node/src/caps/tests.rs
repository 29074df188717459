use std::collections::BTreeMap;

use trainyard_domain::launch::{Process, SharedDirectory};

use super::*;

const MIB: u64 = 1 << 20;

struct Site {
    base: tempfile::TempDir,
    caps: Caps,
}

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn process(out: &str) -> Process {
    Process {
        name: "rank 0".to_owned(),
        arguments: Vec::new(),
        environment: BTreeMap::new(),
        directory: String::new(),
        stdout: format!("{out}/stdout.txt"),
        stderr: format!("{out}/stderr.txt"),
        decides: true,
    }
}

fn site(limits: Limits) -> Site {
    let base = tempfile::tempdir().unwrap();
    let text = |name: &str| base.path().join(name).display().to_string();
    for name in ["nodes/1", "job", "shared", "out"] {
        fs::create_dir_all(base.path().join(name)).unwrap();
    }
    let plan = LaunchPlan {
        placement: "3-1".parse().unwrap(),
        job_directory: text("job"),
        mounts: Vec::new(),
        shared_directory: SharedDirectory {
            source: text("shared"),
            path: text("job/shared"),
        },
        directories: vec![text("out")],
        files: BTreeMap::new(),
        execution_log: text("out/execution.log"),
        preparation: None,
        processes: vec![process(&text("out"))],
        node_index: 0,
        node_count: 1,
        max_seconds: 100,
        grace_seconds: 5,
        until_stopped: false,
        remote: None,
        container: None,
        caps: limits,
    };
    let view = Arc::new(View::plain(base.path().to_owned()).unwrap());
    let caps = Caps::new(
        &plan,
        Found::of(&plan, None),
        &view,
        &base.path().join("nodes/1"),
        at(0),
    );
    Site { base, caps }
}

impl Site {
    fn write(&self, name: &str, bytes: u64) {
        fs::write(self.base.path().join(name), vec![1; bytes as usize]).unwrap();
    }
}

fn fact<'a>(error: &'a BatchAiError, name: &str) -> &'a str {
    let found = error.details.iter().find(|(known, _)| known == name);
    found.map_or("", |(_, value)| value)
}

#[test]
fn a_stream_that_is_too_long_is_named_with_its_length() {
    let mut site = site(Limits {
        stdout: MIB,
        ..Limits::default()
    });
    site.write("out/stderr.txt", MIB);
    site.write("out/other.txt", 2 * MIB);
    assert_eq!(site.caps.look(at(100)), None);
    assert_eq!(site.caps.next_look(), at(2100));
    site.write("out/stderr.txt", MIB + 1);
    let error = site.caps.look(at(2100)).unwrap();
    assert_eq!(error.code, OUTPUT_LIMIT);
    assert_eq!(fact(&error, "file"), "stderr.txt");
    assert_eq!(fact(&error, "bytes"), (MIB + 1).to_string());
    assert!(error.message.contains("limits.stdout_bytes"), "{}", error.message);
}

#[test]
fn a_job_directory_is_counted_now_and_then_and_at_the_end() {
    let mut site = site(Limits {
        job_temp: MIB,
        ..Limits::default()
    });
    site.write("job/big", 2 * MIB);
    assert_eq!(site.caps.look(at(4900)), None, "not yet");
    assert_eq!(site.caps.next_look(), at(5000));
    assert_eq!(site.caps.look(at(5000)).unwrap().code, TEMP_LIMIT);
    site.write("job/big", 1);
    assert_eq!(site.caps.last_look(at(5100)), None);
    site.write("job/big", 2 * MIB);
    assert_eq!(site.caps.last_look(at(5200)).unwrap().code, TEMP_LIMIT);
}

#[test]
fn without_limits_nothing_is_looked_for() {
    let mut site = site(Limits::default());
    site.write("job/big", 2 * MIB);
    site.write("out/stdout.txt", 2 * MIB);
    assert_eq!(site.caps.last_look(at(9000)), None);
}

/// The disk's own figures are handed in here; `tests/python/test_growth.py` fills a real one.
#[test]
fn looks_come_sooner_as_the_disk_fills() {
    let mut site = site(Limits {
        disk_floor: MIB,
        ..Limits::default()
    });
    let disk = site.caps.disk.as_mut().unwrap();
    assert_eq!(
        disk.pace(at(100), 1000, 100),
        LOOK_SOON,
        "how fast is not known yet"
    );
    assert_eq!(disk.pace(at(200), 1000, 100), LOOK_EVERY);
    assert_eq!(disk.pace(at(1200), 700, 100), at(1000), "full in two seconds");
    assert_eq!(disk.pace(at(2200), 110, 100), LOOK_SOON);
    assert_eq!(disk.full, None);
    assert_eq!(disk.pace(at(2300), 90, 100), LOOK_SOON);
    assert_eq!(
        disk.pace(at(2400), 80, 100),
        LOOK_SOON * 2,
        "the wait for others grows"
    );
    assert_eq!(disk.full.unwrap().0, at(2300));
    assert_eq!(disk.pace(at(2600), 120, 100), LOOK_EVERY);
    assert_eq!(disk.full, None);
}

#[test]
fn only_one_is_ended_for_a_full_disk() {
    let mut site = site(Limits {
        disk_floor: MIB,
        ..Limits::default()
    });
    let other = site.base.path().join("nodes/2");
    fs::create_dir_all(&other).unwrap();
    site.write("job/a", MIB);
    site.write("out/b", MIB);
    let device = site.caps.disk.as_ref().unwrap().device;
    let line = |grown, millis, state| Line {
        device,
        grown,
        at: at(millis),
        state,
    };
    let mut board = Board::new(&other, line(9 * MIB, 1000, State::Running));
    let blamed = |site: &mut Site, millis| {
        let disk = site.caps.disk.as_mut().unwrap();
        let bytes = disk.trees.bytes();
        disk.blamed(bytes, at(millis), at(1000), MIB, true)
    };
    assert_eq!(blamed(&mut site, 1000), None, "the other grew more");
    board.say(line(9 * MIB, 1100, State::Ended));
    assert_eq!(blamed(&mut site, 1200), None, "what was there then is forgiven");
    assert_eq!(blamed(&mut site, 1300), None);
    site.write("job/c", 2 * MIB);
    let grown = blamed(&mut site, 1400).unwrap();
    assert!((2 * MIB..3 * MIB).contains(&grown), "{grown}");
}
