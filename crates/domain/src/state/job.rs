//! State of a job.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{Attempt, PlacementId, Uid};
use crate::launch::exit_code_of;
use crate::name::Name;
use crate::resource_id::GroupPath;
use crate::spec::JobSpec;
use crate::state::{BatchAiError, Meta};

/// A job with its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What every resource has.
    pub meta: Meta,
    /// Where it is.
    pub scope: GroupPath,
    /// Its workspace.
    pub workspace: Name,
    /// Its experiment.
    pub experiment: Name,
    /// The cluster it was made for; the row may be gone by now.
    pub cluster: Uid,
    /// The wish.
    pub spec: JobSpec,
    /// What is known of it.
    pub status: JobStatus,
}

/// What is known of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    /// How far it is.
    pub phase: JobPhase,
    /// When the execution state, as shown, last changed.
    pub since: Timestamp,
    /// The last attempt given out; 0 before the first.
    pub attempt: Attempt,
    /// Where the last attempt runs or ran; kept after the end.
    pub placement: Option<Placement>,
    /// How many attempts were lost with a node.
    pub losses: u32,
    /// Start, end, exit code and errors, as shown.
    pub execution: Option<ExecutionInfo>,
    /// Why it waits, in plain words: while it is queued, and while its secrets are fetched before it begins.
    pub waiting: Option<String>,
    /// Why it is back in the line; only while it is queued again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<Returned>,
    /// `{sub}/{rg}/workspaces/{ws}/experiments/{exp}/jobs/{job}/{uuid}`.
    pub output_segment: String,
    /// How the files lie beneath it.
    #[serde(default)]
    pub layout: OutputLayout,
    /// Where each output directory, and `stdouterr`, lies in storage; recorded when the job is made, so that
    /// files can be listed when cluster and mounts are gone. One that lies on no share is left out.
    pub outputs: BTreeMap<String, OutputPlace>,
}

/// How the files of a job lie beneath its output segment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OutputLayout {
    /// stdout in a folder of its own, `stdouterr`; since 2018-03-01.
    #[default]
    Usual,
    /// stdout right in the segment: as 2017-09-01-preview had it (api.md section 5).
    Preview,
}

/// Why a job is back in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Returned {
    /// Its nodes were taken away, by a resize or by the end of all nodes.
    TakenAway,
    /// A node of it was pre-empted.
    Preempted,
    /// A node of it was lost.
    Lost,
}

impl fmt::Display for Returned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self {
            Returned::TakenAway => "its nodes were taken away",
            Returned::Preempted => "a node of it was pre-empted",
            Returned::Lost => "a node of it was lost",
        };
        write!(f, "The job is back in the line: {why}.")
    }
}

/// A directory in a storage account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputPlace {
    /// Share or container.
    pub share: Share,
    /// Path beneath it, without a slash at either end.
    pub path: String,
}

/// A file share or blob container of a storage account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Share {
    /// The storage account, lower-cased.
    pub account: String,
    /// Share or container.
    pub kind: ShareKind,
    /// Its name.
    pub name: String,
}

/// The two kinds of shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShareKind {
    /// An Azure file share.
    File,
    /// An Azure blob container.
    Blob,
}

/// One attempt's nodes, the master first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The nodes in the order of their index.
    pub nodes: Vec<PlacedNode>,
    /// A port that was free on all of them when the job was placed; 0 if it needs none.
    pub port: u16,
    /// More of them, where the job needs more.
    #[serde(default)]
    pub task_ports: Vec<u16>,
}

/// A node of a placement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedNode {
    /// The node.
    pub uid: Uid,
    /// Its id as users see it.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// What was last seen of the attempt there.
    pub seen: Seen,
    /// Whether it decides the end of the job; the others wait and are stopped then.
    #[serde(default = "yes")]
    pub decides: bool,
}

fn yes() -> bool {
    true
}

impl PlacedNode {
    /// Whether something of the attempt may be running there, or may begin.
    pub fn is_open(&self) -> bool {
        matches!(self.seen, Seen::Nothing | Seen::Active | Seen::Decided)
    }
}

/// What was seen of an attempt on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Seen {
    /// Nothing yet.
    Nothing,
    /// It has begun.
    Active,
    /// All its processes that decide have ended with 0; others, such as a parameter server, go on until it is
    /// stopped.
    Decided,
    /// It is over and nothing of it is left running there.
    Ended(Verdict),
    /// The node is gone, and nothing of it is left running.
    Lost,
}

