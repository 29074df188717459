//! Members of clusters, jobs, file servers and files that changed or went, where a text reads or sets them.

use tree_sitter::Node;

use super::clients::{self, Client};
use super::construct;
use super::models;
use super::module::{Module, function_of};
use super::region;
use crate::call::{Call, Verdict};
use crate::edit::Edit;
use crate::syntax::{ancestors, line_start, named};

/// Members that held an enum in 0.2.0 and hold text in 2.0.0.
const ENUMS: [&str; 8] = [
    "execution_state",
    "provisioning_state",
    "allocation_state",
    "tool_type",
    "vm_priority",
    "node_deallocation_option",
    "storage_account_type",
    "caching_type",
];

/// What becomes of an attribute.
pub fn call<'t>(module: &Module<'t>, node: Node<'t>) -> Option<Call> {
    let object = node.child_by_field_name("object")?;
    let name = module.of(node.child_by_field_name("attribute")?);
    match name {
        "is_directory" => is_directory(module, node, object),
        "file_server_type" if module.of(object).ends_with("mount_settings") => {
            Some(file_server_type(module, node))
        }
        "value" | "name" => enum_value(module, node, object),
        "location" | "tags" | "priority" | "experiment_name" => gone(module, node, object, name),
        "nfs" | "glusterfs" | "model" | "logs" | "summary" | "custom" | "unknown" => {
            member_of_enum(module, node, object)
        }
        _ => None,
    }
}

fn file_server_type<'t>(module: &Module<'t>, node: Node<'t>) -> Call {
    let what = ".file_server_type";
    if crate::syntax::nodes(node)
        .iter()
        .any(|inner| inner.kind() == "call")
    {
        return Call {
            span: node.end_byte() - what.len()..node.end_byte(),
            what: what.to_owned(),
            verdict: Verdict::Undecided(
                "File servers have no type any more; all are NFS. Is the call before it still needed?"
                    .to_owned(),
            ),
            remarks: Vec::new(),
        };
    }
    rewritten(
        node,
        what,
        vec![replace(node, quoted(module, node, "nfs"))],
        &["File servers have no type any more; all are NFS."],
    )
}

fn is_directory<'t>(module: &Module<'t>, node: Node<'t>, object: Node<'t>) -> Option<Call> {
    let parent = node.parent()?;
    let called = parent.kind() == "call" && field_is(parent, "function", node);
    let set = parent.kind() == "assignment" && field_is(parent, "left", node);
    if called || set || !may_be_ours(module, object) {
        return None;
    }
    let tight = matches!(
        parent.kind(),
        "comparison_operator" | "binary_operator" | "unary_operator" | "attribute" | "subscript" | "await"
    );
    let quote = region::quote(module, node);
    let test = format!("{}.file_type == {quote}directory{quote}", module.of(object));
    let text = if tight { format!("({test})") } else { test };
    // The object keeps its own bytes, so that what is found inside it can still be changed.
    let (before, after) = text.split_at(usize::from(tight));
    let mut edits = vec![Edit {
        span: object.end_byte()..node.end_byte(),
        text: after.get(module.of(object).len()..)?.to_owned(),
    }];
    if tight {
        edits.push(Edit {
            span: node.start_byte()..node.start_byte(),
            text: before.to_owned(),
        });
    }
    Some(rewritten(node, ".is_directory", edits, &[]))
}

fn enum_value<'t>(module: &Module<'t>, node: Node<'t>, object: Node<'t>) -> Option<Call> {
    let member = object
        .child_by_field_name("attribute")
        .map(|member| module.of(member))?;
    if !ENUMS.contains(&member)
        || node
            .parent()
            .is_some_and(|parent| field_is(parent, "function", node))
    {
        return None;
    }
    let holder = object.child_by_field_name("object")?;
    match origin(module, holder) {
        Client::Other => None,
        Client::Unknown if module.has_other_clients() && !member.starts_with("execution") => Some(Call {
            span: node.byte_range(),
            what: format!(".{member}.value"),
            verdict: Verdict::Undecided(format!(
                "Is `{}` one of Batch AI? Then `.{member}` is text in 2.0.0 and needs no `.value`.",
                module.of(holder)
            )),
            remarks: Vec::new(),
        }),
        _ => Some(rewritten(
            node,
            &format!(".{member}.value"),
            vec![Edit {
                span: object.end_byte()..node.end_byte(),
                text: String::new(),
            }],
            &[],
        )),
    }
}

