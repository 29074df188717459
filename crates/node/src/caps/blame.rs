//! Whose job fills the disk, when several nodes share it.
//!
//! Each node keeps a line about its job in its folder: the file `grown`, made when the job starts, so that it can be
//! written over when not a byte is free. Nodes read the lines of one another and come to the same answer: the job that
//! grew most. It is ended alone, since the growth of all others counts anew from that moment.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

/// Name of the file in a node's folder.
const NAME: &str = "grown";
/// Bytes of the line, blanks at its end included.
const LENGTH: usize = 96;
/// A job whose line is older has no node any more that looks.
const STALE: Duration = Duration::from_secs(10);
/// How long a node waits for the lines of others to be newer than the moment it found the disk full. They look every 2
/// seconds at least.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a node says about its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The file system.
    pub device: u64,
    /// By how many bytes it grew there.
    pub grown: u64,
    /// When that was found, since boot.
    pub at: Duration,
    /// How it is with the job.
    pub state: State,
}

/// How it is with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// It was ended since it filled the disk.
    Ended,
    /// It is over.
    Over,
}

impl Line {
    fn text(&self) -> [u8; LENGTH] {
        let state = match self.state {
            State::Running => "running",
            State::Ended => "ended",
            State::Over => "over",
        };
        let text = format!("{} {} {} {state} ", self.device, self.grown, self.at.as_millis());
        let mut line = [b' '; LENGTH];
        line.iter_mut()
            .zip(text.bytes())
            .for_each(|(to, from)| *to = from);
        line
    }

    fn parse(text: &str) -> Option<Line> {
        let mut words = text.split_ascii_whitespace();
        Some(Line {
            device: words.next()?.parse().ok()?,
            grown: words.next()?.parse().ok()?,
            at: Duration::from_millis(words.next()?.parse().ok()?),
            state: match words.next()? {
                "running" => State::Running,
                "ended" => State::Ended,
                "over" => State::Over,
                _ => return None,
            },
        })
    }
}

/// Held while a node judges.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "the lock ends with the file")] Option<File>);

/// The line of this node, and where those of the others are.
#[derive(Debug)]
pub struct Board {
    folder: PathBuf,
    file: Option<File>,
    said: Line,
}

impl Board {
    /// That of the node in `folder`.
    pub fn new(folder: &Path, first: Line) -> Board {
        let mut board = Board {
            folder: folder.to_owned(),
            file: None,
            said: first,
        };
        board.say(first);
        board
    }

    /// Writes the node's line. It cannot be made on a full disk; then the node is as one that has no job.
    pub fn say(&mut self, line: Line) {
        self.said = line;
        let file = match self.file.take() {
            Some(file) => Ok(file),
            None => open(&self.folder.join(NAME)),
        };
        let written = file.and_then(|file| file.write_all_at(&line.text(), 0).map(|()| file));
        self.file = written.ok();
    }

    /// The right to judge: one node at a time has it, so that the next one sees what came of it. `None` while another
    /// has it; where the file system knows no locks, everybody has it.
    pub fn turn(&self) -> Option<Turn> {
        let opened = self.folder.parent().and_then(|nodes| File::open(nodes).ok());
        let Some(nodes) = opened else {
            return Some(Turn(None));
        };
        match flock(&nodes, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => None,
            Ok(()) | Err(_) => Some(Turn(Some(nodes))),
        }
    }

    /// The lines of all other nodes.
    pub fn others(&self) -> Vec<Line> {
        let nodes = self.folder.parent().and_then(|nodes| fs::read_dir(nodes).ok());
        let folders = nodes.into_iter().flatten().flatten().map(|entry| entry.path());
        folders
            .filter(|folder| *folder != self.folder)
            .filter_map(|folder| Line::parse(&read(&folder.join(NAME)).ok()?))
            .collect()
    }
}

