//! What is refused, with which code and target.

use serde_json::{Value, json};
use trainyard_wire::v2018_05_01 as wire;
use trainyard_wire::{BadBody, BadCode, resources};

use crate::samples;

const TYPE: BadCode = BadCode::InvalidRequestContent;
const BAD: BadCode = BadCode::BadRequest;

type Parse = fn(&[u8]) -> Result<(), BadBody>;

const JOB: Parse = |body| wire::job_create(body).map(drop);
const CLUSTER: Parse = |body| wire::cluster_create(body).map(drop);
const PATCH: Parse = |body| wire::cluster_update(body).map(drop);
const SERVER: Parse = |body| wire::file_server_create(body).map(drop);
const WORKSPACE: Parse = |body| wire::workspace_create(body).map(drop);
const RETAG: Parse = |body| wire::workspace_update(body).map(drop);
const EXPERIMENT: Parse = wire::experiment_create;
const GROUP: Parse = |body| resources::group_create(body).map(drop);

/// The body with `value` at the pointer, relative to `properties`; the last segment may be new.
fn set(mut body: Value, at: &str, value: Value) -> Value {
    let (parent, member) = at.rsplit_once('/').unwrap();
    let parent = body["properties"].pointer_mut(parent).unwrap();
    match parent {
        Value::Array(list) => list[member.parse::<usize>().unwrap()] = value,
        other => other[member] = value,
    }
    body
}

fn check(parse: Parse, body: &Value, code: BadCode, target: &str) {
    let error = parse(body.to_string().as_bytes()).expect_err(target);
    assert_eq!((error.code, error.target.as_str()), (code, target), "{error}");
    assert!((10..400).contains(&error.message.len()), "{error}");
    assert!(!error.message.contains("hush"), "{error}");
}

/// Rows of pointer, value put there, code and target beneath `properties`.
type Row = (&'static str, Value, BadCode, &'static str);

fn table(parse: Parse, base: &Value, rows: Vec<Row>) {
    parse(base.to_string().as_bytes()).expect("the base is good");
    for (at, value, code, target) in rows {
        let target = format!("properties.{target}");
        let body = set(base.clone(), at, value);
        check(parse, &body, code, target.trim_end_matches('.'));
    }
}

