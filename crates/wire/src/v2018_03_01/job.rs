//! Jobs.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use trainyard_domain::invalid::Invalid;
use trainyard_domain::resource_id::flat_job_id;
use trainyard_domain::spec::{Checked, FlatJob, FlatOutput, JobSpec, Priority};
use trainyard_domain::state::{JOB_TERMINATED, Job};

use crate::body::{BadBody, Object, Read, json};
use crate::flat::{self, Located, Member};
use crate::v2018_05_01 as newer;

/// Members that this version does not know.
pub const UNKNOWN: &[Member] = &[
    &["properties", "schedulingPriority"],
    &["properties", "customMpiSettings"],
    &["properties", "horovodSettings"],
    &["properties", "containerSettings", "shmSize"],
];

const PROPERTIES: Member = &["properties"];
const CLUSTER: Member = &["properties", "cluster"];
const SERVERS: Member = &["properties", "mountVolumes", "fileServers", "*", "fileServer"];
const OUTPUTS: Member = &["properties", "outputDirectories", "*"];
const ERRORS: Member = &["properties", "executionInfo", "errors", "*"];

/// Reads the body of a job's PUT.
pub fn job_create(body: &[u8]) -> Result<Located<JobSpec>, BadBody> {
    create(json(body)?, UNKNOWN)
}

/// Reads one that is JSON already, without the `unknown` members.
pub fn create(body: Value, unknown: &[Member]) -> Read<Located<JobSpec>> {
    flat::create(body, unknown, |body, tags| {
        let read = |properties: &Object<'_>| {
            let flat = FlatJob {
                tags,
                experiment_name: properties.text("experimentName")?,
                outputs: outputs(properties)?,
            };
            Ok(JobSpec {
                priority: Priority(properties.int32("priority")?.unwrap_or_default()),
                flat,
                ..newer::read_job(properties)?
            })
        };
        newer::properties_of(body, read, check)
    })
}

/// The rules of a job, with its priority called as this version does.
fn check(spec: &JobSpec) -> Checked {
    spec.check().map_err(|invalid| match invalid.target.as_str() {
        "schedulingPriority" => Invalid::new("priority", invalid.message),
        _ => invalid,
    })
}

/// What is said of output directories that 2018-05-01 can't say; those that are as usual are left out.
fn outputs(properties: &Object<'_>) -> Read<BTreeMap<String, FlatOutput>> {
    let usual = FlatOutput::default();
    let one = |directory: Object<'_>| {
        let output = FlatOutput {
            kind: directory.text("type")?.unwrap_or_else(|| usual.kind.clone()),
            create_new: directory.flag("createNew")?.unwrap_or(usual.create_new),
        };
        Ok((directory.need_text("id")?, output))
    };
    let all = properties.list("outputDirectories", one)?;
    Ok(all.into_iter().filter(|(_, output)| *output != usual).collect())
}

/// Writes a job. Its location is left out, as recorded (api.md section 5).
pub fn job(job: &Job) -> Value {
    let mut out = newer::job(job);
    let flat = &job.spec.flat;
    flat::at(&mut out, PROPERTIES, &mut |properties| {
        flat::replace(properties, "schedulingPriority", "priority", |_| {
            job.spec.priority.0.into()
        });
        match &flat.experiment_name {
            Some(label) => flat::replace(properties, "experimentName", "experimentName", |_| {
                label.as_str().into()
            }),
            None => drop(properties.shift_remove("experimentName")),
        }
    });
    flat::cut(&mut out, UNKNOWN);
    flat::at(&mut out, CLUSTER, &mut flat::flatten_id);
    flat::at(&mut out, SERVERS, &mut flat::flatten_id);
    flat::at(&mut out, OUTPUTS, &mut |directory| output(directory, flat));
    flat::at(&mut out, ERRORS, &mut |error| {
        if error.get("code").and_then(Value::as_str) == Some(JOB_TERMINATED) {
            error.insert("code".to_owned(), "JobTerminate".into());
        }
    });
    let id = flat_job_id(&job.scope, &job.meta.name);
    flat::resource(&mut out, id, "Jobs", None, &flat.tags);
    out
}

fn output(directory: &mut Map<String, Value>, flat: &FlatJob) {
    let id = directory.get("id").and_then(Value::as_str);
    let said = id
        .and_then(|id| flat.outputs.get(id))
        .cloned()
        .unwrap_or_default();
    directory.insert("type".to_owned(), said.kind.into());
    directory.insert("createNew".to_owned(), said.create_new.into());
}
