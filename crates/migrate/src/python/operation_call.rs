//! Calls of operations: workspace and experiment are put in, what was renamed is renamed.

use std::ops::Range;

use tree_sitter::Node;

use super::clients::{Client, Target};
use super::fit::{Fit, Shape};
use super::module::{Argument, Module, spans};
use super::operations::{self, Method};
use super::region::{self, Regions, Workspace};
use crate::arguments::{insert_second, remove};
use crate::call::{Call, Verdict};
use crate::edit::Edit;
use crate::known::EXPERIMENT;

/// A call of an operation and its arguments. Those of `partial(client.jobs.get, rg)` begin behind the method.
pub struct Site<'t> {
    /// All of it.
    pub call: Node<'t>,
    /// What is called.
    pub target: Target<'t>,
    /// Its method.
    pub method: Node<'t>,
    /// The arguments of the operation.
    pub arguments: Vec<Argument<'t>>,
    /// More may come later.
    pub partial: bool,
}

/// What becomes of a call; nothing where it is none of Batch AI.
pub fn call<'t>(module: &Module<'t>, regions: &Regions<'t>, site: &Site<'t>) -> Option<Call> {
    let group = module.of(site.target.group);
    let name = module.of(site.method);
    let known = operations::method(group, name)?;
    if site.target.sure == Client::Unknown && !operations::is_telling(name) {
        return None;
    }
    let what = format!("{group}.{name}");
    let mut remarks = Vec::new();
    let mut edits = Vec::new();
    if group == "fileservers" && site.target.direct {
        edits.push(replace(site.target.group, "file_servers"));
        remarks.push(
            "No version of the SDK has `fileservers`; the client's member is `file_servers`.".to_owned(),
        );
    }
    let verdict = match known {
        Method::New => rewritten(edits),
        Method::ListAll => Verdict::Undecided(list_all(module, site, group)),
        Method::Usage => {
            if site.target.direct {
                edits.push(replace(site.target.group, "usages"));
            }
            rewritten(edits)
        }
        Method::Old(_) if site.target.sure < Client::Likely => Verdict::Undecided(format!(
            "Is `{}` a Batch AI client? Then this call needs the workspace{}.",
            module.of(site.target.client),
            if group == "jobs" {
                " and the experiment"
            } else {
                ""
            }
        )),
        Method::Old(operation) => {
            let fit = Fit {
                module,
                site,
                operation,
            };
            let change = Change { regions, fit };
            change.decide(edits, &mut remarks)
        }
    };
    Some(Call {
        span: site.call.byte_range(),
        what,
        verdict,
        remarks,
    })
}

fn rewritten(edits: Vec<Edit>) -> Verdict {
    if edits.is_empty() {
        Verdict::Current
    } else {
        Verdict::Rewritten(edits)
    }
}

fn replace(node: Node<'_>, text: &str) -> Edit {
    Edit {
        span: node.byte_range(),
        text: text.to_owned(),
    }
}

fn list_all(module: &Module<'_>, site: &Site<'_>, group: &str) -> String {
    let client = module.of(site.target.client);
    if group == "jobs" {
        format!(
            "`jobs.list()` is gone. Which jobs are meant? Those of one experiment: \
             `{client}.jobs.list_by_experiment(resource_group, workspace, experiment)`; else walk over \
             `{client}.workspaces.list()` and `{client}.experiments.list_by_workspace(...)`."
        )
    } else {
        format!(
            "`{group}.list()` is gone. Which {group} are meant? Those of one workspace: \
             `{client}.{group}.list_by_workspace(resource_group, workspace)`; else walk over `{client}.workspaces.list()`."
        )
    }
}

struct Change<'m, 't> {
    regions: &'m Regions<'t>,
    fit: Fit<'m, 't>,
}