#[test]
fn clusters() {
    table(
        CLUSTER,
        &samples::cluster(),
        vec![
            ("/vmSize", Value::Null, BAD, "vmSize"),
            ("/vmSize", json!(""), BAD, "vmSize"),
            ("/vmSize", json!(5), TYPE, "vmSize"),
            ("/vmPriority", json!("cheap"), BAD, "vmPriority"),
            ("/vmPriority", json!(true), TYPE, "vmPriority"),
            ("/scaleSettings", json!({}), BAD, "scaleSettings"),
            ("/scaleSettings", json!([]), TYPE, "scaleSettings"),
            (
                "/scaleSettings/manual",
                json!({"targetNodeCount": 1}),
                BAD,
                "scaleSettings",
            ),
            (
                "/scaleSettings",
                json!({"manual": {}}),
                BAD,
                "scaleSettings.manual.targetNodeCount",
            ),
            (
                "/scaleSettings",
                json!({"manual": {"targetNodeCount": 101}}),
                BAD,
                "scaleSettings.manual.targetNodeCount",
            ),
            (
                "/scaleSettings",
                json!({"manual": {"targetNodeCount": -1}}),
                BAD,
                "scaleSettings.manual.targetNodeCount",
            ),
            (
                "/scaleSettings",
                json!({"manual": {"targetNodeCount": 1.5}}),
                TYPE,
                "scaleSettings.manual.targetNodeCount",
            ),
            (
                "/scaleSettings",
                json!({"manual": {"targetNodeCount": "1"}}),
                TYPE,
                "scaleSettings.manual.targetNodeCount",
            ),
            (
                "/scaleSettings",
                json!({"manual": {"targetNodeCount": 1e300}}),
                TYPE,
                "scaleSettings.manual.targetNodeCount",
            ),
            (
                "/scaleSettings",
                json!({"manual": {"targetNodeCount": u64::MAX}}),
                BAD,
                "scaleSettings.manual.targetNodeCount",
            ),
            (
                "/scaleSettings",
                json!({"manual": {"targetNodeCount": 1, "nodeDeallocationOption": "unknown"}}),
                BAD,
                "scaleSettings.manual.nodeDeallocationOption",
            ),
            (
                "/scaleSettings/autoScale/minimumNodeCount",
                json!(5),
                BAD,
                "scaleSettings.autoScale.minimumNodeCount",
            ),
            (
                "/scaleSettings/autoScale/maximumNodeCount",
                Value::Null,
                BAD,
                "scaleSettings.autoScale.maximumNodeCount",
            ),
            (
                "/virtualMachineConfiguration/imageReference/sku",
                Value::Null,
                BAD,
                "virtualMachineConfiguration.imageReference.sku",
            ),
            (
                "/virtualMachineConfiguration/imageReference/virtualMachineImageId",
                json!("x"),
                BAD,
                "virtualMachineConfiguration.imageReference.virtualMachineImageId",
            ),
            ("/userAccountSettings", Value::Null, BAD, "userAccountSettings"),
            (
                "/userAccountSettings",
                json!({"adminUserName": "a"}),
                BAD,
                "userAccountSettings",
            ),
            (
                "/userAccountSettings",
                json!({"adminUserPassword": "hush"}),
                BAD,
                "userAccountSettings.adminUserName",
            ),
            (
                "/userAccountSettings/adminUserName",
                json!("a; rm"),
                BAD,
                "userAccountSettings.adminUserName",
            ),
            (
                "/userAccountSettings/adminUserPassword",
                json!({"x": "hush"}),
                TYPE,
                "userAccountSettings.adminUserPassword",
            ),
            (
                "/userAccountSettings/adminUserPassword",
                json!("hush\0"),
                BAD,
                "userAccountSettings.adminUserPassword",
            ),
            ("/subnet", json!("x"), TYPE, "subnet"),
            ("/subnet", json!({"id": "/a/../b"}), BAD, "subnet.id"),
            ("/subnet", json!({}), BAD, "subnet.id"),
            (
                "/nodeSetup/setupTask/commandLine",
                json!(" "),
                BAD,
                "nodeSetup.setupTask.commandLine",
            ),
            (
                "/nodeSetup/setupTask/stdOutErrPathPrefix",
                json!("/a/../b"),
                BAD,
                "nodeSetup.setupTask.stdOutErrPathPrefix",
            ),
            (
                "/nodeSetup/setupTask/environmentVariables/0/name",
                json!("AZ_BATCHAI_X"),
                BAD,
                "nodeSetup.setupTask.environmentVariables[0].name",
            ),
            (
                "/nodeSetup/setupTask/environmentVariables/0/name",
                json!("1A"),
                BAD,
                "nodeSetup.setupTask.environmentVariables[0].name",
            ),
            (
                "/nodeSetup/setupTask/environmentVariables/0/value",
                Value::Null,
                BAD,
                "nodeSetup.setupTask.environmentVariables[0].value",
            ),
            (
                "/nodeSetup/setupTask/secrets/0/value",
                Value::Null,
                BAD,
                "nodeSetup.setupTask.secrets[0].value",
            ),
            (
                "/nodeSetup/setupTask/secrets/1/value",
                json!("hush"),
                BAD,
                "nodeSetup.setupTask.secrets[1].valueSecretReference",
            ),
            (
                "/nodeSetup/setupTask/secrets/1/valueSecretReference",
                json!({"secretUrl": "x"}),
                BAD,
                "nodeSetup.setupTask.secrets[1].valueSecretReference.sourceVault",
            ),
            (
                "/nodeSetup/performanceCountersSettings/appInsightsReference/instrumentationKey",
                json!(""),
                BAD,
                "nodeSetup.performanceCountersSettings.appInsightsReference.instrumentationKey",
            ),
            (
                "/nodeSetup/mountVolumes/azureFileShares/0",
                json!("x"),
                TYPE,
                "nodeSetup.mountVolumes.azureFileShares[0]",
            ),
            (
                "/nodeSetup/mountVolumes/azureFileShares/0/relativeMountPath",
                json!("../x"),
                BAD,
                "nodeSetup.mountVolumes.azureFileShares[0].relativeMountPath",
            ),
            (
                "/nodeSetup/mountVolumes/azureFileShares/0/relativeMountPath",
                json!("a/b/c"),
                BAD,
                "nodeSetup.mountVolumes.azureFileShares[0].relativeMountPath",
            ),
        ],
    );
}

