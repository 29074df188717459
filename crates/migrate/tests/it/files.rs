//! Whole files, and what they become: `tests/fixtures/scripts/X` and `X.expected`.

use std::path::{Path, PathBuf};

use trainyard_migrate::call::{Call, Verdict};
use trainyard_migrate::edit::{Edit, apply};
use trainyard_migrate::file;
use trainyard_migrate::known::Known;

/// Each file, its calls, and how many of them are left to a person.
const FILES: &[(&str, usize, usize)] = &[
    ("Dockerfile", 4, 0),
    ("Makefile", 9, 0),
    ("guide.md", 12, 0),
    ("later.sh", 16, 2),
    ("pipeline.yml", 12, 0),
    ("run.cmd", 6, 1),
    ("setup.ps1", 8, 1),
    ("train.sh", 15, 1),
];

fn place() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scripts")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn calls(path: &Path, text: &str) -> Vec<Call> {
    file::calls(path, text, &Known::default()).unwrap()
}

fn edits(calls: &[Call]) -> Vec<Edit> {
    let own = |call: &Call| match &call.verdict {
        Verdict::Rewritten(edits) => edits.clone(),
        _ => Vec::new(),
    };
    calls.iter().flat_map(own).collect()
}

#[test]
fn every_file_becomes_what_is_expected_and_stays_so() {
    let mut sum = 0;
    for (name, number, left) in FILES {
        let path = place().join(name);
        let text = read(&path);
        let found = calls(&path, &text);
        let after = apply(&text, &edits(&found)).unwrap();
        let expected = read(&place().join(format!("{name}.expected")));
        assert_eq!(after, expected, "{name}");
        let undecided = found
            .iter()
            .filter(|call| matches!(call.verdict, Verdict::Undecided(_)))
            .count();
        let whats: Vec<_> = found.iter().map(|call| &text[call.span.clone()]).collect();
        assert_eq!((found.len(), undecided), (*number, *left), "{name}: {whats:#?}");
        let again = calls(&path, &after);
        assert!(edits(&again).is_empty(), "{name}: {again:?}");
        assert_eq!(again.len(), *number, "{name}");
        sum += number;
    }
    assert!(sum >= 60, "{sum} calls");
}

/// What is inserted or deleted lies inside of the calls: lines without any are the same, in the same order.
#[test]
fn bytes_outside_of_calls_stay() {
    for (name, ..) in FILES {
        let path = place().join(name);
        let text = read(&path);
        for call in calls(&path, &text) {
            if let Verdict::Rewritten(edits) = &call.verdict {
                for edit in edits {
                    assert!(
                        call.span.start <= edit.span.start && edit.span.end <= call.span.end,
                        "{name}: {call:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn workspace_and_experiment_are_made_first_where_that_is_asked() {
    let known = Known {
        add_creates: true,
        ..Known::default()
    };
    let text = "x=1\n  az batchai cluster create -n c -g g -l eastus -c f.json\n  az batchai job create -n j -g g -r c -c j.json\n";
    let found = file::calls(Path::new("a.sh"), text, &known).unwrap();
    let after = apply(text, &edits(&found)).unwrap();
    assert_eq!(
        after,
        "x=1\n  az batchai workspace create -g g -n migrated-eastus -l eastus\n  \
         az batchai experiment create -g g -w migrated-eastus -n migrated\n  \
         az batchai cluster create -n c -g g -w migrated-eastus -f f.json\n  \
         az batchai job create -n j -g g -c c -f j.json -w migrated-eastus -e migrated\n"
    );
    let again = file::calls(Path::new("a.sh"), &after, &known).unwrap();
    assert!(edits(&again).is_empty());
    // Where no line may come, it is said.
    let text = "x && az batchai cluster create -n c -g g -l eastus\n";
    let found = file::calls(Path::new("a.sh"), text, &known).unwrap();
    assert!(
        found[0]
            .remarks
            .iter()
            .any(|remark| remark.contains("workspace create -g g")),
        "{found:?}"
    );
}

/// The questions speak of `az batchai` themselves.
#[test]
fn marks_come_once() {
    let path = Path::new("a.sh");
    let text = "az batchai job list -g ''\n  az batchai job show $X # don't\naz batchai job create -n j -g g -c j.json\n";
    let marked = |text: &str| {
        let found = calls(path, text);
        let marks: Vec<Edit> = found
            .iter()
            .filter_map(|call| match &call.verdict {
                Verdict::Undecided(say) => trainyard_migrate::mark::above(path, text, call.span.start, say),
                _ => None,
            })
            .collect();
        (found.len(), apply(text, &marks).unwrap())
    };
    let (number, once) = marked(text);
    assert_eq!((number, once.lines().count()), (3, 6), "{once}");
    assert_eq!(marked(&once), (3, once.clone()));
}

#[test]
fn a_comment_of_ours_is_no_call() {
    let text = "# trainyard: it becomes az batchai job show -n x -g g\n# az batchai job show -n x -g g\n";
    assert_eq!(calls(Path::new("a.sh"), text).len(), 1);
}
