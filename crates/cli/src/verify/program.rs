//! Programs: every operation of the old form beside that of the new one.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;
use trainyard_migrate::call::{Call, Verdict};
use trainyard_migrate::edit::{Edit, apply};
use trainyard_migrate::python::replay::{Operation, operations};
use trainyard_migrate::verify::regions::Regions;

use super::call::{Asked, Verifier, is_az, region_for, undecided};
use super::{Finding, line_of};

/// What came of the operations of a program.
pub struct Program {
    /// Each with its call's bytes in the old text, and the pieces it is made of.
    done: Vec<(Operation, Finding)>,
    /// Whether these bytes are those of the file.
    exact: bool,
}

/// Replays the operations of the file, if it is a program that is understood.
///
/// # Errors
/// Where the scratch service fails.
pub async fn program(verifier: &mut Verifier, asked: &Asked<'_>) -> anyhow::Result<Option<Program>> {
    let ending = asked
        .path
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or_default();
    let exact = match ending.to_lowercase().as_str() {
        "py" | "pyw" => true,
        "ipynb" => false,
        _ => return Ok(None),
    };
    let edits: Vec<Edit> = asked
        .calls
        .iter()
        .filter(|call| !is_az(call))
        .flat_map(edits_of)
        .cloned()
        .collect();
    let Ok(new) = apply(asked.text, &edits) else {
        return Ok(None);
    };
    let (old, new) = if exact {
        (Some(asked.text.to_owned()), Some(new))
    } else {
        (cells(asked.text), cells(&new))
    };
    let (Some(old), Some(new)) = (old, new) else {
        return Ok(None);
    };
    let (olds, news) = (operations(&old, true), operations(&new, false));
    if olds.len() != news.len() {
        return Ok(None);
    }
    let mut regions = Regions::default();
    for operation in &olds {
        if let Ok(replay) = &operation.replay {
            regions.learn(replay);
        }
    }
    let mut program = Program {
        done: Vec::new(),
        exact,
    };
    let whats: Vec<String> = olds.iter().map(|operation| operation.what.clone()).collect();
    for (index, (old, new)) in olds.into_iter().zip(news).enumerate() {
        let call = call_of(asked.calls, exact, &whats, index, &old.span);
        let finding = pair(verifier, call, &old, &new, &regions).await?;
        program.done.push((old, finding));
    }
    Ok(Some(program))
}

/// The call that the scanner made of an operation: by its place, or in cells, whose places are others, by counting.
fn call_of<'a>(
    calls: &'a [Call],
    exact: bool,
    whats: &[String],
    index: usize,
    span: &Range<usize>,
) -> Option<&'a Call> {
    if exact {
        return calls.iter().find(|call| call.span == *span);
    }
    let what = whats.get(index)?;
    let turn = whats.get(..index)?.iter().filter(|other| *other == what).count();
    let same: Vec<&Call> = calls.iter().filter(|call| call.what == *what).collect();
    let all = whats.iter().filter(|other| *other == what).count();
    (same.len() == all).then(|| same.get(turn).copied())?
}

async fn pair(
    verifier: &mut Verifier,
    call: Option<&Call>,
    old: &Operation,
    new: &Operation,
    regions: &Regions,
) -> anyhow::Result<Finding> {
    let not = |why: &dyn std::fmt::Display| Ok(Finding::NotReplayed(why.to_string()));
    let Some(call) = call else {
        return not(&"the scanner made nothing of it");
    };
    if let Verdict::Undecided(_) | Verdict::Reported(_) = call.verdict {
        return not(&undecided(call));
    }
    let new_replay = match &new.replay {
        Ok(replay) => replay,
        Err(why) => return not(why),
    };
    let finding = match &old.replay {
        Ok(old) if call.verdict != Verdict::Current => {
            let region = region_for(old, new_replay, regions);
            verifier
                .both(&old.clone().located(&region), new_replay, &region)
                .await?
        }
        _ => verifier.alone(new_replay).await?,
    };
    // Stand-ins that no service takes show nothing.
    let both = finding
        .notes()
        .iter()
        .find(|note| note.starts_with("both are refused"))
        .cloned();
    let alone = finding
        .why()
        .filter(|why| why.starts_with("400 "))
        .map(str::to_owned);
    let alone = alone.filter(|_| matches!(finding, Finding::Refused(_)));
    Ok(match both.or(alone) {
        Some(why) => Finding::NotReplayed(format!("too little of its values is in the text ({why})")),
        None => finding,
    })
}

