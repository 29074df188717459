//! `trainyard migrate rewrite`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use similar::TextDiff;
use trainyard_migrate::call::Verdict;
use trainyard_migrate::edit::{Edit, apply};
use trainyard_migrate::mark;

use super::files::{Found, Scanned};
use super::report::{self, Summary};
use super::{Told, files, replace};
use crate::out;

#[derive(Debug, Args)]
pub struct Rewrite {
    /// Files and folders.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    told: Told,
    /// Change the files; each is kept as FILE.orig first.
    #[arg(long)]
    write: bool,
    /// Put the commands that make workspace and experiment before the first `create` that needs them.
    #[arg(long)]
    add_creates: bool,
    /// Put a comment above each call that is left to you.
    #[arg(long)]
    mark: bool,
}

impl Rewrite {
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let mut known = self.told.known();
        known.add_creates = self.add_creates;
        let found = files::look(&self.paths, &known)?;
        for file in &found.files {
            let after = self.after(file)?;
            if after == file.text {
                continue;
            }
            if self.write {
                let kept = replace::keeping(&file.path, &file.text, &after)?;
                say!("{}: rewritten, kept as {}", file.path.display(), kept.display());
            } else {
                out::print(diff(file, &after))?;
            }
        }
        Ok(ExitCode::from(self.say(&found)))
    }

    fn after(&self, file: &Scanned) -> anyhow::Result<String> {
        let mut edits: Vec<Edit> = Vec::new();
        for call in &file.calls {
            match &call.verdict {
                Verdict::Rewritten(own) => edits.extend(own.iter().cloned()),
                Verdict::Undecided(say) | Verdict::Reported(say) if self.mark => {
                    edits.extend(mark::above(&file.path, &file.text, call.span.start, say));
                }
                _ => {}
            }
        }
        apply(&file.text, &edits).with_context(|| format!("{} is left as it is", file.path.display()))
    }

    /// Says what is left; the exit code.
    fn say(&self, found: &Found) -> u8 {
        for line in report::lines(found) {
            if line.is_left() || line.has_remarks() {
                say!("{line}");
            }
        }
        report::say_left_out(found);
        let summary = Summary::of(found);
        say!("{summary}");
        if summary.is_left() { 3 } else { 0 }
    }
}

fn diff(file: &Scanned, after: &str) -> String {
    let name = file.path.display().to_string();
    TextDiff::from_lines(file.text.as_str(), after)
        .unified_diff()
        .header(&name, &name)
        .to_string()
}
