use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use proptest::prelude::*;
use rustix::fs::{CWD, Mode, mkfifoat};
use trainyard_storage::{Page, RelativePath, StorageError};

use crate::Ground;

#[test]
fn files_are_read_with_their_length() {
    let ground = Ground::prepare();
    fs::write(ground.output.join("a b%+?#é"), "hello").unwrap();
    symlink("a b%+?#é", ground.output.join("link")).unwrap();
    for name in ["a b%+?#é", "link", "./link"] {
        let mut open = ground.accounts.open(&ground.place.join(name).unwrap()).unwrap();
        let mut text = String::new();
        open.file.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), open.len), ("hello", 5));
        let modified = fs::metadata(ground.output.join("link"))
            .unwrap()
            .modified()
            .unwrap();
        assert_eq!(open.modified, jiff::Timestamp::try_from(modified).unwrap());
    }
}

#[test]
fn only_regular_files_within_the_share_are_opened() {
    let ground = Ground::prepare();
    let output = &ground.output;
    // Opened plainly, a pipe without a writer would block for ever.
    mkfifoat(CWD, output.join("fifo"), Mode::from_raw_mode(0o644)).unwrap();
    let _socket = UnixListener::bind(output.join("socket")).unwrap();
    fs::create_dir(output.join("directory")).unwrap();
    fs::write(output.join("file"), "").unwrap();
    symlink(ground.outside.join("secret"), output.join("file out")).unwrap();
    symlink(&ground.outside, output.join("directory out")).unwrap();
    symlink("/dev/zero", output.join("zero")).unwrap();
    symlink("/proc/self/root", output.join("magic")).unwrap();
    let open = |name: &str| {
        ground
            .accounts
            .open(&ground.place.join(name).unwrap())
            .map(|_| ())
    };
    for name in ["fifo", "socket", "directory", "."] {
        assert!(
            matches!(open(name), Err(StorageError::NotAFile(_))),
            "{name}: {:?}",
            open(name)
        );
    }
    for name in ["file out", "directory out/secret", "zero", "magic/etc/passwd"] {
        assert!(
            matches!(open(name), Err(StorageError::Outside(_))),
            "{name}: {:?}",
            open(name)
        );
    }
    for name in ["none", "none/file", "file/none"] {
        assert!(
            matches!(open(name), Err(StorageError::NotFound(_))),
            "{name}: {:?}",
            open(name)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever text is asked for, through links of every kind: nothing of `outside` is shown or read.
    #[test]
    fn no_text_leads_outside(
        segments in prop::collection::vec(
            "\\.\\.|\\.||out|up|self|abs|job|outputs|outside|secret|data|storage|%2e%2e|[^\\x00]{0,3}", 1..9),
    ) {
        let ground = Ground::prepare();
        symlink("../../../../../../../outside", ground.output.join("up")).unwrap();
        symlink(&ground.outside, ground.output.join("out")).unwrap();
        symlink(".", ground.output.join("self")).unwrap();
        symlink("/", ground.output.join("abs")).unwrap();
        let text = segments.join("/");
        if let Ok(listing) = ground.accounts.list(&ground.place, &text, &Page::new(None, 100)) {
            prop_assert!(listing.directory.path.as_str().starts_with(ground.place.path.as_str()));
            prop_assert!(listing.entries.iter().all(|entry| entry.name == "self"), "{:?}", listing);
        }
        if let Ok(path) = RelativePath::parse(&text) {
            let mut place = ground.place.clone();
            prop_assert!(ground.accounts.open(&place.join(path.as_str()).unwrap()).is_err());
            place.path = path;
            prop_assert!(ground.accounts.open(&place).is_err());
        }
    }
}