impl<'t> Change<'_, 't> {
    fn decide(&self, mut edits: Vec<Edit>, remarks: &mut Vec<String>) -> Verdict {
        match self.fit.shape() {
            Shape::New => return rewritten(edits),
            Shape::Unclear(question) => return Verdict::Undecided(question),
            Shape::Old => {}
        }
        let workspace = self
            .regions
            .workspace(self.fit.module, self.fit.site.call, self.fit.parameters());
        let Some(expression) = workspace.expression(region::quote(self.fit.module, self.fit.site.call))
        else {
            return Verdict::Undecided(workspace.question().unwrap_or_default());
        };
        match self.tags(remarks) {
            Ok(out) => edits.extend(remove(self.fit.module.text, &self.spans(), &out)),
            Err(question) => return Verdict::Undecided(question),
        }
        let Some(insertion) = self.insertion(&expression) else {
            return Verdict::Undecided("Where is the resource group of this call?".to_owned());
        };
        edits.push(insertion);
        edits.extend(self.renames());
        edits.extend(self.raw(remarks));
        self.remark(&workspace, remarks);
        Verdict::Rewritten(edits)
    }

    fn spans(&self) -> Vec<Range<usize>> {
        spans(&self.fit.site.arguments)
    }

    /// Places of `tags`, which `clusters.update` no longer takes.
    fn tags(&self, remarks: &mut Vec<String>) -> Result<Vec<usize>, String> {
        let Some(in_takes) = self.fit.operation.takes.iter().position(|name| *name == "tags") else {
            return Ok(Vec::new());
        };
        let place = in_takes + 1;
        let given = self
            .fit
            .keyword("tags")
            .map(|(place, _)| place)
            .or((place < self.fit.positional()).then_some(place));
        let scaled = self.fit.has("scale_settings") || self.fit.positional() > place + 1;
        let Some(given) = given else {
            return Ok(Vec::new());
        };
        let written = self
            .fit
            .site
            .arguments
            .get(given)
            .map_or("", |argument| self.fit.module.of(argument.value));
        if !scaled {
            return Err(format!(
                "This sets the tags {written}, which only a workspace has now: \
                 `{}.workspaces.update(resource_group, workspace, tags={written})`. Is that meant?",
                self.fit.module.of(self.fit.site.target.client)
            ));
        }
        if written != "None" {
            remarks.push(format!(
                "The tags {written} were taken out: they live on the workspace only."
            ));
        }
        Ok(vec![given])
    }

    fn insertion(&self, workspace: &str) -> Option<Edit> {
        let quote = region::quote(self.fit.module, self.fit.site.call);
        let mut new = vec![workspace.to_owned()];
        if self.fit.operation.job {
            new.push(format!("{quote}{EXPERIMENT}{quote}"));
        }
        let all = self.spans();
        if self.fit.positional() > 0 {
            return insert_second(self.fit.module.text, &all, &new);
        }
        let (place, _) = self.fit.keyword("resource_group_name")?;
        let named: Vec<String> = ["workspace_name", "experiment_name"]
            .iter()
            .zip(new)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        insert_second(self.fit.module.text, all.get(place..)?, &named)
    }

    /// Names that changed: the method, and the keyword of list options.
    fn renames(&self) -> Vec<Edit> {
        let mut edits = Vec::new();
        if self.fit.module.of(self.fit.site.method) != self.fit.operation.name && self.fit.site.target.direct
        {
            edits.push(replace(self.fit.site.method, self.fit.operation.name));
        }
        for argument in &self.fit.site.arguments {
            if let Some(name) = argument.name
                && let Some(start) = name.strip_suffix("_list_by_resource_group_options")
                && let Some(node) = argument.node.child_by_field_name("name")
            {
                let by = if self.fit.operation.job {
                    "experiment"
                } else {
                    "workspace"
                };
                edits.push(replace(node, &format!("{start}_list_by_{by}_options")));
            }
        }
        edits
    }

    /// `raw=True` on a long call meant "do not wait" in 0.2.0.
    fn raw(&self, remarks: &mut Vec<String>) -> Option<Edit> {
        let (_, raw) = self.fit.keyword("raw")?;
        if !self.fit.operation.long || self.fit.module.of(raw.value) != "True" || self.fit.has("polling") {
            return None;
        }
        let member = self
            .fit
            .site
            .call
            .parent()
            .filter(|parent| parent.kind() == "attribute")
            .and_then(|parent| parent.child_by_field_name("attribute"))
            .map(|member| self.fit.module.of(member));
        if member == Some("result") {
            // 0.2.0 answered no poller here: this is a call of 1.0.1, which means the same in 2.0.0.
            return None;
        }
        remarks.push(
            "`raw=True` meant not to wait; that is `polling=False` now. What comes back is a poller: `.output` is \
             `.result()`, `.response` is gone."
                .to_owned(),
        );
        Some(replace(raw.node, "polling=False"))
    }

    fn remark(&self, workspace: &Workspace, remarks: &mut Vec<String>) {
        let of = if self.fit.operation.job {
            "one experiment"
        } else {
            "one workspace"
        };
        if self.fit.operation.name.starts_with("list_by") {
            remarks.push(format!(
                "This lists {of} only; loop over {} to get the whole resource group.",
                if self.fit.operation.job {
                    "workspaces and experiments"
                } else {
                    "the workspaces"
                }
            ));
        }
        if *workspace == Workspace::Named(self.fit.module.known.workspace(None))
            && self.fit.module.known.location.is_none()
        {
            remarks.push("The region is not known: put its name in the place of REGION.".to_owned());
        }
        if let Some(parameters) = self.fit.parameters()
            && parameters.kind() == "dictionary"
        {
            remarks.push(
                "The parameters are a dictionary: take location, tags, priority and the like out by hand, see \
                 docs/migrating-sdks.md."
                    .to_owned(),
            );
        }
    }
}

/// The two calls that make workspace and experiment, as text.
pub fn first_create<'t>(module: &Module<'t>, regions: &Regions<'t>, site: &Site<'t>) -> Option<String> {
    let fit = Fit::new(module, site)?;
    if fit.operation.name != "create" {
        return None;
    }
    let change = Change { regions, fit };
    let workspace = regions.workspace(module, site.call, change.fit.parameters());
    let expression = workspace.expression('\'')?;
    let location = match &workspace {
        Workspace::Named(name) => format!("'{}'", name.trim_start_matches("migrated-")),
        Workspace::Computed(region) => region.clone(),
        Workspace::Several(_) => return None,
    };
    let client = module.of(site.target.client);
    let resource_group = change
        .fit
        .keyword("resource_group_name")
        .map(|(_, argument)| argument)
        .or(site.arguments.first())
        .map(|argument| module.of(argument.value))?;
    Some(format!(
        "Make workspace and experiment once, before the first create: \
         `{client}.workspaces.create({resource_group}, {expression}, {location}).result()` and \
         `{client}.experiments.create({resource_group}, {expression}, '{EXPERIMENT}').result()`."
    ))
}