#[test]
fn mounts() {
    table(
        JOB,
        &samples::job(),
        vec![
            (
                "/mountVolumes/azureFileShares",
                json!({}),
                TYPE,
                "mountVolumes.azureFileShares",
            ),
            (
                "/mountVolumes/azureFileShares/1/accountName",
                Value::Null,
                BAD,
                "mountVolumes.azureFileShares[1].accountName",
            ),
            (
                "/mountVolumes/azureFileShares/1/accountName",
                json!("a/b"),
                BAD,
                "mountVolumes.azureFileShares[1].accountName",
            ),
            (
                "/mountVolumes/azureFileShares/1/credentials",
                Value::Null,
                BAD,
                "mountVolumes.azureFileShares[1].credentials",
            ),
            (
                "/mountVolumes/azureFileShares/1/credentials",
                json!({}),
                BAD,
                "mountVolumes.azureFileShares[1].credentials.accountKey",
            ),
            (
                "/mountVolumes/azureFileShares/1/credentials/accountKey",
                json!("hush"),
                BAD,
                "mountVolumes.azureFileShares[1].credentials.accountKeySecretReference",
            ),
            (
                "/mountVolumes/azureFileShares/0/azureFileUrl",
                json!("http://acc.file.core.windows.net/share"),
                BAD,
                "mountVolumes.azureFileShares[0].azureFileUrl",
            ),
            (
                "/mountVolumes/azureFileShares/0/azureFileUrl",
                json!("https://acc.file.core.windows.net/a/b"),
                BAD,
                "mountVolumes.azureFileShares[0].azureFileUrl",
            ),
            (
                "/mountVolumes/azureFileShares/0/azureFileUrl",
                json!("https://acc.file.core.windows.net/.."),
                BAD,
                "mountVolumes.azureFileShares[0].azureFileUrl",
            ),
            (
                "/mountVolumes/azureFileShares/0/fileMode",
                json!("0888"),
                BAD,
                "mountVolumes.azureFileShares[0].fileMode",
            ),
            (
                "/mountVolumes/azureBlobFileSystems/0/containerName",
                json!(".."),
                BAD,
                "mountVolumes.azureBlobFileSystems[0].containerName",
            ),
            (
                "/mountVolumes/azureBlobFileSystems/0/relativeMountPath",
                json!("azfiles/x"),
                BAD,
                "mountVolumes.azureBlobFileSystems[0].relativeMountPath",
            ),
            (
                "/mountVolumes/fileServers/0/fileServer/id",
                json!(samples::cluster_id()),
                BAD,
                "mountVolumes.fileServers[0].fileServer.id",
            ),
            (
                "/mountVolumes/fileServers/0/sourceDirectory",
                json!("a/../.."),
                BAD,
                "mountVolumes.fileServers[0].sourceDirectory",
            ),
            (
                "/mountVolumes/unmanagedFileSystems/0/mountCommand",
                json!(""),
                BAD,
                "mountVolumes.unmanagedFileSystems[0].mountCommand",
            ),
        ],
    );
}

