//! `trainyard migrate scan`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::report::{self, Summary};
use super::{Format, Told, files};
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

impl Scan {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let found = files::look(&self.paths, &self.told.known())?;
        let summary = Summary::of(&found);
        let lines = report::lines(&found);
        match self.format {
            Format::Json => {
                let all = json!({ "calls": lines, "leftOut": report::left_out(&found), "summary": summary });
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
