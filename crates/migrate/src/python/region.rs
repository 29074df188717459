//! In which workspace a call finds its things: `migrated-` and the region that the text itself names.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use tree_sitter::Node;

use super::fit::Fit;
use super::models;
use super::module::{Argument, Module, arguments};
use super::references;
use crate::known::REGION_MARK;
use crate::syntax::{ancestors, holds, nodes};

/// A region as the text gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Region {
    /// A literal: `eastus`.
    Literal(String),
    /// An expression that is evaluated where it stands: `location`, `cfg.location`.
    Expression(String),
}

/// The workspace of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Workspace {
    /// Its name.
    Named(String),
    /// `'migrated-' + location`: the expression of the region.
    Computed(String),
    /// The text makes things in several regions; these.
    Several(Vec<String>),
}

/// What speaks for a region.
#[derive(Debug, Clone)]
enum Evidence<'t> {
    /// An expression that has it as its value.
    Value(Node<'t>),
    /// `'migrated-eastus'` in a call that is one of 2.0.0 already.
    Name(&'t str),
}

/// Every region the text names: for a create call, or in a workspace that was written in before.
pub struct Regions<'t> {
    found: Vec<Evidence<'t>>,
    /// Constants named like a region, where nothing else names one.
    constants: Vec<Evidence<'t>>,
    /// Regions that a call has taken over.
    carried: RefCell<BTreeSet<String>>,
    /// Was there a call that could lie in several?
    asked: Cell<bool>,
}

impl<'t> Regions<'t> {
    /// Looks for `location=` of the create parameters, and for workspaces.
    pub fn new(module: &Module<'t>) -> Regions<'t> {
        let calls = || module.nodes.iter().filter(|node| node.kind() == "call");
        let locations = calls()
            .filter_map(|call| location_of(module, *call))
            .map(Evidence::Value);
        let workspaces = calls()
            .filter_map(|call| references::site(module, *call))
            .filter_map(|site| Fit::new(module, &site)?.workspace())
            .filter_map(|node| migrated(module, node));
        let constants = module
            .assignments
            .iter()
            .filter(|one| !one.piece && is_region_name(one.left) && module.function(one.value).is_none())
            .filter(|one| module.literal(one.value).is_some_and(is_region))
            .map(|one| Evidence::Value(one.value))
            .collect();
        Regions {
            found: locations.chain(workspaces).collect(),
            constants,
            carried: RefCell::default(),
            asked: Cell::default(),
        }
    }

    /// The workspace of `call`, whose create parameters are `parameters` if it has some.
    pub fn workspace(&self, module: &Module<'t>, call: Node<'t>, parameters: Option<Node<'t>>) -> Workspace {
        let own = parameters.and_then(|node| self.of_parameters(module, node));
        if let Some(own) = own
            && let Some(region) = region_at(module, own, call)
        {
            self.carried.borrow_mut().insert(resolved(module, own));
            return workspace_of(region);
        }
        let mut seen: BTreeMap<String, Region> = BTreeMap::new();
        // It has a region of its own which can't be written here: that of other things is not meant.
        let mut hidden: BTreeSet<String> = own.map(|own| module.of(own).to_owned()).into_iter().collect();
        let constants = self.found.is_empty().then_some(&self.constants);
        for evidence in self.found.iter().chain(constants.into_iter().flatten()) {
            match evidence {
                Evidence::Value(node) => match region_at(module, *node, call) {
                    Some(region) => drop(seen.entry(resolved(module, *node)).or_insert(region)),
                    None => drop(hidden.insert(module.of(*node).to_owned())),
                },
                Evidence::Name(name) => {
                    seen.entry((*name).to_owned())
                        .or_insert_with(|| Region::Literal((*name).to_owned()));
                }
            }
        }
        if seen.len() > 1 || (!seen.is_empty() && !hidden.is_empty()) {
            if let Some(location) = &module.known.location {
                return Workspace::Named(module.known.workspace(Some(location)));
            }
            self.asked.set(true);
            return Workspace::Several(seen.into_values().map(shown).chain(hidden).collect());
        }
        match seen.into_iter().next() {
            None => Workspace::Named(module.known.workspace(None)),
            Some((value, region)) => {
                self.carried.borrow_mut().insert(value);
                workspace_of(region)
            }
        }
    }

    /// Is the region that `node` gives written into a call? Ask after all calls were decided.
    pub fn is_carried(&self, module: &Module<'t>, node: Node<'t>) -> bool {
        self.carried.borrow().contains(&resolved(module, node))
    }

    /// Is there a call that could lie in several regions?
    pub fn was_asked(&self) -> bool {
        self.asked.get()
    }

    /// The region that create parameters name: they stand in the call, or a variable holds them.
    fn of_parameters(&self, module: &Module<'t>, node: Node<'t>) -> Option<Node<'t>> {
        let call = match node.kind() {
            "call" => node,
            "identifier" => module.value_of(module.of(node), node)?.value,
            _ => return None,
        };
        location_of(module, call)
    }
}

