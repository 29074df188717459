//! The life of a file server: its record and its folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};
use trainyard_domain::state::FileServer;

use crate::house::{Answer, House, SECRET, SUBSCRIPTION, cluster, local, log};

/// A file server of this size with disks of this kind.
pub fn sized(size: &str, disks: &str) -> Value {
    json!({"properties": {
        "vmSize": size,
        "sshConfiguration": {"userAccountSettings": {"adminUserName": "u", "adminUserPassword": format!("{SECRET}-fs")}},
        "dataDisks": {"diskSizeInGB": 10, "diskCount": 2, "storageAccountType": disks}
    }})
}

pub fn server() -> Value {
    sized("STANDARD_D1", "Standard_LRS")
}

impl House {
    /// The root of the folders of file servers.
    pub fn folders(&self) -> PathBuf {
        self.folder.path().join("file-servers")
    }

    /// Names of the folders that are not being deleted.
    pub fn folder_names(&self) -> Vec<String> {
        self.ports.file_servers.names().unwrap()
    }

    /// Every file server as stored.
    pub fn stored_servers(&self) -> Vec<FileServer> {
        self.ports.store.read(|s| s.all_file_servers()).unwrap()
    }

    /// The folder of the file server with this name.
    pub fn folder_of(&self, name: &str) -> PathBuf {
        let servers = self.stored_servers();
        let found = servers.iter().find(|s| s.meta.name.to_string() == name).unwrap();
        self.folders().join(found.folder.as_ref().unwrap())
    }
}

fn subnet(answer: &Answer) -> String {
    answer.json()["properties"]["subnet"]["id"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_file_server_is_a_folder_and_a_name_used_again_is_a_new_one() {
    let house = House::furnished(0);
    let made = house.put("~/fileServers/f", server()).expect(200);
    let folder = house.folder_of("f");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert_eq!(
        fs::metadata(house.folders()).unwrap().permissions().mode() & 0o777,
        0o700
    );
    assert!(
        log().contains(&folder.display().to_string()),
        "the operator is told"
    );
    let properties = made.json()["properties"].clone();
    assert_eq!(properties["mountSettings"]["mountPoint"], "/data");
    assert_eq!(properties["dataDisks"]["cachingType"], "none");
    let id = folder.file_name().unwrap().to_str().unwrap();
    assert_eq!(
        subnet(&made),
        format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/fileserverrg-{id}/providers/Microsoft.Network\
             /virtualNetworks/{id}vnet/subnets/Subnet-1"
        )
    );

    fs::write(folder.join("kept"), "1").unwrap();
    assert_eq!(
        subnet(&house.put("~/fileServers/f", server()).expect(200)),
        subnet(&made)
    );
    assert_eq!(house.folder_names().len(), 1, "a repeated PUT makes no folder");
    assert!(folder.join("kept").exists());

    house.delete("~/fileServers/f").expect(200);
    house.get("~/fileServers/f").error(404, "FileServerNotFound");
    // The name is free at once, though the old folder is still there until the reconcilers look.
    let again = house.put("~/fileServers/f", server()).expect(200);
    assert_ne!(subnet(&again), subnet(&made));
    house.pump();
    let new = house.folder_of("f");
    assert_ne!(new, folder);
    assert!(!folder.exists());
    assert_eq!(fs::read_dir(&new).unwrap().count(), 0);
    assert_eq!(house.folders().join(&house.folder_names()[0]), new);
}

#[test]
fn a_subnet_of_its_own_is_kept() {
    let house = House::furnished(0);
    let mut body = server();
    body["properties"]["subnet"] = json!({"id": "/subscriptions/x/subnets/mine"});
    let made = house.put("~/fileServers/f", body).expect(200);
    assert_eq!(subnet(&made), "/subscriptions/x/subnets/mine");
}

#[test]
fn what_is_refused_leaves_no_folder_and_no_folder_leaves_no_record() {
    let house = House::furnished(1);
    house.put("~/fileServers/f", server()).expect(200);
    house
        .put("~/fileServers/f", sized("STANDARD_D4", "Standard_LRS"))
        .error(409, "FileServerAlreadyExists");
    house
        .put("~2/fileServers/f", server())
        .error(404, "WorkspaceNotFound");
    house
        .send(
            axum::http::Method::PUT,
            "~/fileServers/g",
            &[("if-match", "*")],
            server(),
        )
        .error(412, "PreconditionFailed");
    house.engine.state().stubborn = true;
    house.submit("j");
    house.pump();
    house.delete("~").expect(202);
    house
        .put("~/fileServers/g", server())
        .error(409, "WorkspaceBeingDeleted");
    assert_eq!(house.folder_names().len(), 1);

    let house = House::furnished(0);
    house.may_fail.set(true);
    fs::write(house.folders(), "in the way").unwrap();
    let error = house
        .put("~/fileServers/f", server())
        .error(503, "FileServerFolderFailed");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("file_servers.directory")
    );
    assert!(log().contains("FileServerFolderFailed"));
    house.get("~/fileServers/f").error(404, "FileServerNotFound");
    fs::remove_file(house.folders()).unwrap();
    house.put("~/fileServers/f", server()).expect(200);
}

