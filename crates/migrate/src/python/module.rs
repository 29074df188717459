//! What a Python text says about its own names: imports, assignments, functions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use tree_sitter::Node;

use crate::known::Known;
use crate::syntax::{ancestors, named, nodes, text_of};

/// One name that got a value: `left = value`, or `for left in value`.
#[derive(Debug, Clone, Copy)]
pub struct Assignment<'t> {
    /// The name as written: `client`, `self.client`.
    pub left: &'t str,
    /// What it got.
    pub value: Node<'t>,
    /// A loop gives it one piece of the value.
    pub piece: bool,
}

/// A parsed text and what was learned from one walk over it.
pub struct Module<'t> {
    /// The text.
    pub text: &'t str,
    /// What is known from outside.
    pub known: &'t Known,
    /// All nodes in the order of the text.
    pub nodes: Vec<Node<'t>>,
    /// Local name to the dotted path it stands for.
    pub imports: BTreeMap<&'t str, String>,
    /// Names that got values, in the order of the text.
    pub assignments: Vec<Assignment<'t>>,
    /// Functions and classes made here.
    pub made_here: BTreeSet<&'t str>,
    /// Names of `from azure.mgmt.batchai.models import *` may stand anywhere.
    pub star_models: bool,
}

impl<'t> Module<'t> {
    /// Walks over the tree once.
    pub fn new(text: &'t str, known: &'t Known, root: Node<'t>) -> Module<'t> {
        let mut module = Module {
            text,
            known,
            nodes: nodes(root),
            imports: BTreeMap::new(),
            assignments: Vec::new(),
            made_here: BTreeSet::new(),
            star_models: false,
        };
        for node in module.nodes.clone() {
            module.learn(node);
        }
        module
    }

    fn learn(&mut self, node: Node<'t>) {
        match node.kind() {
            "import_statement" => {
                for item in named(node) {
                    self.import(item, "");
                }
            }
            "import_from_statement" => self.import_from(node),
            "assignment" => {
                if let (Some(left), Some(value)) = (
                    node.child_by_field_name("left"),
                    node.child_by_field_name("right"),
                ) {
                    self.assign(left, value, false);
                }
            }
            "for_statement" | "for_in_clause" => {
                if let (Some(left), Some(value)) = (
                    node.child_by_field_name("left"),
                    node.child_by_field_name("right"),
                ) {
                    self.assign(left, value, true);
                }
            }
            "function_definition" | "class_definition" => {
                if let Some(name) = node.child_by_field_name("name") {
                    self.made_here.insert(self.of(name));
                }
            }
            _ => {}
        }
    }

    fn assign(&mut self, left: Node<'t>, value: Node<'t>, piece: bool) {
        if matches!(left.kind(), "identifier" | "attribute") {
            let left = self.of(left);
            self.assignments.push(Assignment { left, value, piece });
        }
    }

    fn import(&mut self, item: Node<'t>, from: &str) {
        let join = |name: &str| {
            if from.is_empty() {
                name.to_owned()
            } else {
                format!("{from}.{name}")
            }
        };
        if item.kind() == "aliased_import" {
            if let (Some(name), Some(alias)) = (
                item.child_by_field_name("name"),
                item.child_by_field_name("alias"),
            ) {
                self.imports.insert(self.of(alias), join(self.of(name)));
            }
        } else if item.kind() == "dotted_name" {
            let name = self.of(item);
            if from.is_empty() {
                let root = name.split('.').next().unwrap_or(name);
                self.imports.insert(root, root.to_owned());
            } else {
                self.imports.insert(name, join(name));
            }
        }
    }

    fn import_from(&mut self, node: Node<'t>) {
        let Some(from) = node.child_by_field_name("module_name") else {
            return;
        };
        let path = self.of(from);
        for item in named(node) {
            if item.kind() == "wildcard_import" {
                self.star_models |= path == "azure.mgmt.batchai.models";
            } else if item.id() != from.id() {
                self.import(item, path);
            }
        }
    }

    /// The text of a node.
    pub fn of(&self, node: Node<'_>) -> &'t str {
        text_of(node, self.text)
    }

    /// The dotted path of names, imports resolved: `models.Job` is `azure.mgmt.batchai.models.Job`.
    pub fn path(&self, node: Node<'t>) -> Option<String> {
        match node.kind() {
            "identifier" => {
                let name = self.of(node);
                Some(self.imports.get(name).cloned().unwrap_or_else(|| name.to_owned()))
            }
            "attribute" => {
                let object = self.path(node.child_by_field_name("object")?)?;
                Some(format!(
                    "{object}.{}",
                    self.of(node.child_by_field_name("attribute")?)
                ))
            }
            _ => None,
        }
    }

    /// The bytes of the function that `node` stands in; all of the text outside of functions.
    pub fn scope(&self, node: Node<'t>) -> Range<usize> {
        ancestors(node)
            .find(|outer| matches!(outer.kind(), "function_definition" | "lambda"))
            .map_or(0..self.text.len(), |outer| outer.byte_range())
    }

    /// The bytes of the function itself, lambdas passed over: assignments stand in these.
    pub fn function(&self, node: Node<'t>) -> Option<Node<'t>> {
        ancestors(node).find(|outer| outer.kind() == "function_definition")
    }

    /// The last value that the name `left` got before `at`, in the function of `at`, else in those around it.
    pub fn value_of(&self, left: &str, at: Node<'t>) -> Option<Assignment<'t>> {
        let mut best: Option<(usize, Assignment<'t>)> = None;
        let parameter_of = self.parameter_of(left, at);
        for assignment in self.assignments.iter().filter(|found| found.left == left) {
            let scope = self.scope(assignment.value);
            // An attribute is seen from everywhere; a name only below its own function.
            let seen = left.contains('.') || (scope.start <= at.start_byte() && at.end_byte() <= scope.end);
            let before = assignment.value.end_byte() <= at.start_byte() || scope != self.scope(at);
            let inside_itself = crate::syntax::holds(&assignment.value.byte_range(), &at.byte_range());
            let shadowed = parameter_of
                .as_ref()
                .is_some_and(|function| scope.len() > function.len());
            if !seen || !before || shadowed || (inside_itself && !assignment.piece) {
                continue;
            }
            if best.is_none_or(|(width, _)| scope.len() <= width) {
                best = Some((scope.len(), *assignment));
            }
        }
        best.map(|(_, assignment)| assignment)
    }

    /// The innermost function or lambda around `at` that has a parameter of this name.
    pub fn parameter_of(&self, name: &str, at: Node<'t>) -> Option<Range<usize>> {
        ancestors(at)
            .filter(|outer| matches!(outer.kind(), "function_definition" | "lambda"))
            .find(|outer| {
                outer.child_by_field_name("parameters").is_some_and(|list| {
                    named(list).into_iter().any(|parameter| {
                        let first = parameter
                            .child_by_field_name("name")
                            .or_else(|| parameter.named_child(0))
                            .unwrap_or(parameter);
                        self.of(first) == name
                    })
                })
            })
            .map(|outer| outer.byte_range())
    }

    /// The string that a literal holds, if it is a plain one.
    pub fn literal(&self, node: Node<'t>) -> Option<&'t str> {
        if node.kind() != "string" {
            return None;
        }
        let parts = named(node);
        let content: Vec<Node<'_>> = parts
            .iter()
            .filter(|part| part.kind() == "string_content")
            .copied()
            .collect();
        if parts.iter().any(|part| part.kind() == "interpolation") {
            return None;
        }
        match content.as_slice() {
            [] => Some(""),
            [one] if named(*one).is_empty() => Some(self.of(*one)),
            _ => None,
        }
    }
}

/// One argument of a call.
#[derive(Debug, Clone, Copy)]
pub struct Argument<'t> {
    /// Its keyword.
    pub name: Option<&'t str>,
    /// All of it.
    pub node: Node<'t>,
    /// What it hands over.
    pub value: Node<'t>,
}

impl Argument<'_> {
    /// Is it `*args` or `**args`?
    pub fn is_star(&self) -> bool {
        matches!(self.node.kind(), "list_splat" | "dictionary_splat")
    }
}

/// The arguments of a call, in order.
pub fn arguments<'t>(module: &Module<'t>, call: Node<'t>) -> Vec<Argument<'t>> {
    let Some(list) = call.child_by_field_name("arguments") else {
        return Vec::new();
    };
    if list.kind() != "argument_list" {
        // f(x for x in y): one argument without a bracket of its own.
        return Vec::new();
    }
    named(list)
        .into_iter()
        .map(|node| Argument {
            name: (node.kind() == "keyword_argument")
                .then(|| node.child_by_field_name("name").map(|name| module.of(name)))
                .flatten(),
            node,
            value: node.child_by_field_name("value").unwrap_or(node),
        })
        .collect()
}

/// Where the arguments stand.
pub fn spans(arguments: &[Argument<'_>]) -> Vec<Range<usize>> {
    arguments
        .iter()
        .map(|argument| argument.node.byte_range())
        .collect()
}

/// The function of a call, brackets around it passed over.
pub fn function_of(call: Node<'_>) -> Option<Node<'_>> {
    let mut function = call.child_by_field_name("function")?;
    while function.kind() == "parenthesized_expression" {
        function = named(function).into_iter().next()?;
    }
    Some(function)
}
