//! Real command lines, old form and the known new one, on the scratch service.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use trainyard_migrate::az::grammar::Dialect;
use trainyard_migrate::call::{Call, Verdict};
use trainyard_migrate::known::Known;
use trainyard_migrate::verify::pair::Forms;
use trainyard_migrate::verify::regions::Regions;

use super::{Asked, Finding, Verifier};

struct Row {
    id: String,
    dialect: String,
    forms: Forms,
}

fn rows() -> Option<Vec<Row>> {
    let place =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/corpus/az-batchai.tsv");
    let Ok(text) = std::fs::read_to_string(place) else {
        println!("left out: ../shared is not here (real command lines)");
        return None;
    };
    let row = |line: &str| {
        let cells: Vec<_> = line.split('\t').collect();
        let cell = |at: usize| cells.get(at).copied().unwrap_or_default().to_owned();
        Row {
            id: cell(0),
            dialect: cell(1),
            forms: Forms {
                old: cell(8),
                new: cell(9),
            },
        }
    };
    Some(text.lines().skip(1).map(row).collect())
}

fn verdict(row: &Row) -> Verdict {
    if row.forms.old == row.forms.new {
        Verdict::Current
    } else {
        Verdict::Rewritten(Vec::new())
    }
}

async fn finding(verifier: &mut Verifier, row: &Row) -> Finding {
    let call = Call {
        span: 0..row.forms.old.len(),
        what: "az batchai".to_owned(),
        verdict: verdict(row),
        remarks: Vec::new(),
    };
    let known = Known {
        dialect: match row.dialect.as_str() {
            "0.1" => Some(Dialect::V01),
            "0.2" => Some(Dialect::V02),
            _ => None,
        },
        ..Known::default()
    };
    let asked = Asked {
        path: Path::new("/nowhere/script.sh"),
        text: &row.forms.old,
        calls: &[],
        known: &known,
    };
    let finding = verifier
        .forms(&asked, &call, &row.forms, &Regions::default())
        .await;
    finding.unwrap()
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(work)
}

/// What no service takes, in any form: premium disks on a size that has none, and a call that az itself refuses.
const REFUSED: [&str; 3] = ["407563b0c8", "bf3d93878e", "2aa20a5766"];

#[test]
fn real_command_lines_do_the_same_in_both_forms() {
    let Some(mut rows) = rows() else { return };
    rows.retain(|row| !row.forms.new.starts_with("UNDECIDED"));
    let mut verifier = Verifier::new().unwrap();
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut bad = Vec::new();
    for row in &rows {
        let finding = wait(finding(&mut verifier, row));
        *counts.entry((&row.dialect, finding.word())).or_default() += 1;
        let both_refused = finding.notes().iter().any(|note| note.contains("refuse"));
        if (finding.is_bad() && !REFUSED.contains(&row.id.as_str())) || both_refused {
            bad.push(format!(
                "{} {}\n  {}\n  {finding:?}",
                row.id, row.forms.old, row.forms.new
            ));
        }
    }
    println!("{counts:?}");
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert!(
        counts
            .iter()
            .filter(|((_, word), _)| *word == "same")
            .map(|(_, count)| count)
            .sum::<u32>()
            > 150
    );
}

/// The new form with one thing in it wrong; which one goes by `turn`. None where it has nothing that counts.
fn tampered(new: &str, turn: usize) -> Option<String> {
    // What only says how it is printed, or where things are of which the old form says nothing.
    const SAYS_NOTHING: [&str; 10] = [
        "-w",
        "-u",
        "--user-name",
        "-k",
        "--ssh-key",
        "-p",
        "--password",
        "-f",
        "--config-file",
        "--storage-account-key",
    ];
    let words: Vec<&str> = new.split(' ').collect();
    let places: Vec<usize> = (0..words.len().saturating_sub(1))
        .filter(|at| words[*at].starts_with('-') && !words[*at].contains('='))
        .filter(|at| !words[*at + 1].starts_with(['-', '"', '\'', '<', '/', '$', '{', '%']))
        .filter(|at| !SAYS_NOTHING.contains(&words[*at]))
        .collect();
    let at = *places.get(turn % places.len().max(1))?;
    let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let value = &mut words[at + 1];
    *value = match value.parse::<u32>() {
        Ok(number) => (number + 1).to_string(),
        Err(_) => format!("{value}x"),
    };
    Some(words.join(" "))
}

#[test]
fn a_wrong_value_in_a_real_command_line_is_found() {
    let Some(mut rows) = rows() else { return };
    rows.retain(|row| {
        ["0.1", "0.2"].contains(&row.dialect.as_str()) && !row.forms.new.starts_with("UNDECIDED")
    });
    let mut verifier = Verifier::new().unwrap();
    let (mut tried, mut missed) = (0, Vec::new());
    for (turn, row) in rows.iter().enumerate() {
        let Some(new) = tampered(&row.forms.new, turn) else {
            continue;
        };
        let row = Row {
            id: row.id.clone(),
            dialect: row.dialect.clone(),
            forms: Forms {
                old: row.forms.old.clone(),
                new,
            },
        };
        tried += 1;
        let finding = wait(finding(&mut verifier, &row));
        if !finding.is_bad() {
            missed.push(format!("{}\n  {}\n  {finding:?}", row.forms.old, row.forms.new));
        }
    }
    println!("{tried} tampered, {} missed", missed.len());
    assert!(tried > 100 && missed.is_empty(), "{tried}: {}", missed.join("\n"));
}
