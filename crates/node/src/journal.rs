//! The execution log of a setup task or a job: time, what, outcome. Never an environment or a command line,
//! which may hold secrets.

use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::place::open_to_append;
use crate::view::View;

/// Writes an execution log.
#[derive(Debug, Clone)]
pub struct Journal {
    path: Option<PathBuf>,
    most: Option<u64>,
    view: Arc<View>,
}

impl Journal {
    /// A log at `path` in what jobs see, or none.
    pub fn new(path: Option<&str>, view: &Arc<View>) -> Journal {
        Journal {
            path: path.map(PathBuf::from),
            most: None,
            view: Arc::clone(view),
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
        let line = format!("{} {what}\n", now());
        let most = self.most;
        self.view.run(move || {
            if let Err(error) = append(&path, &line, most) {
                crate::say(format_args!("cannot write {}: {error}", path.display()));
            }
        });
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

    #[test]
    fn a_full_log_says_so_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/execution.log");
        let view = Arc::new(View::plain(folder.path().to_owned()));
        let log = || Journal::new(path.to_str(), &view).at_most(300);
        for number in 0..9 {
            // Each attempt has a journal of its own.
            log().say(format_args!("line {number} {}", "x".repeat(40)));
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
        log().at_most(0).say("more");
        assert!(fs::read_to_string(&path).unwrap().ends_with("more\n"));
    }
}
