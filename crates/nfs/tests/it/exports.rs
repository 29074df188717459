use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use trainyard_nfs::{Exporter, NfsError, Settings};

use super::clients::{House, poll_until};

#[test]
fn clients_read_and_write_as_the_account_of_jobs() {
    let Some(mut house) = House::new() else { return };
    house.settings.owner = (12_345, 54_321);
    let data = house.export("folder-1", &["Group.(1)", "ws_1", "data"], "from the machine\n");
    fs::set_permissions(&data.folder, fs::Permissions::from_mode(0o777)).unwrap();
    let exporter = house.open(std::slice::from_ref(&data));
    assert_eq!(house.list("/Group.(1)/ws_1").unwrap(), ["data"]);
    assert_eq!(
        house.read("/Group.(1)/ws_1/data/file").unwrap(),
        "from the machine\n"
    );
    house
        .write("/Group.(1)/ws_1/data/new", "from a client\n")
        .unwrap();
    let new = data.folder.join("new");
    assert_eq!(fs::read_to_string(&new).unwrap(), "from a client\n");
    let owner = new.metadata().unwrap();
    assert_eq!((owner.uid(), owner.gid()), (12_345, 54_321));
    exporter.end();
    assert!(house.processes().is_empty());
}

#[test]
fn exports_come_and_go_while_others_stay() {
    let Some(house) = House::new() else { return };
    let exporter = house.open(&[]);
    let process = house.process();
    let one = house.export("folder-1", &["ws", "one"], "1");
    let two = house.export("folder-2", &["ws", "two"], "2");
    exporter.keep(vec![one.clone(), two.clone()]);
    poll_until("both are there", || {
        house.read("/ws/two/file").as_deref() == Ok("2")
    });
    assert_eq!(house.read("/ws/one/file").as_deref(), Ok("1"));

    exporter.keep(vec![two.clone()]);
    poll_until("one is gone", || {
        house.list("/ws").is_ok_and(|names| names == ["two"])
    });
    assert!(house.read("/ws/one/file").is_err());
    // Another folder has the name of one that was there a moment ago.
    let again = house.export("folder-3", &["ws", "two"], "3");
    exporter.keep(vec![one, again]);
    poll_until("the new one is there", || {
        house.read("/ws/two/file").as_deref() == Ok("3")
    });
    assert_eq!(house.process(), process, "all of it in one process");
}

#[test]
fn a_folder_that_is_missing_keeps_no_other_from_clients_and_comes_back() {
    let Some(house) = House::new() else { return };
    let (one, two) = (
        house.export("a", &["ws", "one"], "1"),
        house.export("b", &["ws", "two"], "2"),
    );
    let aside = house.folder.path().join("aside");
    fs::rename(&one.folder, &aside).unwrap();
    let exporter = house.open(&[one.clone(), two.clone()]);
    assert_eq!(house.list("/ws").unwrap(), ["two"]);
    fs::rename(&aside, &one.folder).unwrap();
    exporter.keep(vec![one, two]);
    poll_until("it is back", || house.read("/ws/one/file").as_deref() == Ok("1"));
}

#[test]
fn one_that_is_killed_comes_back_with_its_exports() {
    let Some(house) = House::new() else { return };
    let exporter = house.open(&[house.export("a", &["ws", "one"], "1")]);
    let first = house.process().unwrap();
    kill_process(Pid::from_raw(first).unwrap(), Signal::KILL).unwrap();
    poll_until("it is back", || {
        house.process() != Some(first) && house.read("/ws/one/file").as_deref() == Ok("1")
    });
    assert_eq!(house.processes().len(), 1);
    drop(exporter);
    assert!(house.processes().is_empty());
}

#[test]
fn who_is_no_client_finds_nothing() {
    let Some(mut house) = House::new() else { return };
    house.settings.clients = vec!["192.0.2.0/24".parse().unwrap()];
    let _exporter = house.open(&[house.export("a", &["ws", "one"], "1")]);
    assert!(house.read("/ws/one/file").is_err());
    assert!(
        house.list("/").unwrap_err().contains("NFS4ERR_ACCESS"),
        "not even names"
    );
}

#[test]
fn who_is_not_root_on_its_machine_finds_nothing() {
    let Some(house) = House::new() else { return };
    let _exporter = house.open(&[house.export("a", &["ws", "one"], "1")]);
    assert_eq!(house.list("/ws").unwrap(), ["one"]);
    assert!(house.list_as_nobody("/ws/one").is_err());
    assert!(house.list_as_nobody("/").is_err());
}

#[test]
fn what_keeps_it_from_running_is_told() {
    let Some(mut house) = House::new() else { return };
    let taken = TcpListener::bind(house.settings.listen).unwrap();
    let open = |settings: &Settings| Exporter::open(settings.clone());
    assert!(matches!(open(&house.settings), Err(NfsError::Taken(..))));
    drop(taken);
    house.settings.program = PathBuf::from("/bin/false");
    let exporter = open(&house.settings).unwrap();
    exporter.keep(Vec::new());
    let error = exporter.wait_started().unwrap_err().to_string();
    assert!(error.contains("it said no reason"), "{error}");
}
