//! What is said about calls: for people, and as JSON.

use serde::Serialize;
use serde_json::{Value, json};
use trainyard_migrate::call::{Call, Verdict};

use super::files::{Found, LeftOut, Scanned};

/// Number of calls by what becomes of them.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    files: usize,
    found: usize,
    rewritten: usize,
    undecided: usize,
    current: usize,
    reported: usize,
    /// Files that name Batch AI and could not be read.
    unread: usize,
}

impl Summary {
    /// Counts all calls.
    pub fn of(found: &Found) -> Self {
        let mut summary = Self {
            files: found.files.iter().filter(|file| !file.calls.is_empty()).count(),
            unread: found.left_out.iter().filter(|left| left.names).count(),
            ..Self::default()
        };
        for call in found.files.iter().flat_map(|file| &file.calls) {
            summary.found += 1;
            *match call.verdict {
                Verdict::Current => &mut summary.current,
                Verdict::Rewritten(_) => &mut summary.rewritten,
                Verdict::Undecided(_) => &mut summary.undecided,
                Verdict::Reported(_) => &mut summary.reported,
            } += 1;
        }
        summary
    }

    /// Whether something is left to the person.
    pub fn is_left(&self) -> bool {
        self.undecided + self.reported + self.unread > 0
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} calls in {} files: {} to rewrite, {} current, {} undecided, {} only reported",
            self.found, self.files, self.rewritten, self.current, self.undecided, self.reported
        )
    }
}

/// One call, as it is printed.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    file: String,
    line: usize,
    call: &'a str,
    verdict: &'static str,
    /// The question, or what to change by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    say: Option<&'a str>,
    remarks: &'a [String],
}

/// All calls in order.
pub fn lines(found: &Found) -> Vec<Line<'_>> {
    let numbered = |file: &'_ Scanned| -> Vec<usize> {
        let starts = line_ends(&file.text);
        let number = |call: &Call| starts.partition_point(|end| *end < call.span.start) + 1;
        file.calls.iter().map(number).collect()
    };
    found
        .files
        .iter()
        .flat_map(|file| {
            let all = file.calls.iter().zip(numbered(file));
            all.map(move |(call, line)| (file, call, line))
        })
        .map(|(file, call, line)| {
            let (verdict, say) = match &call.verdict {
                Verdict::Current => ("current", None),
                Verdict::Rewritten(_) => ("rewrite", None),
                Verdict::Undecided(question) => ("undecided", Some(question.as_str())),
                Verdict::Reported(what) => ("by hand", Some(what.as_str())),
            };
            Line {
                file: file.path.display().to_string(),
                line,
                call: &call.what,
                verdict,
                say,
                remarks: &call.remarks,
            }
        })
        .collect()
}

impl Line<'_> {
    /// Whether the person has to do something about it.
    pub fn is_left(&self) -> bool {
        self.say.is_some()
    }

    /// Whether there is something to know.
    pub fn has_remarks(&self) -> bool {
        !self.remarks.is_empty()
    }
}

impl std::fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.call, self.verdict)?;
        if let Some(say) = self.say {
            write!(f, ": {say}")?;
        }
        for remark in self.remarks {
            write!(f, "\n    {remark}")?;
        }
        Ok(())
    }
}

/// Where the lines of a text end.
fn line_ends(text: &str) -> Vec<usize> {
    text.match_indices('\n').map(|(at, _)| at).collect()
}

/// What was not looked into, for programs.
pub fn left_out(found: &Found) -> Vec<Value> {
    let one = |left: &LeftOut| json!({ "file": left.path.display().to_string(), "why": left.why });
    found.left_out.iter().map(one).collect()
}

/// Says what was left out.
pub fn say_left_out(found: &Found) {
    for left in &found.left_out {
        say!("{}: left out: {}", left.path.display(), left.why);
    }
}
