//! Plans and outcomes, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json};

use super::answers::{Answers, Count};
use super::plan::Plan;
use super::read::{Kind, LeftOut};

/// Most lines of one list in a text: the rest is counted. The report in JSON has all.
const LINES: usize = 20;

/// What an import did.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Its id.
    pub id: String,
    counts: BTreeMap<&'static str, Count>,
    left_out: Vec<Value>,
    notes: Vec<Value>,
    warnings: Vec<String>,
    #[serde(skip)]
    text: String,
}

/// What would be done, in words.
pub fn plan_text(plan: &Plan, answers: &Answers) -> String {
    let mut text = format!("Import {}\n\n", plan.id);
    counts(&mut text, answers, ("to make", "made before by this import"));
    places(&mut text, plan);
    rest(&mut text, plan, answers);
    text
}

impl Report {
    /// The report of an import.
    pub fn new(plan: &Plan, answers: &Answers) -> Report {
        let mut text = format!("Import {}\n\n", plan.id);
        counts(&mut text, answers, ("made", "made before by this import"));
        rest(&mut text, plan, answers);
        let _ = writeln!(
            text,
            "\nTo take all of it away again: trainyard migrate undo {}",
            plan.id
        );
        let left_out = all_left_out(plan, answers);
        let show = |left: &LeftOut| json!({"what": left.what, "reason": left.reason});
        let note = |(what, note): &(String, String)| json!({"what": what, "note": note});
        Report {
            id: plan.id.clone(),
            counts: answers
                .counts
                .iter()
                .map(|(kind, count)| (kind.plural(), *count))
                .collect(),
            left_out: left_out.iter().map(show).collect(),
            notes: answers.notes.iter().map(note).collect(),
            warnings: plan.warnings.clone(),
            text,
        }
    }

    /// In words.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How much was left out.
    pub fn left_out(&self) -> usize {
        self.left_out.len()
    }
}

fn all_left_out(plan: &Plan, answers: &Answers) -> Vec<LeftOut> {
    plan.left_out.iter().chain(&answers.left_out).cloned().collect()
}

fn counts(text: &mut String, answers: &Answers, (made, already): (&str, &str)) {
    if answers.counts.is_empty() {
        text.push_str("There is nothing to import.\n");
    }
    for kind in Kind::ALL {
        let Some(count) = answers.counts.get(&kind) else {
            continue;
        };
        let parts: Vec<String> = [
            (count.made, made),
            (count.already, already),
            (count.found, "there already, the same"),
            (count.left_out, "left out"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, words)| format!("{number} {words}"))
        .collect();
        let _ = writeln!(
            text,
            "  {:<13} {}",
            format!("{}:", kind.plural()),
            parts.join(", ")
        );
    }
}

/// Where the steps lead.
fn places(text: &mut String, plan: &Plan) {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for step in &plan.steps {
        let place = match step.kind {
            Kind::Workspace => step.new.as_str(),
            _ => step.new.rsplit_once('/').map_or("", |(place, _)| place),
        };
        *places.entry(place).or_default() += 1;
    }
    let lines = places.iter().map(|(place, number)| format!("{place}: {number}"));
    list(
        text,
        "Into (group/workspace/experiment: how many)",
        lines.collect(),
    );
}

fn rest(text: &mut String, plan: &Plan, answers: &Answers) {
    let notes = answers.notes.iter().map(|(what, note)| format!("{what}: {note}"));
    list(
        text,
        "To know",
        notes.chain(plan.warnings.iter().cloned()).collect(),
    );
    let left = all_left_out(plan, answers);
    let left = left.iter().map(|left| format!("{}: {}", left.what, left.reason));
    list(text, "Left out", left.collect());
}

fn list(text: &mut String, title: &str, lines: Vec<String>) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}:");
    for line in lines.iter().take(LINES) {
        let _ = writeln!(text, "  {}", plain(line));
    }
    if lines.len() > LINES {
        let _ = writeln!(text, "  … and {} more; --report has all", lines.len() - LINES);
    }
}

/// A line for a terminal: an export may hold anything, line breaks and what moves the cursor among it.
fn plain(line: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    line.chars().map(shown).collect()
}
