//! Who is killed first where memory runs out: what a node runs, never the node, whose death is that of its job, nor
//! anything else of the machine.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

const FILE: &str = "/proc/self/oom_score_adj";
/// Half of all memory, on top of what it uses.
const JOBS: i32 = 500;

/// The node's own score.
static OWN: OnceLock<Own> = OnceLock::new();

#[derive(Debug)]
struct Own {
    file: File,
    /// As it was at first.
    score: i32,
}

/// Call it once, before anything is started: the file may be out of sight later, where jobs are.
pub fn prepare() {
    let score = fs::read_to_string(FILE)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let file = OpenOptions::new().write(true).open(FILE).ok();
    if let (Some(score), Some(file)) = (score, file) {
        let _ = OWN.set(Own { file, score });
    }
}

/// While this lives, processes are born as the first to be killed. Raising the score needs no right, and so does going
/// back to where it was; doing it before the start leaves no moment in which a process could start others without.
#[derive(Debug)]
pub struct FirstToDie(());

impl FirstToDie {
    /// From now on. Where it cannot be, all are alike.
    pub fn begin() -> FirstToDie {
        write(|own| JOBS.max(own));
        FirstToDie(())
    }
}

impl Drop for FirstToDie {
    fn drop(&mut self) {
        write(|own| own);
    }
}

fn write(score: impl Fn(i32) -> i32) {
    if let Some(own) = OWN.get() {
        let _ = own.file.write_at(score(own.score).to_string().as_bytes(), 0);
    }
}
