//! Command lines of scripts.

use crate::spec::PythonScript;

use super::path::tidy_root;
use super::quote::shell_word;

/// The command line of a Python script. Interpreter and script are single words, the arguments the user's own
/// shell text; variables in all of them are put in by the shell on the node where it runs.
pub(super) fn python(script: &PythonScript) -> String {
    command(
        &interpreter(script.python_interpreter_path.as_deref()),
        &script.python_script_file_path,
        script.command_line_args.as_deref(),
    )
}

/// The interpreter as a word: by default `python`, or `python3` on nodes that have no other.
pub(super) fn interpreter(path: Option<&str>) -> String {
    match path {
        Some(path) => path_word(path),
        None => r#""$(command -v python || echo python3)""#.to_owned(),
    }
}

/// `program`, which is shell text already, with a file and the user's arguments behind it.
pub(super) fn command(program: &str, file: &str, arguments: Option<&str>) -> String {
    let file = path_word(file);
    match arguments {
        Some(arguments) if !arguments.is_empty() => format!("{program} {file} {arguments}"),
        Some(_) | None => format!("{program} {file}"),
    }
}

/// A path as a word. One that has the mount root of the original service written out is read as this node's.
pub(super) fn path_word(path: &str) -> String {
    shell_word(&tidy_root(path))
}