fn edits_of(call: &Call) -> &[Edit] {
    match &call.verdict {
        Verdict::Rewritten(edits) => edits,
        _ => &[],
    }
}

impl Program {
    /// What came of the file's calls that are no command lines, by their place in `calls`.
    pub fn findings(&self, text: &str, calls: &[Call]) -> BTreeMap<usize, Finding> {
        let mut turns: BTreeMap<&str, usize> = BTreeMap::new();
        let mut findings = BTreeMap::new();
        for (index, call) in calls.iter().enumerate().filter(|(_, call)| !is_az(call)) {
            let turn = turns.entry(&call.what).or_default();
            let finding = if self.exact {
                self.by_place(text, &call.span)
            } else {
                self.by_turn(calls, &call.what, *turn)
            };
            *turn += 1;
            let finding = match &call.verdict {
                Verdict::Undecided(_) | Verdict::Reported(_) => Some(Finding::NotReplayed(undecided(call))),
                Verdict::Current | Verdict::Rewritten(_) => finding,
            };
            let nothing = || Finding::NotReplayed("no call that is replayed is made of it".to_owned());
            findings.insert(index, finding.unwrap_or_else(nothing));
        }
        findings
    }

    fn by_place(&self, text: &str, span: &Range<usize>) -> Option<Finding> {
        if let Some((_, finding)) = self.done.iter().find(|(operation, _)| operation.span == *span) {
            return Some(finding.clone());
        }
        let holds = |outer: &Range<usize>| outer.start <= span.start && span.end <= outer.end;
        let (operation, finding) = self
            .done
            .iter()
            .find(|(operation, _)| holds(&operation.span) || operation.parts.iter().any(holds))?;
        let place = format!(
            "{} in line {}",
            operation.what,
            line_of(text, operation.span.start)
        );
        Some(match finding {
            Finding::Same(_) | Finding::Accepted(_) => Finding::Same(vec![format!("seen with {place}")]),
            Finding::Differs(why) => Finding::Differs(format!("{place}: {why}")),
            Finding::Refused(why) => Finding::Refused(format!("{place}: {why}")),
            Finding::NotReplayed(why) => Finding::NotReplayed(format!("{place}: {why}")),
        })
    }

    /// Cells have other places than the file: the calls of an operation are counted.
    fn by_turn(&self, calls: &[Call], what: &str, turn: usize) -> Option<Finding> {
        let of: Vec<_> = self
            .done
            .iter()
            .filter(|(operation, _)| operation.what == what)
            .collect();
        let asked = calls.iter().filter(|call| call.what == what).count();
        (of.len() == asked).then(|| of.get(turn).map(|(_, finding)| finding.clone()))?
    }
}

/// The code of a notebook's cells, what is no Python left out.
fn cells(text: &str) -> Option<String> {
    let notebook: Value = serde_json::from_str(text).ok()?;
    let mut code = String::new();
    for cell in notebook.get("cells")?.as_array()? {
        if cell.get("cell_type").and_then(Value::as_str) != Some("code") {
            continue;
        }
        let source = match cell.get("source") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
            _ => continue,
        };
        if source.trim_start().starts_with("%%") {
            continue;
        }
        let mut continued = false;
        for line in source.lines() {
            let trimmed = line.trim_start();
            let command = continued || trimmed.starts_with(['!', '%']);
            continued = command && line.ends_with('\\');
            if command {
                let indent = line.len() - trimmed.len();
                code.push_str(&" ".repeat(indent));
                code.push_str("pass\n");
            } else {
                code.push_str(line);
                code.push('\n');
            }
        }
    }
    Some(code)
}
