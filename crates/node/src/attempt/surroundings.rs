//! What an attempt needs of its node.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Pid;
use trainyard_domain::launch::Process;

use crate::cgroup::Limits;
use crate::container::Site;
use crate::fence::Fence;
use crate::process::{self, NotStarted};
use crate::view::View;
use crate::volume::keep::Keep;
use crate::volumes::Tools;

/// How long a command of another node may take to be found, in a PATH that leads over volumes.
const FIND_WITHIN: Duration = Duration::from_secs(2);

/// What an attempt needs of its node.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Keeps its processes together.
    pub fence: &'a Fence,
    /// Environment where the plan has none.
    pub environment: &'a Arc<BTreeMap<String, String>>,
    /// Where its files and processes are.
    pub view: &'a Arc<View>,
    /// The node's own folder.
    pub folder: &'a Path,
    /// Where its container is.
    pub site: &'a Site,
    /// What is mounted on the node by programs.
    pub keep: &'a RefCell<Keep>,
    /// How much the node may use.
    pub limits: &'a Limits,
}

impl Surroundings<'_> {
    pub(super) fn tools(&self) -> Tools<'_> {
        Tools {
            view: self.view,
            fence: self.fence,
            keep: self.keep,
        }
    }

    /// Starts a process with these streams, which finds the programs of the directory `tools` before others.
    pub fn start_with(
        &self,
        process: Process,
        tools: Option<&str>,
        mark: &str,
        streams: [Stdio; 3],
    ) -> Result<Pid, NotStarted> {
        let environment = Arc::clone(self.environment);
        let process = with_tools(process, tools, &environment);
        let late = process::refused(&process, "a volume in its PATH does not answer");
        let prepared = self.view.within(FIND_WITHIN, move || {
            process::prepare_with(&process, &environment, streams)
        });
        let (prepared, mark) = (prepared.unwrap_or(Err(late))?, mark.to_owned());
        self.view.run(move || prepared.start(&mark))
    }
}

/// A process that finds the programs of the directory `tools` before others of their names.
pub(super) fn with_tools(
    mut process: Process,
    tools: Option<&str>,
    environment: &BTreeMap<String, String>,
) -> Process {
    if let Some(tools) = tools {
        let own = process.environment.get("PATH");
        let path = own.or_else(|| environment.get("PATH"));
        let path = path.map_or_else(|| tools.to_owned(), |path| format!("{tools}:{path}"));
        process.environment.insert("PATH".to_owned(), path);
    }
    process
}
