//! Runs the scanners over the fixtures.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use trainyard_migrate::call::{Call, Verdict};
use trainyard_migrate::edit::{self, Edit};
use trainyard_migrate::known::Known;
use trainyard_migrate::{javascript, json, notebook, python, reports};

/// A file as it was and as it is expected.
pub struct Fixture {
    pub name: String,
    pub before: String,
    pub expected: String,
    pub listed: String,
}

/// All fixtures of a language, by name.
pub fn fixtures(language: &str, ending: &str) -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(language);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.ends_with(ending) && !name.contains(".expected.")
        })
        .collect();
    paths.sort();
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    paths
        .iter()
        .map(|path| {
            let before = read(path).unwrap();
            Fixture {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                expected: read(&path.with_extension(format!("expected.{ending}")))
                    .unwrap_or_else(|| before.clone()),
                listed: read(&path.with_extension("calls")).unwrap_or_default(),
                before,
            }
        })
        .collect()
}

/// What the scanner of a language finds.
pub fn scan(language: &str, text: &str) -> Vec<Call> {
    let known = Known::default();
    match language {
        "python" => python::calls(text, &known),
        "notebook" => notebook::calls(text, &known),
        "js" => javascript::calls(text, &known),
        "java" => reports::java::calls(text, &known),
        "csharp" => reports::csharp::calls(text, &known),
        "go" => reports::go::calls(text, &known),
        "json" => json::calls(text, &known),
        _ => Vec::new(),
    }
}

/// The text with all that was decided done.
pub fn rewrite(text: &str, calls: &[Call]) -> String {
    let edits: Vec<Edit> = calls
        .iter()
        .filter_map(|call| match &call.verdict {
            Verdict::Rewritten(edits) => Some(edits.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    edit::apply(text, &edits).unwrap()
}

/// A line for every call, as the files `NAME.calls` have it.
pub fn list(text: &str, calls: &[Call]) -> String {
    let mut out = String::new();
    for call in calls {
        let line = 1 + text[..call.span.start].matches('\n').count();
        let word = match &call.verdict {
            Verdict::Current => "current",
            Verdict::Rewritten(_) => "rewritten",
            Verdict::Undecided(_) => "asked",
            Verdict::Reported(_) => "reported",
        };
        writeln!(out, "{line} {} {word}", call.what).unwrap();
    }
    out
}

/// Compares one language's fixtures; what was found instead lies below the build folder.
fn check(language: &str, ending: &str) {
    let mut wrong = Vec::new();
    for fixture in fixtures(language, ending) {
        let calls = scan(language, &fixture.before);
        let after = rewrite(&fixture.before, &calls);
        let listed = list(&fixture.before, &calls);
        if after != fixture.expected || listed != fixture.listed {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(language);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(&fixture.name), &after).unwrap();
            std::fs::write(folder.join(&fixture.name).with_extension("calls"), &listed).unwrap();
            wrong.push(format!("{} (see {})", fixture.name, folder.display()));
        }
        assert_again(language, &fixture.name, &after);
    }
    assert!(wrong.is_empty(), "not as expected: {wrong:?}");
}

/// A second rewrite changes nothing.
fn assert_again(language: &str, name: &str, after: &str) {
    let again = rewrite(after, &scan(language, after));
    assert_eq!(again, after, "{name}: the second rewrite changed something");
}

#[test]
fn json_files() {
    check("json", "json");
}

#[test]
fn node_programs() {
    check("js", "js");
    check("js", "ts");
}

#[test]
fn java_is_reported() {
    check("java", "java");
}

#[test]
fn c_sharp_is_reported() {
    check("csharp", "cs");
}

#[test]
fn go_is_reported() {
    check("go", "go");
}

#[test]
fn notebooks() {
    check("notebook", "ipynb");
}

#[test]
fn python_files() {
    check("python", "py");
}

/// Files that end in the middle: nothing breaks, and the edits still fit.
#[test]
fn a_file_may_end_anywhere() {
    for (language, ending) in [
        ("python", "py"),
        ("notebook", "ipynb"),
        ("json", "json"),
        ("js", "js"),
        ("java", "java"),
        ("csharp", "cs"),
        ("go", "go"),
    ] {
        for fixture in fixtures(language, ending) {
            for end in (0..fixture.before.len()).step_by(97) {
                let Some(text) = fixture.before.get(..end) else {
                    continue;
                };
                rewrite(text, &scan(language, text));
            }
        }
    }
}
