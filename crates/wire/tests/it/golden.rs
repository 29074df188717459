//! What is written, letter by letter: members in the order of api.md section 6, no null, no secret.

use serde_json::{Value, json};
use trainyard_domain::name::SubscriptionId;
use trainyard_domain::state::{BatchAiError, JobPhase};
use trainyard_wire::ApiVersion;
use trainyard_wire::resources;
use trainyard_wire::v2018_05_01 as wire;

use crate::{build, samples};

/// Compares line by line, so that a difference is easy to see.
#[track_caller]
fn same(found: &Value, wanted: &str) {
    let found = serde_json::to_string_pretty(found).unwrap();
    // Through a value, which keeps the order of members, so that only layout is left out.
    let wanted: Value = serde_json::from_str(wanted).unwrap();
    let wanted = serde_json::to_string_pretty(&wanted).unwrap();
    let differing = found.lines().zip(wanted.lines()).find(|(a, b)| a != b);
    assert!(
        found == wanted,
        "first difference (found, wanted): {differing:?}\n{found}"
    );
    assert!(!found.contains("null") && !found.contains("hush"), "{found}");
}

const CLUSTER_ID: &str =
    "/subscriptions/SUB/resourceGroups/rg/providers/Microsoft.BatchAI/workspaces/workspace/clusters/cluster";

#[test]
fn a_cluster_as_recorded_after_creation() {
    let text = r#"{
 "id": "/subscriptions/SUB/resourceGroups/rg/providers/Microsoft.BatchAI/workspaces/workspace/clusters/cluster",
 "name": "cluster", "type": "Microsoft.BatchAI/workspaces/clusters",
 "properties": {
  "provisioningState": "succeeded", "allocationState": "resizing",
  "creationTime": "2018-06-06T20:44:55.25Z", "allocationStateTransitionTime": "2018-06-06T20:44:55.25Z",
  "provisioningStateTransitionTime": "2018-06-06T20:44:56.234Z",
  "vmSize": "STANDARD_D1", "currentNodeCount": 3,
  "nodeStateCounts": {"runningNodeCount": 2, "idleNodeCount": 1, "unusableNodeCount": 0, "preparingNodeCount": 0, "leavingNodeCount": 0},
  "vmPriority": "lowpriority",
  "scaleSettings": {"manual": {"targetNodeCount": 1, "nodeDeallocationOption": "requeue"}},
  "virtualMachineConfiguration": {"imageReference": {"publisher": "Canonical", "offer": "UbuntuServer", "sku": "16.04-LTS", "version": "latest"}},
  "userAccountSettings": {"adminUserName": "demoUser"},
  "nodeSetup": {"mountVolumes": {"azureFileShares": [{"accountName": "acc", "azureFileUrl": "https://acc.file.core.windows.net/share",
    "credentials": {}, "relativeMountPath": "azfiles", "fileMode": "0777", "directoryMode": "0777"}]}},
  "errors": [{"code": "SetupFailed", "message": "It failed.", "details": [{"name": "node", "value": "tvm-1"}]}]}}"#;
    let cluster = build::cluster(&serde_json::from_str(text).unwrap());
    let mut error = BatchAiError::new("SetupFailed", "It failed.");
    error.details.push(("node".to_owned(), "tvm-1".to_owned()));
    same(&wire::cluster(&cluster, &[error]), text);
}

#[test]
fn defaults_are_filled_in() {
    let body = json!({"properties": {"vmSize": "S", "userAccountSettings": {"adminUserName": "a", "adminUserPassword": "hush"},
        "nodeSetup": {"mountVolumes": {}}}, "id": CLUSTER_ID, "name": "cluster"});
    let properties = &wire::cluster(&build::cluster(&body), &[])["properties"];
    same(
        &properties["scaleSettings"],
        r#"{"manual": {"targetNodeCount": 0, "nodeDeallocationOption": "requeue"}}"#,
    );
    assert_eq!(properties["vmPriority"], "dedicated");
    assert_eq!(
        properties["virtualMachineConfiguration"]["imageReference"]["sku"],
        "16.04-LTS"
    );
    assert_eq!(
        (
            properties.get("nodeSetup"),
            properties.get("subnet"),
            properties.get("errors")
        ),
        (None, None, None)
    );
}

