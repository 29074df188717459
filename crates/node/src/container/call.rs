//! Calling a runtime, and what it says.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

/// Most bytes kept of what a runtime says.
const MOST_SAID: usize = 2000;

/// A call of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Arguments. Never a secret: everybody on the machine may read them.
    pub arguments: Vec<String>,
    /// Variables beside those of the errand.
    pub variables: Vec<(String, String)>,
}

impl Call {
    /// A call with these arguments.
    pub fn new<S: AsRef<str>>(arguments: &[S]) -> Call {
        Call {
            arguments: arguments.iter().map(|word| word.as_ref().to_owned()).collect(),
            variables: Vec::new(),
        }
    }

    /// More arguments.
    pub fn and<S: AsRef<str>>(mut self, arguments: &[S]) -> Call {
        self.arguments
            .extend(arguments.iter().map(|word| word.as_ref().to_owned()));
        self
    }
}

/// Where programs are called: the errand's environment.
#[derive(Debug, Clone)]
pub struct World {
    /// Its variables.
    pub variables: BTreeMap<String, String>,
}

impl World {
    /// The PATH to look in.
    pub fn path(&self) -> &str {
        self.variables.get("PATH").map_or("", String::as_str)
    }

    /// Calls a program and waits for it; what it says on stdout, without the end of line, or what went wrong. The node
    /// bounds the whole errand, and ends all that it has called.
    pub fn call(&self, program: &Path, call: &Call) -> Result<String, String> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the errand's program; awaited, and ended with its process group"
        )]
        let mut command = Command::new(program);
        let output = command
            .args(&call.arguments)
            .env_clear()
            .envs(&self.variables)
            .envs(call.variables.iter().cloned())
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{} could not be started: {error}", program.display()))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        let said = [text(&output.stdout), text(&output.stderr)].join("\n");
        let name = program.file_name().unwrap_or_default().display();
        let what = call
            .arguments
            .iter()
            .find(|word| !word.starts_with(['-', '/']) && !word.contains('='));
        let what = what.map_or("", String::as_str);
        Err(format!(
            "{name} {what} failed ({}): {}",
            output.status,
            last(said.trim())
        ))
    }
}

/// The last of a long text.
fn last(text: &str) -> &str {
    let mut from = text.len().saturating_sub(MOST_SAID);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}