/// How an attempt ended on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Every process that decides ended by itself; the exit code is 0, or that of the first that failed.
    /// A process ended by signal n counts as 128 + n, as a shell says it.
    Exited(i32),
    /// The preparation ended with this exit code; the toolkit was not started.
    PreparationFailed(i32),
    /// It ran longer than `maxWallClockTime` and was stopped.
    TimedOut,
    /// It was stopped as wanted.
    Stopped,
    /// It could not be started at all: an error with a code of errors.md, and the exit code shown.
    NotStarted(BatchAiError, Option<i32>),
    /// It wrote more than it may and was ended, or failed by itself because of that and has an exit code: an error
    /// with the reason, the figures and what to do.
    OverLimit(BatchAiError, Option<i32>),
    /// Its processes ended with this exit code, and a volume failed: one died while they ran, or what they wrote did
    /// not reach its store.
    VolumeFailed(BatchAiError, i32),
    /// It failed, and processes of it were killed before because memory had run out.
    OutOfMemory(Cut, Shortage),
}

/// How an attempt ended that was short of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cut {
    /// As [`Verdict::Exited`], with another code than 0.
    Exited(i32),
    /// As [`Verdict::PreparationFailed`].
    PreparationFailed(i32),
    /// As [`Verdict::TimedOut`]: one that waits for a process that was killed.
    TimedOut,
    /// As [`Verdict::Stopped`]: another node's end had decided the job.
    Stopped,
}

impl Cut {
    /// The verdict without regard to memory.
    pub fn verdict(self) -> Verdict {
        match self {
            Cut::Exited(code) => Verdict::Exited(code),
            Cut::PreparationFailed(code) => Verdict::PreparationFailed(code),
            Cut::TimedOut => Verdict::TimedOut,
            Cut::Stopped => Verdict::Stopped,
        }
    }
}

/// How much memory there was where it ran out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shortage {
    /// What the node may use, in bytes.
    pub limit: u64,
    /// The most that was in use, in bytes, where it is known.
    pub highest: Option<u64>,
    /// The VM size, as its cluster names it.
    pub vm_size: String,
}

/// Start and end of the latest run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionInfo {
    /// Start of the latest run.
    pub start: Timestamp,
    /// Its end.
    pub end: Option<Timestamp>,
    /// Exit code of the command.
    pub exit_code: Option<i32>,
    /// Why it failed.
    pub errors: Vec<BatchAiError>,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JobPhase {
    /// In the line.
    Queued,
    /// Wanted running.
    Running,
    /// Wanted stopped; what comes when nothing of it is left running.
    Stopping(AfterStop),
    /// Over, exit code 0.
    Succeeded,
    /// Over.
    Failed,
}

/// What becomes of a job when nothing of its attempt is left running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AfterStop {
    /// It was terminated: failed with `JobTerminated`.
    Terminate,
    /// Its nodes are taken away: back to its place in the line.
    Requeue,
    /// A node of it is pre-empted: back to its place in the line, and this is no loss.
    Preempt,
    /// A node was lost: back to its place in the line, or failed with `NodeLost` when that was too often.
    Lost,
    /// One node's end has decided the job; the others are stopped.
    Finish(Verdict),
}

/// What happens to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEvent {
    /// The planner gives it nodes.
    Placed {
        /// The new attempt.
        attempt: Attempt,
        /// Where.
        placement: Placement,
    },
    /// It asks for something that cannot be had.
    Refused(BatchAiError),
    /// A node reports of an attempt.
    Reported {
        /// Which attempt.
        attempt: Attempt,
        /// Which node.
        node: Uid,
        /// What was seen.
        seen: Seen,
    },
    /// It is to end: terminated by its user, or with its cluster.
    Terminate,
    /// It is to give its nodes back.
    Requeue,
    /// A node of it is pre-empted: it is to give all its nodes back.
    Preempt,
}

/// Why an event changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JobRefusal {
    /// It speaks of another attempt than the current one: a late report.
    #[error("the report is of attempt {got}, the current one is {current}")]
    Stale {
        /// The attempt of the report.
        got: Attempt,
        /// The attempt of the job.
        current: Attempt,
    },
    /// It does not fit the state, or says what is known already.
    #[error("the event does not change the state of the job")]
    NoChange,
}

mod memory;

pub use memory::{JOB_MEMORY_LIMIT_EXCEEDED, MACHINE_OUT_OF_MEMORY};

