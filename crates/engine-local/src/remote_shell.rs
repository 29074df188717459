//! The programs by which MPI launchers and scripts reach the other nodes of a job. Launchers want one path, without
//! arguments.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use trainyard_domain::launch::shell_quote;
use trainyard_node::isolation::PROGRAM;

use crate::settings::NodeProgram;

/// Directory in the engine's folder of the programs that jobs find on their nodes.
pub const TOOLS: &str = "tools";
/// Its name there.
pub const REMOTE_SHELL: &str = "remote-shell";

/// The same as `ssh`, which comes first in the PATH of jobs.
pub const SSH: &str = "ssh";

/// Writes them into the directory `tools`: whole or not at all, since jobs may be calling them. Isolated nodes show there
/// what they all call ([`PROGRAM`]).
pub fn write(tools: &Path, program: &NodeProgram) -> io::Result<()> {
    fs::create_dir_all(tools)?;
    // Never replaced: what is mounted on it would be gone.
    fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(tools.join(PROGRAM))?;
    let not_text = || io::Error::other("the path of the program is not valid UTF-8");
    let name = std::str::from_utf8(program.program.as_os_str().as_bytes()).map_err(|_| not_text())?;
    let name = shell_quote(name);
    let words: Vec<String> = program.remote.iter().map(|word| shell_quote(word)).collect();
    let words = words.join(" ");
    script(tools, REMOTE_SHELL, &name, &format!("{words} \"$@\""))?;
    // It says where it is, so that the next ssh in PATH can be told from it wherever the directory is shown.
    script(tools, SSH, &name, &format!("{words} --as-ssh \"$0\" -- \"$@\""))
}

/// Calls the program where an isolated node shows it: jobs may not see or not reach the place where it lies.
fn script(tools: &Path, name: &str, program: &str, arguments: &str) -> io::Result<()> {
    let path = tools.join(name);
    let temporary = path.with_extension("new");
    let text = format!(
        "#!/bin/sh\nprogram=${{0%/*}}/{PROGRAM}\n[ -s \"$program\" ] || program={program}\nexec \"$program\" {arguments}\n"
    );
    fs::write(&temporary, text)?;
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o755))?;
    fs::rename(&temporary, &path)
}
