//! What each operation takes and answers.

use axum::http::Method;
use serde_json::{Map, Value, json};
use trainyard_wire::openapi::reference;

use super::parameters;
use crate::ops::{Op, Operation};

/// What the table of operations does not say about one of them.
#[derive(Default)]
struct Words {
    /// What it does.
    summary: &'static str,
    /// Parameters of its query, beside `api-version`.
    query: &'static [&'static str],
    /// The model of its body.
    takes: Option<&'static str>,
    /// The model of its answer.
    answers: Option<&'static str>,
}

macro_rules! model {
    (-) => {
        None
    };
    ($name:ident) => {
        Some(stringify!($name))
    };
}

macro_rules! words {
    ($($op:ident [$($query:ident)*] $takes:tt => $answers:tt $summary:literal;)*) => {
        fn words(op: Op) -> Words {
            match op {
                $(Op::$op => Words {
                    summary: $summary,
                    query: &[$(stringify!($query)),*],
                    takes: model!($takes),
                    answers: model!($answers),
                },)*
                // Operations that are of no api-version; a test sees to it that no other is forgotten.
                _ => Words::default(),
            }
        }
    };
}

words! {
    OperationsList          [] - => OperationListResult "Lists everything that a role can allow.";
    UsagesList              [] - => ListUsagesResult "Lists the quotas and how much of each is in use.";
    OperationResult         [] - => OperationResult "Tells how far a long-running operation is: where Azure-AsyncOperation leads.";
    OperationStatus         [] - => - "Waits for the end of a long-running operation: where Location leads.";

    WorkspacesList          [maxresults] - => WorkspaceListResult "Lists the workspaces of a subscription.";
    WorkspacesListByGroup   [maxresults] - => WorkspaceListResult "Lists the workspaces of a resource group.";
    WorkspacesCreate        [] WorkspaceCreateParameters => Workspace "Makes a workspace, or sets the tags of the one that is there.";
    WorkspacesUpdate        [] WorkspaceUpdateParameters => Workspace "Sets the tags of a workspace.";
    WorkspacesDelete        [] - => - "Deletes a workspace and all that stands in it.";
    WorkspacesGet           [] - => Workspace "Shows a workspace.";

    ExperimentsList         [maxresults] - => ExperimentListResult "Lists the experiments of a workspace.";
    ExperimentsCreate       [] - => Experiment "Makes an experiment, or shows the one that is there.";
    ExperimentsDelete       [] - => - "Deletes an experiment and its jobs.";
    ExperimentsGet          [] - => Experiment "Shows an experiment.";

    JobsList                [maxresults] - => JobListResult "Lists the jobs of an experiment.";
    JobsCreate              [] JobCreateParameters => Job "Makes a job, which then waits for its nodes, or shows the equal one that is there.";
    JobsDelete              [] - => - "Deletes a job; a running one is ended first. Its output stays.";
    JobsGet                 [] - => Job "Shows a job.";
    JobsListOutputFiles     [outputdirectoryid directory linkexpiryinminutes maxresults] - => FileListResult "Lists what is in an output directory of a job, with links to the files.";
    JobsListRemoteLogin     [] - => RemoteLoginInformationListResult "Lists the nodes on which a job runs or ran last.";
    JobsTerminate           [] - => - "Ends a job.";

    FileServersCreate       [] FileServerCreateParameters => FileServer "Makes a file server, or shows the equal one that is there.";
    FileServersDelete       [] - => - "Deletes a file server.";
    FileServersGet          [] - => FileServer "Shows a file server.";
    FileServersList         [maxresults] - => FileServerListResult "Lists the file servers of a workspace.";

    ClustersCreate          [] ClusterCreateParameters => Cluster "Makes a cluster, or shows the equal one that is there. Its nodes come afterwards.";
    ClustersUpdate          [] ClusterUpdateParameters => Cluster "Sets how many nodes a cluster has. They come and go afterwards.";
    ClustersDelete          [] - => - "Deletes a cluster and its nodes.";
    ClustersGet             [] - => Cluster "Shows a cluster.";
    ClustersListRemoteLogin [] - => RemoteLoginInformationListResult "Lists the nodes of a cluster.";
    ClustersList            [maxresults] - => ClusterListResult "Lists the clusters of a workspace.";
}

/// An operation as the document has it; `schemas` are the models.
pub fn describe(operation: &Operation, schemas: &Map<String, Value>) -> Value {
    let words = words(operation.op);
    let mut shown = json!({
        "operationId": operation.name,
        "tags": [operation.name.split('_').next()],
        "summary": words.summary,
        "x-trainyard-action": operation.action,
        "parameters": parameters::of(operation.path, words.query),
    });
    if let Some(model) = words.takes {
        let content = json!({ "application/json": { "schema": reference(model) } });
        shown["requestBody"] = json!({ "required": true, "content": content });
    }
    shown["responses"] = responses(operation, words.answers);
    if long_running(operation) {
        shown["x-ms-long-running-operation"] = true.into();
    }
    let has_pages = |model: &str| {
        schemas
            .get(model)
            .is_some_and(|m| m["properties"].get("nextLink").is_some())
    };
    if words.answers.is_some_and(has_pages) {
        shown["x-ms-pageable"] = json!({ "nextLinkName": "nextLink" });
    }
    shown
}

/// Whether it may answer 202, and be followed. What is done with its commit answers 200 at once.
fn long_running(operation: &Operation) -> bool {
    operation.method == Method::PUT || operation.method == Method::DELETE || operation.op == Op::JobsTerminate
}

fn responses(operation: &Operation, answers: Option<&str>) -> Value {
    let json_body = |about: &str, model: &str| {
        let content = json!({ "application/json": { "schema": reference(model) } });
        json!({ "description": about, "content": content })
    };
    let poll = operation.op == Op::OperationStatus;
    let mut responses = json!({});
    match answers {
        Some(model) => responses["200"] = json_body("Done.", model),
        None if poll => {}
        None => responses["200"] = json!({ "description": "Done." }),
    }
    if poll || long_running(operation) {
        responses["202"] = accepted();
    }
    if poll {
        responses["204"] = json!({ "description": "The operation has succeeded." });
    }
    if operation.method == Method::DELETE {
        responses["204"] = json!({ "description": "There was nothing to delete." });
    }
    responses["default"] = json_body("Refused, or failed.", "CloudError");
    responses
}

/// The answer that an operation has begun, with both ways to follow it.
fn accepted() -> Value {
    let header = |about: &str, kind: &str| json!({ "description": about, "schema": { "type": kind } });
    json!({
        "description": "It goes on. Follow one of the two links.",
        "headers": {
            "Azure-AsyncOperation": header("Where to ask how far it is.", "string"),
            "Location": header("Where to wait for its end.", "string"),
            "Retry-After": header("After how many seconds to ask.", "integer"),
        },
    })
}
