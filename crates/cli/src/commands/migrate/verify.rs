//! `trainyard migrate verify`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::{Format, Told, files, report};
use crate::out;
use crate::verify::{Asked, Finding, Verifier};

pub const EXIT_CODES: &str = "Exit codes: 0 nothing differs, 3 something differs or is refused, 1 failed, 2 asked \
                              wrongly.";

#[derive(Debug, Args)]
pub struct Verify {
    /// Files and folders.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    told: Told,
    /// How the calls are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// One call, as it is printed.
#[derive(Debug, Serialize)]
struct Line {
    file: String,
    line: usize,
    call: String,
    finding: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    notes: Vec<String>,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.call, self.finding)?;
        if let Some(why) = &self.why {
            write!(f, ": {why}")?;
        }
        self.notes.iter().try_for_each(|note| write!(f, "\n    {note}"))
    }
}

impl Verify {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let known = self.told.known();
        let found = files::look(&self.paths, &known)?;
        let mut verifier = Verifier::new()?;
        let mut lines = Vec::new();
        let mut bad = false;
        for file in &found.files {
            let asked = Asked {
                path: &file.path,
                text: &file.text,
                calls: &file.calls,
                known: &known,
            };
            let findings = verifier.file(asked).await?;
            for (call, finding) in file.calls.iter().zip(findings) {
                bad |= finding.is_bad();
                let line = Line {
                    file: file.path.display().to_string(),
                    line: crate::verify::line_of(&file.text, call.span.start),
                    call: call.what.clone(),
                    finding: finding.word(),
                    why: finding.why().map(str::to_owned),
                    notes: finding.notes().to_vec(),
                };
                // A long list is seen growing.
                if self.format == Format::Text {
                    out::print(format_args!("{line}\n"))?;
                }
                lines.push(line);
            }
        }
        let counts = counts(&lines);
        match self.format {
            Format::Json => {
                let all = json!({ "calls": lines, "leftOut": report::left_out(&found), "summary": counts });
                out::print(serde_json::to_string_pretty(&all)? + "\n")?;
            }
            Format::Text => {
                report::say_left_out(&found);
                let words: Vec<_> = counts
                    .iter()
                    .map(|(word, count)| format!("{count} {word}"))
                    .collect();
                say!("{} calls: {}", lines.len(), words.join(", "));
            }
        }
        Ok(ExitCode::from(if bad { 3 } else { 0 }))
    }
}

fn counts(lines: &[Line]) -> BTreeMap<&'static str, usize> {
    let all = [
        Finding::Same(Vec::new()),
        Finding::Differs(String::new()),
        Finding::Accepted(Vec::new()),
        Finding::Refused(String::new()),
        Finding::NotReplayed(String::new()),
    ];
    let of = |word: &str| lines.iter().filter(|line| line.finding == word).count();
    all.iter()
        .map(|finding| (finding.word(), of(finding.word())))
        .collect()
}
