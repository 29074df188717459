//! Taking one volume away that a program mounted.

use std::task::Poll;
use std::time::Duration;

use rustix::process::Pid;

use super::flush::Flush;
use super::keep::{Keep, is_root};
use crate::errand::{Errand, Running};
use crate::fence::Fence;

/// Longest time for a server to let go; then it is taken away without.
const UNMOUNT_WITHIN: Duration = Duration::from_secs(30);

/// A volume on its way down: flushed, unmounted, removed.
#[derive(Debug)]
pub struct Lower {
    id: u32,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Flushing(Flush),
    Unmounting(Running),
}

impl Lower {
    /// Begins. What was written was waited for at the end of each attempt; here no more than a moment is due.
    pub fn begin(id: u32, now: Duration, keep: &Keep) -> Lower {
        let mut flush = Flush::new((!keep.is_given_up(id)).then_some(id));
        flush.hurry(now);
        Lower {
            id,
            stage: Stage::Flushing(flush),
        }
    }

    /// When to come again, if nothing ends before.
    pub fn wake_at(&self) -> Option<Duration> {
        match &self.stage {
            Stage::Flushing(flush) => flush.wake_at(),
            Stage::Unmounting(running) => Some(running.wake_at()),
        }
    }

    /// Takes note of processes that have ended.
    pub fn hear(&mut self, ended: &[(Pid, i32)]) {
        match &mut self.stage {
            Stage::Flushing(flush) => flush.hear(ended),
            Stage::Unmounting(running) => running.hear(ended),
        }
    }

    /// Goes on until nothing of it is left.
    pub fn step(&mut self, now: Duration, keep: &mut Keep, fence: &Fence) -> Poll<()> {
        if let Stage::Flushing(flush) = &mut self.stage {
            let Poll::Ready(errors) = flush.step(now, keep, fence) else {
                return Poll::Pending;
            };
            for error in errors {
                crate::say(format_args!("{}: {}", error.code, error.message));
            }
            match unmount(self.id, now, keep, fence) {
                Some(running) => self.stage = Stage::Unmounting(running),
                None => {
                    keep.remove(self.id);
                    return Poll::Ready(());
                }
            }
        }
        if let Stage::Unmounting(running) = &mut self.stage {
            match running.step(now) {
                None => return Poll::Pending,
                Some(Ok(())) => {}
                Some(Err(failed)) => crate::say(&failed),
            }
        }
        keep.remove(self.id);
        Poll::Ready(())
    }
}

/// What the kernel's clients mounted is given back to its server in form. rclone has nothing more to say once it is
/// flushed, and the kernel forgets it at once.
fn unmount(id: u32, now: Duration, keep: &Keep, fence: &Fence) -> Option<Running> {
    let kept = keep.get(id).filter(|kept| kept.keeper.is_none() && is_root())?;
    let errand = Errand {
        name: format!("unmount of {}", kept.shown_at),
        arguments: ["umount".to_owned(), kept.at.display().to_string()].into(),
        environment: keep.environment.clone(),
        within: UNMOUNT_WITHIN,
    };
    errand
        .start(fence, now)
        .inspect_err(|failed| crate::say(failed))
        .ok()
}
