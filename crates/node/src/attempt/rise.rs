//! The way up: volumes, directories, the container, and process after process.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustix::process::Pid;
use trainyard_domain::launch::{Asked, Process};
use trainyard_domain::state::{BatchAiError, Verdict};

use super::surroundings::with_tools;
use super::{Attempt, Live, Made, Next, SAY_AFTER, Stage, Surroundings};
use crate::caps::{Caps, Found};
use crate::commands::open_remote;
use crate::container::Contained;
use crate::place;
use crate::process::{self, NotStarted, Prepared};
use crate::view::Doing;

/// Hidden folder in the shared directory in which nodes say that they are prepared.
const BARRIER: &str = ".trainyard";
/// First and longest pause between looks at the shared directory; it may be on a network.
const BARRIER_PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));
/// How long the node waits for what volumes take long for, before it turns to other things meanwhile.
const MOMENT: Duration = Duration::from_millis(20);

impl Attempt {
    /// Takes the directory of the attempt before away and makes this one's. What was there is deleted while this one
    /// runs already.
    pub(super) fn clear_room(&self, around: &Surroundings) -> Result<(), BatchAiError> {
        let (plan, trash) = (Arc::clone(&self.plan), around.view.trash());
        around.view.run(move || {
            let _ = place::discard(Path::new(&plan.job_directory), &trash);
            place::empty_trash(&trash);
            place::make_all(std::slice::from_ref(&plan.job_directory))
        })
    }

    /// Goes on mounting; then come the other directories and the files, then the first process.
    pub(super) fn mount(&mut self, now: Duration, around: &Surroundings) {
        let mounted = match self.volumes.mount(now, around.tools()) {
            Poll::Pending => return,
            Poll::Ready(mounted) => mounted,
        };
        for note in self.volumes.notes() {
            self.journal.say(note);
        }
        match mounted.and_then(|()| self.make_room(around)) {
            Ok(Ok(made)) => self.made(made, now, around),
            Ok(Err(doing)) => {
                self.stage = Stage::Making(doing);
                self.waits_since = Some(now);
            }
            Err(error) => self.refuse(error, now, around),
        }
    }

    /// Its directories and files are there.
    pub(super) fn made(&mut self, made: Made, now: Duration, around: &Surroundings) {
        self.waits_since = None;
        let account = around.view.account();
        let remote = |attempt: &Attempt| {
            let wanted = attempt.plan.remote.as_ref();
            wanted.map(|wanted| open_remote(wanted, account)).transpose()
        };
        match made.and_then(|found| Ok((found, remote(self)?))) {
            Ok((found, remote)) => {
                self.remote = remote;
                self.caps = Some(Caps::new(&self.plan, found, around.view, around.folder, now));
                self.journal.say(format_args!(
                    "attempt {} begins, node {} of {}; {} volumes mounted",
                    self.plan.placement,
                    self.plan.node_index + 1,
                    self.plan.node_count,
                    self.volumes.up()
                ));
                self.contain(now, around);
            }
            Err(error) => self.refuse(error, now, around),
        }
    }

    /// The node's log tells of a volume that takes long, since the execution log may lie on it.
    pub(super) fn say_what_it_waits_for(&mut self, now: Duration) {
        if self.waits_since.is_none_or(|since| now < since + SAY_AFTER) {
            return;
        }
        self.waits_since = None;
        let paths: Vec<&str> = self.plan.directories.iter().map(String::as_str).collect();
        crate::say(format_args!(
            "attempt {} waits for its volumes: {} can neither be made nor written so far",
            self.plan.placement,
            paths.join(", ")
        ));
    }

    /// Goes on with the container, if it has one; then comes the first process.
    pub(super) fn contain(&mut self, now: Duration, around: &Surroundings) {
        if !matches!(self.stage, Stage::Containing) {
            let wanted = self.plan.container.as_ref();
            self.container = wanted.map(|container| {
                Contained::new(container, &self.plan, &self.mark, around.site, around.environment)
            });
            self.stage = Stage::Containing;
        }
        let started = match &mut self.container {
            None => Poll::Ready(Ok(())),
            Some(container) => container.start(now, around.fence, &self.journal),
        };
        match started {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => self.start_first(now, around),
            Poll::Ready(Err(error)) => self.refuse(error, now, around),
        }
    }

    /// Begins to make its directories and files; they may be made already.
    pub(super) fn make_room(
        &mut self,
        around: &Surroundings,
    ) -> Result<Result<Made, Doing<Made>>, BatchAiError> {
        let shared = &self.plan.shared_directory;
        place::make_shared(&shared.source, around.view.account())?;
        let shown = around.view.show(&shared.source, &shared.path);
        shown.map_err(|error| Asked::Unsaid.failure(&shared.path, error))?;
        let (plan, temporary) = (Arc::clone(&self.plan), around.view.temporary());
        Ok(around.view.within(MOMENT, move || {
            place::make_all(&plan.directories)?;
            place::write_all(&plan.files)?;
            Ok(Found::of(&plan, temporary))
        }))
    }

    pub(super) fn start_first(&mut self, now: Duration, around: &Surroundings) {
        let next = match self.plan.preparation {
            Some(_) => Next::Preparation,
            None => Next::Processes,
        };
        self.open(next, now, around);
    }

