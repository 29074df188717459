//! Bodies for what a call needs or what its config file would say, where there is none to read.

use serde_json::{Value, json};

/// The cluster of a job that names none.
pub const CLUSTER: &str = "anycluster";
/// A key that nobody has.
pub const KEY: &str = "ssh-rsa AAAAB3NzaC1yc2E= stand-in";
/// A VM size with all kinds of disks, for sizes that the text does not tell.
pub const VM_SIZE: &str = "STANDARD_DS2_V2";

const MOUNT: &str = "$AZ_BATCHAI_MOUNT_ROOT/anymount";

/// A cluster without nodes.
pub fn cluster() -> Value {
    json!({"properties": {
        "vmSize": VM_SIZE,
        "scaleSettings": {"manual": {"targetNodeCount": 0}},
        "userAccountSettings": {"adminUserName": "anyuser", "adminUserSshPublicKey": KEY},
    }})
}

/// A cluster that a call needs: jobs write to what it mounts.
pub fn needed_cluster() -> Value {
    let mut body = cluster();
    if let Some(properties) = body.get_mut("properties").and_then(Value::as_object_mut) {
        let share = json!({
            "accountName": "anyaccount",
            "azureFileUrl": "https://anyaccount.file.core.windows.net/anyshare",
            "relativeMountPath": "anymount",
            "credentials": {"accountKey": "a2V5"},
        });
        let setup = json!({"mountVolumes": {"azureFileShares": [share]}});
        properties.insert("nodeSetup".to_owned(), setup);
    }
    body
}

/// A file server; its disks are none that an option of az has by itself.
pub fn file_server() -> Value {
    json!({"properties": {
        "vmSize": VM_SIZE,
        "sshConfiguration": {"userAccountSettings": {"adminUserName": "anyuser", "adminUserSshPublicKey": KEY}},
        "dataDisks": {"diskSizeInGB": 10, "diskCount": 1, "storageAccountType": "Standard_LRS"},
    }})
}

/// A job on the cluster with this id.
pub fn job(cluster: &str, output: Option<&str>) -> Value {
    let mut body = json!({"properties": {
        "cluster": {"id": cluster},
        "nodeCount": 1,
        "stdOutErrPathPrefix": MOUNT,
        "customToolkitSettings": {"commandLine": "true"},
    }});
    if let Some(id) = output.filter(|id| !id.eq_ignore_ascii_case("stdouterr"))
        && let Some(properties) = body.get_mut("properties").and_then(Value::as_object_mut)
    {
        let outputs = json!([{"id": id, "pathPrefix": MOUNT, "pathSuffix": "out"}]);
        properties.insert("outputDirectories".to_owned(), outputs);
    }
    body
}
