//! The number of each export.
//!
//! What clients hold of a file begins with the number of its export. So an export keeps its number for ever, and a
//! number is given out again only after all others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

/// The numbers, and the file they are kept in.
#[derive(Debug)]
pub struct Numbers {
    file: PathBuf,
    kept: Kept,
}

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// The last that was given out; 0 is the NFS server's own.
    last: u16,
    given: BTreeMap<String, u16>,
}

impl Numbers {
    /// Those of the file. One that cannot be read begins anew: clients then have to mount again.
    pub fn load(file: PathBuf) -> Numbers {
        let kept = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                warn!(file = %file.display(), %error, "the numbers of exports are damaged and given out anew");
                Kept::default()
            }),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    warn!(file = %file.display(), %error, "the numbers of exports cannot be read and are given out anew");
                }
                Kept::default()
            }
        };
        Numbers { file, kept }
    }

    /// Has a number for each of these names, and for no other. When this returns that is on the disk.
    ///
    /// # Errors
    /// The system's.
    pub fn keep(&mut self, names: &BTreeSet<&str>) -> io::Result<()> {
        let mut kept = self.kept.clone();
        kept.given.retain(|name, _| names.contains(name.as_str()));
        for name in names {
            if !kept.given.contains_key(*name)
                && let Some(number) = kept.free()
            {
                kept.last = number;
                kept.given.insert((*name).to_owned(), number);
            }
        }
        if kept != self.kept {
            let bytes = serde_json::to_vec(&kept)?;
            write(&self.file, &bytes)?;
            self.kept = kept;
        }
        Ok(())
    }

    /// The number of a name.
    pub fn of(&self, name: &str) -> Option<u16> {
        self.kept.given.get(name).copied()
    }
}

impl Kept {
    /// The next one that nobody has, after the last and then from 1 on.
    fn free(&self) -> Option<u16> {
        let taken: BTreeSet<u16> = self.given.values().copied().collect();
        let after = (self.last..u16::MAX).map(|number| number + 1);
        after.chain(1..=self.last).find(|number| !taken.contains(number))
    }
}

/// Writes a file so that it has the old content or the new one, whatever happens. It is its owner's alone: its folder is.
pub fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut open = File::create(&new)?;
    open.write_all(bytes)?;
    open.sync_all()?;
    fs::rename(&new, file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(numbers: &mut Numbers, names: &[&str]) -> Vec<u16> {
        numbers.keep(&names.iter().copied().collect()).unwrap();
        names.iter().map(|name| numbers.of(name).unwrap()).collect()
    }

    #[test]
    fn a_number_stays_and_is_not_given_out_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("numbers");
        let mut first = Numbers::load(file.clone());
        assert_eq!(numbers(&mut first, &["a", "b"]), [1, 2]);
        let mut next = Numbers::load(file);
        assert_eq!(numbers(&mut next, &["a", "c"]), [1, 3]);
        assert_eq!(next.of("b"), None);
        assert_eq!(numbers(&mut next, &["a", "b", "c"]), [1, 4, 3]);
    }

    #[test]
    fn the_numbers_go_round_and_leave_out_those_in_use() {
        let mut kept = Kept {
            last: u16::MAX,
            given: BTreeMap::from([("a".to_owned(), 1)]),
        };
        assert_eq!(kept.free(), Some(2));
        kept.given = (1..=u16::MAX).map(|n| (n.to_string(), n)).collect();
        assert_eq!(kept.free(), None);
    }

    #[test]
    fn a_damaged_file_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("numbers");
        fs::write(&file, "{").unwrap();
        assert_eq!(numbers(&mut Numbers::load(file), &["a"]), [1]);
    }
}
