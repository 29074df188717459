//! Folders of file servers: made, found, taken away, and nothing else touched.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use trainyard_storage::{FileServers, FolderError, FolderName, RelativePath};

struct Servers {
    place: tempfile::TempDir,
    servers: FileServers,
}

impl Servers {
    fn new() -> Servers {
        let place = tempfile::tempdir().unwrap();
        Servers {
            servers: FileServers::new(place.path().join("a/root")),
            place,
        }
    }

    fn root(&self) -> PathBuf {
        self.place.path().join("a/root")
    }

    fn directory(&self, name: &FolderName, source: &str) -> Result<PathBuf, FolderError> {
        self.servers
            .directory(name, &RelativePath::parse(source).unwrap())
    }

    /// Sweeps; what could not be deleted.
    fn sweep(&self) -> Vec<PathBuf> {
        let failed = RefCell::new(Vec::new());
        self.servers
            .sweep(|path, _| failed.borrow_mut().push(path.to_owned()));
        failed.into_inner()
    }

    fn entries(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.root())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn name(text: &str) -> FolderName {
    FolderName::new(text).unwrap()
}

#[test]
fn a_name_is_never_a_path_nor_one_of_the_dead() {
    for bad in [
        "",
        ".",
        "..",
        "a/b",
        "A",
        "a.b",
        "trainyard.gone-1",
        &"x".repeat(65),
    ] {
        assert!(FolderName::new(bad).is_err(), "{bad:?}");
    }
    assert_eq!(name("6f1b-0").as_str(), "6f1b-0");
}

#[test]
fn a_folder_is_made_once_in_a_root_for_its_owner_only() {
    let ground = Servers::new();
    assert_eq!(ground.servers.names().unwrap(), Vec::<String>::new());
    ground.servers.make(&name("one")).unwrap();
    let mode = fs::metadata(ground.root()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    fs::write(ground.servers.path(&name("one")).join("f"), "kept").unwrap();
    assert!(matches!(
        ground.servers.make(&name("one")),
        Err(FolderError::Io { doing: "making", .. })
    ));
    ground.servers.make(&name("two")).unwrap();
    assert_eq!(ground.servers.names().unwrap(), ["one", "two"]);
    // Only what was made for nothing is unmade.
    ground.servers.unmake(&name("one"));
    ground.servers.unmake(&name("two"));
    assert_eq!(ground.servers.names().unwrap(), ["one"]);
}

#[test]
fn a_source_directory_is_made_beneath_the_folder_and_a_missing_folder_is_not() {
    let ground = Servers::new();
    ground.servers.make(&name("one")).unwrap();
    let folder = fs::canonicalize(ground.root()).unwrap().join("one");
    assert_eq!(ground.directory(&name("one"), "").unwrap(), folder);
    let deep = ground.directory(&name("one"), "a/b").unwrap();
    assert_eq!(deep, folder.join("a/b"));
    fs::write(deep.join("f"), "kept").unwrap();
    assert_eq!(ground.directory(&name("one"), "./a//b/").unwrap(), deep);
    assert!(deep.join("f").exists());
    assert!(matches!(
        ground.directory(&name("one"), "a/b/f"),
        Err(FolderError::NotADirectory(_))
    ));
    for missing in ["two", "one2"] {
        assert!(matches!(
            ground.directory(&name(missing), "a"),
            Err(FolderError::Missing)
        ));
    }
    assert_eq!(ground.entries(), ["one"]);
}

#[test]
fn links_that_lead_out_are_refused_and_others_followed() {
    let ground = Servers::new();
    let outside = ground.place.path().join("outside");
    fs::create_dir(&outside).unwrap();
    for folder in ["one", "two"] {
        ground.servers.make(&name(folder)).unwrap();
    }
    let folder = ground.servers.path(&name("one"));
    fs::create_dir_all(folder.join("runs/5")).unwrap();
    symlink("../runs/5", folder.join("runs/latest")).unwrap();
    symlink(&outside, folder.join("absolute")).unwrap();
    symlink("../../outside", folder.join("relative")).unwrap();
    symlink("../two", folder.join("sibling")).unwrap();
    let real = fs::canonicalize(&folder).unwrap();
    assert_eq!(
        ground.directory(&name("one"), "runs/latest/x").unwrap(),
        real.join("runs/5/x")
    );
    for out in ["absolute", "absolute/x", "relative/x", "sibling", "sibling/x"] {
        assert!(
            matches!(ground.directory(&name("one"), out), Err(FolderError::Outside(_))),
            "{out}"
        );
    }
    // A link in place of a folder is no folder.
    symlink(&outside, ground.root().join("three")).unwrap();
    assert!(matches!(
        ground.directory(&name("three"), "x"),
        Err(FolderError::Missing)
    ));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert_eq!(
        fs::read_dir(ground.servers.path(&name("two"))).unwrap().count(),
        0
    );
}

#[test]
fn what_is_set_aside_goes_and_nothing_else() {
    let ground = Servers::new();
    let outside = ground.place.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("f"), "kept").unwrap();
    for folder in ["one", "two", "three"] {
        ground.servers.make(&name(folder)).unwrap();
    }
    let folder = ground.servers.path(&name("one"));
    fs::create_dir_all(folder.join("a/b")).unwrap();
    symlink(&outside, folder.join("a/out")).unwrap();
    symlink("../two", folder.join("sibling")).unwrap();
    // A file server whose folder somebody has replaced by a link.
    fs::remove_dir(ground.servers.path(&name("three"))).unwrap();
    symlink(&outside, ground.servers.path(&name("three"))).unwrap();
    fs::write(ground.servers.path(&name("two")).join("f"), "kept").unwrap();
    fs::create_dir(ground.root().join("stranger")).unwrap();
    // Somebody else's word for something else.
    fs::create_dir(ground.root().join("gone-fishing")).unwrap();

    for gone in ["one", "three", "one", "never-there"] {
        ground.servers.set_aside(&name(gone)).unwrap();
    }
    assert_eq!(
        ground.entries(),
        [
            "gone-fishing",
            "stranger",
            "trainyard.gone-one",
            "trainyard.gone-three",
            "two"
        ]
    );
    assert_eq!(
        ground.servers.names().unwrap(),
        ["gone-fishing", "stranger", "two"]
    );
    assert!(matches!(
        ground.directory(&name("one"), ""),
        Err(FolderError::Missing)
    ));
    assert_eq!(ground.sweep(), Vec::<PathBuf>::new());
    assert_eq!(ground.entries(), ["gone-fishing", "stranger", "two"]);
    assert!(outside.join("f").exists());
    assert!(ground.root().join("two/f").exists());
}

#[test]
fn what_cannot_be_deleted_is_told_and_a_second_sweeper_leaves_its_work_to_the_first() {
    let ground = Servers::new();
    for folder in ["one", "two"] {
        ground.servers.make(&name(folder)).unwrap();
    }
    // A file under such a name cannot be deleted as a directory: it is told, in the middle of the sweep.
    ground.servers.set_aside(&name("one")).unwrap();
    fs::remove_dir(ground.root().join("trainyard.gone-one")).unwrap();
    fs::write(ground.root().join("trainyard.gone-one"), "").unwrap();
    let again = RefCell::new(0);
    ground.servers.sweep(|_, _| {
        *again.borrow_mut() += 1;
        if *again.borrow() == 1 {
            ground.servers.set_aside(&name("two")).unwrap();
            ground.servers.sweep(|_, _| panic!("there are two sweepers"));
            assert!(ground.root().join("trainyard.gone-two").exists());
        }
    });
    assert_eq!(again.into_inner(), 2);
    assert_eq!(ground.entries(), ["trainyard.gone-one"]);
}
