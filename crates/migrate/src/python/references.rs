//! Where a client goes other ways than through a plain call: `partial`, `getattr`, helpers, methods handed on.

use tree_sitter::Node;

use super::clients::{self, Client, Target};
use super::module::{Argument, Module, arguments, function_of};
use super::operation_call::Site;
use super::operations::{self, Method};
use crate::call::{Call, Verdict};
use crate::edit::Edit;

/// Functions that call their first argument with the others.
const CALLERS: [&str; 4] = ["partial", "submit", "call_soon", "to_thread"];
/// Functions that take anything and call nothing.
const HARMLESS: [&str; 12] = [
    "print",
    "isinstance",
    "type",
    "str",
    "repr",
    "hasattr",
    "setattr",
    "id",
    "len",
    "vars",
    "dir",
    "bool",
];

/// The call of an operation that `call` is, directly or by `partial` and the like.
pub fn site<'t>(module: &Module<'t>, call: Node<'t>) -> Option<Site<'t>> {
    let function = function_of(call)?;
    let all = arguments(module, call);
    if let Some((target, method)) = operation(module, function) {
        return Some(Site {
            call,
            target,
            method,
            arguments: all,
            partial: false,
        });
    }
    if !CALLERS.contains(&last_name(module, function)) {
        return None;
    }
    let first = all.first().filter(|argument| argument.name.is_none())?;
    let (target, method) = operation(module, first.value)?;
    Some(Site {
        call,
        target,
        method,
        arguments: all.get(1..)?.to_vec(),
        partial: last_name(module, function) == "partial",
    })
}

fn operation<'t>(module: &Module<'t>, node: Node<'t>) -> Option<(Target<'t>, Node<'t>)> {
    let target = clients::target(module, node)?;
    Some((target, target.method?))
}

fn last_name<'t>(module: &Module<'t>, function: Node<'t>) -> &'t str {
    let name = module.of(function);
    name.rsplit('.').next().unwrap_or(name)
}

/// A call that is handed a client, or reaches into one by name.
pub fn handed_on<'t>(module: &Module<'t>, call: Node<'t>) -> Option<Call> {
    let function = function_of(call)?;
    let name = last_name(module, function);
    let all = arguments(module, call);
    if name == "getattr" {
        return reached_by_name(module, call, &all);
    }
    let made_here = module.made_here.contains(name);
    let makes_client = clients::client(module, call) == Client::Certain;
    if made_here || makes_client || HARMLESS.contains(&name) || CALLERS.contains(&name) {
        return None;
    }
    let client = all.iter().find(|argument| is_client(module, argument.value))?;
    let text = module.of(call);
    if text.to_ascii_lowercase().contains("workspace") {
        return None;
    }
    let question = format!(
        "`{}` is handed the client `{}`. Does it use clusters, jobs or file servers? Then it needs the workspace (and \
         experiment) too; its own file has to be rewritten.",
        module.of(function),
        module.of(client.value)
    );
    Some(undecided(call, module.of(function), question))
}

fn is_client<'t>(module: &Module<'t>, node: Node<'t>) -> bool {
    matches!(node.kind(), "identifier" | "attribute")
        && (clients::client(module, node) == Client::Certain
            || clients::target(module, node)
                .is_some_and(|target| target.method.is_none() && target.sure >= Client::Likely))
}

fn reached_by_name<'t>(module: &Module<'t>, call: Node<'t>, all: &[Argument<'t>]) -> Option<Call> {
    let first = all.first()?.value;
    let sure = clients::client(module, first) >= Client::Likely
        || clients::target(module, first).is_some_and(|target| target.sure >= Client::Likely);
    sure.then(|| {
        let question = format!(
            "`{}` reaches the operation by its name. Which one is it? Most take the workspace behind the resource group \
             now, those of jobs the experiment too.",
            module.of(call)
        );
        undecided(call, "getattr", question)
    })
}

/// A method that is named but not called here: `map(client.jobs.get, names)`.
pub fn named_only<'t>(module: &Module<'t>, node: Node<'t>) -> Option<Call> {
    let target =
        clients::target(module, node).filter(|target| target.direct && target.sure >= Client::Likely)?;
    let parent = node.parent()?;
    let Some(method) = target.method else {
        return group_alone(module, target, parent);
    };
    let known = operations::method(module.of(target.group), module.of(method))?;
    if is_called(module, node, parent) {
        return None;
    }
    let what = format!("{}.{}", module.of(target.group), module.of(method));
    match known {
        Method::New => None,
        // `list_files = client.jobs.list_output_files`: the calls of the name are found themselves.
        Method::Old(operation) if is_value(parent, node) => {
            (operation.name != module.of(method)).then(|| Call {
                span: node.byte_range(),
                what,
                verdict: Verdict::Rewritten(vec![Edit {
                    span: method.byte_range(),
                    text: operation.name.to_owned(),
                }]),
                remarks: Vec::new(),
            })
        }
        Method::Usage if is_value(parent, node) => Some(renamed_group(node, target, &what, "usages")),
        _ => Some(undecided(
            node,
            &what,
            format!(
                "`{}` is handed on. Whoever calls it must give the workspace behind the resource group{}. Where is that?",
                module.of(node),
                if module.of(target.group) == "jobs" {
                    ", and the experiment behind that"
                } else {
                    ""
                }
            ),
        )),
    }
}

/// `usage = client.usage`, `servers = client.fileservers`.
fn group_alone<'t>(module: &Module<'t>, target: Target<'t>, parent: Node<'t>) -> Option<Call> {
    let new = match module.of(target.group) {
        "usage" => "usages",
        "fileservers" => "file_servers",
        _ => return None,
    };
    // With a method behind it the call itself is found.
    (parent.kind() != "attribute").then(|| renamed_group(target.group, target, module.of(target.group), new))
}

fn renamed_group(node: Node<'_>, target: Target<'_>, what: &str, new: &str) -> Call {
    Call {
        span: node.byte_range(),
        what: what.to_owned(),
        verdict: Verdict::Rewritten(vec![Edit {
            span: target.group.byte_range(),
            text: new.to_owned(),
        }]),
        remarks: Vec::new(),
    }
}

fn is_value(parent: Node<'_>, node: Node<'_>) -> bool {
    parent.kind() == "assignment"
        && parent
            .child_by_field_name("right")
            .is_some_and(|right| right.id() == node.id())
}

fn is_called<'t>(module: &Module<'t>, node: Node<'t>, parent: Node<'t>) -> bool {
    let mut outer = parent;
    let mut inner = node;
    while outer.kind() == "parenthesized_expression" {
        inner = outer;
        let Some(next) = outer.parent() else { return false };
        outer = next;
    }
    if outer.kind() == "call" {
        return outer
            .child_by_field_name("function")
            .is_some_and(|function| function.id() == inner.id());
    }
    if outer.kind() == "argument_list"
        && let Some(call) = outer.parent()
    {
        return site(module, call)
            .is_some_and(|site| site.method.parent().is_some_and(|at| at.id() == inner.id()));
    }
    // A longer attribute: `client.jobs.get.__doc__`.
    outer.kind() == "attribute"
}

fn undecided(node: Node<'_>, what: &str, question: String) -> Call {
    Call {
        span: node.byte_range(),
        what: what.to_owned(),
        verdict: Verdict::Undecided(question),
        remarks: Vec::new(),
    }
}
