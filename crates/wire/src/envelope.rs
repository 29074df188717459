//! What Azure Resource Manager wraps around everything: errors and long-running operations
//! (errors.md; api.md section 2).

use jiff::Timestamp;
use serde_json::Value;
use trainyard_domain::name::{Name, Region, SubscriptionId};
use trainyard_domain::resource_id::GroupPath;
use uuid::Uuid;

use crate::ApiVersion;
use crate::body::BadBody;
use crate::out::Out;
use crate::time;

/// An error as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorBody {
    /// Stable identifier.
    pub code: String,
    /// Text for people.
    pub message: String,
    /// What it is about.
    pub target: Option<String>,
    /// More errors of the same kind.
    pub details: Vec<ErrorBody>,
}

impl ErrorBody {
    /// An error without target and details.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> ErrorBody {
        ErrorBody {
            code: code.into(),
            message: message.into(),
            target: None,
            details: Vec::new(),
        }
    }
}

impl From<BadBody> for ErrorBody {
    fn from(bad: BadBody) -> ErrorBody {
        ErrorBody {
            target: Some(bad.target).filter(|target| !target.is_empty()),
            ..ErrorBody::new(bad.code.as_str(), bad.message)
        }
    }
}

/// Writes the body of an error: `{"error": {…}}`.
pub fn error(error: &ErrorBody) -> Value {
    Out::new().with("error", inner(error)).into()
}

fn inner(error: &ErrorBody) -> Value {
    Out::new()
        .with("code", error.code.as_str())
        .with("message", error.message.as_str())
        .maybe("target", error.target.as_deref())
        .list("details", &error.details, inner)
        .into()
}

/// How far a long-running operation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Not over.
    InProgress,
    /// Over, and well.
    Succeeded {
        /// When it ended.
        end: Timestamp,
        /// What it was about, see [`operation_resource`].
        resource: String,
    },
    /// Over, and not well.
    Failed {
        /// When it ended.
        end: Timestamp,
        /// Why.
        error: ErrorBody,
    },
}

/// Writes the answer to a poll of `operationresults`.
pub fn operation(urls: &OperationUrls, start: Timestamp, progress: &Progress) -> Value {
    let out = |status: &str| {
        Out::new()
            .with("id", urls.id.as_str())
            .with("name", urls.name.to_string())
            .with("status", status)
            .with("startTime", time::timestamp(start))
    };
    match progress {
        Progress::InProgress => out("InProgress").into(),
        Progress::Succeeded { end, resource } => out("Succeeded")
            .with("endTime", time::timestamp(*end))
            .with("properties", Out::new().with("resourceId", resource.as_str()))
            .into(),
        Progress::Failed { end, error } => out("Failed")
            .with("endTime", time::timestamp(*end))
            .with("error", inner(error))
            .into(),
    }
}

/// The `resourceId` of an operation: subscription, lower-cased group and the names on the way, joined by
/// `$`; not the id of a resource.
pub fn operation_resource(scope: &GroupPath, names: &[&Name]) -> String {
    let mut text = format!("{}${}", scope.subscription, scope.group.key());
    for name in names {
        text.push('$');
        text.push_str(name.as_str());
    }
    text
}

/// The URLs of a long-running operation. The names of the two are swapped against habit, as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationUrls {
    /// `Azure-AsyncOperation`: tells how far the operation is.
    pub async_operation: String,
    /// `Location`: 202 until it is over.
    pub location: String,
    /// The operation's own id, without a query.
    id: String,
    name: Uuid,
}

impl OperationUrls {
    /// The URLs under `base`, such as `http://localhost:8080`, as the client calls this server.
    pub fn new(
        base: &str,
        subscription: &SubscriptionId,
        region: &Region,
        operation: Uuid,
        api_version: ApiVersion,
    ) -> OperationUrls {
        let base = base.trim_end_matches('/');
        let root =
            format!("{base}/subscriptions/{subscription}/providers/Microsoft.BatchAI/locations/{region}");
        let id = format!("{root}/operationresults/{operation}");
        OperationUrls {
            async_operation: format!("{id}?api-version={api_version}"),
            location: format!("{root}/operationstatuses/{operation}?api-version={api_version}"),
            id,
            name: operation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trainyard_domain::name::GroupName;

    fn urls() -> OperationUrls {
        OperationUrls::new(
            "https://host:8443/",
            &SubscriptionId::new("s-1").unwrap(),
            &Region::new("East US", "location").unwrap(),
            Uuid::nil(),
            ApiVersion::V2018_05_01,
        )
    }

    #[test]
    fn the_two_urls_are_named_as_recorded() {
        let root = "https://host:8443/subscriptions/s-1/providers/Microsoft.BatchAI/locations/eastus";
        let rest = "00000000-0000-0000-0000-000000000000?api-version=2018-05-01";
        assert_eq!(urls().async_operation, format!("{root}/operationresults/{rest}"));
        assert_eq!(urls().location, format!("{root}/operationstatuses/{rest}"));
    }

    #[test]
    fn operations_are_written_as_recorded() {
        let start: Timestamp = "2018-06-06T20:44:55.25Z".parse().unwrap();
        let scope = GroupPath {
            subscription: SubscriptionId::new("s-1").unwrap(),
            group: GroupName::new("Rg").unwrap(),
        };
        let names = ["ws", "exp", "job"].map(|name| Name::new(name, "name").unwrap());
        let resource = operation_resource(&scope, &names.each_ref());
        let succeeded = Progress::Succeeded {
            end: "2018-06-06T20:44:56Z".parse().unwrap(),
            resource,
        };
        let id = "https://host:8443/subscriptions/s-1/providers/Microsoft.BatchAI/locations/eastus/\
                  operationresults/00000000-0000-0000-0000-000000000000";
        let begin = format!(r#"{{"id":"{id}","name":"{}","status":"#, Uuid::nil());
        assert_eq!(
            operation(&urls(), start, &Progress::InProgress).to_string(),
            format!(r#"{begin}"InProgress","startTime":"2018-06-06T20:44:55.25Z"}}"#)
        );
        assert_eq!(
            operation(&urls(), start, &succeeded).to_string(),
            format!(
                r#"{begin}"Succeeded","startTime":"2018-06-06T20:44:55.25Z","endTime":"2018-06-06T20:44:56Z","properties":{{"resourceId":"s-1$rg$ws$exp$job"}}}}"#
            )
        );
        let failed = Progress::Failed {
            end: start,
            error: ErrorBody::new("FileServerProvisioningFailed", "no"),
        };
        assert_eq!(
            operation(&urls(), start, &failed).to_string(),
            format!(
                r#"{begin}"Failed","startTime":"2018-06-06T20:44:55.25Z","endTime":"2018-06-06T20:44:55.25Z","error":{{"code":"FileServerProvisioningFailed","message":"no"}}}}"#
            )
        );
    }

    #[test]
    fn errors_have_target_and_details_only_where_there_are_some() {
        let mut body = ErrorBody::from(BadBody::bad("", "No."));
        assert_eq!(
            error(&body).to_string(),
            r#"{"error":{"code":"BadRequest","message":"No."}}"#
        );
        body.target = Some("properties.nodeCount".to_owned());
        body.details.push(ErrorBody::new("A", "b"));
        assert_eq!(
            error(&body).to_string(),
            r#"{"error":{"code":"BadRequest","message":"No.","target":"properties.nodeCount","details":[{"code":"A","message":"b"}]}}"#
        );
    }
}