#[test]
fn a_setup_task_and_counters_without_their_secrets() {
    let mut body = samples::cluster();
    body["id"] = json!(CLUSTER_ID);
    body["name"] = json!("cluster");
    let cluster = wire::cluster(&build::cluster(&body), &[]);
    same(
        &cluster["properties"]["nodeSetup"]["setupTask"],
        r#"{"commandLine": "apt update", "environmentVariables": [{"name": "A", "value": "1"}],
            "secrets": [{"name": "B"}, {"name": "C", "valueSecretReference": {
                "sourceVault": {"id": "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/v"},
                "secretUrl": "https://v.vault.azure.net/secrets/x"}}],
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/azfiles", "stdOutErrPathSuffix": "suffix"}"#,
    );
    same(
        &cluster["properties"]["nodeSetup"]["performanceCountersSettings"],
        r#"{"appInsightsReference": {"component": {"id": "/subscriptions/s-1/resourceGroups/rg/providers/microsoft.insights/components/c"}}}"#,
    );
    same(
        &cluster["properties"]["userAccountSettings"],
        r#"{"adminUserName": "demo", "adminUserSshPublicKey": "ssh-rsa AAAA"}"#,
    );
}

#[test]
fn a_job_as_recorded_after_a_failed_run() {
    let text = r#"{
 "id": "/subscriptions/SUB/resourceGroups/rg/providers/Microsoft.BatchAI/workspaces/workspace/experiments/experiment/jobs/job",
 "name": "job", "type": "Microsoft.BatchAI/workspaces/experiments/jobs",
 "properties": {"experimentName": "experiment", "schedulingPriority": "normal",
  "cluster": {"id": "/subscriptions/SUB/resourceGroups/rg/providers/Microsoft.BatchAI/workspaces/workspace/clusters/cluster"},
  "jobOutputDirectoryPathSegment": "SUB/rg/workspaces/workspace/experiments/experiment/jobs/job/aa0c44ca-34c7-4d7d-bb2a-b20257c579d1",
  "nodeCount": 1, "toolType": "custom", "customToolkitSettings": {"commandLine": "false"},
  "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/azfiles", "constraints": {"maxWallClockTime": "P7D"},
  "creationTime": "2018-06-06T20:26:23.925Z", "provisioningState": "succeeded", "provisioningStateTransitionTime": "2018-06-06T20:26:24.253Z",
  "executionState": "failed", "executionStateTransitionTime": "2018-06-06T20:26:28.185Z",
  "executionInfo": {"startTime": "2018-06-06T20:26:26.529Z", "endTime": "2018-06-06T20:26:28.185Z", "exitCode": 1,
   "errors": [{"code": "JobFailed", "message": "Job failed with non-zero exit code"}]}}}"#;
    let mut job = build::job(&serde_json::from_str(text).unwrap());
    same(&wire::job(&job), text);
    job.status.phase = JobPhase::Queued;
    job.status.execution = None;
    let queued = wire::job(&job);
    assert_eq!(queued["properties"]["executionState"], "queued");
    assert_eq!(queued["properties"].get("executionInfo"), None);
}

