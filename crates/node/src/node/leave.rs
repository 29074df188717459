//! A node leaves, with all that it ran.

use std::time::Duration;

use super::Node;
use crate::attempt::Attempt;
use crate::fence::{Fence, mark};
use crate::machine::since_boot;
use crate::sweep::sweep;
use crate::volumes::{Tools, Volumes};
use crate::{cgroup, process};

/// Time between SIGTERM and SIGKILL for a node that leaves.
const LEAVE_GRACE: Duration = Duration::from_secs(2);

impl Node {
    /// Ends everything. No verdict is written: the attempt did not end by itself, its node went away.
    pub(super) fn leave(mut self) {
        // Dropped, since nobody takes their callers any more: they would wake every sleep.
        let attempt = self.attempt.take();
        let sessions = self.sessions.take();
        let placement = attempt.as_ref().map(Attempt::placement);
        let volumes = attempt.map(Attempt::into_volumes);
        if let Some(placement) = placement {
            let mark = mark(self.folder.root(), &placement.to_string());
            self.fence.signal(&mark, rustix::process::Signal::TERM);
            let setup = Fence::Descent {
                setup: crate::fence::mark(self.folder.root(), "setup"),
            };
            let fence = std::mem::replace(&mut self.fence, setup);
            self.until(|| fence.members(&mark).is_empty());
            self.fence = fence;
        }
        if let Some(mut sessions) = sessions {
            let now = since_boot();
            sessions.end_all(now);
            self.until(|| sessions.are_gone(since_boot()));
            sessions.are_gone(now + LEAVE_GRACE);
        }
        let of_cluster = std::mem::take(&mut self.setup).into_volumes();
        for volumes in volumes.into_iter().chain([of_cluster]) {
            self.unmount(volumes);
        }
        let home = self.cgroup.take().map(|cgroup| cgroup.home().to_owned());
        let root = self.folder.root().to_owned();
        if let Some(home) = &home {
            cgroup::step_out(home);
        }
        self.limits.step_out();
        self.until(|| sweep(&root, home.as_deref()));
    }

    /// Takes volumes away, as far as that goes within the grace.
    pub(super) fn unmount(&mut self, mut volumes: Volumes) {
        volumes.give_up();
        let deadline = since_boot() + LEAVE_GRACE;
        while since_boot() < deadline {
            let tools = Tools {
                view: &self.view,
                fence: &self.fence,
                keep: &self.keep,
            };
            if volumes.unmount(since_boot(), tools).is_ready() {
                return;
            }
            let at = volumes.wake_at().unwrap_or(deadline).min(deadline);
            self.sleep(at.saturating_sub(since_boot()));
            let ended = process::reap();
            self.keep.get_mut().hear(&ended);
            volumes.hear(&ended);
        }
    }

    pub(super) fn until(&mut self, over: impl Fn() -> bool) {
        let deadline = since_boot() + LEAVE_GRACE;
        let mut pause = Duration::from_millis(2);
        while !over() && since_boot() < deadline {
            self.sleep(pause);
            process::reap();
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
}
