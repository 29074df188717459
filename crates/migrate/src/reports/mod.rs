//! Calls in languages that are reported but not rewritten: Java, C#, Go. What is found says what to write.

pub mod csharp;
pub mod go;
pub mod java;

use tree_sitter::Node;

use crate::call::{Call, Verdict};
use crate::known::{EXPERIMENT, Known};

/// A group of operations, whatever the language calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Group {
    Clusters,
    Jobs,
    FileServers,
    Usage,
}

impl Group {
    fn of(name: &str) -> Option<Group> {
        match name.to_ascii_lowercase().as_str() {
            "clusters" => Some(Group::Clusters),
            "jobs" => Some(Group::Jobs),
            "fileservers" => Some(Group::FileServers),
            "usage" | "usageoperations" => Some(Group::Usage),
            _ => None,
        }
    }

    fn is_job(self) -> bool {
        self == Group::Jobs
    }
}

/// One call, its language's own words taken away.
struct Found<'t> {
    call: Node<'t>,
    group: Group,
    /// As written: `Clusters.CreateAsync`.
    what: String,
    /// The method as written.
    method: &'t str,
    /// Its arguments, a context taken away.
    arguments: Vec<&'t str>,
}

/// How many names and bodies the older versions take, and the method's plain name.
fn old(method: &str) -> Option<(&'static str, usize)> {
    let mut name = method.to_ascii_lowercase();
    for ending in [
        "async",
        "withserviceresponse",
        "withhttpmessages",
        "complete",
        "preparer",
        "async",
    ] {
        if let Some(start) = name.strip_suffix(ending) {
            name = start.to_owned();
        }
    }
    let name = name.strip_prefix("begin").unwrap_or(&name).to_owned();
    match name.as_str() {
        "create" => Some(("create", 3)),
        "get" => Some(("get", 2)),
        "delete" | "deletemethod" => Some(("delete", 2)),
        "update" => Some(("update", 3)),
        "terminate" => Some(("terminate", 2)),
        "listremotelogininformation" => Some(("list remote login information", 2)),
        "listoutputfiles" => Some(("list output files", 3)),
        "listbyresourcegroup" => Some(("list by resource group", 1)),
        "list" => Some(("list", 0)),
        _ => None,
    }
}

/// What the call becomes; nothing where no version has the method.
fn report(found: &Found<'_>, known: &Known) -> Option<Call> {
    let (name, takes) = old(found.method)?;
    let verdict = if found.group == Group::Usage {
        Verdict::Reported(format!("`{}` is of the group usages in 2018-05-01.", found.what))
    } else {
        verdict(found, name, takes, known)
    };
    Some(Call {
        span: found.call.byte_range(),
        what: found.what.clone(),
        verdict,
        remarks: Vec::new(),
    })
}

fn verdict(found: &Found<'_>, name: &str, takes: usize, known: &Known) -> Verdict {
    let workspace = known.workspace(None);
    let parents = if found.group.is_job() { 2 } else { 1 };
    let second = found
        .arguments
        .get(1)
        .map_or(String::new(), |text| text.to_ascii_lowercase());
    let named = ["workspace", "migrated"].iter().any(|word| second.contains(word));
    let extra = found
        .arguments
        .get(takes..)
        .unwrap_or_default()
        .iter()
        .filter(|text| !is_extra(text))
        .count();
    if named || (takes > 0 && name != "list by resource group" && extra >= parents) {
        return Verdict::Current;
    }
    let put = if found.group.is_job() {
        format!(
            "the workspace \"{workspace}\" and the experiment \"{EXPERIMENT}\" as second and third argument"
        )
    } else {
        format!("the workspace \"{workspace}\" as second argument")
    };
    let list = if found.group.is_job() {
        "listByExperiment"
    } else {
        "listByWorkspace"
    };
    Verdict::Reported(match name {
        "list" => {
            format!("Listing a whole subscription is gone: walk over the workspaces and use {list} of each.")
        }
        "list by resource group" => {
            format!(
                "It is {list} now, with {put}. It lists one workspace only; walk over the workspaces for the group."
            )
        }
        "create" => format!(
            "Put {put} (behind a context, if there is one). Take location, tags, priority and experiment name out of the \
             parameters: they are the workspace's, or gone."
        ),
        "update" => {
            format!("Put {put} (behind a context, if there is one). Tags can't be updated here any more.")
        }
        _ => format!("Put {put} (behind a context, if there is one)."),
    })
}

/// Arguments that may follow the names in any version.
fn is_extra(text: &str) -> bool {
    let folded = text.to_ascii_lowercase();
    [
        "token", "cancel", "options", "callback", "default", "null", "nil", "headers",
    ]
    .iter()
    .any(|word| folded.contains(word))
        || text.contains("=>")
        || text.contains("->")
        || text.starts_with('{')
        || folded.starts_with("new ")
}

/// Does the text speak of Batch AI at all?
fn speaks(text: &str) -> bool {
    text.to_ascii_lowercase().contains("batchai")
}

/// A mention of create parameters with a region in them, or of a class that has another name now.
fn reported(node: Node<'_>, what: &str, text: &str) -> Call {
    Call {
        span: node.byte_range(),
        what: what.to_owned(),
        verdict: Verdict::Reported(text.to_owned()),
        remarks: Vec::new(),
    }
}

/// What to say about a class that is made, `written` being all of it.
fn made(node: Node<'_>, class: &str, written: &str) -> Option<Call> {
    let class = class.trim_end_matches("Inner");
    if class == "EnvironmentSetting" {
        return Some(reported(
            node,
            class,
            "EnvironmentSetting is EnvironmentVariable in 2018-05-01, and its value is required.",
        ));
    }
    let folded = written.to_ascii_lowercase();
    let gone = ["location", "tags", "priority", "experimentname"]
        .iter()
        .any(|word| folded.contains(word));
    let ours = matches!(
        class,
        "ClusterCreateParameters" | "JobCreateParameters" | "FileServerCreateParameters"
    );
    (ours && gone).then(|| {
        reported(
            node,
            class,
            "Location and tags are the workspace's; a priority is low, normal or high in schedulingPriority; the \
             experiment is part of the call.",
        )
    })
}
