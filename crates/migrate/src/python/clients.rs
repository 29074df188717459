//! Which names hold a Batch AI client, or one of its groups of operations.

use tree_sitter::Node;

use super::module::{Module, function_of};
use super::operations::GROUPS;

/// How sure it is that an expression is a Batch AI client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Client {
    /// It is one of another service.
    Other,
    /// Nothing speaks for it.
    Unknown,
    /// It is named like one, but so is a client of another service.
    Doubtful,
    /// It is named like one.
    Likely,
    /// It was made as one.
    Certain,
}

/// A method of a group of operations, or the group alone.
#[derive(Debug, Clone, Copy)]
pub struct Target<'t> {
    /// The client as written: `client`, `self.client`.
    pub client: Node<'t>,
    /// How sure that is.
    pub sure: Client,
    /// `clusters`, `jobs`, `fileservers`.
    pub group: Node<'t>,
    /// `create`, `get`; none where the group stands alone.
    pub method: Option<Node<'t>>,
    /// Group and method stand at the call itself, not at a name for them.
    pub direct: bool,
}

const DEPTH: usize = 6;

/// What is `node`?
pub fn client<'t>(module: &Module<'t>, node: Node<'t>) -> Client {
    client_within(module, node, DEPTH)
}

fn client_within<'t>(module: &Module<'t>, node: Node<'t>, depth: usize) -> Client {
    if depth == 0 {
        return Client::Unknown;
    }
    match node.kind() {
        "call" => made_by(module, node),
        "identifier" | "attribute" => named_client(module, node, depth),
        "parenthesized_expression" | "await" => crate::syntax::named(node)
            .first()
            .map_or(Client::Unknown, |inner| client_within(module, *inner, depth - 1)),
        _ => Client::Unknown,
    }
}

/// A call that makes a client: the constructor, or a helper that is handed the class or has it in its name.
fn made_by<'t>(module: &Module<'t>, call: Node<'t>) -> Client {
    let Some(function) = function_of(call) else {
        return Client::Unknown;
    };
    let name = module
        .path(function)
        .unwrap_or_else(|| module.of(function).to_owned());
    let last = name.rsplit('.').next().unwrap_or(&name).to_owned();
    let folded = last.to_ascii_lowercase();
    let handed = super::module::arguments(module, call)
        .iter()
        .any(|argument| is_class(module, argument.value));
    if last == "BatchAIManagementClient" || handed || (is_batchai(&folded) && folded.contains("client")) {
        Client::Certain
    } else if last.ends_with("Client") {
        Client::Other
    } else if folded.contains("client") {
        Client::Likely
    } else {
        Client::Unknown
    }
}

fn named_client<'t>(module: &Module<'t>, node: Node<'t>, depth: usize) -> Client {
    let written = module.of(node);
    if let Some(found) = module.value_of(written, node)
        && !found.piece
        && found.value.id() != node.id()
    {
        let known = client_within(module, found.value, depth - 1);
        if known != Client::Unknown {
            return known;
        }
    }
    if parameter_type(module, node).is_some_and(|kind| is_class(module, kind)) {
        return Client::Certain;
    }
    if module.assignments.iter().any(|found| {
        found.left == written && found.value.kind() == "call" && made_by(module, found.value) == Client::Other
    }) {
        return Client::Doubtful;
    }
    let last = written.rsplit('.').next().unwrap_or(written).to_ascii_lowercase();
    let bare = last.trim_matches('_');
    if is_batchai(bare) || bare.ends_with("client") || bare == "bai" || bare == "batch" {
        Client::Likely
    } else {
        Client::Unknown
    }
}

/// Is it the client's class, under whatever name?
fn is_class<'t>(module: &Module<'t>, node: Node<'t>) -> bool {
    module
        .path(node)
        .is_some_and(|path| path.rsplit('.').next() == Some("BatchAIManagementClient"))
        || module.literal(node) == Some("BatchAIManagementClient")
}

fn is_batchai(folded: &str) -> bool {
    folded.contains("batchai") || folded.contains("batch_ai") || folded.starts_with("bai_")
}

/// The type that a parameter of a function around `node` is declared with.
fn parameter_type<'t>(module: &Module<'t>, node: Node<'t>) -> Option<Node<'t>> {
    let name = module.of(node);
    let function = module.function(node)?;
    let list = function.child_by_field_name("parameters")?;
    crate::syntax::named(list)
        .into_iter()
        .filter(|parameter| matches!(parameter.kind(), "typed_parameter" | "typed_default_parameter"))
        .find(|parameter| {
            parameter
                .named_child(0)
                .is_some_and(|first| module.of(first) == name)
        })
        .and_then(|parameter| parameter.child_by_field_name("type"))
        .map(|kind| kind.named_child(0).unwrap_or(kind))
}

/// The operation, or group of operations, that `node` names: `client.jobs.get`, `jobs.get` after
/// `jobs = client.jobs`, `get` after `get = client.jobs.get`.
pub fn target<'t>(module: &Module<'t>, node: Node<'t>) -> Option<Target<'t>> {
    target_within(module, node, DEPTH)
}

fn target_within<'t>(module: &Module<'t>, node: Node<'t>, depth: usize) -> Option<Target<'t>> {
    if depth == 0 {
        return None;
    }
    if node.kind() == "parenthesized_expression" {
        let inner = crate::syntax::named(node).into_iter().next()?;
        return target_within(module, inner, depth - 1);
    }
    if node.kind() == "attribute" {
        let object = node.child_by_field_name("object")?;
        let attribute = node.child_by_field_name("attribute")?;
        if GROUPS.contains(&module.of(attribute)) {
            let sure = client(module, object);
            if sure > Client::Other {
                return Some(Target {
                    client: object,
                    sure,
                    group: attribute,
                    method: None,
                    direct: true,
                });
            }
        }
        if let Some(group) = target_within(module, object, depth - 1)
            && group.method.is_none()
        {
            return Some(Target {
                method: Some(attribute),
                ..group
            });
        }
    }
    if !matches!(node.kind(), "identifier" | "attribute") {
        return None;
    }
    let found = module.value_of(module.of(node), node)?;
    if found.piece || !matches!(found.value.kind(), "identifier" | "attribute") {
        return None;
    }
    let target = target_within(module, found.value, depth - 1)?;
    (target.sure >= Client::Likely).then_some(Target {
        direct: false,
        ..target
    })
}