/// Code of a job that was terminated (errors.md).
pub const JOB_TERMINATED: &str = "JobTerminated";
/// Code of a job whose command failed (errors.md).
pub const JOB_FAILED: &str = "JobFailed";
const EXITED_BADLY: &str = "Job failed with non-zero exit code";
/// Code of a job whose preparation failed (errors.md).
pub const JOB_PREPARATION_FAILED: &str = "JobPreparationFailed";
/// Code of a job that ran too long (behaviour.md section 4, our choice).
pub const JOB_TIMED_OUT: &str = "JobMaxWallClockTimeExceeded";
/// Exit code of a job whose volumes cannot be had (errors.md, AZFMountError).
const NOT_STARTED: i32 = -1;
/// Code of a job whose nodes were lost too often.
pub const NODE_LOST: &str = "NodeLost";

impl JobStatus {
    /// A job that has just been made.
    pub fn new(output_segment: String, outputs: BTreeMap<String, OutputPlace>, now: Timestamp) -> JobStatus {
        JobStatus {
            phase: JobPhase::Queued,
            since: now,
            attempt: Attempt::default(),
            placement: None,
            losses: 0,
            execution: None,
            waiting: None,
            returned: None,
            output_segment,
            layout: OutputLayout::default(),
            outputs,
        }
    }

    /// The execution state as shown.
    pub fn execution_state(&self) -> ExecutionState {
        match &self.phase {
            JobPhase::Queued => ExecutionState::Queued,
            JobPhase::Running
            | JobPhase::Stopping(
                AfterStop::Finish(_) | AfterStop::Lost | AfterStop::Requeue | AfterStop::Preempt,
            ) => ExecutionState::Running,
            JobPhase::Stopping(AfterStop::Terminate) => ExecutionState::Terminating,
            JobPhase::Succeeded => ExecutionState::Succeeded,
            JobPhase::Failed => ExecutionState::Failed,
        }
    }

    /// Whether it is over for good.
    pub fn is_final(&self) -> bool {
        matches!(self.phase, JobPhase::Succeeded | JobPhase::Failed)
    }

    /// Whether it holds nodes.
    pub fn holds_nodes(&self) -> bool {
        matches!(self.phase, JobPhase::Running | JobPhase::Stopping(_))
    }

    /// Why it waits: the planner's `reason`, after why it is back in the line.
    pub fn waiting_for(&self, reason: &str) -> String {
        match self.returned {
            Some(why) => format!("{why} {reason}"),
            None => reason.to_owned(),
        }
    }

    /// The state after an event. `max_losses` is how often a job goes back to the line for a lost node.
    pub fn apply(&self, event: JobEvent, now: Timestamp, max_losses: u32) -> Result<JobStatus, JobRefusal> {
        let mut next = self.clone();
        match (&self.phase, event) {
            (JobPhase::Queued, JobEvent::Placed { attempt, placement }) => {
                if attempt <= self.attempt {
                    return Err(JobRefusal::Stale {
                        got: attempt,
                        current: self.attempt,
                    });
                }
                next.phase = JobPhase::Running;
                next.attempt = attempt;
                next.placement = Some(placement);
                next.waiting = None;
                next.returned = None;
                next.execution = Some(ExecutionInfo {
                    start: now,
                    end: None,
                    exit_code: None,
                    errors: Vec::new(),
                });
            }
            (JobPhase::Queued, JobEvent::Refused(error)) => next.finish(now, None, vec![error]),
            // Nothing can be said of its nodes yet: they are told to stop what they may have begun.
            (JobPhase::Running, JobEvent::Refused(error)) => {
                let exit_code = exit_code_of(&error);
                next.phase =
                    JobPhase::Stopping(AfterStop::Finish(Verdict::NotStarted(error, Some(exit_code))));
            }
            (JobPhase::Queued, JobEvent::Terminate) => next.finish(now, None, vec![terminated()]),
            (JobPhase::Running | JobPhase::Stopping(_), JobEvent::Reported { attempt, node, seen }) => {
                if attempt != self.attempt {
                    return Err(JobRefusal::Stale {
                        got: attempt,
                        current: self.attempt,
                    });
                }
                next.note(node, seen)?;
                next.settle(now, max_losses);
            }
            (JobPhase::Running, JobEvent::Terminate) => next.phase = JobPhase::Stopping(AfterStop::Terminate),
            (JobPhase::Running, JobEvent::Requeue) => next.phase = JobPhase::Stopping(AfterStop::Requeue),
            (JobPhase::Running, JobEvent::Preempt) => next.phase = JobPhase::Stopping(AfterStop::Preempt),
            (
                JobPhase::Stopping(AfterStop::Requeue | AfterStop::Preempt | AfterStop::Lost),
                JobEvent::Terminate,
            ) => {
                next.phase = JobPhase::Stopping(AfterStop::Terminate);
            }
            (
                JobPhase::Queued | JobPhase::Succeeded | JobPhase::Failed,
                JobEvent::Reported { attempt, .. },
            ) => {
                return Err(JobRefusal::Stale {
                    got: attempt,
                    current: self.attempt,
                });
            }
            (
                JobPhase::Running | JobPhase::Stopping(_) | JobPhase::Succeeded | JobPhase::Failed,
                JobEvent::Placed { .. },
            )
            | (JobPhase::Stopping(_) | JobPhase::Succeeded | JobPhase::Failed, JobEvent::Refused(_))
            | (
                JobPhase::Queued | JobPhase::Stopping(_) | JobPhase::Succeeded | JobPhase::Failed,
                JobEvent::Requeue | JobEvent::Preempt,
            )
            | (
                JobPhase::Stopping(AfterStop::Terminate | AfterStop::Finish(_))
                | JobPhase::Succeeded
                | JobPhase::Failed,
                JobEvent::Terminate,
            ) => return Err(JobRefusal::NoChange),
        }
        if next.execution_state() != self.execution_state() {
            next.since = now;
        }
        Ok(next)
    }

