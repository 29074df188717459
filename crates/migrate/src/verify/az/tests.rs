use serde_json::json;

use super::*;

fn one_old(text: &str) -> Replay {
    old(text, &Around::NOTHING).unwrap().remove(0).1
}
fn one_new(text: &str) -> Replay {
    new(text, &Around::NOTHING).unwrap()
}

fn uri(replay: &Replay) -> String {
    let step = replay.steps.first().unwrap();
    let uri = step.uri();
    let (_, rest) = uri.split_once("/resourceGroups/").unwrap_or(("", &uri));
    format!(
        "{} {}",
        step.method,
        rest.replace("providers/Microsoft.BatchAI/", "")
    )
}

#[test]
fn each_command_sends_what_it_sends() {
    for (text, sent) in [
        (
            "cluster show -n c -g $RG",
            "GET xrg/clusters/c?api-version=2018-03-01",
        ),
        (
            "cluster show -n c -g g -w w",
            "GET g/workspaces/w/clusters/c?api-version=2018-05-01",
        ),
        (
            "cluster delete -n c -g g -y",
            "DELETE g/clusters/c?api-version=2018-03-01",
        ),
        ("cluster list -g g", "GET g/clusters?api-version=2018-03-01"),
        (
            "cluster list-nodes -g g -n c",
            "POST g/clusters/c/listRemoteLoginInformation?api-version=2018-03-01",
        ),
        (
            "cluster node list -g g -c c -w w",
            "POST g/workspaces/w/clusters/c/listRemoteLoginInformation?api-version=2018-05-01",
        ),
        (
            "cluster resize -g g -n c -t 3",
            "PATCH g/clusters/c?api-version=2018-03-01",
        ),
        (
            "file-server show -g g -n f",
            "GET g/fileServers/f?api-version=2018-03-01",
        ),
        (
            "job terminate -g g -n j",
            "POST g/jobs/j/terminate?api-version=2018-03-01",
        ),
        ("job wait -g g -n j", "GET g/jobs/j?api-version=2018-03-01"),
        (
            "job list-files -g g -n j -d OUT",
            "POST g/jobs/j/listOutputFiles?outputdirectoryid=OUT&api-version=2017-09-01-preview",
        ),
        (
            "job file stream -g g -w w -e e -j j -f out.txt",
            "POST g/workspaces/w/experiments/e/jobs/j/listOutputFiles?outputdirectoryid=stdouterr&api-version=2018-05-01",
        ),
        (
            "job create -g g -n j -c job.json -r c",
            "PUT g/jobs/j?api-version=2018-03-01",
        ),
        (
            "workspace create -g g -n w -l eastus",
            "PUT g/workspaces/w?api-version=2018-05-01",
        ),
        (
            "experiment create -g g -w w -n e",
            "PUT g/workspaces/w/experiments/e?api-version=2018-05-01",
        ),
        (
            "job show --ids /subscriptions/S/resourceGroups/g/providers/Microsoft.BatchAI/workspaces/w/experiments/e/jobs/j",
            "GET g/workspaces/w/experiments/e/jobs/j?api-version=2018-05-01",
        ),
    ] {
        let text = format!("az batchai {text}");
        let replay = new(&text, &Around::NOTHING).unwrap_or_else(|_| one_old(&text));
        assert_eq!(uri(&replay), sent, "{text}");
    }
}

#[test]
fn a_call_for_help_or_of_another_group_is_not_replayed() {
    for text in [
        "az batchai job create -h",
        "az group show -n g",
        "az batchai cluster frob -n c",
        "ls",
    ] {
        assert!(old(text, &Around::NOTHING).is_err(), "{text}");
    }
}

