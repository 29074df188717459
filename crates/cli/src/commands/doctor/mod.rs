//! `trainyard doctor`: what this machine can do for nodes, why not more, and what to do about it.
//!
//! [`facts`] looks at the machine, [`checks`] judges what it found. Where the server decides by the same question, the
//! answer comes from the same function.

mod checks;
mod facts;
mod machine;
mod programs;

use std::process::ExitCode;

use clap::Args;

use super::options::Options;
use crate::config::layers::Surroundings;
use crate::out;
use checks::{Finding, State, judge};

/// Say what this machine can do for nodes; flags as of `serve`.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    options: Options,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// 0 unless serving would fail.
    pub fn run(self, surroundings: &Surroundings) -> anyhow::Result<ExitCode> {
        let config = self.options.load(surroundings)?;
        let findings = judge(&facts::gather(&config, surroundings));
        if self.json {
            out::print(format_args!("{}\n", serde_json::to_string_pretty(&findings)?))?;
        } else {
            out::print(text(&findings))?;
        }
        let serves = findings.iter().all(|finding| finding.serves);
        Ok(if serves {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let state = finding.state.in_words();
        text.push_str(&format!("{state:<9} {}: {}\n", finding.about, finding.found));
        if let Some(next) = &finding.next {
            text.push_str(&format!("          {next}\n"));
        }
    }
    let wrong = findings.iter().filter(|finding| !finding.serves).count();
    let less = findings
        .iter()
        .filter(|finding| finding.state != State::Ok)
        .count();
    text.push_str(&match (wrong, less) {
        (0, 0) => "Everything is there.\n".to_owned(),
        (0, less) => format!(
            "The server can run; {less} of {} could be better.\n",
            findings.len()
        ),
        (wrong, _) => format!("The server cannot run: {wrong} must be put right first.\n"),
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_the_next_step_and_ends_with_the_whole() {
        let finding = |state, next: Option<&str>, serves| Finding {
            about: "disk",
            state,
            found: "it is so".to_owned(),
            next: next.map(str::to_owned),
            serves,
        };
        let fine = finding(State::Ok, None, true);
        assert_eq!(text(&[fine]), "ok        disk: it is so\nEverything is there.\n");
        let said = text(&[
            finding(State::Degraded, Some("Do this."), true),
            finding(State::Missing, None, false),
        ]);
        assert!(said.starts_with("degraded  disk: it is so\n          Do this.\nmissing   disk"));
        assert!(said.ends_with("The server cannot run: 1 must be put right first.\n"));
    }
}