#[test]
fn jobs() {
    let many: Vec<Value> = (0..1001)
        .map(|i| json!({"id": format!("I{i}"), "path": "/x"}))
        .collect();
    table(
        JOB,
        &samples::job(),
        vec![
            ("/schedulingPriority", json!("urgent"), BAD, "schedulingPriority"),
            ("/cluster", Value::Null, BAD, "cluster"),
            ("/cluster", json!(samples::cluster_id()), TYPE, "cluster"),
            (
                "/cluster/id",
                json!("/subscriptions/s/resourceGroups/rg/providers/Microsoft.BatchAI/fileservers/c"),
                BAD,
                "cluster.id",
            ),
            ("/cluster/id", json!("cluster"), BAD, "cluster.id"),
            ("/nodeCount", Value::Null, BAD, "nodeCount"),
            ("/nodeCount", json!(0), BAD, "nodeCount"),
            ("/nodeCount", json!(101), BAD, "nodeCount"),
            ("/nodeCount", json!("2"), TYPE, "nodeCount"),
            (
                "/containerSettings",
                json!({}),
                BAD,
                "containerSettings.imageSourceRegistry",
            ),
            (
                "/containerSettings/imageSourceRegistry/image",
                json!("--privileged"),
                BAD,
                "containerSettings.imageSourceRegistry.image",
            ),
            (
                "/containerSettings/imageSourceRegistry/credentials/password",
                Value::Null,
                BAD,
                "containerSettings.imageSourceRegistry.credentials.password",
            ),
            (
                "/containerSettings/shmSize",
                json!("big"),
                BAD,
                "containerSettings.shmSize",
            ),
            ("/pyTorchSettings", Value::Null, BAD, ""),
            ("/pyTorchSettings", json!("x"), TYPE, "pyTorchSettings"),
            ("/customToolkitSettings", json!({}), BAD, "customToolkitSettings"),
            (
                "/pyTorchSettings/pythonScriptFilePath",
                Value::Null,
                BAD,
                "pyTorchSettings.pythonScriptFilePath",
            ),
            (
                "/pyTorchSettings/communicationBackend",
                Value::Null,
                BAD,
                "pyTorchSettings.communicationBackend",
            ),
            (
                "/pyTorchSettings/communicationBackend",
                json!("smoke"),
                BAD,
                "pyTorchSettings.communicationBackend",
            ),
            (
                "/pyTorchSettings/processCount",
                json!(0),
                BAD,
                "pyTorchSettings.processCount",
            ),
            (
                "/pyTorchSettings/processCount",
                json!(1025),
                BAD,
                "pyTorchSettings.processCount",
            ),
            ("/jobPreparation", json!({}), BAD, "jobPreparation.commandLine"),
            ("/stdOutErrPathPrefix", Value::Null, BAD, "stdOutErrPathPrefix"),
            ("/stdOutErrPathPrefix", json!("logs"), BAD, "stdOutErrPathPrefix"),
            (
                "/stdOutErrPathPrefix",
                json!("$AZ_BATCHAI_MOUNT_ROOT/.."),
                BAD,
                "stdOutErrPathPrefix",
            ),
            (
                "/inputDirectories/0/id",
                json!("A-B"),
                BAD,
                "inputDirectories[0].id",
            ),
            (
                "/inputDirectories/0/path",
                json!("/a/../b"),
                BAD,
                "inputDirectories[0].path",
            ),
            (
                "/inputDirectories",
                json!([{"id": "a", "path": "/x"}, {"id": "A", "path": "/y"}]),
                BAD,
                "inputDirectories[1].id",
            ),
            ("/inputDirectories", Value::Array(many), BAD, "inputDirectories"),
            (
                "/outputDirectories/0/id",
                json!("StdOutErr"),
                BAD,
                "outputDirectories[0].id",
            ),
            (
                "/outputDirectories/0/pathPrefix",
                json!("/x/../y"),
                BAD,
                "outputDirectories[0].pathPrefix",
            ),
            (
                "/outputDirectories/0/pathSuffix",
                json!("../y"),
                BAD,
                "outputDirectories[0].pathSuffix",
            ),
            (
                "/outputDirectories/0/pathSuffix",
                json!("/y"),
                BAD,
                "outputDirectories[0].pathSuffix",
            ),
            (
                "/environmentVariables/0/value",
                json!(1),
                TYPE,
                "environmentVariables[0].value",
            ),
            (
                "/environmentVariables/0/value",
                json!("a\0b"),
                BAD,
                "environmentVariables[0].value",
            ),
            (
                "/environmentVariables/0/value",
                json!("x".repeat(64 * 1024 + 1)),
                BAD,
                "environmentVariables[0].value",
            ),
            ("/constraints", json!("P1D"), TYPE, "constraints"),
            (
                "/constraints/maxWallClockTime",
                json!("soon"),
                BAD,
                "constraints.maxWallClockTime",
            ),
            (
                "/constraints/maxWallClockTime",
                json!("P8D"),
                BAD,
                "constraints.maxWallClockTime",
            ),
            (
                "/constraints/maxWallClockTime",
                json!("PT0S"),
                BAD,
                "constraints.maxWallClockTime",
            ),
            (
                "/constraints/maxWallClockTime",
                json!("-P1D"),
                BAD,
                "constraints.maxWallClockTime",
            ),
        ],
    );
}

