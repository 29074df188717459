//! The NFS server's log: it tells when a configuration is read, and what is wrong.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// A log longer than this begins anew.
const LONGEST: u64 = 1 << 20;
/// Most that is read of it at once.
const MOST: u64 = 256 << 10;
/// What it says when it serves, and when it has read its exports anew.
pub const SERVES: &str = "NFS SERVER INITIALIZED";
pub const READ_ANEW: &str = "Reread exports complete";
/// Parts of lines about what it is not asked for: D-Bus, Kerberos, UDP.
const NO_COMPLAINT: [&str; 4] = [":DBUS :", "gssd_", "krb5", "V4 on UDP"];
/// Most of what it says that is told on, in characters.
const LONGEST_WORDS: usize = 400;

/// The log's file.
#[derive(Debug, Clone)]
pub struct Journal(PathBuf);

impl Journal {
    /// That of this file.
    pub fn new(file: PathBuf) -> Journal {
        Journal(file)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where it ends now; one that is too long begins anew before. The program opens it for each line.
    pub fn end(&self) -> u64 {
        let length = fs::metadata(&self.0).map_or(0, |found| found.len());
        if length <= LONGEST {
            return length;
        }
        match OpenOptions::new().write(true).truncate(true).open(&self.0) {
            Ok(_) => 0,
            Err(_) => length,
        }
    }

    /// What was said after `from`.
    pub fn since(&self, from: u64) -> String {
        read(&self.0, from).unwrap_or_default()
    }
}

fn read(path: &Path, from: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first weighty complaint in what was said, a fatal one before others.
pub fn complaint(said: &str) -> Option<String> {
    let own = |line: &&str| !NO_COMPLAINT.iter().any(|part| line.contains(part));
    let of = |level: &str| {
        let mut lines = said.lines().filter(own);
        lines.find_map(|line| Some(line.split_once(level)?.1.trim()))
    };
    let words = of(":FATAL :")
        .or_else(|| of(":CRIT :"))
        .or_else(|| of(":MAJ :"))?;
    Some(words.chars().take(LONGEST_WORDS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "28/11/2026 17:44:45 : epoch 6b0b : vm : nfs-ganesha-2[main] x :DBUS :CRIT :dbus_bus_get failed\n\
        28/11/2026 17:44:45 : epoch 6b0b : vm : nfs-ganesha-2[sigmgr] x :FSAL :CRIT :stat returned No such file\n";

    #[test]
    fn what_weighs_is_told_and_what_is_always_said_is_not() {
        assert_eq!(complaint(SAID).unwrap(), "stat returned No such file");
        let fatal = format!("{SAID}28/11 : nfs-ganesha-2[main] Bind :DISP :FATAL :Cannot continue.\n");
        assert_eq!(complaint(&fatal).unwrap(), "Cannot continue.");
        assert_eq!(complaint("x :CONFIG :EVENT :Reread exports complete"), None);
    }

    #[test]
    fn a_long_log_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path().join("log"));
        assert_eq!(journal.end(), 0);
        fs::write(journal.path(), "one\n").unwrap();
        let end = journal.end();
        fs::write(journal.path(), "one\ntwo\n").unwrap();
        assert_eq!(journal.since(end), "two\n");
        let long = usize::try_from(LONGEST).unwrap() + 1;
        fs::write(journal.path(), vec![b'x'; long]).unwrap();
        assert_eq!((journal.end(), journal.since(0)), (0, String::new()));
    }
}