/// What was ended stays known as such, so that nobody else is ended for what it left.
impl Drop for Board {
    fn drop(&mut self) {
        if self.said.state == State::Running {
            self.say(Line {
                state: State::Over,
                ..self.said
            });
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn read(path: &Path) -> io::Result<String> {
    let mut line = [0; LENGTH];
    File::open(path)?.read_exact_at(&mut line, 0)?;
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// Who is to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The job of this node.
    This,
    /// That of another node, or nobody's.
    Another,
    /// That is not known yet.
    Unknown,
}

/// Whose job fills the disk. `own` is what this node has just found, `since` when it found the disk full, `least` what a
/// job must have grown by to be blamed at all. A node that is about to end anyway does not `wait` for the others.
pub fn judge(own: &Line, others: &[Line], since: Duration, least: u64, wait: bool) -> Blame {
    if own.grown < least {
        return Blame::Another;
    }
    let fresh = |line: &&Line| own.at.saturating_sub(line.at) < STALE;
    let rivals: Vec<&Line> = others
        .iter()
        .filter(|line| line.device == own.device && line.state == State::Running)
        .filter(fresh)
        .collect();
    if rivals.iter().any(|rival| rival.grown > own.grown) {
        return Blame::Another;
    }
    let late = rivals.iter().any(|rival| rival.at < since);
    if wait && late && own.at.saturating_sub(since) < PATIENCE {
        return Blame::Unknown;
    }
    Blame::This
}

/// When a job on this file system was last ended for filling it.
pub fn last_ended(others: &[Line], device: u64) -> Option<Duration> {
    others
        .iter()
        .filter(|line| line.device == device && line.state == State::Ended)
        .map(|line| line.at)
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: u64 = 10;

    fn line(grown: u64, seconds: u64, state: State) -> Line {
        Line {
            device: 1,
            grown,
            at: Duration::from_secs(seconds),
            state,
        }
    }

    fn judged(own: u64, others: &[Line]) -> Blame {
        let own = line(own, 100, State::Running);
        judge(&own, others, Duration::from_secs(99), LEAST, true)
    }

    #[test]
    fn the_one_that_grew_most_is_to_blame() {
        let other = |grown| [line(grown, 100, State::Running)];
        assert_eq!(judged(50, &other(40)), Blame::This);
        assert_eq!(judged(50, &other(60)), Blame::Another);
        assert_eq!(judged(9, &other(1)), Blame::Another, "it grew by next to nothing");
        assert_eq!(judged(50, &[]), Blame::This);
    }

    #[test]
    fn old_lines_are_waited_for_and_dead_ones_are_not() {
        let late = [line(40, 98, State::Running)];
        assert_eq!(judged(50, &late), Blame::Unknown);
        let own = line(50, 100, State::Running);
        let since = Duration::from_secs(99);
        assert_eq!(
            judge(&own, &late, since, LEAST, false),
            Blame::This,
            "it ends anyway"
        );
        let early = Duration::from_secs(97);
        assert_eq!(
            judge(&own, &[line(40, 96, State::Running)], early, LEAST, true),
            Blame::This
        );
        assert_eq!(
            judged(50, &[line(60, 80, State::Running)]),
            Blame::This,
            "its node is gone"
        );
        assert_eq!(judged(50, &[line(60, 100, State::Over)]), Blame::This);
        let elsewhere = Line {
            device: 2,
            ..line(60, 100, State::Running)
        };
        assert_eq!(judged(50, &[elsewhere]), Blame::This);
    }

    #[test]
    fn nodes_read_the_lines_of_one_another() {
        let nodes = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = nodes.path().join(name);
            fs::create_dir_all(&folder).unwrap();
            folder
        };
        let mut one = Board::new(&folder("1"), line(0, 1, State::Running));
        let two = Board::new(&folder("2"), line(7, 2, State::Running));
        folder("3");
        assert_eq!(one.others(), [line(7, 2, State::Running)]);
        let turn = one.turn().unwrap();
        assert!(two.turn().is_none(), "one judges at a time");
        drop(turn);
        assert!(two.turn().is_some());
        one.say(line(u64::MAX, u64::MAX / 1000, State::Ended));
        assert_eq!(two.others(), [line(u64::MAX, u64::MAX / 1000, State::Ended)]);
        assert_eq!(
            last_ended(&two.others(), 1),
            Some(Duration::from_secs(u64::MAX / 1000))
        );
        assert_eq!(last_ended(&two.others(), 2), None);
        drop(two);
        assert_eq!(one.others(), [line(7, 2, State::Over)]);
        drop(one);
        let third = Board::new(&folder("3"), line(0, 3, State::Running));
        assert!(
            third.others().iter().any(|line| line.state == State::Ended),
            "it stays known"
        );
    }
}