#[test]
fn toolkits() {
    for (toolkit, target) in [
        (json!({"cntkSettings": {}}), "cntkSettings"),
        (
            json!({"cntkSettings": {"languageType": "Perl", "configFilePath": "c"}}),
            "cntkSettings.languageType",
        ),
        (
            json!({"cntkSettings": {"languageType": "Python", "configFilePath": "c"}}),
            "cntkSettings.configFilePath",
        ),
        (
            json!({"cntkSettings": {"languageType": "BrainScript", "pythonScriptFilePath": "c"}}),
            "cntkSettings.pythonScriptFilePath",
        ),
        (
            json!({"cntkSettings": {"configFilePath": "c", "pythonInterpreterPath": "p"}}),
            "cntkSettings.pythonInterpreterPath",
        ),
        (
            json!({"caffeSettings": {"configFilePath": "c", "pythonScriptFilePath": "p"}}),
            "caffeSettings.configFilePath",
        ),
        (
            json!({"caffe2Settings": {}}),
            "caffe2Settings.pythonScriptFilePath",
        ),
        (
            json!({"tensorFlowSettings": {"pythonScriptFilePath": "c", "parameterServerCount": 3}}),
            "tensorFlowSettings.parameterServerCount",
        ),
        (
            json!({"tensorFlowSettings": {"pythonScriptFilePath": "c", "workerCount": 0}}),
            "tensorFlowSettings.workerCount",
        ),
        (
            json!({"pyTorchSettings": {"pythonScriptFilePath": "a"}}),
            "pyTorchSettings.communicationBackend",
        ),
        (json!({"customMpiSettings": {}}), "customMpiSettings.commandLine"),
        (
            json!({"horovodSettings": {"pythonScriptFilePath": ""}}),
            "horovodSettings.pythonScriptFilePath",
        ),
    ] {
        check(
            JOB,
            &samples::job_with(&toolkit),
            BAD,
            &format!("properties.{target}"),
        );
    }
}

#[test]
fn file_servers() {
    let addresses: Vec<String> = (0..401)
        .map(|i| format!("10.0.{}.{}", i / 250, i % 250))
        .collect();
    table(
        SERVER,
        &samples::file_server(),
        vec![
            ("/sshConfiguration", Value::Null, BAD, "sshConfiguration"),
            (
                "/sshConfiguration/userAccountSettings",
                Value::Null,
                BAD,
                "sshConfiguration.userAccountSettings",
            ),
            (
                "/sshConfiguration/publicIPsToAllow",
                json!("*"),
                TYPE,
                "sshConfiguration.publicIPsToAllow",
            ),
            (
                "/sshConfiguration/publicIPsToAllow",
                json!(["a", 5]),
                TYPE,
                "sshConfiguration.publicIPsToAllow[1]",
            ),
            (
                "/sshConfiguration/publicIPsToAllow",
                json!(addresses),
                BAD,
                "sshConfiguration.publicIPsToAllow",
            ),
            ("/dataDisks", Value::Null, BAD, "dataDisks"),
            ("/dataDisks/diskCount", json!(0), BAD, "dataDisks.diskCount"),
            (
                "/dataDisks/diskSizeInGB",
                json!(-5),
                BAD,
                "dataDisks.diskSizeInGB",
            ),
            (
                "/dataDisks/cachingType",
                json!("all"),
                BAD,
                "dataDisks.cachingType",
            ),
            (
                "/dataDisks/storageAccountType",
                Value::Null,
                BAD,
                "dataDisks.storageAccountType",
            ),
        ],
    );
}