#[test]
fn a_whole_job_without_its_secrets() {
    let mut body = samples::job();
    body["id"] =
        json!("/subscriptions/s-1/resourceGroups/RG/providers/x/workspaces/ws/experiments/exp/jobs/j");
    body["name"] = json!("j");
    let job = wire::job(&build::job(&body));
    assert_eq!(
        job["id"],
        "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.BatchAI/workspaces/ws/experiments/exp/jobs/j"
    );
    let properties = &job["properties"];
    same(
        &properties["containerSettings"],
        r#"{"imageSourceRegistry": {"serverUrl": "r.io", "image": "r.io/a:1", "credentials": {"username": "u"}}, "shmSize": "16gb"}"#,
    );
    same(&properties["secrets"], r#"[{"name": "B"}]"#);
    same(&properties["constraints"], r#"{"maxWallClockTime": "PT1H30M"}"#);
    same(
        &properties["mountVolumes"]["fileServers"][0],
        r#"{"fileServer": {"id": "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.BatchAI/workspaces/ws/fileservers/nfs"},
            "sourceDirectory": "sub", "relativeMountPath": "nfs", "mountOptions": "rw"}"#,
    );
    assert_eq!(
        (&properties["toolType"], &properties["schedulingPriority"]),
        (&json!("pytorch"), &json!("high"))
    );
}

#[test]
fn lists_and_their_links() {
    same(&wire::list(Vec::new(), None), r#"{"value": []}"#);
    same(
        &wire::list(Vec::new(), Some("https://h/x")),
        r#"{"value": [], "nextLink": "https://h/x"}"#,
    );
}

#[test]
fn groups_subscriptions_and_the_provider() {
    same(
        &resources::group(&build::group()),
        r#"{"id": "/subscriptions/s-1/resourceGroups/rg", "name": "Rg", "type": "Microsoft.Resources/resourceGroups",
            "location": "eastus", "tags": {"a": "1", "b": "2"}, "properties": {"provisioningState": "Succeeded"}}"#,
    );
    let subscription = SubscriptionId::new("s-1").unwrap();
    same(
        &resources::subscription(&subscription, "local"),
        r#"{"id": "/subscriptions/s-1", "subscriptionId": "s-1", "displayName": "local", "state": "Enabled"}"#,
    );
    let kind = resources::ResourceType {
        name: "workspaces",
        locations: &["eastus"],
        api_versions: &[ApiVersion::V2018_05_01],
    };
    same(
        &resources::provider(&subscription, &[kind]),
        r#"{"id": "/subscriptions/s-1/providers/Microsoft.BatchAI", "namespace": "Microsoft.BatchAI", "registrationState": "Registered",
            "resourceTypes": [{"resourceType": "workspaces", "locations": ["eastus"], "apiVersions": ["2018-05-01"]}]}"#,
    );
}

#[test]
fn what_is_left_out_equals_its_default() {
    let base =
        json!({"vmSize": "S", "userAccountSettings": {"adminUserName": "a", "adminUserPassword": "hush"}});
    let cluster = |more: Value| {
        let mut properties = base.clone();
        properties
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        wire::cluster_create(json!({"properties": properties}).to_string().as_bytes()).unwrap()
    };
    let share = |more: Value| {
        let mut share = json!({"accountName": "a", "azureFileUrl": "https://a.file.core.windows.net/s",
            "credentials": {"accountKey": "hush"}, "relativeMountPath": "m"});
        share
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        cluster(json!({"nodeSetup": {"mountVolumes": {"azureFileShares": [share]}}}))
    };
    let image = json!({"publisher": "Canonical", "offer": "UbuntuServer", "sku": "16.04-LTS"});
    let nothing = cluster(json!({}));
    for same in [
        json!({"vmPriority": "Dedicated"}),
        json!({"scaleSettings": {"manual": {"targetNodeCount": 0}}}),
        json!({"scaleSettings": {"manual": {"targetNodeCount": 0, "nodeDeallocationOption": "Requeue"}}}),
        json!({"virtualMachineConfiguration": {}}),
        json!({"virtualMachineConfiguration": {"imageReference": image}}),
        json!({"nodeSetup": {"mountVolumes": {"fileServers": []}}}),
        json!({"subnet": null}),
    ] {
        assert_eq!(cluster(same.clone()), nothing, "{same}");
    }
    assert_eq!(
        share(json!({})),
        share(json!({"fileMode": "0777", "directoryMode": "0777"}))
    );
    let auto = json!({"minimumNodeCount": 1, "maximumNodeCount": 2});
    let whole = json!({"minimumNodeCount": 1, "maximumNodeCount": 2, "initialNodeCount": 0});
    assert_eq!(
        cluster(json!({"scaleSettings": {"autoScale": auto}})),
        cluster(json!({"scaleSettings": {"autoScale": whole}}))
    );
    let job = |more: Value| wire::job_create(samples::job_with(&more).to_string().as_bytes()).unwrap();
    let custom = |member: &str, value: Value| job(json!({"customToolkitSettings": {}, member: value}));
    assert_eq!(
        custom("schedulingPriority", json!("normal")),
        custom("schedulingPriority", Value::Null)
    );
    assert_eq!(
        custom("constraints", json!({"maxWallClockTime": "7.00:00:00"})),
        custom("constraints", json!({}))
    );
    let id = samples::cluster_id();
    assert_eq!(
        custom(
            "cluster",
            json!({"id": id.replace("workspaces", "workspace").replace("/rg/", "/RG/")})
        ),
        custom("cluster", json!({"id": id}))
    );
}
