//! Chooses how a file is read, by its name or its first line.

use std::path::Path;

use crate::az::decide;
use crate::az::words::Syntax;
use crate::call::{Call, Verdict};
use crate::edit::apply;
use crate::known::Known;
use crate::{documents, hosts, javascript, json, notebook, python, reports, shell};

/// The calls in a file; none where it is of no kind that is understood.
pub fn calls(path: &Path, text: &str, known: &Known) -> Option<Vec<Call>> {
    let name = path.file_name()?.to_str()?.to_lowercase();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let found = match ending {
        "sh" | "bash" | "zsh" | "ksh" | "bats" | "env" => shell::calls(text, known),
        "yml" | "yaml" => hosts::yaml::calls(text, known),
        "md" | "markdown" | "rst" | "adoc" => documents::calls(text, known),
        "py" | "pyw" => python::calls(text, known),
        "ipynb" => notebook::calls(text, known),
        "json" => json::calls(text, known),
        "js" | "mjs" | "cjs" | "jsx" | "ts" => javascript::calls(text, known),
        "java" => reports::java::calls(text, known),
        "cs" => reports::csharp::calls(text, known),
        "go" => reports::go::calls(text, known),
        "ps1" | "psm1" | "psd1" => plain(text, Syntax::PowerShell, known),
        "bat" | "cmd" => plain(text, Syntax::Cmd, known),
        "mk" | "mak" => plain(text, Syntax::Make, known),
        "txt" | "html" | "htm" => plain(text, Syntax::Loose, known),
        _ if ["makefile", "gnumakefile"].contains(&name.as_str()) => plain(text, Syntax::Make, known),
        _ if name.starts_with("dockerfile") || ending == "dockerfile" => hosts::docker::calls(text, known),
        _ if name.starts_with("jenkinsfile") || ending == "groovy" => plain(text, Syntax::Loose, known),
        _ if is_shell(text) => shell::calls(text, known),
        _ if ["readme", "install", "justfile", "procfile"].contains(&name.as_str()) => {
            plain(text, Syntax::Loose, known)
        }
        _ => return unknown(text, known),
    };
    Some(found)
}

/// A file of another kind: what looks like a call is shown with what it would become, and left alone.
fn unknown(text: &str, known: &Known) -> Option<Vec<Call>> {
    let mut found = plain(text, Syntax::Loose, known);
    for call in &mut found {
        if let Verdict::Rewritten(edits) = &call.verdict {
            let after = apply(text, edits).ok()?;
            let end = (call.span.end + after.len()).checked_sub(text.len())?;
            let becomes = after.get(call.span.start..end)?;
            call.verdict = Verdict::Reported(format!(
                "files of this kind are not known; it becomes `{becomes}`"
            ));
        }
    }
    (!found.is_empty()).then_some(found)
}

fn plain(text: &str, syntax: Syntax, known: &Known) -> Vec<Call> {
    let found = decide(&shell::sites(text, syntax), known);
    found.into_iter().map(|(_, call)| call).collect()
}

/// `#!/bin/bash`, `#!/usr/bin/env sh`.
fn is_shell(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.starts_with("#!")
        && first
            .split(['/', ' '])
            .any(|word| ["sh", "bash", "zsh", "ksh", "dash"].contains(&word))
}
