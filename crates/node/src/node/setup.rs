//! Setting a node up: the volumes of its cluster, then the setup task.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustix::process::Pid;
use trainyard_domain::launch::Process;
use trainyard_domain::state::BatchAiError;

use super::Node;
use crate::attempt::describe;
use crate::fence::{Fence, mark};
use crate::files::{self, Phase};
use crate::journal::Journal;
use crate::process::{NotStarted, Prepared};
use crate::view::Doing;
use crate::volumes::{Tools, Volumes};
use crate::{place, process};

/// Code for a setup task that failed.
const SETUP_TASK_FAILED: &str = "SetupTaskFailed";
/// How long a node that is being set up waits for its execution log to be written.
const SETTLE_WITHIN: Duration = Duration::from_secs(1);

/// How far the setup is.
#[derive(Debug)]
pub(super) enum Setup {
    /// The cluster's volumes are being mounted.
    Mounting(Volumes, Journal),
    /// Directories are made and the setup task is prepared: that may be on volumes.
    Making(Volumes, Journal, Doing<Made>),
    /// The setup task runs.
    Running(Volumes, Journal, Pid),
    /// It is over, well or not.
    Over(Volumes),
    /// Volumes that have died are being mounted anew; no attempt begins meanwhile.
    Renewing(Volumes),
}

/// What the setup task needs, if there is one; or why it cannot run.
pub(super) type Made = Result<Option<Result<Prepared, NotStarted>>, BatchAiError>;

impl Setup {
    pub(super) fn wake_at(&self) -> Option<Duration> {
        match self {
            Setup::Mounting(volumes, _)
            | Setup::Making(volumes, ..)
            | Setup::Running(volumes, ..)
            | Setup::Over(volumes)
            | Setup::Renewing(volumes) => volumes.wake_at(),
        }
    }

    pub(super) fn into_volumes(self) -> Volumes {
        match self {
            Setup::Mounting(volumes, journal)
            | Setup::Making(volumes, journal, _)
            | Setup::Running(volumes, journal, _) => {
                journal.close();
                volumes
            }
            Setup::Over(volumes) | Setup::Renewing(volumes) => volumes,
        }
    }
}

impl Default for Setup {
    fn default() -> Setup {
        Setup::Over(Volumes::default())
    }
}

impl Node {
    // --- setup

    pub(super) fn step_setup(&mut self, ended: &[(Pid, i32)], now: Duration) {
        let tools = Tools {
            view: &self.view,
            fence: &self.fence,
            keep: &self.keep,
        };
        match &mut self.setup {
            Setup::Mounting(volumes, _) => {
                volumes.hear(ended);
                if let Poll::Ready(mounted) = volumes.mount(now, tools) {
                    self.begin_setup_task(mounted);
                }
            }
            Setup::Making(volumes, _, doing) => {
                volumes.hear(ended);
                if let Some(made) = doing.poll() {
                    self.start_setup_task(made);
                }
            }
            Setup::Running(volumes, journal, pid) => {
                volumes.hear(ended);
                let Some((_, code)) = ended.iter().find(|(ended, _)| ended == pid) else {
                    return;
                };
                journal.say(format_args!("setup task ended with exit code {code}"));
                journal.settle(SETTLE_WITHIN);
                self.setup = Setup::Over(std::mem::take(volumes));
                if *code == 0 {
                    self.become_ready();
                } else {
                    let failure = self.setup_failure(*code);
                    self.set_phase(Phase::SetupFailed(vec![failure]));
                }
            }
            Setup::Over(volumes) => {
                volumes.hear(ended);
                let idle = self.attempt.is_none() && self.status.phase == Phase::Ready;
                if idle && volumes.has_dead(&self.keep.borrow()) {
                    crate::say("a volume of the cluster has died and is mounted anew");
                    volumes.renew(tools);
                    self.setup = Setup::Renewing(std::mem::take(volumes));
                    self.step_setup(&[], now);
                }
            }
            Setup::Renewing(volumes) => {
                volumes.hear(ended);
                if let Poll::Ready(mounted) = volumes.mount(now, tools) {
                    self.setup = Setup::Over(std::mem::take(volumes));
                    if let Err(error) = mounted {
                        crate::say(describe(&error));
                        self.set_phase(Phase::SetupFailed(vec![error]));
                    }
                }
            }
        }
    }

