//! `trainyard migrate scan`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::report::{self, Summary};
use super::{Told, files};
use crate::out;

#[derive(Debug, Args)]
pub struct Scan {
    /// Files and folders.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    told: Told,
    /// How the calls are printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One call a line, remarks below it.
    Text,
    /// One object: calls, leftOut, summary.
    Json,
}

impl Scan {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let found = files::look(&self.paths, &self.told.known())?;
        let summary = Summary::of(&found);
        let lines = report::lines(&found);
        match self.format {
            Format::Json => {
                let left_out: Vec<_> = found
                    .left_out
                    .iter()
                    .map(|left| json!({ "file": left.path.display().to_string(), "why": left.why }))
                    .collect();
                let all = json!({ "calls": lines, "leftOut": left_out, "summary": summary });
                out::print(serde_json::to_string_pretty(&all)? + "\n")?;
            }
            Format::Text => {
                for line in &lines {
                    out::print(format_args!("{line}\n"))?;
                }
                report::say_left_out(&found);
                say!("{summary}");
            }
        }
        Ok(ExitCode::from(if summary.is_left() { 3 } else { 0 }))
    }
}
