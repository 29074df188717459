//! customToolkitSettings: the user's command line, on the master only (behaviour.md section 9).

use super::plan::Process;
use super::site::Site;

/// The processes of this node.
pub(super) fn processes(site: &Site<'_>, command: Option<&str>) -> Vec<Process> {
    match command {
        Some(command) if site.index == 0 => {
            vec![site.process("command", command.to_owned(), &site.variables, ".txt")]
        }
        Some(_) | None => Vec::new(),
    }
}