    /// The setup task, taken out of `node.json` too: its secrets need not lie in a file as long as the node lives. Nobody
    /// starts a node again by that file.
    pub(super) fn take_setup_task(&mut self) -> Option<Process> {
        let setup = self.file.plan.setup.take()?;
        if let Err(error) = files::write(&self.folder.node(), &self.file) {
            crate::say(format_args!(
                "the secrets of the setup task stay in node.json: {error}"
            ));
        }
        Some(setup)
    }

    pub(super) fn begin_setup_task(&mut self, mounted: Result<(), BatchAiError>) {
        let setup = self.take_setup_task();
        let Setup::Mounting(mut volumes, journal) = std::mem::take(&mut self.setup) else {
            return;
        };
        for note in volumes.notes() {
            journal.say(note);
        }
        if let Err(error) = mounted {
            self.setup = Setup::Mounting(volumes, journal);
            return self.start_setup_task(Err(error));
        }
        let directories = self.file.plan.directories.clone();
        let environment = Arc::clone(&self.environment);
        let doing = self.view.begin(move || {
            place::make_all(&directories)?;
            Ok(setup.map(|setup| process::prepare(&setup, &environment)))
        });
        self.setup = Setup::Making(volumes, journal, doing);
    }

    pub(super) fn start_setup_task(&mut self, made: Made) {
        let (Setup::Mounting(volumes, journal) | Setup::Making(volumes, journal, _)) =
            std::mem::take(&mut self.setup)
        else {
            return;
        };
        let prepared = match made {
            Ok(prepared) => prepared,
            Err(error) => {
                journal.say(describe(&error));
                journal.settle(SETTLE_WITHIN);
                self.setup = Setup::Over(volumes);
                return self.set_phase(Phase::SetupFailed(vec![error]));
            }
        };
        journal.say(format_args!("{} volumes mounted", volumes.up()));
        let Some(prepared) = prepared else {
            self.setup = Setup::Over(volumes);
            return self.become_ready();
        };
        let mark = mark(self.folder.root(), "setup");
        let started = prepared.and_then(|prepared| {
            let name = prepared.name().to_owned();
            let pid = self.view.run(move || prepared.start(&mark))?;
            Ok((name, pid))
        });
        match started {
            Ok((name, pid)) => {
                journal.say(format_args!("{name} started, process {}", pid.as_raw_pid()));
                self.setup = Setup::Running(volumes, journal, pid);
            }
            Err(why) => {
                journal.say(&why.error.message);
                journal.settle(SETTLE_WITHIN);
                self.setup = Setup::Over(volumes);
                let failure = self.setup_failure(why.exit_code);
                self.set_phase(Phase::SetupFailed(vec![failure]));
            }
        }
    }

    pub(super) fn setup_failure(&self, code: i32) -> BatchAiError {
        BatchAiError {
            code: SETUP_TASK_FAILED.to_owned(),
            message: "The setup task failed with non-zero exit code. Read its stderr, then scale the \
                      cluster down and up."
                .to_owned(),
            details: vec![
                ("nodeId".to_owned(), self.file.plan.name.clone()),
                ("exitCode".to_owned(), code.to_string()),
            ],
        }
    }

    pub(super) fn become_ready(&mut self) {
        if let Some(cgroup) = self.cgroup.clone() {
            let setup = mark(self.folder.root(), "setup");
            match cgroup.begin_jobs() {
                Ok(()) => self.fence = Fence::Cgroup { cgroup, setup },
                Err(error) => crate::say(format_args!("jobs run without a cgroup of their own: {error}")),
            }
        }
        self.set_phase(Phase::Ready);
    }
}
