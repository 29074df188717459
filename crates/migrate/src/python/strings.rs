//! Resource ids and command lines inside string literals.

use tree_sitter::Node;

use super::module::Module;
use super::region::{Regions, Workspace};
use crate::call::{Call, Verdict};
use crate::edit::Edit;
use crate::embedded;
use crate::flat_id::{self, PROVIDER};
use crate::known::EXPERIMENT;
use crate::syntax::named;

/// What becomes of a string that holds flat ids.
pub fn flat_ids<'t>(module: &Module<'t>, regions: &Regions<'t>, node: Node<'t>) -> Vec<Call> {
    let text = module.of(node);
    let what = "resource id".to_owned();
    let undecided = |question: String| {
        vec![Call {
            span: node.byte_range(),
            what: what.clone(),
            verdict: Verdict::Undecided(question),
            remarks: Vec::new(),
        }]
    };
    if is_split(module, node) {
        return undecided(format!(
            "A flat id is put together here: `workspaces/…/` belongs behind `Microsoft.BatchAI/`, for a job also \
             `experiments/{EXPERIMENT}/`. Which workspace is it?"
        ));
    }
    if module.literal(node).is_some_and(is_old_type) {
        return undecided(format!(
            "{text} is the type of an older resource; in 2018-05-01 it is `Microsoft.BatchAI/workspaces/clusters`, \
             `…/workspaces/fileServers` or `…/workspaces/experiments/jobs`. Is that meant?"
        ));
    }
    let found = flat_id::find(text);
    if found.is_empty() {
        return Vec::new();
    }
    if text.contains("api-version=") {
        return undecided(
            "This calls the REST API itself. Write the workspace into the address, 2018-05-01 for the api-version, and \
             take location and tags out of the body. Which workspace is it?"
                .to_owned(),
        );
    }
    let workspace = match regions.workspace(module, node, None) {
        Workspace::Named(name) => name,
        Workspace::Computed(region) if is_formatted(module, node) => format!("migrated-{{{region}}}"),
        Workspace::Computed(region) => match plain_region(module, &region, node) {
            Some(plain) => format!("migrated-{plain}"),
            None => {
                return undecided(format!(
                    "The id lies in a workspace now: write `workspaces/migrated-` and the value of `{region}` behind \
                     `Microsoft.BatchAI/`. How is this string put together?"
                ));
            }
        },
        several @ Workspace::Several(_) => return undecided(several.question().unwrap_or_default()),
    };
    let edits = found
        .iter()
        .map(|id| Edit {
            span: node.start_byte() + id.at..node.start_byte() + id.at,
            text: id.insertion(&workspace),
        })
        .collect();
    vec![Call {
        span: node.byte_range(),
        what,
        verdict: Verdict::Rewritten(edits),
        remarks: Vec::new(),
    }]
}

/// `Microsoft.BatchAI/clusters`, alone or at the end of an address.
fn is_old_type(text: &str) -> bool {
    let folded = text.to_ascii_lowercase();
    let ends = |kind: &str| folded.ends_with(&format!("{PROVIDER}{kind}"));
    ends("clusters") || ends("jobs") || ends("fileservers")
}

/// The value of a constant.
fn plain_region<'t>(module: &Module<'t>, name: &str, at: Node<'t>) -> Option<String> {
    let found = module.value_of(name, at).filter(|found| !found.piece)?;
    module.literal(found.value).map(super::region::region_name)
}

/// Is it an f-string?
fn is_formatted<'t>(module: &Module<'t>, node: Node<'t>) -> bool {
    let text = module.of(node);
    let prefix = text.split(['"', '\'']).next().unwrap_or_default();
    prefix.contains(['f', 'F'])
}

/// `'…/Microsoft.BatchAI/' + kind`, or the pieces of a join: the provider ends here, the type stands elsewhere.
fn is_split<'t>(module: &Module<'t>, node: Node<'t>) -> bool {
    let Some(text) = module.literal(node) else {
        return false;
    };
    let folded = text.to_ascii_lowercase();
    if folded.ends_with(PROVIDER) {
        return true;
    }
    if !folded.ends_with(PROVIDER.trim_end_matches('/')) {
        return false;
    }
    let Some(next) = node.next_named_sibling() else {
        return false;
    };
    module.literal(next).is_some_and(|next| {
        let kind = next.trim_start_matches('/').split('/').next().unwrap_or_default();
        matches!(
            kind.to_ascii_lowercase().as_str(),
            "clusters" | "jobs" | "fileservers"
        )
    })
}

/// Command lines in a string: `os.system('az batchai …')`, or a name that holds one.
pub fn commands<'t>(module: &Module<'t>, node: Node<'t>) -> Vec<Call> {
    let text = module.of(node);
    if !text.contains("az batchai") {
        return Vec::new();
    }
    let put_together = node
        .parent()
        .is_some_and(|parent| matches!(parent.kind(), "concatenated_string" | "binary_operator"));
    embedded::string(text, node.start_byte(), module.known)
        .into_iter()
        .map(|call| match call.verdict {
            Verdict::Rewritten(_) if put_together => Call {
                verdict: Verdict::Undecided(
                    "The command is put together from pieces. Add -w and the workspace, for jobs also -e and the \
                     experiment; where?"
                        .to_owned(),
                ),
                ..call
            },
            _ => call,
        })
        .collect()
}

/// `subprocess.run(['az', 'batchai', …])`: the list, if it holds plain strings at its start.
pub fn command_list<'t>(module: &Module<'t>, node: Node<'t>) -> bool {
    let items = named(node);
    let word = |place: usize| items.get(place).and_then(|item| module.literal(*item));
    word(0) == Some("az") && word(1) == Some("batchai")
}
