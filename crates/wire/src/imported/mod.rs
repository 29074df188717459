//! What an export of an old deployment says beyond a create body, for imports.
//!
//! An exported resource is nearly the body that would make it again, in its own api-version: what is read-only is
//! there as well and is read here, and what is secret is not there.

mod secrets;

use jiff::Timestamp;
use serde_json::Value;
use trainyard_domain::state::{BatchAiError, ExecutionInfo, JOB_PREPARATION_FAILED, JOB_TERMINATED};

pub use secrets::{forget_stand_ins, stand_in};

use crate::body::{BadBody, Object, Read};

/// When a resource was made, as far as its export says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// `creationTime`.
    pub created: Option<Timestamp>,
    /// `provisioningStateTransitionTime`.
    pub since: Option<Timestamp>,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEnd {
    /// Whether it succeeded; it failed otherwise.
    pub succeeded: bool,
    /// `executionStateTransitionTime`.
    pub since: Option<Timestamp>,
    /// `executionInfo`.
    pub execution: Option<ExecutionInfo>,
    /// `jobOutputDirectoryPathSegment`.
    pub segment: Option<String>,
}

/// Reads the times of a resource.
///
/// # Errors
/// One that is no time.
pub fn life(body: &Value) -> Result<Life, BadBody> {
    let properties = Object::root(body)?.object_or_absent("properties")?;
    Ok(Life {
        created: time(&properties, "creationTime")?,
        since: time(&properties, "provisioningStateTransitionTime")?,
    })
}

/// Reads how a job ended.
///
/// # Errors
/// It has not ended, or a member is not what it has to be.
pub fn job_end(body: &Value) -> Result<JobEnd, BadBody> {
    let properties = Object::root(body)?.object_or_absent("properties")?;
    let state = properties.need_text("executionState")?.to_ascii_lowercase();
    let succeeded = match state.as_str() {
        "succeeded" => true,
        "failed" => false,
        _ => {
            let message = "This job is not over. Import jobs whose executionState is succeeded or failed.";
            return Err(BadBody::bad(properties.at("executionState"), message));
        }
    };
    Ok(JobEnd {
        succeeded,
        since: time(&properties, "executionStateTransitionTime")?,
        execution: properties
            .object("executionInfo")?
            .map(execution)
            .transpose()?
            .flatten(),
        segment: properties.text("jobOutputDirectoryPathSegment")?,
    })
}

/// Seconds since 1970 in which a past can be, up to the year 9000: what is stored is read back, and added to, with no care.
const PAST: std::ops::Range<i64> = 0..221_845_392_000;

fn time(object: &Object<'_>, name: &str) -> Read<Option<Timestamp>> {
    let Some(text) = object.text(name)? else {
        return Ok(None);
    };
    match text.parse::<Timestamp>() {
        Ok(time) if PAST.contains(&time.as_second()) => Ok(Some(time)),
        Ok(_) | Err(_) => Err(BadBody::bad(
            object.at(name),
            "This is not a time. Write one such as 2018-06-06T20:44:38.85Z.",
        )),
    }
}

/// A run without a start is none.
fn execution(info: Object<'_>) -> Read<Option<ExecutionInfo>> {
    let Some(start) = time(&info, "startTime")? else {
        return Ok(None);
    };
    Ok(Some(ExecutionInfo {
        start,
        end: time(&info, "endTime")?,
        exit_code: info.int32("exitCode")?,
        errors: info.list("errors", error)?,
    }))
}

fn error(error: Object<'_>) -> Read<BatchAiError> {
    let pair = |pair: Object<'_>| Ok((pair.need_text("name")?, pair.text("value")?.unwrap_or_default()));
    Ok(BatchAiError {
        code: newer_code(error.need_text("code")?),
        message: error.text("message")?.unwrap_or_default(),
        details: error.list("details", pair)?,
    })
}

/// The older api-versions had other codes for two of them (api.md section 5).
fn newer_code(code: String) -> String {
    match code.as_str() {
        "JobTerminate" => JOB_TERMINATED.to_owned(),
        "JobNodePreparationFailed" => JOB_PREPARATION_FAILED.to_owned(),
        _ => code,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_end_of_a_job_is_read_with_its_errors() {
        let body = json!({"properties": {
            "creationTime": "2018-06-06T20:44:38.85Z",
            "executionState": "Failed",
            "executionStateTransitionTime": "2018-06-06T20:45:00Z",
            "jobOutputDirectoryPathSegment": "s/g/jobs/j/u",
            "executionInfo": {
                "startTime": "2018-06-06T20:44:40Z", "endTime": "2018-06-06T20:45:00+00:00", "exitCode": -1,
                "errors": [{"code": "JobFailed", "message": "m", "details": [{"name": "n", "value": "v"}]}]
            }
        }});
        let end = job_end(&body).unwrap();
        let info = end.execution.unwrap();
        assert!(!end.succeeded);
        assert_eq!((info.exit_code, info.end), (Some(-1), end.since));
        assert_eq!(info.errors[0].details, [("n".to_owned(), "v".to_owned())]);
        assert_eq!(end.segment.as_deref(), Some("s/g/jobs/j/u"));
        let created = life(&body).unwrap().created.unwrap();
        assert_eq!(created.to_string(), "2018-06-06T20:44:38.85Z");
    }

    #[test]
    fn a_job_that_is_not_over_is_refused_and_so_is_what_is_no_time() {
        for (properties, at) in [
            (json!({"executionState": "running"}), "properties.executionState"),
            (json!({}), "properties.executionState"),
            (
                json!({"executionState": "failed", "executionInfo": {"startTime": "soon"}}),
                "properties.executionInfo.startTime",
            ),
        ] {
            assert_eq!(
                job_end(&json!({"properties": properties})).unwrap_err().target,
                at
            );
        }
    }

    #[test]
    fn a_run_without_a_start_is_none() {
        let body = json!({"properties": {"executionState": "failed", "executionInfo": {"exitCode": null}}});
        assert_eq!(job_end(&body).unwrap().execution, None);
    }
}
