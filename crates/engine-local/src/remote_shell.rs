//! The program by which MPI launchers reach the other nodes of a job. They want one path, without arguments.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use trainyard_domain::launch::shell_quote;

use crate::settings::NodeProgram;

/// Directory in the engine's folder of the programs that jobs find on their nodes.
pub const TOOLS: &str = "tools";
/// Its name there.
pub const REMOTE_SHELL: &str = "remote-shell";

/// Writes it into the directory `tools`: whole or not at all, since jobs may be calling it.
pub fn write(tools: &Path, program: &NodeProgram) -> io::Result<()> {
    fs::create_dir_all(tools)?;
    let path = tools.join(REMOTE_SHELL);
    let not_text = || io::Error::other("the path of the program is not valid UTF-8");
    let name = std::str::from_utf8(program.program.as_os_str().as_bytes()).map_err(|_| not_text())?;
    let words = std::iter::once(name).chain(program.remote.iter().map(String::as_str));
    let command: Vec<String> = words.map(shell_quote).collect();
    let temporary = path.with_extension("new");
    fs::write(
        &temporary,
        format!("#!/bin/sh\nexec {} \"$@\"\n", command.join(" ")),
    )?;
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o755))?;
    fs::rename(&temporary, &path)
}