/// `cluster.location` and the like: read, it is a question; set on create parameters, the line goes.
fn gone<'t>(module: &Module<'t>, node: Node<'t>, object: Node<'t>, name: &str) -> Option<Call> {
    if object.kind() != "identifier" {
        return None;
    }
    let class = created(module, object);
    if let Some(parent) = node.parent()
        && parent.kind() == "assignment"
        && field_is(parent, "left", node)
    {
        return class.and_then(|class| set(module, parent, node, name, class));
    }
    if class.is_none() && origin(module, object) < Client::Likely {
        return None;
    }
    if matches!(name, "priority" | "experiment_name") && !looks_like_job(module, object) {
        return None;
    }
    let question = match name {
        "location" => {
            "Only the workspace has a location: `client.workspaces.get(resource_group, workspace).location`. \
                       Is that meant?"
        }
        "tags" => {
            "Only the workspace has tags: `client.workspaces.get(resource_group, workspace).tags`. Is that meant?"
        }
        "priority" => {
            "Jobs have `scheduling_priority` now: low, normal or high, no number. What follows from it here?"
        }
        _ => {
            "Jobs have no label any more; the experiment they lie in is part of their id. What is it used for here?"
        }
    };
    Some(Call {
        span: node.byte_range(),
        what: format!(".{name}"),
        verdict: Verdict::Undecided(question.to_owned()),
        remarks: Vec::new(),
    })
}

/// `parameters.location = 'eastus'`.
fn set<'t>(
    module: &Module<'t>,
    assignment: Node<'t>,
    node: Node<'t>,
    name: &str,
    class: &str,
) -> Option<Call> {
    let what = format!("models.{class} .{name}");
    let statement = assignment
        .parent()
        .filter(|parent| parent.kind() == "expression_statement" && models::has_location(class))?;
    if name == "priority" || (name == "experiment_name" && class != "JobCreateParameters") {
        return (class == "JobCreateParameters").then(|| Call {
            span: node.byte_range(),
            what,
            verdict: Verdict::Undecided(
                "Jobs have `scheduling_priority` now: 'low' (below 0), 'normal' (0) or 'high' (above 0). Which is it?"
                    .to_owned(),
            ),
            remarks: Vec::new(),
        });
    }
    let value = module.of(assignment.child_by_field_name("right")?);
    let remark = format!("`{name} = {value}` was taken out: {class} of 2.0.0 has no such member.");
    Some(rewritten(
        statement,
        &what,
        vec![drop_statement(module, statement)],
        &[&remark],
    ))
}

/// The statement's lines; `pass` where its block would be empty.
fn drop_statement<'t>(module: &Module<'t>, statement: Node<'t>) -> Edit {
    let start = line_start(module.text, statement.start_byte());
    let alone = module
        .text
        .get(start..statement.start_byte())
        .is_some_and(|before| before.trim().is_empty());
    let rest = module.text.get(statement.end_byte()..).unwrap_or_default();
    let end = rest.find('\n').filter(|end| rest[..*end].trim().is_empty());
    let others = statement.parent().is_some_and(|block| named(block).len() > 1);
    match end {
        Some(end) if alone && others => Edit {
            span: start..statement.end_byte() + end + 1,
            text: String::new(),
        },
        _ => replace(statement, "pass".to_owned()),
    }
}

/// `OutputType.model`, `FileServerType.nfs`, `DeallocationOption.unknown`.
fn member_of_enum<'t>(module: &Module<'t>, node: Node<'t>, object: Node<'t>) -> Option<Call> {
    let class = models::class_name(module, object)?;
    let member = module.of(node.child_by_field_name("attribute")?);
    if models::GONE_ENUMS.contains(&class.as_str()) {
        let remark = format!("`{class}` is gone; its plain text stands here.");
        return Some(rewritten(
            node,
            &class,
            vec![replace(node, quoted(module, node, member))],
            &[&remark],
        ));
    }
    (class == "DeallocationOption" && member == "unknown").then(|| Call {
        span: node.byte_range(),
        what: class,
        verdict: Verdict::Undecided(
            "`DeallocationOption.unknown` is gone. Which of requeue, terminate, waitforjobcompletion is it?"
                .to_owned(),
        ),
        remarks: Vec::new(),
    })
}

/// A class that was renamed, where it is not called: an annotation, a list of classes, an import.
pub fn class<'t>(module: &Module<'t>, node: Node<'t>) -> Option<Call> {
    let parent = node.parent()?;
    if parent.kind() == "call" && field_is(parent, "function", node) {
        return None;
    }
    if parent.kind() == "attribute" {
        return None;
    }
    let edits = construct::renames(module, node);
    let what = module.of(node);
    (!edits.is_empty()).then(|| rewritten(node, what, edits, &[]))
}