    /// Begins to open what these processes need.
    pub(super) fn open(&mut self, next: Next, now: Duration, around: &Surroundings) {
        let wanted = match next {
            Next::Preparation => self.plan.preparation.as_slice(),
            Next::Processes => &self.plan.processes,
        };
        let tools = self.plan.remote.as_ref().and_then(|remote| remote.tools.clone());
        let environment = Arc::clone(around.environment);
        let clients = self.container.as_mut().map(|container| {
            let clients = wanted
                .iter()
                .map(|process| container.wrap(process, tools.as_deref()));
            clients.collect::<Result<Vec<_>, _>>()
        });
        let clients = match clients.transpose() {
            Ok(clients) => clients,
            Err(why) => return self.end_not_started(why, now, around),
        };
        let contained = clients.is_some();
        let wanted = clients.unwrap_or_else(|| wanted.to_vec());
        let opened = around.view.within(MOMENT, move || {
            let open = |process: Process| match contained {
                true => process::prepare_with(&process, &BTreeMap::new(), process::streams(&process)?),
                false => process::prepare(&with_tools(process, tools.as_deref(), &environment), &environment),
            };
            wanted.into_iter().map(open).collect()
        });
        match opened {
            Ok(opened) => self.opened(opened, next, now, around),
            Err(doing) => {
                self.stage = Stage::Opening(doing, next);
                self.waits_since = Some(now);
            }
        }
    }

    pub(super) fn opened(
        &mut self,
        opened: Result<Vec<Prepared>, NotStarted>,
        next: Next,
        now: Duration,
        around: &Surroundings,
    ) {
        self.waits_since = None;
        match (opened, next) {
            (Err(why), _) => self.end_not_started(why, now, around),
            (Ok(prepared), Next::Processes) => self.launch(prepared, now, around),
            (Ok(prepared), Next::Preparation) => match self.start_all(prepared, around) {
                (started, Some(why)) => {
                    drop(started);
                    self.end_not_started(why, now, around);
                }
                (started, None) => match started.first() {
                    Some(first) => self.stage = Stage::Preparing(first.pid),
                    None => self.open(Next::Processes, now, around),
                },
            },
        }
    }

    /// Starts them, until one cannot be started. What starts processes in a container has the node's own rights.
    pub(super) fn start_all(
        &self,
        prepared: Vec<Prepared>,
        around: &Surroundings,
    ) -> (Vec<Live>, Option<NotStarted>) {
        let mut live = Vec::new();
        for one in prepared {
            let (name, decides) = (one.name().to_owned(), one.decides());
            let mark = self.mark.clone();
            let started = match self.container {
                Some(_) => one.start(&mark),
                None => around.view.run(move || one.start(&mark)),
            };
            match started {
                Ok(pid) => {
                    self.say_started(&name, pid);
                    live.push(Live { pid, name, decides });
                }
                Err(why) => return (live, Some(why)),
            }
        }
        (live, None)
    }

    pub(super) fn launch(&mut self, prepared: Vec<Prepared>, now: Duration, around: &Surroundings) {
        let (live, failed) = self.start_all(prepared, around);
        let nothing_to_do = live.is_empty() && !self.plan.until_stopped;
        self.stage = Stage::Running(live);
        match failed {
            Some(why) => self.end_not_started(why, now, around),
            None if nothing_to_do => self.end(Verdict::Exited(0), now, around),
            None => {}
        }
    }

    /// With one node there is nobody to wait for.
    pub(super) fn prepared(&mut self, now: Duration, around: &Surroundings) {
        if self.plan.node_count <= 1 {
            return self.open(Next::Processes, now, around);
        }
        let (barrier, index) = (self.barrier(), self.plan.node_index);
        let told = around.view.run(move || {
            fs::create_dir_all(&barrier)?;
            place::open_to_append(&barrier_file(&barrier, index)).map(drop)
        });
        match told {
            Ok(()) => {
                self.journal.say("waits until all nodes are prepared");
                self.look_at_barrier(now, BARRIER_PAUSES.0, around);
            }
            Err(error) => {
                let message = "The nodes' shared job directory cannot be written. Check its volume.";
                let mut failure = BatchAiError::new(place::ENVIRONMENT_FAILED, message);
                failure.details.push(("Info".to_owned(), error.to_string()));
                self.end(Verdict::NotStarted(failure, Some(-1)), now, around);
            }
        }
    }

    pub(super) fn look_at_barrier(&mut self, now: Duration, pause: Duration, around: &Surroundings) {
        let (barrier, count) = (self.barrier(), self.plan.node_count);
        let all = move || (0..count).all(|index| barrier_file(&barrier, index).exists());
        if around.view.run(all) {
            self.journal.say("all nodes are prepared");
            return self.open(Next::Processes, now, around);
        }
        self.stage = Stage::Waiting {
            look_at: now + pause,
            pause: (pause * 2).min(BARRIER_PAUSES.1),
        };
    }

    pub(super) fn barrier(&self) -> PathBuf {
        Path::new(&self.plan.shared_directory.path).join(BARRIER)
    }

    pub(super) fn say_started(&self, name: &str, pid: Pid) {
        self.journal
            .say(format_args!("{name} started, process {}", pid.as_raw_pid()));
    }
}

fn barrier_file(barrier: &Path, index: u32) -> PathBuf {
    barrier.join(format!("prepared-{index}"))
}
