//! The volumes of a node or of an attempt: mounted one after another, taken away again in reverse order.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::Poll;
use std::time::Duration;

use rustix::process::Pid;
use trainyard_domain::launch::{Behind, Mount};
use trainyard_domain::state::BatchAiError;

use crate::fence::Fence;
use crate::view::View;
use crate::volume::keep::Keep;
use crate::volume::lower::Lower;
use crate::volume::raise::Raise;

/// What volumes need of their node.
#[derive(Debug, Clone, Copy)]
pub struct Tools<'a> {
    /// Where they are to appear.
    pub view: &'a View,
    /// Keeps what mounts them apart from the attempt's processes.
    pub fence: &'a Fence,
    /// What is mounted on the node by programs.
    pub keep: &'a RefCell<Keep>,
}

/// Volumes on their way up, up, or on their way down.
#[derive(Debug, Default)]
pub struct Volumes {
    waiting: VecDeque<Mount>,
    doing: Option<Doing>,
    up: Vec<Up>,
    notes: Vec<String>,
}

#[derive(Debug)]
enum Doing {
    Up(Box<Mount>, Raise),
    Down(Lower),
}

/// A volume that is up.
#[derive(Debug)]
struct Up {
    mount: Mount,
    /// What a program mounted for it.
    kept: Option<u32>,
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

    /// Those of them that programs mounted.
    pub fn ids(&self) -> Vec<u32> {
        self.up.iter().filter_map(|up| up.kept).collect()
    }

    /// Whether one of them has died: whoever uses it sees errors.
    pub fn has_dead(&self, keep: &Keep) -> bool {
        self.ids().into_iter().any(|id| keep.is_dead(id))
    }

    /// Takes those that have died out of sight; the next steps of [`Volumes::mount`] mount them anew.
    pub fn renew(&mut self, tools: Tools<'_>) {
        let is_dead = |up: &Up| up.kept.is_some_and(|id| tools.keep.borrow().is_dead(id));
        let (dead, up) = std::mem::take(&mut self.up).into_iter().partition(is_dead);
        self.up = up;
        for up in dead {
            if let Some(id) = hide(&up, tools) {
                // Nothing can be brought to its store any more.
                tools.keep.borrow_mut().remove(id);
            }
            self.waiting.push_back(up.mount);
        }
    }

    /// What their user is to know of how they were mounted; each is told once.
    pub fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// When to come again, if nothing ends before.
    pub fn wake_at(&self) -> Option<Duration> {
        match self.doing.as_ref()? {
            Doing::Up(_, raise) => Some(raise.wake_at()),
            Doing::Down(lower) => lower.wake_at(),
        }
    }

    /// Takes note of processes that have ended, with their exit codes. What comes of it is seen by the next step.
    pub fn hear(&mut self, ended: &[(Pid, i32)]) {
        match &mut self.doing {
            Some(Doing::Up(_, raise)) => raise.hear(ended),
            Some(Doing::Down(lower)) => lower.hear(ended),
            None => {}
        }
    }

    /// Goes on mounting; the first that cannot be mounted is an error. Call it again when something has ended.
    pub fn mount(&mut self, now: Duration, tools: Tools<'_>) -> Poll<Result<(), BatchAiError>> {
        loop {
            if let Some(Doing::Up(mount, raise)) = &mut self.doing {
                let Some(over) = raise.step(now, &mut tools.keep.borrow_mut(), tools.fence) else {
                    return Poll::Pending;
                };
                let (mount, id) = (Mount::clone(mount), raise.id());
                self.doing = None;
                let shown = over.map_err(|why| mount.asked.failure(&mount.path, why));
                if let Err(error) = shown.and_then(|()| self.show(mount, id, tools)) {
                    return Poll::Ready(Err(error));
                }
            }
            let Some(mount) = self.waiting.pop_front() else {
                return Poll::Ready(Ok(()));
            };
            if let Err(error) = self.begin(mount, now, tools) {
                return Poll::Ready(Err(error));
            }
        }
    }

    fn begin(&mut self, mount: Mount, now: Duration, tools: Tools<'_>) -> Result<(), BatchAiError> {
        if let Behind::Source(source) = &mount.behind {
            if let Some(options) = mount.options.as_deref().filter(|options| *options != "rw") {
                let note = "it is a folder of this machine, for which mountOptions have no meaning";
                self.notes.push(format!("{}: {note}: {options}", mount.path));
            }
            let shown = tools.view.show(source, &mount.path);
            shown.map_err(|error| mount.asked.failure(&mount.path, error))?;
            self.up.push(Up { mount, kept: None });
            return Ok(());
        }
        let joined = tools.keep.borrow_mut().join(&mount);
        if let Some(id) = joined {
            return self.show(mount, id, tools);
        }
        let raise = {
            let mut keep = tools.keep.borrow_mut();
            Raise::begin(&mount, now, &mut keep, tools.fence, &mut self.notes)
        };
        let raise = raise.map_err(|why| mount.asked.failure(&mount.path, why))?;
        self.doing = Some(Doing::Up(Box::new(mount), raise));
        Ok(())
    }

    /// Shows what is mounted where it is wanted.
    fn show(&mut self, mount: Mount, id: u32, tools: Tools<'_>) -> Result<(), BatchAiError> {
        let at = tools
            .keep
            .borrow()
            .get(id)
            .map(|kept| kept.at.display().to_string());
        let shown = match &at {
            Some(at) => tools.view.show(at, &mount.path),
            None => Ok(()),
        };
        match shown {
            Ok(()) => self.up.push(Up {
                mount,
                kept: Some(id),
            }),
            Err(error) => {
                let mut keep = tools.keep.borrow_mut();
                if keep.part(id) {
                    keep.remove(id);
                }
                return Err(mount.asked.failure(&mount.path, error));
            }
        }
        Ok(())
    }

    /// Gives up what waits to be mounted: its time is over or nobody wants it any more. What is being mounted ends with
    /// the next step downwards.
    pub fn give_up(&mut self) {
        self.waiting.clear();
    }

    /// Goes on taking them away, the last one first. What cannot be taken away is said and left.
    pub fn unmount(&mut self, now: Duration, tools: Tools<'_>) -> Poll<()> {
        loop {
            match &mut self.doing {
                // Nothing was written to it yet.
                Some(Doing::Up(_, raise)) => tools.keep.borrow_mut().remove(raise.id()),
                Some(Doing::Down(lower)) => {
                    let stepped = lower.step(now, &mut tools.keep.borrow_mut(), tools.fence);
                    if stepped.is_pending() {
                        return Poll::Pending;
                    }
                }
                None => {}
            }
            self.doing = None;
            let Some(up) = self.up.pop() else {
                return Poll::Ready(());
            };
            self.doing = hide(&up, tools).map(|id| Doing::Down(Lower::begin(id, now, &tools.keep.borrow())));
        }
    }
}

/// Takes a volume out of sight. What programs mounted for it is to be taken away where nobody else uses it.
fn hide(up: &Up, tools: Tools<'_>) -> Option<u32> {
    let Some(id) = up.kept else {
        if let Behind::Source(source) = &up.mount.behind {
            tools.view.hide(source, &up.mount.path);
        }
        return None;
    };
    let mut keep = tools.keep.borrow_mut();
    let at = keep.get(id)?.at.display().to_string();
    tools.view.hide(&at, &up.mount.path);
    keep.part(id).then_some(id)
}
