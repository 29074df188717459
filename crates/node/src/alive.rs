//! Signs of life, for an engine that waits for the end of a job.

use std::fs::File;
use std::time::Duration;

use crate::files::{Folder, touch};

/// Between two signs; the engine waits for several.
const EVERY: Duration = Duration::from_secs(1);

/// The file whose time of change is the sign. It is made at the start: later the disk may be full.
#[derive(Debug)]
pub struct Alive {
    file: Option<File>,
    last: Option<Duration>,
}

impl Alive {
    /// The file of a node.
    pub fn new(folder: &Folder) -> Alive {
        let file = File::create(folder.alive());
        let file =
            file.inspect_err(|error| crate::say(format_args!("no signs of life can be given: {error}")));
        Alive {
            file: file.ok(),
            last: None,
        }
    }

    /// Gives a sign, if the last one was not just now.
    pub fn show(&mut self, now: Duration) {
        if self.last.is_some_and(|last| now < last.saturating_add(EVERY)) {
            return;
        }
        self.last = Some(now);
        if let Some(file) = &self.file
            && let Err(error) = touch(file)
        {
            crate::say(format_args!("no sign of life could be given: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_is_a_time_of_change_and_none_comes_right_after_another() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::new(folder.path().to_owned());
        let mut alive = Alive::new(&folder);
        let changed = || std::fs::metadata(folder.alive()).unwrap().modified().unwrap();
        let set_back = || {
            let file = File::options().write(true).open(folder.alive()).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        };
        set_back();
        alive.show(Duration::from_secs(5));
        assert_ne!(changed(), std::time::SystemTime::UNIX_EPOCH);
        set_back();
        alive.show(Duration::from_millis(5900));
        assert_eq!(changed(), std::time::SystemTime::UNIX_EPOCH);
        alive.show(Duration::from_secs(6));
        assert_ne!(changed(), std::time::SystemTime::UNIX_EPOCH);
    }
}
