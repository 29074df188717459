//! ARM templates: resources of Batch AI get their workspace into type and name.

use super::body::{self, region};
use super::kind::Kind;
use super::members::replace;
use super::read::Value;
use crate::call::{Call, Verdict};
use crate::edit::Edit;
use crate::flat_id;
use crate::known::{EXPERIMENT, Known};

/// Does it hold resources?
pub fn is_template(root: &Value) -> bool {
    let schema = root.get("$schema").and_then(Value::text).unwrap_or_default();
    !root
        .get("resources")
        .map(Value::items)
        .unwrap_or_default()
        .is_empty()
        && (schema.contains("deploymentTemplate") || schema.is_empty())
}

/// Every resource of Batch AI in a template, and what points to one.
pub fn calls(text: &str, root: &Value, known: &Known) -> Vec<Call> {
    let resources: Vec<(&Value, Kind)> = root
        .all()
        .into_iter()
        .filter_map(|value| Some((value, Kind::of_type(value.get("type")?.text()?)?)))
        .collect();
    if resources.is_empty() {
        return Vec::new();
    }
    let workspaces: Vec<Workspace> = resources
        .iter()
        .map(|(resource, _)| Workspace::of(resource, known))
        .collect();
    let mut calls: Vec<Call> = resources
        .iter()
        .zip(&workspaces)
        .flat_map(|((resource, kind), workspace)| rewrite(text, resource, *kind, workspace))
        .collect();
    calls.extend(references(text, root, &workspaces));
    calls
}

/// A workspace in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Workspace {
    Named(String),
    /// The expression of the region, without brackets.
    Computed(String),
}

impl Workspace {
    fn of(resource: &Value, known: &Known) -> Workspace {
        let location = resource.get("location").and_then(Value::text);
        match location.and_then(inside) {
            Some(expression) => Workspace::Computed(expression.to_owned()),
            None => Workspace::Named(known.workspace(location.map(region).as_deref())),
        }
    }

    /// Its place among the arguments of `concat`, `rest` behind it.
    fn pieces(&self, rest: &str) -> String {
        match self {
            Workspace::Named(name) => format!("'{name}{rest}'"),
            Workspace::Computed(region) => format!("'migrated-', {region}, '{rest}'"),
        }
    }

    /// As one argument of a function.
    fn expression(&self) -> String {
        match self {
            Workspace::Named(name) => format!("'{name}'"),
            Workspace::Computed(region) => format!("concat('migrated-', {region})"),
        }
    }
}

/// The inside of `[expression]`.
fn inside(text: &str) -> Option<&str> {
    text.strip_prefix('[')
        .filter(|rest| !rest.starts_with('['))?
        .strip_suffix(']')
}

fn rewrite(text: &str, resource: &Value, kind: Kind, workspace: &Workspace) -> Vec<Call> {
    let what = resource
        .get("type")
        .and_then(Value::text)
        .unwrap_or_default()
        .to_owned();
    let mut changes = body::changes(text, resource, kind, &what);
    if let Some(value) = resource.get("type") {
        changes
            .edits
            .push(replace(value, &format!("\"{}\"", kind.new_type())));
    }
    if let Some(value) = resource.get("apiVersion")
        && value.text().is_some_and(|version| version != "2018-05-01")
    {
        changes.edits.push(replace(value, "\"2018-05-01\""));
    }
    if let Some(value) = resource.get("name") {
        changes.edits.extend(name(value, kind, workspace));
    }
    changes.remarks.push(format!(
        "The template needs the resource `Microsoft.BatchAI/workspaces` named {}{}, and this one must depend on it.",
        workspace.expression(),
        if kind == Kind::Job {
            format!(" and in it `Microsoft.BatchAI/workspaces/experiments` named {EXPERIMENT}")
        } else {
            String::new()
        }
    ));
    let mut calls = vec![Call {
        span: resource.span.clone(),
        what,
        verdict: Verdict::Rewritten(changes.edits),
        remarks: changes.remarks,
    }];
    calls.extend(changes.asked);
    calls
}

/// `c` becomes `migrated-eastus/c`, `[parameters('c')]` a `concat`.
fn name(value: &Value, kind: Kind, workspace: &Workspace) -> Option<Edit> {
    let old = value.text()?;
    let between = if kind == Kind::Job {
        format!("/{EXPERIMENT}/")
    } else {
        "/".to_owned()
    };
    let new = match (inside(old), workspace) {
        (None, Workspace::Named(name)) => format!("{name}{between}{old}"),
        (None, Workspace::Computed(_)) => {
            format!("[concat({})]", workspace.pieces(&format!("{between}{old}")))
        }
        (Some(expression), _) => format!("[concat({}, {expression})]", workspace.pieces(&between)),
    };
    Some(replace(value, &format!("\"{}\"", super::read::escaped(&new))))
}

/// `resourceId('Microsoft.BatchAI/clusters', 'c')` and ids written out, all over the template.
fn references(text: &str, root: &Value, workspaces: &[Workspace]) -> Vec<Call> {
    let one = workspaces
        .first()
        .filter(|first| workspaces.iter().all(|workspace| workspace == *first));
    root.all()
        .into_iter()
        .filter(|value| value.text().is_some())
        .filter_map(|value| {
            let raw = text.get(value.span.clone())?;
            let verdict = reference(raw, value.span.start, one)?;
            Some(Call {
                span: value.span.clone(),
                what: "resource id".to_owned(),
                verdict,
                remarks: Vec::new(),
            })
        })
        .collect()
}

fn reference(raw: &str, start: usize, workspace: Option<&Workspace>) -> Option<Verdict> {
    let kinds: Vec<(usize, Kind, usize)> = quoted_types(raw);
    let flat = flat_id::find(raw);
    if kinds.is_empty() && flat.is_empty() {
        return None;
    }
    let Some(workspace) = workspace else {
        return Some(Verdict::Undecided(
            "The template makes things in several regions. In the workspace of which is this one?".to_owned(),
        ));
    };
    let mut edits = Vec::new();
    for (at, kind, length) in kinds {
        let comma = raw.get(at + length..)?.find(',')?;
        let behind = at + length + comma + 1;
        edits.push(Edit {
            span: start + at..start + at + length,
            text: kind.new_type().to_owned(),
        });
        let experiment = if kind == Kind::Job {
            format!(" '{EXPERIMENT}',")
        } else {
            String::new()
        };
        edits.push(Edit {
            span: start + behind..start + behind,
            text: format!(" {},{experiment}", workspace.expression()),
        });
    }
    for id in flat {
        let Workspace::Named(name) = workspace else {
            return Some(Verdict::Undecided(format!(
                "The id lies in the workspace {} now. How is it to be put together?",
                workspace.expression()
            )));
        };
        edits.push(Edit {
            span: start + id.at..start + id.at,
            text: id.insertion(name),
        });
    }
    Some(Verdict::Rewritten(edits))
}

/// `'Microsoft.BatchAI/clusters',` in an expression: where the type begins, which it is, how long it is.
fn quoted_types(raw: &str) -> Vec<(usize, Kind, usize)> {
    let folded = raw.to_ascii_lowercase();
    folded
        .match_indices("'microsoft.batchai/")
        .filter_map(|(at, _)| {
            let rest = folded.get(at + 1..)?;
            let end = rest.find('\'')?;
            let kind = Kind::of_type(rest.get(..end)?)?;
            let after = rest.get(end + 1..)?.trim_start();
            after.starts_with(',').then_some((at + 1, kind, end))
        })
        .collect()
}
