//! The execution log of a setup task or a job: time, what, outcome. Never an environment or a command line,
//! which may hold secrets.

use std::collections::VecDeque;
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::place::open_to_append;
use crate::view::View;

/// Most lines that wait while the log's volume takes none; later ones are lost.
const MOST_WAITING: usize = 1000;

/// Writes an execution log. Who says something never waits: the log may lie on a volume that hangs.
#[derive(Debug, Clone)]
pub struct Journal {
    path: Option<PathBuf>,
    most: Option<u64>,
    view: Arc<View>,
    lines: Arc<Lines>,
}

/// What is still to be written.
#[derive(Debug, Default)]
struct Lines {
    state: Mutex<State>,
    settled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<String>,
    writing: bool,
    closed: bool,
}

impl Lines {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes until nothing waits.
    fn write(&self, path: &Path, most: Option<u64>) {
        let mut state = self.lock();
        while let Some(line) = state.waiting.pop_front() {
            drop(state);
            if let Err(error) = append(path, &line, most) {
                crate::say(format_args!("cannot write {}: {error}", path.display()));
            }
            state = self.lock();
        }
        state.writing = false;
        self.settled.notify_all();
    }
}

impl Journal {
    /// A log at `path` in what jobs see, or none.
    pub fn new(path: Option<&str>, view: &Arc<View>) -> Journal {
        Journal {
            path: path.map(PathBuf::from),
            most: None,
            view: Arc::clone(view),
            lines: Arc::default(),
        }
    }

    /// The same with at most about so many bytes; 0 is no limit. The line that reaches them is the last, and one
    /// behind it says so.
    pub fn at_most(self, bytes: u64) -> Journal {
        let most = (bytes > 0).then_some(bytes);
        Journal { most, ..self }
    }

    /// Adds a line. That it cannot be written (a full disk, a volume that is gone) is no reason to stop.
    pub fn say(&self, what: impl Display) {
        let Some(path) = self.path.clone() else { return };
        let mut state = self.lines.lock();
        if state.closed {
            return crate::say(format_args!("{}: {what}", path.display()));
        }
        if state.waiting.len() < MOST_WAITING {
            state.waiting.push_back(format!("{} {what}\n", now()));
        }
        if !std::mem::replace(&mut state.writing, true) {
            let (lines, most) = (Arc::clone(&self.lines), self.most);
            self.view.begin(move || lines.write(&path, most));
        }
    }

    /// Whether all that was said is written.
    pub fn is_settled(&self) -> bool {
        !self.lines.lock().writing
    }

    /// Waits so long until all is written. True when it is.
    pub fn settle(&self, time: Duration) -> bool {
        let state = self.lines.lock();
        let waited = self
            .lines
            .settled
            .wait_timeout_while(state, time, |state| state.writing);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !state.writing
    }

    /// Nothing is written any more, since its volume goes: what would be written later would lie elsewhere.
    pub fn close(&self) {
        let mut state = self.lines.lock();
        state.closed = true;
        let lost = std::mem::take(&mut state.waiting);
        if let (Some(path), true) = (&self.path, state.writing) {
            let count = lost.len() + 1;
            let path = path.display();
            crate::say(format_args!(
                "{path} takes nothing; {count} lines or more of it are lost"
            ));
        }
    }
}

fn append(path: &Path, line: &str, most: Option<u64>) -> std::io::Result<()> {
    let open = || open_to_append(path);
    let mut file = match (open(), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == std::io::ErrorKind::NotFound => {
            fs::create_dir_all(parent)?;
            open()?
        }
        (opened, _) => opened?,
    };
    let Some(most) = most else {
        return file.write_all(line.as_bytes());
    };
    let length = file.metadata()?.len();
    if length >= most {
        return Ok(());
    }
    file.write_all(line.as_bytes())?;
    if length + line.len() as u64 >= most {
        let end = format!(
            "{} the log has its {most} bytes and ends here (limits.execution_log_bytes)\n",
            now()
        );
        file.write_all(end.as_bytes())?;
    }
    Ok(())
}

/// Time of day to the millisecond, RFC 3339.
fn now() -> impl Display {
    #[expect(
        clippy::disallowed_methods,
        reason = "the time in a log line; nothing depends on it"
    )]
    let now = Timestamp::now();
    now.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_full_log_says_so_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/execution.log");
        let view = Arc::new(View::plain(folder.path().to_owned()).unwrap());
        let log = || Journal::new(path.to_str(), &view).at_most(300);
        let say = |log: Journal, line: &str| {
            log.say(line);
            assert!(log.settle(LONG));
        };
        for number in 0..9 {
            // Each attempt has a journal of its own.
            say(log(), &format!("line {number} {}", "x".repeat(40)));
        }
        let text = fs::read_to_string(&path).unwrap();
        let ends = text
            .lines()
            .filter(|line| line.contains("limits.execution_log_bytes"));
        assert_eq!(ends.count(), 1, "{text}");
        assert!(
            text.ends_with("(limits.execution_log_bytes)\n") && text.len() < 500,
            "{text}"
        );
        assert!(text.contains("line 3") && !text.contains("line 5"), "{text}");
        say(log().at_most(0), "more");
        assert!(fs::read_to_string(&path).unwrap().ends_with("more\n"));
    }

    #[test]
    fn lines_come_in_the_order_in_which_they_were_said_and_none_after_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("execution.log");
        let view = Arc::new(View::plain(folder.path().to_owned()).unwrap());
        let journal = Journal::new(path.to_str(), &view);
        (0..100).for_each(|number| journal.say(format_args!("line {number}")));
        assert!(journal.settle(LONG) && journal.is_settled());
        journal.close();
        journal.say("too late");
        assert!(journal.settle(LONG));
        let text = fs::read_to_string(&path).unwrap();
        let numbers: Vec<usize> = text
            .lines()
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    }
}
