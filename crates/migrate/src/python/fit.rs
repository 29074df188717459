//! Whether a call has the shape of the older versions or that of 2.0.0.

use tree_sitter::Node;

use super::module::{Argument, Module};
use super::operation_call::Site;
use super::operations::{self, Method, Operation};

/// How the arguments of a call fit.
#[derive(Debug, PartialEq, Eq)]
pub enum Shape {
    /// Workspace and experiment are missing.
    Old,
    /// They are there.
    New,
    /// Nobody can tell; the question.
    Unclear(String),
}

/// A call beside what its operation takes.
#[derive(Clone, Copy)]
pub struct Fit<'m, 't> {
    /// The text around it.
    pub module: &'m Module<'t>,
    /// The call.
    pub site: &'m Site<'t>,
    /// The operation.
    pub operation: Operation,
}

impl<'m, 't> Fit<'m, 't> {
    /// The fit of a call of an operation that changed.
    pub fn new(module: &'m Module<'t>, site: &'m Site<'t>) -> Option<Fit<'m, 't>> {
        match operations::method(module.of(site.target.group), module.of(site.method))? {
            Method::Old(operation) => Some(Fit {
                module,
                site,
                operation,
            }),
            Method::ListAll | Method::Usage | Method::New => None,
        }
    }

    /// The argument that holds the workspace, in a call of 2.0.0.
    pub fn workspace(&self) -> Option<Node<'t>> {
        if self.shape() != Shape::New {
            return None;
        }
        let second = (self.positional() > 1)
            .then(|| self.site.arguments.get(1))
            .flatten();
        self.keyword("workspace_name")
            .map(|(_, argument)| argument)
            .or(second)
            .map(|argument| argument.value)
    }

    /// How many arguments stand without a name, before any that has one.
    pub fn positional(&self) -> usize {
        self.site
            .arguments
            .iter()
            .take_while(|argument| argument.name.is_none() && !argument.is_star())
            .count()
    }

    /// The argument of that name and its place.
    pub fn keyword(&self, name: &str) -> Option<(usize, &Argument<'t>)> {
        self.site
            .arguments
            .iter()
            .enumerate()
            .find(|(_, argument)| argument.name == Some(name))
    }

    /// Is one of that name given?
    pub fn has(&self, name: &str) -> bool {
        self.keyword(name).is_some()
    }

    /// How many names stand between the resource group and the thing.
    pub fn parents(&self) -> usize {
        if self.operation.job { 2 } else { 1 }
    }

    /// The argument that holds the create parameters.
    pub fn parameters(&self) -> Option<Node<'t>> {
        let place = self
            .operation
            .takes
            .iter()
            .position(|name| *name == "parameters")?
            + 1;
        let positional = (place < self.positional())
            .then(|| self.site.arguments.get(place))
            .flatten();
        self.keyword("parameters")
            .map(|(_, argument)| argument)
            .or(positional)
            .map(|argument| argument.value)
    }

    /// What the arguments say.
    pub fn shape(&self) -> Shape {
        let arguments = &self.site.arguments;
        if let Some(star) = arguments
            .iter()
            .find(|argument| argument.node.kind() == "list_splat")
        {
            return Shape::Unclear(format!(
                "The arguments stand in `{}`. The workspace belongs behind the resource group{}; where is that?",
                self.module.of(star.node),
                if self.operation.job {
                    ", the experiment behind the workspace"
                } else {
                    ""
                }
            ));
        }
        if self.has("workspace_name") {
            return if self.operation.job && !self.has("experiment_name") && self.positional() < 3 {
                Shape::Unclear(
                    "A workspace is named but no experiment. In which experiment is the job?".to_owned(),
                )
            } else {
                Shape::New
            };
        }
        let old = self.fits(0);
        let new = self.fits(self.parents()) || self.has("experiment_name");
        match (old, new) {
            (true, false) => Shape::Old,
            (false, true) => Shape::New,
            (true, true) => self.by_names(),
            (false, false) => Shape::Unclear(self.misfit()),
        }
    }

    /// Do the arguments fill `parents` more places than those of the older version?
    fn fits(&self, parents: usize) -> bool {
        let positional = self.positional();
        let takes =
            self.operation.takes.len() - usize::from(parents > 0 && self.operation.takes.contains(&"tags"));
        if positional > 1 + parents + takes {
            return false;
        }
        let twice = |place: usize, name: &&str| positional > place + 1 + parents && self.has(name);
        if self
            .operation
            .takes
            .iter()
            .enumerate()
            .any(|(place, name)| twice(place, name))
        {
            return false;
        }
        let group = positional > 0 || self.has("resource_group_name");
        let parents_given = parents == 0 || positional > parents || (self.site.partial && positional > 1);
        let rest = self
            .operation
            .takes
            .iter()
            .take(self.operation.needs)
            .enumerate()
            .all(|(place, name)| positional > place + 1 + parents || self.has(name) || self.site.partial);
        group && parents_given && rest
    }

    /// Both fit: the second argument tells, if it is named like a workspace.
    fn by_names(&self) -> Shape {
        let text = |place: usize| {
            self.site
                .arguments
                .get(place)
                .map_or("", |argument| self.module.of(argument.value))
        };
        let second = text(1).to_ascii_lowercase();
        let third = text(2);
        let workspace = ["workspace", "migrated", "ws"]
            .iter()
            .any(|word| second.contains(word));
        let tags =
            third == "None" || third.starts_with('{') || third.contains("tag") || third.starts_with("dict(");
        match (workspace, tags) {
            (true, false) => Shape::New,
            (false, true) => Shape::Old,
            (false, false) if self.site.partial || self.positional() <= 1 + self.operation.needs => {
                Shape::Old
            }
            _ => Shape::Unclear(format!(
                "Is `{}` a workspace? Then this call is one of 2.0.0; else the workspace belongs in front of it.",
                text(1)
            )),
        }
    }

    fn misfit(&self) -> String {
        let mut wants = vec!["resource_group_name", "workspace_name"];
        if self.operation.job {
            wants.push("experiment_name");
        }
        wants.extend(self.operation.takes.iter().take(self.operation.needs));
        format!(
            "The arguments fit neither the older versions nor 2.0.0, which takes {}. Which are these?",
            wants.join(", ")
        )
    }
}