/// The region of a workspace `'migrated-eastus'`, `'migrated-' + location`.
fn migrated<'t>(module: &Module<'t>, node: Node<'t>) -> Option<Evidence<'t>> {
    if let Some(name) = module.literal(node) {
        let region = name.strip_prefix("migrated-")?;
        return (is_region(region) && region != REGION_MARK).then_some(Evidence::Name(region));
    }
    let left = node.child_by_field_name("left")?;
    let plain = node.kind() == "binary_operator" && module.literal(left) == Some("migrated-");
    plain
        .then(|| node.child_by_field_name("right"))
        .flatten()
        .map(Evidence::Value)
}

/// The value of `location=` (or the first positional argument) of create parameters.
fn location_of<'t>(module: &Module<'t>, call: Node<'t>) -> Option<Node<'t>> {
    let model = models::constructed(module, call)?;
    if !models::has_location(model.class) {
        return None;
    }
    let all = arguments(module, call);
    let named = all.iter().find(|argument| argument.name == Some("location"));
    let first = all
        .first()
        .filter(|argument: &&Argument<'_>| argument.name.is_none() && !argument.is_star());
    named.or(first).map(|argument| argument.value)
}

fn is_region_name(left: &str) -> bool {
    let folded = left.to_ascii_lowercase();
    ["location", "region"]
        .iter()
        .any(|word| folded == *word || folded.ends_with(&format!("_{word}")))
}

fn is_region(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ')
}

/// `East US` and `eastus` are one.
pub fn region_name(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace())
        .collect::<String>()
        .to_ascii_lowercase()
}

/// What `node` says about the region, as it can be written at `call`.
fn region_at<'t>(module: &Module<'t>, node: Node<'t>, call: Node<'t>) -> Option<Region> {
    if let Some(text) = module.literal(node) {
        let constant = node
            .parent()
            .filter(|parent| parent.kind() == "assignment" && module.function(*parent).is_none())
            .and_then(|parent| parent.child_by_field_name("left"));
        return match constant {
            // A constant of the module stays one.
            Some(left) if stands_before(left, call) => Some(Region::Expression(module.of(left).to_owned())),
            _ if is_region(text) => Some(Region::Literal(region_name(text))),
            _ => None,
        };
    }
    if !is_simple(module, node) {
        return None;
    }
    let root = root_name(module, node)?;
    let usable = visible(module, root, node, call);
    if usable && !has_display_name(module, node) {
        return Some(Region::Expression(module.of(node).to_owned()));
    }
    // The name can't be used there, but its value may be plain.
    let value = module.value_of(module.of(node), node)?;
    let text = module.literal(value.value).filter(|text| is_region(text))?;
    (!value.piece).then(|| Region::Literal(region_name(text)))
}

fn stands_before(left: Node<'_>, call: Node<'_>) -> bool {
    left.end_byte() <= call.start_byte()
}

/// A constant that holds `East US`: not the end of a workspace's name.
fn has_display_name<'t>(module: &Module<'t>, node: Node<'t>) -> bool {
    module
        .value_of(module.of(node), node)
        .and_then(|found| module.literal(found.value))
        .is_some_and(|text| region_name(text) != text)
}