    /// Writes down what a node reports. What ended or was lost stays so.
    fn note(&mut self, node: Uid, seen: Seen) -> Result<(), JobRefusal> {
        let placed = self
            .placement
            .as_mut()
            .and_then(|p| p.nodes.iter_mut().find(|n| n.uid == node));
        let Some(placed) = placed else {
            return Err(JobRefusal::NoChange);
        };
        match (&placed.seen, &seen) {
            (Seen::Nothing, Seen::Active | Seen::Decided | Seen::Ended(_) | Seen::Lost)
            | (Seen::Active, Seen::Decided | Seen::Ended(_) | Seen::Lost)
            | (Seen::Decided, Seen::Ended(_) | Seen::Lost) => {
                placed.seen = seen;
                self.waiting = None;
            }
            (Seen::Nothing | Seen::Active | Seen::Decided | Seen::Ended(_) | Seen::Lost, _) => {
                return Err(JobRefusal::NoChange);
            }
        }
        Ok(())
    }

    /// Draws the conclusion from what all nodes report.
    fn settle(&mut self, now: Timestamp, max_losses: u32) {
        let nodes: &[PlacedNode] = self.placement.as_ref().map_or(&[], |p| &p.nodes);
        let over = nodes
            .iter()
            .all(|n| matches!(n.seen, Seen::Ended(_) | Seen::Lost));
        let lost = nodes.iter().any(|n| n.seen == Seen::Lost);
        let succeeded = nodes
            .iter()
            .filter(|n| n.decides)
            .all(|n| matches!(n.seen, Seen::Decided | Seen::Ended(Verdict::Exited(0))));
        let failed = nodes.iter().find_map(|n| match &n.seen {
            Seen::Ended(Verdict::Exited(0)) | Seen::Nothing | Seen::Active | Seen::Decided | Seen::Lost => {
                None
            }
            Seen::Ended(verdict) => Some(verdict.clone()),
        });
        let over_limit = nodes.iter().find_map(|n| match &n.seen {
            Seen::Ended(verdict @ Verdict::OverLimit(..)) => Some(verdict.clone()),
            _ => None,
        });
        let after = match (&self.phase, over_limit.or(failed), lost) {
            // The others often fail first when a node goes, and are heard of first: the loss is the reason.
            (JobPhase::Stopping(AfterStop::Finish(Verdict::Exited(code))), _, true) if *code != 0 => {
                AfterStop::Lost
            }
            // So do the other processes of a job that may write no more.
            (
                JobPhase::Stopping(AfterStop::Finish(Verdict::Exited(code))),
                Some(verdict @ Verdict::OverLimit(..)),
                false,
            ) if *code != 0 => AfterStop::Finish(verdict),
            // A node that does not decide may be heard of before those that do, although it came later.
            (
                JobPhase::Stopping(
                    AfterStop::Lost
                    | AfterStop::Finish(Verdict::TimedOut | Verdict::OutOfMemory(Cut::TimedOut, _)),
                ),
                _,
                _,
            ) if succeeded => AfterStop::Finish(Verdict::Exited(0)),
            (JobPhase::Stopping(after), _, _) => after.clone(),
            (_, Some(verdict), _) => AfterStop::Finish(verdict),
            (_, None, true) => AfterStop::Lost,
            (_, None, false) if succeeded => AfterStop::Finish(Verdict::Exited(0)),
            (_, None, false) => return,
        };
        if !over {
            self.phase = JobPhase::Stopping(after);
            return;
        }
        match after {
            AfterStop::Terminate => self.finish(now, None, vec![terminated()]),
            AfterStop::Requeue => self.requeue(Returned::TakenAway),
            AfterStop::Preempt => self.requeue(Returned::Preempted),
            AfterStop::Lost if self.losses < max_losses => {
                self.losses += 1;
                self.requeue(Returned::Lost);
            }
            AfterStop::Lost => {
                self.losses += 1;
                let message = format!(
                    "The job's nodes were lost {} times. Submit the job again.",
                    self.losses
                );
                self.finish(now, None, vec![BatchAiError::new(NODE_LOST, message)]);
            }
            AfterStop::Finish(verdict) => self.conclude(verdict, now),
        }
    }

