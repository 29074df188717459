//! Real command lines with the answers that are known for them: `corpus/az-batchai.tsv`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use trainyard_migrate::az::grammar::{Dialect, Role};
use trainyard_migrate::az::parse;
use trainyard_migrate::az::words::Word;
use trainyard_migrate::call::{Call, Verdict};
use trainyard_migrate::edit::apply;
use trainyard_migrate::known::Known;
use trainyard_migrate::shell;

struct Row {
    id: String,
    dialect: String,
    accepted: String,
    command: String,
    expected: String,
    note: String,
}

fn rows() -> Option<Vec<Row>> {
    let place =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/reference/corpus/az-batchai.tsv");
    let Ok(text) = std::fs::read_to_string(place) else {
        println!("left out: ../shared is not here (real command lines)");
        return None;
    };
    let row = |line: &str| {
        let cells: Vec<_> = line.split('\t').map(str::to_owned).collect();
        let cell = |at: usize| cells.get(at).cloned().unwrap_or_default();
        Row {
            id: cell(0),
            dialect: cell(1),
            accepted: cell(2),
            command: cell(8),
            expected: cell(9),
            note: cell(10),
        }
    };
    Some(text.lines().skip(1).map(row).collect())
}

/// A call as it compares: the command's words, and each option by its meaning.
type Meaning = (String, BTreeMap<Role, Vec<String>>);

fn meaning(text: &str) -> Result<Meaning, String> {
    let sites = shell::sites(text, trainyard_migrate::az::words::Syntax::Posix);
    let site = sites.first().ok_or("no call in it")?;
    if site.span().end != text.trim_end().len() {
        return Err(format!("the call ends before {:?}", &text[site.span().end..]));
    }
    let words: Vec<Word<'_>> = site.words[2..].to_vec();
    if words.iter().any(|word| ["-h", "--help"].contains(&word.raw)) {
        return Ok((text.to_owned(), BTreeMap::new()));
    }
    let parsed = parse::call(Dialect::V03, &words).map_err(|misfit| misfit.to_string())?;
    let mut options = BTreeMap::new();
    for given in &parsed.given {
        let value = given
            .value
            .as_ref()
            .map(|value| value.raw.trim_matches(['"', '\'']).to_owned());
        options.insert(given.option.role, value.into_iter().collect());
    }
    Ok((parsed.command.path.to_owned(), options))
}

#[derive(Default)]
struct Counts {
    rewritten: usize,
    current: usize,
    undecided: usize,
    asked: BTreeSet<String>,
    wrong: Vec<String>,
}

fn known(row: &Row, hint: bool) -> Known {
    let dialect = match row.dialect.as_str() {
        "0.1" => Some(Dialect::V01),
        "0.2" => Some(Dialect::V02),
        _ => None,
    };
    Known {
        dialect: dialect.filter(|_| hint),
        ..Known::default()
    }
}

fn compare(row: &Row, hint: bool, counts: &mut Counts) {
    let calls = shell::calls(&row.command, &known(row, hint));
    let mut wrong = |why: String| counts.wrong.push(format!("{} {}\n  {why}", row.id, row.command));
    let [Call { verdict, .. }] = calls.as_slice() else {
        return wrong(format!("{} calls", calls.len()));
    };
    let done = match verdict {
        Verdict::Undecided(question) => {
            assert!(!question.is_empty());
            counts.undecided += 1;
            if !row.expected.starts_with("UNDECIDED") {
                counts
                    .asked
                    .insert(format!("{} {}\n  {question}", row.id, row.command));
            }
            return;
        }
        Verdict::Reported(why) => return wrong(why.clone()),
        Verdict::Current => row.command.clone(),
        Verdict::Rewritten(edits) => apply(&row.command, edits).unwrap(),
    };
    if row.expected.starts_with("UNDECIDED") {
        return wrong(format!("became {done}, should be {}", row.expected));
    }
    if matches!(verdict, Verdict::Current) {
        counts.current += 1;
    } else {
        counts.rewritten += 1;
    }
    // One row is no call of Batch AI in the end.
    if done != row.expected && meaning(&done) != meaning(&row.expected) {
        wrong(format!("became {done}: {:?}", meaning(&done).err()));
    } else if done != row.expected && meaning(&done).is_err() {
        wrong(format!("became {done}, which is no call: {:?}", meaning(&done)));
    }
    // Twice is as good as once.
    for again in shell::calls(&done, &known(row, hint)) {
        if again.verdict != Verdict::Current {
            wrong(format!("{done} became once more {:?}", again.verdict));
        }
    }
}

#[test]
fn every_row_becomes_what_is_known_or_a_question() {
    let Some(rows) = rows() else { return };
    let own = rows
        .iter()
        .filter(|row| row.expected.starts_with("UNDECIDED"))
        .count();
    for hint in [false, true] {
        let mut counts = Counts::default();
        for row in &rows {
            compare(row, hint, &mut counts);
        }
        println!(
            "{} rows, version {}: {} rewritten, {} current, {} undecided ({own} by the corpus), {} wrong",
            rows.len(),
            if hint { "told" } else { "not told" },
            counts.rewritten,
            counts.current,
            counts.undecided,
            counts.wrong.len()
        );
        println!("asked without need: {:#?}", counts.asked);
        assert!(counts.wrong.is_empty(), "{}", counts.wrong.join("\n"));
        let most = if hint { own } else { own + rows.len() / 20 };
        assert!(counts.undecided <= most, "{} undecided", counts.undecided);
    }
}

/// The column was filled by the real parsers of 0.1.6, 0.2.3 and 0.4.10.
#[test]
fn each_dialect_takes_what_its_own_parser_took() {
    let Some(rows) = rows() else { return };
    let mut wrong = Vec::new();
    for row in &rows {
        let sites = shell::sites(&row.command, trainyard_migrate::az::words::Syntax::Posix);
        let words = sites
            .first()
            .map(|site| site.words[2..].to_vec())
            .unwrap_or_default();
        let help = row.note == "help call";
        let mut takes = Vec::new();
        for dialect in [Dialect::V01, Dialect::V02, Dialect::V03] {
            let batchai = row.command.starts_with("az batchai");
            if help || (batchai && parse::call(dialect, &words).is_ok()) {
                takes.push(dialect.to_string());
            }
        }
        let takes = if takes.is_empty() {
            "none".to_owned()
        } else {
            takes.join(",")
        };
        if takes != row.accepted {
            wrong.push(format!(
                "{} {}: {takes}, not {}",
                row.id, row.command, row.accepted
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