#[test]
fn workspaces_groups_updates_and_whole_bodies() {
    let long = "x".repeat(257);
    for (parse, body, code, target) in [
        (WORKSPACE, json!({}), BAD, "location"),
        (WORKSPACE, json!({"location": "a.b"}), BAD, "location"),
        (WORKSPACE, json!({"location": 5}), TYPE, "location"),
        (
            WORKSPACE,
            json!({"location": "a", "tags": {"k": 5}}),
            TYPE,
            "tags.k",
        ),
        (
            WORKSPACE,
            json!({"location": "a", "tags": {"k": long}}),
            BAD,
            "tags.k",
        ),
        (GROUP, json!({"tags": {}}), BAD, "location"),
        (RETAG, json!({"tags": []}), TYPE, "tags"),
        (EXPERIMENT, json!([]), TYPE, ""),
        (
            PATCH,
            json!({"properties": {"scaleSettings": {"manual": {"targetNodeCount": 101}}}}),
            BAD,
            "properties.scaleSettings.manual.targetNodeCount",
        ),
        (PATCH, json!({"properties": []}), TYPE, "properties"),
        (CLUSTER, json!({}), BAD, "properties.vmSize"),
        (CLUSTER, Value::Null, TYPE, ""),
        (JOB, json!({"properties": null}), BAD, "properties.cluster"),
        (SERVER, json!({}), BAD, "properties.vmSize"),
    ] {
        check(parse, &body, code, target);
    }
    for text in ["", "{", "nonsense", "{}{}", "\u{feff}{}", "{\"a\":NaN}"] {
        let error = wire::job_create(text.as_bytes()).unwrap_err();
        assert_eq!((error.code, error.target.as_str()), (TYPE, ""), "{text}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(wire::cluster_create(deep.as_bytes()).unwrap_err().code, TYPE);
    assert_eq!(wire::cluster_create(b"{\"a\": \"\xff\"}").unwrap_err().code, TYPE);
}

#[test]
fn what_is_legal_though_odd() {
    for body in ["", "  \n", "{}", "{\"properties\": {}}"] {
        wire::experiment_create(body.as_bytes()).unwrap();
    }
    assert_eq!(wire::cluster_update(b"{}").unwrap(), None);
    assert_eq!(wire::cluster_update(b"{\"tags\": {}}").unwrap(), None);
    assert_eq!(wire::workspace_update(b"{\"tags\": null}").unwrap(), None);
    assert_eq!(
        wire::workspace_update(b"{\"tags\": {\"a\": null}}").unwrap(),
        Some(Default::default())
    );
    let stale = json!({"location": "East US", "tags": {"a": "b"}, "priority": 5, "sku": null});
    assert_eq!(
        wire::workspace_create(stale.to_string().as_bytes())
            .unwrap()
            .region
            .as_str(),
        "eastus"
    );
    let mut other = samples::cluster();
    other["properties"]["userAccountSettings"] =
        json!({"adminUserName": "a", "adminUserSSHPublicKey": "ssh-rsa A"});
    let spec = wire::cluster_create(other.to_string().as_bytes()).unwrap();
    assert_eq!(
        spec.user_account_settings.admin_user_ssh_public_key.as_deref(),
        Some("ssh-rsa A")
    );
}