/// Names, members and places of dictionaries: evaluating them once more changes nothing.
fn is_simple<'t>(module: &Module<'t>, node: Node<'t>) -> bool {
    match node.kind() {
        "identifier" | "attribute" | "subscript" => nodes(node)
            .iter()
            .all(|inner| !matches!(inner.kind(), "call" | "await" | "named_expression" | "lambda")),
        "call" => {
            let called = module.of(node);
            called.starts_with("os.environ.get(") || called.starts_with("os.getenv(")
        }
        _ => false,
    }
}

fn root_name<'t>(module: &Module<'t>, node: Node<'t>) -> Option<&'t str> {
    let mut node = node;
    loop {
        node = match node.kind() {
            "identifier" => return Some(module.of(node)),
            "attribute" => node.child_by_field_name("object")?,
            "subscript" => node.child_by_field_name("value")?,
            "call" => node.child_by_field_name("function")?,
            _ => return None,
        };
    }
}

/// Does the name `root`, used at `node`, mean the same at `call`?
fn visible<'t>(module: &Module<'t>, root: &str, node: Node<'t>, call: Node<'t>) -> bool {
    let there = module.parameter_of(root, node);
    if module.parameter_of(root, call) != there {
        // `self` is the same in every method of a class.
        let class = |at: Node<'t>| {
            ancestors(at)
                .find(|outer| outer.kind() == "class_definition")
                .map(|outer| outer.id())
        };
        return root == "self"
            && there.is_some()
            && module.parameter_of(root, call).is_some()
            && class(node).is_some()
            && class(node) == class(call);
    }
    if let Some(function) = there {
        return holds(&function, &call.byte_range());
    }
    if module.imports.contains_key(root) {
        return true;
    }
    module
        .assignments
        .iter()
        .filter(|found| found.left == root)
        .any(|found| {
            let scope = module.scope(found.value);
            holds(&scope, &node.byte_range())
                && holds(&scope, &call.byte_range())
                && (found.value.end_byte() <= call.start_byte() || scope != module.scope(call))
        })
}

/// What tells two regions apart: the value where it is plain, else the text.
fn resolved<'t>(module: &Module<'t>, node: Node<'t>) -> String {
    let plain = module.literal(node).or_else(|| {
        module
            .value_of(module.of(node), node)
            .and_then(|found| module.literal(found.value))
    });
    plain.map_or_else(|| format!("={}", module.of(node)), region_name)
}

fn workspace_of(region: Region) -> Workspace {
    match region {
        Region::Literal(text) => Workspace::Named(format!("migrated-{text}")),
        Region::Expression(text) => Workspace::Computed(text),
    }
}

fn shown(region: Region) -> String {
    match region {
        Region::Literal(text) | Region::Expression(text) => text,
    }
}

/// The kind of quotes that a new string at `node` is written with: other ones than an f-string around it has.
pub fn quote<'t>(module: &Module<'t>, node: Node<'t>) -> char {
    let around = ancestors(node)
        .find(|outer| outer.kind() == "string")
        .map(|outer| module.of(outer).contains('\''));
    match around {
        Some(single) => {
            let outer = ancestors(node).find(|outer| outer.kind() == "string");
            let start = outer
                .map_or("", |outer| module.of(outer))
                .trim_start_matches(char::is_alphabetic);
            if start.starts_with('"') || !single {
                '\''
            } else {
                '"'
            }
        }
        None => {
            let text = module.of(node);
            if text.contains('"') && !text.contains('\'') {
                '"'
            } else {
                '\''
            }
        }
    }
}

impl Workspace {
    /// The Python expression, `None` where the person has to say which.
    pub fn expression(&self, quote: char) -> Option<String> {
        match self {
            Workspace::Named(name) => Some(format!("{quote}{name}{quote}")),
            Workspace::Computed(region) => Some(format!("{quote}migrated-{quote} + {region}")),
            Workspace::Several(_) => None,
        }
    }

    /// The question where there are several.
    pub fn question(&self) -> Option<String> {
        let Workspace::Several(regions) = self else {
            return None;
        };
        Some(format!(
            "This file makes things in several regions ({}). In which one is this? Its workspace is `migrated-` and that region.",
            regions.join(", ")
        ))
    }
}