#[test]
fn premium_disks_on_a_size_without_them_fail_as_recorded() {
    let house = House::furnished(0);
    for _ in 0..2 {
        let begun = house
            .put("~/fileServers/f", sized("STANDARD_D1", "Premium_LRS"))
            .expect(202);
        let poll = |header: &str| house.get(local(begun.header(header)));
        let operation = poll("azure-asyncoperation").expect(200).json();
        assert_eq!(operation["status"], "Failed");
        assert_eq!(
            operation["error"],
            json!({"code": "FileServerProvisioningFailed", "message": "File Server provisioning has failed"})
        );
        poll("location").error(409, "FileServerProvisioningFailed");
        let shown = house.get("~/fileServers/f").expect(200).json()["properties"].clone();
        assert_eq!(shown["provisioningState"], "failed");
        assert!(shown.get("mountSettings").is_none());
    }
    assert_eq!(house.stored_servers().len(), 1);
    assert!(!house.folders().exists());
    house
        .put("~/fileServers/f", server())
        .error(409, "FileServerAlreadyExists");
    house.delete("~/fileServers/f").expect(200);
    house.get("~/fileServers/f").error(404, "FileServerNotFound");
    house
        .put("~/fileServers/f", sized("premium", "Premium_LRS"))
        .expect(200);
}

#[test]
fn caching_needs_a_size_with_premium_storage() {
    let house = House::furnished(0);
    let cached = |size: &str, caching: &str| {
        let mut body = sized(size, "Standard_LRS");
        body["properties"]["dataDisks"]["cachingType"] = json!(caching);
        house.put(&format!("~/fileServers/{caching}-{size}"), body)
    };
    for caching in ["readonly", "readwrite"] {
        let error = cached("STANDARD_D1", caching).error(400, "BadRequest");
        assert_eq!(error["target"], "properties.dataDisks.cachingType");
        let made = cached("PREMIUM", caching).expect(200).json();
        assert_eq!(made["properties"]["dataDisks"]["cachingType"], caching);
    }
    cached("STANDARD_D1", "none").expect(200);
}

#[test]
fn a_folder_goes_also_when_the_server_is_killed_right_after_the_delete() {
    let house = House::furnished(0);
    house.put("~/fileServers/f", server()).expect(200);
    let folder = house.folder_of("f");
    house.delete("~/fileServers/f").expect(200);
    assert!(folder.exists(), "the reconcilers have not looked yet");
    let house = house.restart();
    assert!(!log().contains("belongs to no file server"));
    house.pump();
    assert!(!folder.exists());
    assert!(!house.round(), "nothing is left to do");
}

#[test]
fn the_start_makes_no_missing_folder_and_leaves_strangers_alone() {
    let house = House::furnished(0);
    house
        .put("~/fileServers/bad", sized("STANDARD_D1", "Premium_LRS"))
        .expect(202);
    house.put("~/fileServers/lost", server()).expect(200);
    let lost = house.folder_of("lost");
    fs::remove_dir(&lost).unwrap();
    let stranger = house.folders().join("stranger");
    fs::create_dir(&stranger).unwrap();
    fs::write(stranger.join("data"), "1").unwrap();

    let house = house.restart();
    assert!(stranger.join("data").exists());
    assert!(!lost.exists(), "a folder that is missing is not made empty");
    assert_eq!(
        house.folder_names(),
        ["stranger"],
        "one that has failed gets none"
    );
    let log = log();
    for (path, text) in [
        (stranger, "belongs to no file server"),
        (lost, "the folder of a file server is missing"),
    ] {
        let path = path.display().to_string();
        assert!(
            log.lines()
                .any(|line| line.contains(text) && line.contains(&path)),
            "{text}"
        );
    }
}

#[test]
fn a_workspace_takes_its_file_servers_with_it_after_what_may_mount_them() {
    let house = House::furnished(1);
    house.put("~/fileServers/f", server()).expect(200);
    house
        .put("~/fileServers/bad", sized("STANDARD_D1", "Premium_LRS"))
        .expect(202);
    let mut body = cluster(1);
    body["properties"]["nodeSetup"]["mountVolumes"] = crate::file_server_mounts::volumes("f");
    house.put("~/clusters/mounting", body).expect(200);
    house.engine.state().stubborn = true;
    house.submit("j");
    house.pump();
    let folder = house.folder_of("f");
    house.delete("~").expect(202);
    house.pump();
    assert_eq!(house.get("~/fileServers").expect(200).names(), ["f", "bad"]);
    assert!(folder.exists());
    house.engine.end("j", &trainyard_domain::state::Verdict::Stopped);
    house.pump();
    house.get("~").error(404, "WorkspaceNotFound");
    assert_eq!(house.stored_servers(), []);
    assert!(!folder.exists());
}

#[test]
fn a_group_with_nothing_but_file_servers_goes() {
    let house = House::bare();
    house.group("rg");
    house.put("~", json!({"location": "eastus"})).expect(200);
    house.put("~/fileServers/f", server()).expect(200);
    let group = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg");
    house.delete(&group).expect(202);
    house.pump();
    house.get(&group).error(404, "ResourceGroupNotFound");
    assert_eq!(house.folder_names(), Vec::<String>::new());
}
