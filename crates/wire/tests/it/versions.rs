//! Whatever is stored can be written in every api-version; and what one version writes, it reads as the same wish.

use proptest::prelude::*;
use serde_json::{Value, json};
use trainyard_domain::spec::{ClusterSpec, FileServerSpec, FlatOutput, JobSpec, Priority};
use trainyard_domain::state::{BatchAiError, JOB_PREPARATION_FAILED, JOB_TERMINATED};
use trainyard_wire::{ApiVersion, v2018_05_01};

use crate::{build, samples};

const BENEATH: &str = "/subscriptions/s-1/resourceGroups/Rg/providers/Microsoft.BatchAI/workspaces";

fn versions() -> impl Strategy<Value = ApiVersion> {
    prop::sample::select(ApiVersion::ALL.to_vec())
}

fn workspaces() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["ws", "migrated-eastus", "migrated-", "Migrated-West"])
}

/// An answer of any version: nothing null, no secret, its own shape of id.
fn sound(version: ApiVersion, answer: &Value) {
    let text = answer.to_string();
    assert!(!text.contains("null") && !text.contains("hush"), "{text}");
    let id = answer["id"].as_str().unwrap();
    assert!(id.contains("/resourceGroups/rg/"), "{id}");
    assert_eq!(id.contains("/workspaces/"), !version.is_flat(), "{version}: {id}");
    let kind = answer["type"].as_str().unwrap();
    assert_eq!(
        kind.contains("workspaces"),
        !version.is_flat(),
        "{version}: {kind}"
    );
    assert!(version.is_flat() || (answer.get("tags").is_none() && answer.get("location").is_none()));
}

/// What was written, as a body to be read again.
fn body(answer: &Value) -> Vec<u8> {
    let mut body = build::with_secrets(answer.clone());
    // Job answers leave the location out.
    body["location"] = json!("eastus");
    body.to_string().into_bytes()
}

fn tags() -> impl Strategy<Value = std::collections::BTreeMap<String, String>> {
    prop::collection::btree_map("[a-k]{1,8}", "[0-9a-k é]{0,8}", 0..3)
}

fn job_specs() -> impl Strategy<Value = JobSpec> {
    let toolkits = prop::sample::select(samples::toolkits());
    let label = prop::option::of("[ -k]{0,20}");
    (
        toolkits,
        -1000..=1000_i32,
        tags(),
        label,
        any::<bool>(),
        prop::sample::select(vec!["custom", "model"]),
    )
        .prop_map(|(toolkit, priority, tags, label, create_new, kind)| {
            let mut spec =
                v2018_05_01::job_create(samples::job_with(&toolkit).to_string().as_bytes()).unwrap();
            spec.priority = Priority(priority);
            spec.flat.tags = tags;
            spec.flat.experiment_name = label;
            let output = FlatOutput {
                kind: kind.to_owned(),
                create_new,
            };
            if output != FlatOutput::default() {
                spec.flat.outputs.insert("MODEL".to_owned(), output);
            }
            spec
        })
}

proptest! {
    #[test]
    fn jobs(
        version in versions(), spec in job_specs(), workspace in workspaces(),
        code in prop::sample::select(vec![JOB_TERMINATED, JOB_PREPARATION_FAILED, "JobFailed"]),
    ) {
        let body_of = json!({
            "id": format!("{BENEATH}/{workspace}/experiments/e/jobs/j.1"), "name": "j.1",
            "properties": {"executionState": "failed", "executionInfo": {"startTime": "2026-01-02T03:04:05Z",
                "errors": [{"code": code, "message": "m"}]}}
        });
        let written = version.job(&build::job_of(spec.clone(), &body_of));
        sound(version, &written);
        // What a version does not know of this wish it reads as absent; the rest comes back as it was.
        if let Ok(read) = version.job_create(&body(&written)) {
            let again = version.job(&build::job_of(read.spec.clone(), &body_of));
            prop_assert_eq!(&again, &written);
            let again = version.job_create(&body(&again)).unwrap();
            prop_assert_eq!(&again, &read);
            if version.is_flat() {
                prop_assert_eq!(read.spec.priority, spec.priority);
                prop_assert_eq!(&read.spec.flat, &spec.flat);
                prop_assert_eq!(read.region.map(|region| region.to_string()), Some("eastus".to_owned()));
            } else {
                prop_assert_eq!(version.job_beside(read.spec, &spec).flat, spec.flat);
            }
        } else {
            // Only a toolkit that the version has not keeps a job from being read.
            prop_assert!(version.is_flat(), "{}", written);
            let newer = ["horovodSettings", "customMpiSettings", "pyTorchSettings"];
            prop_assert!(newer.contains(&spec.toolkit.member()), "{}", written);
        }
    }

    #[test]
    fn clusters(version in versions(), workspace in workspaces(), tags in tags(), run_elevated: bool) {
        let mut spec = v2018_05_01::cluster_create(samples::cluster().to_string().as_bytes()).unwrap();
        spec.flat.tags = tags;
        spec.flat.run_elevated = run_elevated;
        let body_of = json!({"id": format!("{BENEATH}/{workspace}/clusters/c"), "name": "c", "properties": {}});
        let errors = [BatchAiError::new("A", "b")];
        let written = version.cluster(&build::cluster_of(spec.clone(), &body_of), &errors);
        sound(version, &written);
        prop_assert_eq!(written.get("location").is_some(), version.is_flat() && workspace.len() > "migrated-".len());
        let read = version.cluster_create(&body(&written)).unwrap();
        prop_assert_eq!(version.cluster(&build::cluster_of(read.spec.clone(), &body_of), &errors), written);
        let beside: ClusterSpec = version.cluster_beside(read.spec, &spec);
        prop_assert_eq!(beside.flat, spec.flat);
    }

    #[test]
    fn file_servers(version in versions(), workspace in workspaces(), tags in tags()) {
        let mut spec = v2018_05_01::file_server_create(samples::file_server().to_string().as_bytes()).unwrap();
        spec.flat.tags = tags;
        let body_of = json!({"id": format!("{BENEATH}/{workspace}/fileServers/f"), "name": "f",
            "properties": {"mountSettings": {"mountPoint": "/data"}}});
        let written = version.file_server(&build::file_server_of(spec.clone(), &body_of));
        sound(version, &written);
        let read = version.file_server_create(&body(&written)).unwrap();
        let beside: FileServerSpec = version.file_server_beside(read.spec, &spec);
        prop_assert_eq!(beside.flat, spec.flat);
    }
}
