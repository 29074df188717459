//! What is exported of file servers, and what clients are told of it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use trainyard_server::{Exported, Exports};

use crate::file_servers::server;
use crate::house::House;

/// Notes what it is told.
#[derive(Default)]
struct Noted(Mutex<Vec<Vec<Exported>>>);

impl Exports for Noted {
    fn public_address(&self) -> String {
        "192.0.2.7".to_owned()
    }

    fn internal_address(&self) -> String {
        "10.0.0.4".to_owned()
    }

    fn keep(&self, wanted: Vec<Exported>) {
        self.0.lock().unwrap().push(wanted);
    }
}

impl Noted {
    fn last(&self) -> Vec<Exported> {
        self.0.lock().unwrap().last().unwrap().clone()
    }
}

fn reached(house: &House, path: &str) -> Value {
    house.get(path).expect(200).json()["properties"]["mountSettings"].clone()
}

#[test]
fn a_file_server_is_exported_at_its_own_path_from_its_making_on() {
    let house = House::furnished(0);
    house.put("~/fileServers/before", server()).expect(200);
    assert_eq!(reached(&house, "~/fileServers/before")["mountPoint"], "/data");
    let noted = Arc::new(Noted::default());
    house.app.export_by(noted.clone());
    house.app.export_file_servers().unwrap();
    let made = house.put("~/fileServers/Data", server()).expect(200).json();
    let exported = noted.last();
    assert_eq!(exported.len(), 2);
    let data = exported
        .iter()
        .find(|one| one.path.last().unwrap() == "Data")
        .unwrap();
    assert_eq!(data.folder, house.folder_of("Data"));
    let path = format!("/{}", data.path.join("/"));
    assert_eq!(path.matches('/').count(), 3, "group, workspace and name: {path}");
    let expected =
        json!({"mountPoint": path, "fileServerPublicIP": "192.0.2.7", "fileServerInternalIP": "10.0.0.4"});
    assert_eq!(made["properties"]["mountSettings"], expected);
    assert_eq!(reached(&house, "~/fileServers/data"), expected);
    // Also one that was made before: what is told goes by how the server was started.
    assert_eq!(
        reached(&house, "~/fileServers/before")["fileServerPublicIP"],
        "192.0.2.7"
    );
    let listed = house.get("~/fileServers").expect(200).json();
    assert_eq!(listed["value"][1]["properties"]["mountSettings"], expected);

    house.delete("~/fileServers/before").expect(200);
    house.app.export_file_servers().unwrap();
    assert_eq!(noted.last(), std::slice::from_ref(data));
}

#[test]
fn one_that_failed_is_not_exported() {
    let house = House::furnished(0);
    let noted = Arc::new(Noted::default());
    house.app.export_by(noted.clone());
    let premium = crate::file_servers::sized("STANDARD_D1", "Premium_LRS");
    house.put("~/fileServers/f", premium).expect(202);
    house.app.export_file_servers().unwrap();
    assert_eq!(noted.last(), []);
    assert!(reached(&house, "~/fileServers/f").is_null());
}
