//! The volumes of a node or of an attempt: mounted one after another, taken away again in reverse order.

use std::collections::VecDeque;
use std::task::Poll;
use std::time::Duration;

use rustix::process::Pid;
use trainyard_domain::launch::{Behind, Mount};
use trainyard_domain::state::BatchAiError;

use crate::errand::{Errand, Running};
use crate::fence::Fence;
use crate::place;
use crate::view::View;

/// What volumes need of their node.
#[derive(Debug, Clone, Copy)]
pub struct Tools<'a> {
    /// Where they are to appear.
    pub view: &'a View,
    /// Keeps what mounts them apart from the attempt's processes.
    pub fence: &'a Fence,
}

/// Volumes on their way up, up, or on their way down.
#[derive(Debug, Default)]
pub struct Volumes {
    waiting: VecDeque<Mount>,
    doing: Option<(Mount, Running)>,
    up: Vec<Mount>,
}

/// What the next step of a volume is.
enum Next {
    /// Nothing more.
    Done,
    /// A program has to do it.
    #[expect(dead_code, reason = "what is not a directory needs one")]
    Errand(Errand),
}

impl Volumes {
    /// Volumes that are not mounted yet, in the order in which they will be.
    pub fn new(mounts: Vec<Mount>) -> Volumes {
        Volumes {
            waiting: mounts.into(),
            ..Volumes::default()
        }
    }

    /// How many are mounted.
    pub fn up(&self) -> usize {
        self.up.len()
    }

    /// When to come again, if nothing ends before.
    pub fn wake_at(&self) -> Option<Duration> {
        self.doing.as_ref().map(|(_, running)| running.wake_at())
    }

    /// Takes note of processes that have ended, with their exit codes. What comes of it is seen by the next step.
    pub fn hear(&mut self, ended: &[(Pid, i32)]) {
        if let Some((_, running)) = &mut self.doing {
            running.hear(ended);
        }
    }

    /// Goes on mounting; the first that cannot be mounted is an error. Call it again when something has ended.
    pub fn mount(&mut self, now: Duration, tools: Tools<'_>) -> Poll<Result<(), BatchAiError>> {
        loop {
            if let Some((mount, running)) = &mut self.doing {
                let Some(over) = running.step(now) else {
                    return Poll::Pending;
                };
                let done = over.map_err(|failed| place::mount_failure(&mount.path, &failed.to_string()));
                let (mount, _) = self.doing.take().unzip();
                match done {
                    Ok(()) => self.up.extend(mount),
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            let Some(mount) = self.waiting.pop_front() else {
                return Poll::Ready(Ok(()));
            };
            match attach(&mount, tools) {
                Ok(Next::Done) => self.up.push(mount),
                Ok(Next::Errand(errand)) => match errand.start(tools.fence, now) {
                    Ok(running) => self.doing = Some((mount, running)),
                    Err(failed) => {
                        return Poll::Ready(Err(place::mount_failure(&mount.path, &failed.to_string())));
                    }
                },
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Gives up what is being mounted: its time is over or nobody wants it any more.
    pub fn give_up(&mut self, now: Duration) {
        self.waiting.clear();
        if let Some((_, running)) = &mut self.doing {
            running.kill(now);
        }
    }

    /// Goes on taking them away, the last one first. What cannot be taken away is said and left.
    pub fn unmount(&mut self, now: Duration, tools: Tools<'_>) -> Poll<()> {
        loop {
            if let Some((_, running)) = &mut self.doing {
                match running.step(now) {
                    None => return Poll::Pending,
                    Some(Ok(())) => {}
                    Some(Err(failed)) => crate::say(&failed),
                }
                self.doing = None;
            }
            let Some(mount) = self.up.pop() else {
                return Poll::Ready(());
            };
            match detach(&mount, tools) {
                Next::Done => {}
                Next::Errand(errand) => match errand.start(tools.fence, now) {
                    Ok(running) => self.doing = Some((mount, running)),
                    Err(failed) => crate::say(&failed),
                },
            }
        }
    }
}

fn attach(mount: &Mount, tools: Tools<'_>) -> Result<Next, BatchAiError> {
    match &mount.behind {
        Behind::Source(source) => {
            let shown = tools.view.show(source, &mount.path);
            shown.map_err(|error| place::mount_failure(&mount.path, &error.to_string()))?;
            Ok(Next::Done)
        }
    }
}

fn detach(mount: &Mount, tools: Tools<'_>) -> Next {
    match &mount.behind {
        Behind::Source(source) => {
            tools.view.hide(source, &mount.path);
            Next::Done
        }
    }
}
