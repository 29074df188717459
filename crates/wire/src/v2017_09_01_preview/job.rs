//! Jobs.

use serde_json::Value;
use trainyard_domain::spec::JobSpec;
use trainyard_domain::state::{JOB_PREPARATION_FAILED, Job};

use super::early_variables;
use crate::body::{BadBody, json};
use crate::flat::{self, Located, Member};
use crate::v2018_03_01 as newer;

/// Members that this version does not know, beside those of the newer one.
const UNKNOWN: &[Member] = &[
    &["properties", "jobOutputDirectoryPathSegment"],
    &["properties", "mountVolumes"],
    &["properties", "pyTorchSettings"],
    &["properties", "secrets"],
];

const VARIABLES: Member = &["properties", "environmentVariables", "*"];
const ERRORS: Member = &["properties", "executionInfo", "errors", "*"];

/// Reads the body of a job's PUT.
pub fn job_create(body: &[u8]) -> Result<Located<JobSpec>, BadBody> {
    let mut value = json(body)?;
    early_variables(&mut value, VARIABLES);
    newer::read_job(value, &[newer::JOB_UNKNOWN, UNKNOWN].concat())
}

/// Writes a job.
pub fn job(job: &Job) -> Value {
    let mut out = newer::job(job);
    flat::cut(&mut out, UNKNOWN);
    flat::at(&mut out, ERRORS, &mut |error| {
        if error.get("code").and_then(Value::as_str) == Some(JOB_PREPARATION_FAILED) {
            error.insert("code".to_owned(), "JobNodePreparationFailed".into());
            let text = "job node preparation task failed with non-zero exit code";
            error.insert("message".to_owned(), text.into());
        }
    });
    out
}
