//! Bodies that use every member.

use serde_json::{Value, json};

const SUB: &str = "/subscriptions/s-1/resourceGroups/rg/providers";

pub fn cluster_id() -> String {
    format!("{SUB}/Microsoft.BatchAI/workspaces/ws/clusters/cl")
}

fn vault() -> Value {
    json!({"sourceVault": {"id": format!("{SUB}/Microsoft.KeyVault/vaults/v")}, "secretUrl": "https://v.vault.azure.net/secrets/x"})
}

fn mounts() -> Value {
    json!({
        "azureFileShares": [
            {"accountName": "acc", "azureFileUrl": "https://acc.file.core.windows.net/share",
             "credentials": {"accountKey": "KEY=="}, "relativeMountPath": "azfiles"},
            {"accountName": "acc", "azureFileUrl": "https://acc.file.core.windows.net/other",
             "credentials": {"accountKeySecretReference": vault()}, "relativeMountPath": "a/b",
             "fileMode": "0644", "directoryMode": "755"}],
        "azureBlobFileSystems": [
            {"accountName": "acc", "containerName": "data", "credentials": {"accountKey": "KEY=="},
             "relativeMountPath": "blob", "mountOptions": "-o ro"}],
        "fileServers": [
            {"fileServer": {"id": format!("{SUB}/Microsoft.BatchAI/workspaces/ws/fileServers/nfs")},
             "sourceDirectory": "sub", "relativeMountPath": "nfs", "mountOptions": "rw"}],
        "unmanagedFileSystems": [
            {"mountCommand": "mount -t nfs 10.0.0.4:/data", "relativeMountPath": "own"}],
    })
}

pub fn cluster() -> Value {
    json!({"properties": {
        "vmSize": "STANDARD_D1",
        "vmPriority": "LowPriority",
        "scaleSettings": {"autoScale": {"minimumNodeCount": 0, "maximumNodeCount": 4, "initialNodeCount": 2}},
        "virtualMachineConfiguration": {"imageReference": {
            "publisher": "p", "offer": "o", "sku": "s", "version": "1.0",
            "virtualMachineImageId": format!("{SUB}/Microsoft.Compute/images/i")}},
        "nodeSetup": {
            "setupTask": {
                "commandLine": "apt update",
                "environmentVariables": [{"name": "A", "value": "1"}],
                "secrets": [{"name": "B", "value": "hush"}, {"name": "C", "valueSecretReference": vault()}],
                "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/azfiles"},
            "mountVolumes": mounts(),
            "performanceCountersSettings": {"appInsightsReference": {
                "component": {"id": format!("{SUB}/microsoft.insights/components/c")},
                "instrumentationKey": "hush"}}},
        "userAccountSettings": {
            "adminUserName": "demo", "adminUserSshPublicKey": "ssh-rsa AAAA", "adminUserPassword": "hush"},
        "subnet": {"id": format!("{SUB}/Microsoft.Network/virtualNetworks/v/subnets/s")},
    }})
}

pub fn file_server() -> Value {
    json!({"properties": {
        "vmSize": "STANDARD_D1",
        "sshConfiguration": {
            "publicIPsToAllow": ["10.0.0.0/8"],
            "userAccountSettings": {"adminUserName": "demo", "adminUserPassword": "hush"}},
        "dataDisks": {"diskSizeInGB": 10, "cachingType": "ReadOnly", "diskCount": 2, "storageAccountType": "Standard_LRS"},
        "subnet": {"id": format!("{SUB}/Microsoft.Network/virtualNetworks/v/subnets/s")},
    }})
}

pub fn job() -> Value {
    json!({"properties": {
        "schedulingPriority": "High",
        "cluster": {"id": cluster_id()},
        "mountVolumes": mounts(),
        "nodeCount": 2,
        "containerSettings": {
            "imageSourceRegistry": {"serverUrl": "r.io", "image": "r.io/a:1", "credentials": {"username": "u", "password": "hush"}},
            "shmSize": "16gb"},
        "pyTorchSettings": {"pythonScriptFilePath": "a.py", "pythonInterpreterPath": "/opt/python",
            "commandLineArgs": "-x 1", "processCount": 4, "communicationBackend": "Gloo"},
        "jobPreparation": {"commandLine": "echo hello"},
        "stdOutErrPathPrefix": "$AZ_BATCHAI_JOB_MOUNT_ROOT/azfiles",
        "inputDirectories": [{"id": "IN", "path": "$AZ_BATCHAI_JOB_MOUNT_ROOT/azfiles/in"}],
        "outputDirectories": [{"id": "MODEL", "pathPrefix": "$AZ_BATCHAI_JOB_MOUNT_ROOT/azfiles", "pathSuffix": "models"}],
        "environmentVariables": [{"name": "A", "value": "1"}],
        "secrets": [{"name": "B", "value": "hush"}],
        "constraints": {"maxWallClockTime": "PT1H30M"},
    }})
}

/// Every settings block in its forms.
pub fn toolkits() -> Vec<Value> {
    vec![
        json!({"cntkSettings": {"languageType": "BrainScript", "configFilePath": "c", "commandLineArgs": "a", "processCount": 2}}),
        json!({"cntkSettings": {"languageType": "python", "pythonScriptFilePath": "c", "pythonInterpreterPath": "p"}}),
        json!({"cntkSettings": {"configFilePath": "c"}}),
        json!({"pyTorchSettings": {"pythonScriptFilePath": "a", "communicationBackend": "TCP"}}),
        json!({"pyTorchSettings": {"pythonScriptFilePath": "a", "processCount": 1}}),
        json!({"tensorFlowSettings": {"pythonScriptFilePath": "a"}}),
        json!({"tensorFlowSettings": {"pythonScriptFilePath": "a", "pythonInterpreterPath": "p", "masterCommandLineArgs": "m",
            "workerCommandLineArgs": "w", "parameterServerCommandLineArgs": "s", "workerCount": 2, "parameterServerCount": 1}}),
        json!({"caffeSettings": {"configFilePath": "c", "commandLineArgs": "a"}}),
        json!({"caffeSettings": {"pythonScriptFilePath": "c", "pythonInterpreterPath": "p", "processCount": 3}}),
        json!({"caffe2Settings": {"pythonScriptFilePath": "c", "commandLineArgs": "a"}}),
        json!({"chainerSettings": {"pythonScriptFilePath": "c", "processCount": 3}}),
        json!({"customToolkitSettings": {"commandLine": "true"}}),
        json!({"customToolkitSettings": {}}),
        json!({"customMpiSettings": {"commandLine": "true", "processCount": 3}}),
        json!({"horovodSettings": {"pythonScriptFilePath": "c"}}),
    ]
}

/// A job with another toolkit.
pub fn job_with(toolkit: &Value) -> Value {
    let mut body = job();
    let properties = body["properties"].as_object_mut().unwrap();
    properties.remove("pyTorchSettings");
    properties.extend(toolkit.as_object().unwrap().clone());
    body
}