/// `from azure.mgmt.batchai.models import EnvironmentSetting, OutputType`.
pub fn import<'t>(module: &Module<'t>, node: Node<'t>) -> Vec<Call> {
    let from = node
        .child_by_field_name("module_name")
        .map_or("", |name| module.of(name));
    if !from.starts_with("azure.mgmt.batchai.models") {
        return Vec::new();
    }
    let mut edits = Vec::new();
    if let Some(path) = node.child_by_field_name("module_name")
        && let Some((start, last)) = from.rsplit_once('.')
        && let Some(new) = models::module_renamed(last)
    {
        edits.push(replace(path, format!("{start}.{new}")));
    }
    let items: Vec<Node<'t>> = named(node)
        .into_iter()
        .filter(|item| matches!(item.kind(), "dotted_name" | "aliased_import"))
        .skip(1)
        .collect();
    let name = |item: &Node<'t>| item.child_by_field_name("name").unwrap_or(*item);
    for item in &items {
        if let Some(new) = models::renamed(module.of(name(item))) {
            edits.push(replace(name(item), new.to_owned()));
        }
    }
    edits.extend(gone_imports(module, node, &items));
    if edits.is_empty() {
        return Vec::new();
    }
    vec![rewritten(node, &format!("from {from} import"), edits, &[])]
}

/// Imports of enums that are gone: their uses are plain text afterwards.
fn gone_imports<'t>(module: &Module<'t>, node: Node<'t>, items: &[Node<'t>]) -> Vec<Edit> {
    let out: Vec<usize> = (0..items.len())
        .filter(|place| models::GONE_ENUMS.contains(&module.of(items[*place])))
        .collect();
    if out.is_empty() {
        return Vec::new();
    }
    if out.len() == items.len() {
        return vec![drop_statement(module, node)];
    }
    let spans: Vec<_> = items.iter().map(tree_sitter::Node::byte_range).collect();
    crate::arguments::remove(module.text, &spans, &out)
}

/// The class of the create parameters that the name holds.
fn created<'t>(module: &Module<'t>, name: Node<'t>) -> Option<&'static str> {
    let found = module
        .value_of(module.of(name), name)
        .filter(|found| !found.piece)?;
    models::constructed(module, found.value)
        .map(|model| model.class)
        .filter(|class| models::has_location(class))
}

/// Where the value of an expression came from: an operation of Batch AI, of another client, or nobody knows.
fn origin<'t>(module: &Module<'t>, node: Node<'t>) -> Client {
    let mut node = node;
    for _ in 0..12 {
        if clients::client(module, node) == Client::Other {
            return Client::Other;
        }
        node = match node.kind() {
            "identifier" => match module.value_of(module.of(node), node) {
                Some(found) if found.value.id() != node.id() => found.value,
                _ => return Client::Unknown,
            },
            "call" => {
                let Some(function) = function_of(node) else {
                    return Client::Unknown;
                };
                if let Some(target) =
                    clients::target(module, function).filter(|target| target.method.is_some())
                {
                    return target.sure;
                }
                let object = function.child_by_field_name("object");
                let wraps = matches!(
                    module.of(function),
                    "list" | "next" | "iter" | "sorted" | "enumerate"
                );
                let first = super::module::arguments(module, node)
                    .first()
                    .map(|argument| argument.value);
                match object.or(first.filter(|_| wraps)) {
                    Some(inner) => inner,
                    None => return Client::Unknown,
                }
            }
            "attribute" => match node.child_by_field_name("object") {
                Some(object) => object,
                None => return Client::Unknown,
            },
            "subscript" => match node.child_by_field_name("value") {
                Some(value) => value,
                None => return Client::Unknown,
            },
            _ => return Client::Unknown,
        };
    }
    Client::Unknown
}

fn may_be_ours<'t>(module: &Module<'t>, object: Node<'t>) -> bool {
    origin(module, object) != Client::Other
}

fn looks_like_job<'t>(module: &Module<'t>, object: Node<'t>) -> bool {
    created(module, object) == Some("JobCreateParameters")
        || module
            .value_of(module.of(object), object)
            .is_some_and(|found| module.of(found.value).contains("jobs."))
}

fn field_is(parent: Node<'_>, field: &str, node: Node<'_>) -> bool {
    parent
        .child_by_field_name(field)
        .is_some_and(|found| found.id() == node.id())
}

fn quoted<'t>(module: &Module<'t>, node: Node<'t>, text: &str) -> String {
    let quote = region::quote(module, node);
    format!("{quote}{text}{quote}")
}

fn replace(node: Node<'_>, text: String) -> Edit {
    Edit {
        span: node.byte_range(),
        text,
    }
}

fn rewritten(node: Node<'_>, what: &str, edits: Vec<Edit>, remarks: &[&str]) -> Call {
    Call {
        span: node.byte_range(),
        what: what.to_owned(),
        verdict: Verdict::Rewritten(edits),
        remarks: remarks.iter().map(|remark| (*remark).to_owned()).collect(),
    }
}

impl<'t> Module<'t> {
    /// Are clients of other services made here?
    pub fn has_other_clients(&self) -> bool {
        self.assignments
            .iter()
            .any(|found| clients::client(self, found.value) == Client::Other)
    }

    /// Is this node part of an import?
    pub fn in_import(&self, node: Node<'t>) -> bool {
        ancestors(node).any(|outer| matches!(outer.kind(), "import_statement" | "import_from_statement"))
    }
}
