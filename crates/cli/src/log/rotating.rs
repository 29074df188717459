//! A log file that never grows beyond its bounds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// Most files that are removed at once when fewer are to be kept than before.
const REMOVED_AT_ONCE: u32 = 1000;

/// A file that lines are appended to. A full one becomes `FILE.1`, the one that was this before becomes `FILE.2`, and so
/// on; the last of them goes.
pub struct Rotating {
    path: PathBuf,
    /// Longest file; 0 is no limit.
    most: u64,
    keep: u32,
    open: Mutex<Option<Open>>,
    anew: Arc<AtomicBool>,
}

struct Open {
    file: File,
    length: u64,
}

impl Rotating {
    /// Opens the file, with the folder that it lies in. Whenever `anew` is set it is opened once more, for somebody has
    /// put another in its place.
    ///
    /// # Errors
    /// The system's.
    pub fn open(path: &Path, most: u64, keep: u32, anew: Arc<AtomicBool>) -> io::Result<Rotating> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(Rotating {
            path: path.to_owned(),
            most,
            keep,
            open: Mutex::new(Some(Open::new(path)?)),
            anew,
        })
    }

    fn line(&self, line: &[u8]) -> io::Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if self.anew.swap(false, Ordering::SeqCst) {
            *open = None;
        }
        let full = |open: &Open| open.length > 0 && open.length + line.len() as u64 > self.most;
        if self.most > 0 && open.as_ref().is_some_and(full) {
            // A file that cannot be put aside is written on: a log that is too long is better than none.
            if self.put_aside().is_ok() {
                *open = None;
            }
        }
        let mut to = match open.take() {
            Some(open) => open,
            None => Open::new(&self.path)?,
        };
        let written = to.file.write_all(line);
        to.length += line.len() as u64;
        *open = Some(to);
        written
    }

    fn put_aside(&self) -> io::Result<()> {
        let mut beyond = (self.keep + 1..)
            .map(|number| self.old(number))
            .take(REMOVED_AT_ONCE as usize);
        while let Some(path) = beyond.next()
            && fs::remove_file(path).is_ok()
        {}
        for number in (1..self.keep).rev() {
            // One that is missing leaves its place to the next.
            let _ = fs::rename(self.old(number), self.old(number + 1));
        }
        fs::rename(&self.path, self.old(1))
    }

    fn old(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

impl Open {
    fn new(path: &Path) -> io::Result<Open> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let length = file.metadata()?.len();
        Ok(Open { file, length })
    }
}

/// Each write is a line.
pub struct Line<'a>(&'a Rotating);

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.line(line).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Rotating {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn read(folder: &Path, name: &str) -> String {
        fs::read_to_string(folder.join(name)).unwrap()
    }

    #[test]
    fn files_are_bounded_in_size_and_number() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("logs");
        let open = |keep| Rotating::open(&folder.join("s.log"), 20, keep, Arc::default()).unwrap();
        let log = open(3);
        for number in 10..21 {
            writeln!(log.make_writer(), "line {number}").unwrap();
        }
        assert_eq!(names(&folder), ["s.log", "s.log.1", "s.log.2", "s.log.3"]);
        assert_eq!(read(&folder, "s.log"), "line 20\n");
        assert_eq!(read(&folder, "s.log.1"), "line 18\nline 19\n");
        assert_eq!(read(&folder, "s.log.3"), "line 14\nline 15\n");
        drop(log);
        // What was there counts after a new start, and fewer files may be kept.
        let log = open(1);
        writeln!(log.make_writer(), "line 21").unwrap();
        writeln!(log.make_writer(), "a line longer than a file may be").unwrap();
        assert_eq!(names(&folder), ["s.log", "s.log.1"]);
        assert_eq!(read(&folder, "s.log.1"), "line 20\nline 21\n");
        assert_eq!(read(&folder, "s.log"), "a line longer than a file may be\n");
    }

    #[test]
    fn another_program_may_put_files_aside() {
        let folder = tempfile::tempdir().unwrap();
        let (path, aside) = (folder.path().join("s.log"), folder.path().join("aside"));
        let anew = Arc::new(AtomicBool::new(false));
        let log = Rotating::open(&path, 0, 3, Arc::clone(&anew)).unwrap();
        writeln!(log.make_writer(), "one").unwrap();
        fs::rename(&path, &aside).unwrap();
        writeln!(log.make_writer(), "two").unwrap();
        anew.store(true, Ordering::SeqCst);
        writeln!(log.make_writer(), "three").unwrap();
        assert_eq!(fs::read_to_string(aside).unwrap(), "one\ntwo\n");
        assert_eq!(fs::read_to_string(path).unwrap(), "three\n");
    }
}
