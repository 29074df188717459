//! Command lines of scripts.

use crate::spec::PythonScript;

use super::path::tidy_root;
use super::quote::shell_word;

/// The command line of a Python script. Interpreter and script are single words, the arguments the user's own
/// shell text; variables in all of them are put in by the shell on the node where it runs.
pub(super) fn python(script: &PythonScript) -> String {
    command(
        script.python_interpreter_path.as_deref(),
        &script.python_script_file_path,
        script.command_line_args.as_deref(),
    )
}

/// The command line of a toolkit that runs either a configuration, by `program`, or a Python script.
pub(super) fn configured(
    program: &str,
    configuration: Option<&str>,
    interpreter: Option<&str>,
    file: Option<&str>,
    arguments: Option<&str>,
) -> String {
    match configuration {
        Some(configuration) => with_arguments(format!("{program}{}", path_word(configuration)), arguments),
        None => command(interpreter, file.unwrap_or_default(), arguments),
    }
}

fn command(interpreter: Option<&str>, file: &str, arguments: Option<&str>) -> String {
    // By default `python`, or `python3` on nodes that have no other.
    let default = || r#""$(command -v python || echo python3)""#.to_owned();
    let interpreter = interpreter.map_or_else(default, path_word);
    with_arguments(format!("{interpreter} {}", path_word(file)), arguments)
}

fn with_arguments(command: String, arguments: Option<&str>) -> String {
    match arguments {
        Some(arguments) if !arguments.is_empty() => format!("{command} {arguments}"),
        Some(_) | None => command,
    }
}

/// A path as a word. One that has the mount root of the original service written out is read as this node's.
fn path_word(path: &str) -> String {
    shell_word(&tidy_root(path))
}

/// The arguments that have bash read a command line.
pub(super) fn bash(script: String) -> Vec<String> {
    vec!["bash".to_owned(), "-c".to_owned(), script]
}