#[test]
fn the_body_of_a_cluster_is_made_as_each_version_made_it() {
    let text = "az batchai cluster create -n c -g g -l 'West Europe' -s STANDARD_NC6 --max 3 -u me -p pw";
    let all = old(text, &Around::NOTHING).unwrap();
    // 0.2 refuses --max alone.
    assert_eq!(
        all.iter().map(|(dialect, _)| *dialect).collect::<Vec<_>>(),
        [Dialect::V01]
    );
    let replay = &all[0].1;
    let body = replay.steps[0].body.as_ref().unwrap();
    assert_eq!(body["location"], "westeurope");
    assert_eq!(replay.region.as_deref(), Some("westeurope"));
    assert_eq!(
        body["properties"]["scaleSettings"]["autoScale"]["minimumNodeCount"],
        0
    );
    let image = &body["properties"]["virtualMachineConfiguration"]["imageReference"];
    assert_eq!(image["offer"], "UbuntuServer");

    let text = "az batchai cluster create -n c -g g -w w -s STANDARD_NC6 -t 2 --min 2 --max 2 --nfs f --afs-name S \
                --storage-account-name acct --bfs-name b --bfs-mount-path m";
    let replay = one_new(text);
    let body = replay.steps[0].body.as_ref().unwrap();
    assert!(body.get("location").is_none());
    assert_eq!(
        body["properties"]["scaleSettings"]["autoScale"]["initialNodeCount"],
        2
    );
    assert_eq!(
        body["properties"]["userAccountSettings"]["adminUserName"],
        "defaultuser"
    );
    let mounts = &body["properties"]["nodeSetup"]["mountVolumes"];
    assert_eq!(
        mounts["azureFileShares"][0]["azureFileUrl"],
        "https://acct.file.core.windows.net/s"
    );
    assert_eq!(mounts["azureBlobFileSystems"][0]["relativeMountPath"], "m");
    let id = mounts["fileServers"][0]["fileServer"]["id"].as_str().unwrap();
    assert!(id.ends_with("/workspaces/w/fileServers/f"), "{id}");
    assert_eq!(replay.needs.len(), 1);
}

#[test]
fn what_a_client_refuses_is_known() {
    for text in [
        "az batchai cluster create -n c -g g -w w -s STANDARD_NC6",
        "az batchai cluster create -n c -g g -w w -s STANDARD_NC6 --min 0 --max 0",
        "az batchai cluster create -n c -g g -w w -s STANDARD_NC6 --max 2",
        "az batchai cluster create -n c -g g -w w -t 1",
        "az batchai file-server create -n c -g g -w w --vm-size S --disk-count 1 --disk-size 10",
    ] {
        assert!(one_new(text).refused.is_some(), "{text}");
    }
    let text = "az batchai cluster create -n c -g g -l l -s STANDARD_NC6 --min 0 --max 0 -u u -p p";
    let all = old(text, &Around::NOTHING).unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(
        all[0].1.steps[0].body.as_ref().unwrap()["properties"]["scaleSettings"]["manual"]["targetNodeCount"],
        0
    );
}

#[test]
fn a_config_file_is_read_and_options_go_over_it() {
    let file = |name: &str| {
        (name == "job.json").then(|| {
            json!({"location": "West US", "properties": {"nodeCount": 7,
                "cluster": {"id": "/subscriptions/x/resourceGroups/other/providers/Microsoft.BatchAI/clusters/filed"},
                "mountVolumes": {"azureFileShares": [{"accountName": "<AZURE_BATCHAI_STORAGE_ACCOUNT>",
                    "azureFileUrl": "https://<AZURE_BATCHAI_STORAGE_ACCOUNT>.file.core.windows.net/s"}]}}})
        })
    };
    let around = Around {
        region: None,
        config: &file,
    };
    let all = old(
        "az batchai job create -g g -n j -c job.json --storage-account-name abc",
        &around,
    )
    .unwrap();
    let replay = &all[0].1;
    let body = replay.steps[0].body.as_ref().unwrap();
    assert_eq!(
        (&body["location"], &body["properties"]["nodeCount"]),
        (&json!("westus"), &json!(7))
    );
    let share = &body["properties"]["mountVolumes"]["azureFileShares"][0];
    assert_eq!(share["accountName"], "abc");
    assert!(share["credentials"]["accountKey"].is_string());
    assert_eq!(
        (replay.needs[0].group.as_str(), replay.needs[0].name.as_str()),
        ("other", "filed")
    );
    let all = old("az batchai job create -g g -n j -c job.json -r mine", &around).unwrap();
    let id = &all[0].1.steps[0].body.as_ref().unwrap()["properties"]["cluster"]["id"];
    assert!(
        id.as_str()
            .unwrap()
            .ends_with("/resourceGroups/g/providers/Microsoft.BatchAI/clusters/mine")
    );
}

#[test]
fn what_no_server_sees_is_kept_for_comparison() {
    let quiet = old("az batchai job terminate -g g -n j", &Around::NOTHING).unwrap();
    assert!(
        quiet
            .iter()
            .any(|(dialect, replay)| *dialect == Dialect::V01 && replay.client.is_empty())
    );
    assert!(
        quiet
            .iter()
            .any(|(dialect, replay)| *dialect == Dialect::V02 && !replay.client.is_empty())
    );
    let files = one_new("az batchai job file list -g g -w w -e e -j j --expiry 30 -o table");
    assert_eq!(files.client["--expiry"], "30");
    assert_eq!(files.client["--output"], "table");
    let secret = one_new("az batchai cluster create -n c -g g -w w -s S -t 1 -p s3cret");
    assert!(!format!("{:?}", secret.client).contains("s3cret"));
}
