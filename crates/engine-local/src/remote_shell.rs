//! The programs by which MPI launchers and scripts reach the other nodes of a job. Launchers want one path, without
//! arguments.

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

/// The same as `ssh`, which comes first in the PATH of jobs.
pub const SSH: &str = "ssh";

/// Writes them into the directory `tools`: whole or not at all, since jobs may be calling them.
pub fn write(tools: &Path, program: &NodeProgram) -> io::Result<()> {
    fs::create_dir_all(tools)?;
    let not_text = || io::Error::other("the path of the program is not valid UTF-8");
    let name = std::str::from_utf8(program.program.as_os_str().as_bytes()).map_err(|_| not_text())?;
    let words = std::iter::once(name).chain(program.remote.iter().map(String::as_str));
    let command: Vec<String> = words.map(shell_quote).collect();
    let command = command.join(" ");
    script(tools, REMOTE_SHELL, &format!("{command} \"$@\""))?;
    // It says where it is, so that the next ssh in PATH can be told from it wherever the directory is shown.
    script(tools, SSH, &format!("{command} --as-ssh \"$0\" -- \"$@\""))
}

fn script(tools: &Path, name: &str, command: &str) -> io::Result<()> {
    let path = tools.join(name);
    let temporary = path.with_extension("new");
    fs::write(&temporary, format!("#!/bin/sh\nexec {command}\n"))?;
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o755))?;
    fs::rename(&temporary, &path)
}