    fn requeue(&mut self, why: Returned) {
        self.phase = JobPhase::Queued;
        self.waiting = Some(why.to_string());
        self.returned = Some(why);
        self.placement = None;
    }

    fn conclude(&mut self, verdict: Verdict, now: Timestamp) {
        let failure = |code: &str, message: &str| vec![BatchAiError::new(code, message)];
        match verdict {
            Verdict::Exited(0) => self.finish(now, Some(0), Vec::new()),
            // Where a process was killed on one node, those on others often fail first, and are heard of first.
            Verdict::Exited(code) => {
                let short = self.placement.as_ref().and_then(memory::shortage);
                let failed = || failure(JOB_FAILED, EXITED_BADLY);
                self.finish(now, Some(code), short.map_or_else(failed, |error| vec![error]));
            }
            Verdict::OutOfMemory(Cut::Exited(code), _) => self.conclude(Verdict::Exited(code), now),
            Verdict::OutOfMemory(cut, _) => {
                let short = self.placement.as_ref().and_then(memory::shortage);
                self.conclude(cut.verdict(), now);
                if let Some(execution) = &mut self.execution {
                    execution.errors.extend(short);
                }
            }
            Verdict::PreparationFailed(code) => {
                let text = "Job preparation task failed with non-zero exit code";
                self.finish(now, Some(code), failure(JOB_PREPARATION_FAILED, text));
            }
            Verdict::TimedOut => {
                let text =
                    "The job ran longer than its maxWallClockTime and was stopped. Allow it more time.";
                self.finish(now, None, failure(JOB_TIMED_OUT, text));
            }
            Verdict::Stopped => self.finish(now, None, vec![terminated()]),
            Verdict::NotStarted(error, code) | Verdict::OverLimit(error, code) => {
                self.finish(now, code, vec![error]);
            }
            // Whoever looks at nothing but the exit code must not take it for a success.
            Verdict::VolumeFailed(error, 0) => self.finish(now, Some(NOT_STARTED), vec![error]),
            Verdict::VolumeFailed(error, code) => {
                let errors = [BatchAiError::new(JOB_FAILED, EXITED_BADLY), error];
                self.finish(now, Some(code), errors.to_vec());
            }
        }
    }

    fn finish(&mut self, now: Timestamp, exit_code: Option<i32>, errors: Vec<BatchAiError>) {
        self.phase = if exit_code == Some(0) && errors.is_empty() {
            JobPhase::Succeeded
        } else {
            JobPhase::Failed
        };
        self.waiting = None;
        self.returned = None;
        let start = self.execution.as_ref().map_or(now, |e| e.start);
        self.execution = Some(ExecutionInfo {
            start,
            end: Some(now),
            exit_code,
            errors,
        });
    }
}

fn terminated() -> BatchAiError {
    BatchAiError::new(
        JOB_TERMINATED,
        "The specified job has been terminated by the user",
    )
}

impl Job {
    /// The current attempt.
    pub fn placement_id(&self) -> PlacementId {
        PlacementId {
            job: self.meta.uid,
            attempt: self.status.attempt,
        }
    }
}

/// The execution state as shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExecutionState {
    /// In the line.
    Queued,
    /// On its nodes.
    Running,
    /// Being stopped for good.
    Terminating,
    /// Over, exit code 0.
    Succeeded,
    /// Over.
    Failed,
}

impl ExecutionState {
    /// All of them.
    pub const ALL: [ExecutionState; 5] = [
        ExecutionState::Queued,
        ExecutionState::Running,
        ExecutionState::Terminating,
        ExecutionState::Succeeded,
        ExecutionState::Failed,
    ];

    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            ExecutionState::Queued => "queued",
            ExecutionState::Running => "running",
            ExecutionState::Terminating => "terminating",
            ExecutionState::Succeeded => "succeeded",
            ExecutionState::Failed => "failed",
        }
    }
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;
