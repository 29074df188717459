//! What test runners say of themselves when they close.

use std::ops::AddAssign;

/// How many tests passed, failed, and were there but did not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub ignored: u64,
}

impl Counts {
    /// One check that counts as one test.
    pub fn one(passed: bool) -> Counts {
        Counts {
            passed: passed.into(),
            failed: (!passed).into(),
            ignored: 0,
        }
    }

    /// These counts, with at least one failure if the program that ran the tests did not end well: a test binary
    /// that crashed, or never compiled, has no closing line.
    pub fn with_exit(self, success: bool) -> Counts {
        if success || self.failed > 0 {
            self
        } else {
            Counts { failed: 1, ..self }
        }
    }

    /// Adds what a line says, if it is a closing line of libtest or nextest.
    pub fn read_line(&mut self, line: &str) {
        if let Some(counts) = libtest(line).or_else(|| nextest(line)) {
            *self += counts;
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`
fn libtest(line: &str) -> Option<Counts> {
    let (_, parts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    Some(numbered(parts.split(';')))
}

/// `     Summary [   0.012s] 12 tests run: 11 passed (1 slow), 1 failed, 2 skipped`
fn nextest(line: &str) -> Option<Counts> {
    let (_, rest) = line.trim_start().strip_prefix("Summary [")?.split_once(']')?;
    Some(numbered(rest.split_once("run: ")?.1.split(',')))
}

fn numbered<'a>(parts: impl Iterator<Item = &'a str>) -> Counts {
    let mut counts = Counts::default();
    for part in parts {
        let mut words = part.split_whitespace();
        let Some(number) = words.next().and_then(|word| word.parse::<u64>().ok()) else {
            continue;
        };
        match words.next() {
            Some("passed") => counts.passed += number,
            Some("failed" | "timed" | "exec") => counts.failed += number,
            Some("ignored" | "skipped") => counts.ignored += number,
            _ => {}
        }
    }
    counts
}

/// What a JUnit report says: the counts, and the reason of each skipped test.
pub fn junit(report: &str) -> Option<(Counts, Vec<String>)> {
    let (_, suite) = report.split_once("<testsuite ")?;
    let (suite, cases) = suite.split_once('>')?;
    let number = |name| attribute(suite, name)?.parse::<u64>().ok();
    let failed = number("failures")? + number("errors")?;
    let ignored = number("skipped")?;
    let passed = number("tests")?.checked_sub(failed + ignored)?;
    let reasons = cases.split("<skipped ").skip(1).filter_map(|skip| {
        let tag = skip.split_once('>')?.0;
        Some(unescape(attribute(tag, "message")?))
    });
    Some((
        Counts {
            passed,
            failed,
            ignored,
        },
        reasons.collect(),
    ))
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = tag.split_once(&format!("{name}=\""))?;
    Some(value.split_once('"')?.0)
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(passed: u64, failed: u64, ignored: u64) -> Counts {
        Counts {
            passed,
            failed,
            ignored,
        }
    }

    #[test]
    fn closing_lines_add_up() {
        let mut all = Counts::default();
        for line in [
            "test some::name ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.01s",
            "     Summary [   0.012s] 12 tests run: 9 passed (1 slow), 1 failed, 2 timed out, 4 skipped",
        ] {
            all.read_line(line);
        }
        assert_eq!(all, counts(14, 8, 5));
    }

    #[test]
    fn a_bad_end_without_a_failed_test_is_a_failure() {
        assert_eq!(counts(3, 0, 0).with_exit(false), counts(3, 1, 0));
        assert_eq!(counts(3, 2, 0).with_exit(false), counts(3, 2, 0));
        assert_eq!(counts(3, 0, 0).with_exit(true), counts(3, 0, 0));
    }

    #[test]
    fn a_junit_report_gives_counts_and_reasons() {
        let report = r#"<?xml version="1.0"?><testsuites name="x"><testsuite name="pytest" errors="1" failures="2"
            skipped="1" tests="9" time="0.1"><testcase name="a"><skipped type="pytest.skip"
            message="left out: &quot;x&quot; is not here">p.py:3: y</skipped></testcase></testsuite></testsuites>"#;
        let (found, reasons) = junit(report).unwrap();
        assert_eq!(found, counts(5, 3, 1));
        assert_eq!(reasons, ["left out: \"x\" is not here"]);
        assert_eq!(junit("nothing"), None);
    }
}
