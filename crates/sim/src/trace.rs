//! What happened, in lines: hashed, so that two runs can be compared, and the last ones kept.

use std::collections::VecDeque;

/// How many lines are kept for a failure.
const KEPT: usize = 60;

/// What happened.
pub struct Trace {
    hash: u64,
    last: VecDeque<String>,
    show: Box<dyn FnMut(&str)>,
}

impl Trace {
    /// Nothing yet.
    pub fn new(show: Box<dyn FnMut(&str)>) -> Trace {
        Trace {
            hash: 0xcbf2_9ce4_8422_2325,
            last: VecDeque::new(),
            show,
        }
    }

    /// Something happened. Lines hold nothing that differs from run to run, such as paths or real times.
    pub fn note(&mut self, line: String) {
        for byte in line.bytes().chain(*b"\n") {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        (self.show)(&line);
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// Hash of all lines.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The last lines.
    pub fn tail(&self) -> Vec<String> {
        self.last.iter().cloned().collect()
    }
}
