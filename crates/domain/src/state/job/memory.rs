//! The error of a job whose processes were killed because memory had run out.

use super::{Placement, Seen, Shortage, Verdict};
use crate::state::BatchAiError;

/// Code of a job that needed more memory than its VM size has. The old service had no such code.
pub const JOB_MEMORY_LIMIT_EXCEEDED: &str = "JobMemoryLimitExceeded";
/// Code of a job that was killed because the whole machine had no memory left, while its own limit was not reached.
pub const MACHINE_OUT_OF_MEMORY: &str = "MachineOutOfMemory";

/// The kernel takes memory in lots: what was refused may have been as large.
const LOT: u64 = 8 << 20;

/// What is to be said, if memory ran out on a node; of several the first.
pub fn shortage(placement: &Placement) -> Option<BatchAiError> {
    placement.nodes.iter().find_map(|node| match &node.seen {
        Seen::Ended(Verdict::OutOfMemory(_, shortage)) => Some(error(&node.name, shortage)),
        Seen::Ended(_) | Seen::Nothing | Seen::Active | Seen::Decided | Seen::Lost => None,
    })
}

fn error(node: &str, shortage: &Shortage) -> BatchAiError {
    let Shortage {
        limit,
        highest,
        vm_size,
    } = shortage;
    let reached = highest.is_none_or(|highest| highest.saturating_add(LOT) >= *limit);
    let (code, message) = if reached {
        let message = format!(
            "The job needed more memory than the {} MiB of a node of size {vm_size}, and a process was killed. Use a VM \
             size with more memory, or have the job need less.",
            limit >> 20
        );
        (JOB_MEMORY_LIMIT_EXCEEDED, message)
    } else {
        let message = format!(
            "The machine had no memory left, and a process of the job was killed, although the {} MiB of a node of size \
             {vm_size} were not used up. Have fewer nodes on the machine, or others there need less.",
            limit >> 20
        );
        (MACHINE_OUT_OF_MEMORY, message)
    };
    let mut details = vec![("limitInBytes".to_owned(), limit.to_string())];
    details.extend(highest.map(|bytes| ("highestUseInBytes".to_owned(), bytes.to_string())));
    details.push(("vmSize".to_owned(), vm_size.clone()));
    details.push(("nodeId".to_owned(), node.to_owned()));
    BatchAiError {
        code: code.to_owned(),
        message,
        details,
    }
}
