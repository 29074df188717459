//! Bodies with every member that there is: taken as the OpenAPI document says, and answered so too.

use axum::http::Method;
use serde_json::{Value, json};

use crate::house::{House, SECRET, cluster_id, full};
use crate::schema::{self, Side};

fn share() -> Value {
    json!({"accountName": "a", "azureFileUrl": "https://a.file.core.windows.net/s", "relativeMountPath": "m",
        "credentials": {"accountKey": SECRET}, "fileMode": "0777", "directoryMode": "0777"})
}

fn vault() -> Value {
    json!({"sourceVault": {"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v"},
        "secretUrl": "https://v.vault.azure.net/secrets/x"})
}

/// Variables with everything that a variable can have.
fn variables() -> Value {
    json!({"environmentVariables": [{"name": "A", "value": "1"}],
        "secrets": [{"name": "B", "value": SECRET}, {"name": "C", "valueSecretReference": vault()}]})
}

fn volumes() -> Value {
    json!({"azureFileShares": [share()],
        "azureBlobFileSystems": [{"accountName": "a", "containerName": "c", "relativeMountPath": "b",
            "credentials": {"accountKeySecretReference": vault()}, "mountOptions": "-o ro"}],
        "fileServers": [{"fileServer": {"id": cluster_id("f").replace("clusters", "fileServers")},
            "sourceDirectory": "d", "relativeMountPath": "f", "mountOptions": "rw"}],
        "unmanagedFileSystems": [{"mountCommand": "mount x", "relativeMountPath": "u"}]})
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    body
}

/// The settings of each toolkit with every member that can stand in it at once.
fn toolkits() -> [Value; 11] {
    let script =
        json!({"pythonScriptFilePath": "a.py", "pythonInterpreterPath": "python3", "commandLineArgs": "-x"});
    let count = json!({"processCount": 1});
    let config = json!({"configFilePath": "c", "commandLineArgs": "-x", "processCount": 1});
    let processes = with(script.clone(), count.clone());
    [
        json!({"cntkSettings": with(config.clone(), json!({"languageType": "BrainScript"}))}),
        json!({"cntkSettings": with(processes.clone(), json!({"languageType": "Python"}))}),
        json!({"caffeSettings": config}),
        json!({"caffeSettings": processes}),
        json!({"caffe2Settings": script}),
        json!({"chainerSettings": processes}),
        json!({"horovodSettings": processes}),
        json!({"pyTorchSettings": with(processes, json!({"communicationBackend": "gloo"}))}),
        json!({"tensorFlowSettings": {"pythonScriptFilePath": "a.py", "pythonInterpreterPath": "python3",
            "masterCommandLineArgs": "m", "workerCommandLineArgs": "w", "parameterServerCommandLineArgs": "p",
            "workerCount": 1, "parameterServerCount": 1}}),
        json!({"customMpiSettings": with(count, json!({"commandLine": "true"}))}),
        json!({"customToolkitSettings": {"commandLine": "true", "perNode": true}}),
    ]
}

/// Sends what uses every member there is; requests are as the document says, and the house checks the answers.
#[test]
fn every_member_is_taken_and_answered_as_described() {
    let house = House::furnished(0);
    let put = |path: &str, body: &Value| {
        let path = full(&format!("{path}?api-version=2026-12-01-preview"));
        let operation = schema::operation(&Method::PUT, &path).unwrap();
        let request = &operation["requestBody"]["content"]["application/json"]["schema"];
        let wrong = schema::wrong(request, body, Side::Request);
        assert!(wrong.is_empty(), "{wrong:#?}");
        house.put(&path, body.clone()).expect(200).json()["properties"].clone()
    };
    let account =
        json!({"adminUserName": "u", "adminUserSshPublicKey": "ssh-rsa A", "adminUserPassword": SECRET});
    let subnet = json!({"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s"});
    put("~", &json!({"location": "eastus", "tags": {"a": "b"}}));
    let server = json!({"properties": {"vmSize": "STANDARD_D1", "subnet": subnet,
        "sshConfiguration": {"publicIPsToAllow": ["10.0.0.0/8"], "userAccountSettings": account},
        "dataDisks": {"diskSizeInGB": 1, "cachingType": "none", "diskCount": 1, "storageAccountType": "Standard_LRS"}}});
    put("~/fileServers/f", &server);
    let task = json!({"commandLine": "true", "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/m"});
    let component =
        json!({"id": "/subscriptions/s/resourceGroups/g/providers/microsoft.insights/components/c"});
    let cluster = json!({"properties": {"vmSize": "STANDARD_D1", "vmPriority": "lowpriority", "subnet": subnet,
        "scaleSettings": {"autoScale": {"minimumNodeCount": 0, "maximumNodeCount": 1, "initialNodeCount": 0}},
        "virtualMachineConfiguration": {"imageReference": {"publisher": "p", "offer": "o", "sku": "s", "version": "1",
            "virtualMachineImageId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/i"}},
        "userAccountSettings": account,
        "nodeSetup": {"setupTask": with(task, variables()), "mountVolumes": volumes(),
            "performanceCountersSettings": {"appInsightsReference": {"component": component, "instrumentationKey": SECRET}}}}});
    put("~/clusters/full", &cluster);
    let registry =
        json!({"serverUrl": "r.io", "image": "r.io/a", "credentials": {"username": "u", "password": SECRET}});
    let job = json!({"schedulingPriority": "high", "cluster": {"id": cluster_id("full")}, "nodeCount": 1,
        "mountVolumes": volumes(), "jobPreparation": {"commandLine": "true"},
        "containerSettings": {"imageSourceRegistry": registry, "shmSize": "1g"},
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/m",
        "inputDirectories": [{"id": "I", "path": "/i"}],
        "outputDirectories": [{"id": "O", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/m", "pathSuffix": "o"}],
        "constraints": {"maxWallClockTime": "PT1H"}});
    for (i, toolkit) in toolkits().into_iter().enumerate() {
        let member = toolkit.as_object().unwrap().keys().next().unwrap().clone();
        let wish = with(with(job.clone(), variables()), toolkit.clone());
        let shown = put(
            &format!("~/experiments/e/jobs/j{i}"),
            &json!({ "properties": wish }),
        );
        assert_eq!(shown[&member], toolkit[&member]);
    }
}
