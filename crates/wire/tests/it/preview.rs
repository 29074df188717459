//! What 2026-12-01-preview adds, and that it adds nothing else.

use serde_json::{Value, json};
use trainyard_domain::spec::{JobSpec, Toolkit};
use trainyard_wire::{ApiVersion, BadBody, BadCode};

use crate::{build, samples};

const OLD: ApiVersion = ApiVersion::V2018_05_01;
const OURS: ApiVersion = ApiVersion::V2026_12_01Preview;

fn read(version: ApiVersion, toolkit: &Value) -> Result<JobSpec, BadBody> {
    let body = samples::job_with(toolkit).to_string();
    Ok(version.job_create(body.as_bytes())?.spec)
}

fn custom(settings: Value) -> Value {
    json!({ "customToolkitSettings": settings })
}

fn written(version: ApiVersion, spec: JobSpec) -> Value {
    let body = json!({"name": "j", "id": samples::cluster_id(), "properties": {}});
    version.job(&build::job_of(spec, &body))
}

#[test]
fn a_command_for_every_node_is_read_and_written() {
    let spec = read(OURS, &custom(json!({"perNode": true, "commandLine": "true"}))).unwrap();
    assert_eq!(spec.toolkit, Toolkit::CustomPerNode("true".to_owned()));
    let settings = |version| written(version, spec.clone())["properties"]["customToolkitSettings"].clone();
    assert_eq!(settings(OURS), json!({"commandLine": "true", "perNode": true}));
    assert_eq!(settings(OLD), json!({"commandLine": "true"}));
}

#[test]
fn without_per_node_it_is_the_plain_command() {
    for settings in [
        json!({"commandLine": "true"}),
        json!({"commandLine": "true", "perNode": false}),
        json!({"commandLine": "true", "perNode": null}),
    ] {
        let spec = read(OURS, &custom(settings.clone())).unwrap();
        assert_eq!(
            spec.toolkit,
            Toolkit::Custom(Some("true".to_owned())),
            "{settings}"
        );
        assert_eq!(
            written(OURS, spec)["properties"]["customToolkitSettings"],
            json!({"commandLine": "true"})
        );
    }
}

#[test]
fn the_old_version_does_not_know_per_node() {
    for flag in [json!(true), json!(false), json!("yes")] {
        let spec = read(OLD, &custom(json!({"commandLine": "true", "perNode": flag}))).unwrap();
        assert_eq!(spec.toolkit, Toolkit::Custom(Some("true".to_owned())));
    }
    let nothing = read(OLD, &custom(json!({"perNode": true}))).unwrap();
    assert_eq!(nothing.toolkit, Toolkit::Custom(None));
}

#[test]
fn every_node_needs_a_command_to_run() {
    for settings in [
        json!({"perNode": true}),
        json!({"perNode": true, "commandLine": ""}),
        json!({"perNode": true, "commandLine": null}),
    ] {
        let bad = read(OURS, &custom(settings.clone())).unwrap_err();
        assert_eq!(
            (bad.code, bad.target.as_str()),
            (
                BadCode::BadRequest,
                "properties.customToolkitSettings.commandLine"
            ),
            "{settings}"
        );
    }
    for flag in [json!("true"), json!(1), json!({}), json!([true])] {
        let bad = read(OURS, &custom(json!({"commandLine": "true", "perNode": flag}))).unwrap_err();
        assert_eq!(
            (bad.code, bad.target.as_str()),
            (
                BadCode::InvalidRequestContent,
                "properties.customToolkitSettings.perNode"
            )
        );
    }
}

#[test]
fn all_else_is_read_and_written_alike() {
    for toolkit in samples::toolkits() {
        let (old, ours) = (read(OLD, &toolkit), read(OURS, &toolkit));
        assert_eq!(old, ours, "{toolkit}");
        let spec = ours.unwrap();
        assert_eq!(written(OLD, spec.clone()), written(OURS, spec), "{toolkit}");
    }
    assert_eq!(OURS.job_create(b"{"), OLD.job_create(b"{"));
}
