//! Jobs: `customToolkitSettings.perNode`.

use serde_json::Value;
use trainyard_domain::spec::{JobSpec, Toolkit};
use trainyard_domain::state::Job;

use crate::body::{BadBody, Object, Read};
use crate::v2018_05_01;

const SETTINGS: &str = "customToolkitSettings";
const PER_NODE: &str = "perNode";

/// Reads the body of a job's PUT.
pub fn job_create(body: &[u8]) -> Result<JobSpec, BadBody> {
    v2018_05_01::properties(body, read, JobSpec::check)
}

fn read(properties: &Object<'_>) -> Read<JobSpec> {
    let spec = v2018_05_01::read_job(properties)?;
    Ok(JobSpec {
        toolkit: per_node(properties, spec.toolkit)?,
        ..spec
    })
}

/// The custom command, for every node where `perNode` says so.
fn per_node(properties: &Object<'_>, toolkit: Toolkit) -> Read<Toolkit> {
    let Toolkit::Custom(command) = toolkit else {
        return Ok(toolkit);
    };
    let settings = properties.object_or_absent(SETTINGS)?;
    match (settings.flag(PER_NODE)?, command) {
        (None | Some(false), command) => Ok(Toolkit::Custom(command)),
        (Some(true), Some(command)) => Ok(Toolkit::CustomPerNode(command)),
        (Some(true), None) => Err(BadBody::bad(
            settings.at("commandLine"),
            "There is no command to run on every node. Write commandLine, or leave perNode out.",
        )),
    }
}

/// Writes a job. `perNode` is written where it is true only, so that a job which 2018-05-01 knows whole looks
/// the same in both versions.
pub fn job(job: &Job) -> Value {
    let mut out = v2018_05_01::job(job);
    if let (Toolkit::CustomPerNode(_), Some(settings)) = (
        &job.spec.toolkit,
        out.pointer_mut("/properties/customToolkitSettings")
            .and_then(Value::as_object_mut),
    ) {
        settings.insert(PER_NODE.to_owned(), Value::Bool(true));
    }
    out
}
