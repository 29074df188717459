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
    view: Arc<View>,
}

impl Journal {
    /// A log at `path` in what jobs see, or none.
    pub fn new(path: Option<&str>, view: &Arc<View>) -> Journal {
        Journal {
            path: path.map(PathBuf::from),
            view: Arc::clone(view),
        }
    }

    /// Adds a line. That it cannot be written (a full disk, a volume that is gone) is no reason to stop.
    pub fn say(&self, what: impl Display) {
        let Some(path) = self.path.clone() else { return };
        let line = format!("{} {what}\n", now());
        self.view.run(move || {
            if let Err(error) = append(&path, &line) {
                crate::say(format_args!("cannot write {}: {error}", path.display()));
            }
        });
    }
}

fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let open = || open_to_append(path);
    let mut file = match (open(), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == std::io::ErrorKind::NotFound => {
            fs::create_dir_all(parent)?;
            open()?
        }
        (opened, _) => opened?,
    };
    file.write_all(line.as_bytes())
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
