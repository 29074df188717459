use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn placed(nodes: usize) -> JobStatus {
    let nodes = (0..nodes)
        .map(|i| PlacedNode {
            uid: Uid(i as i64),
            name: format!("n{i}"),
            address: Ipv4Addr::LOCALHOST,
            seen: Seen::Nothing,
            decides: true,
        })
        .collect();
    let event = JobEvent::Placed {
        attempt: Attempt(1),
        placement: Placement {
            nodes,
            port: 1,
            task_ports: Vec::new(),
        },
    };
    JobStatus::new(String::new(), BTreeMap::new(), NOW)
        .apply(event, NOW, 3)
        .unwrap()
}

fn report(status: &JobStatus, node: i64, seen: Seen) -> Result<JobStatus, JobRefusal> {
    status.apply(
        JobEvent::Reported {
            attempt: Attempt(1),
            node: Uid(node),
            seen,
        },
        NOW,
        3,
    )
}

fn code(status: &JobStatus) -> Option<String> {
    status
        .execution
        .as_ref()
        .and_then(|e| e.errors.first())
        .map(|e| e.code.clone())
}

#[test]
fn all_zero_is_success_and_the_state_is_final() {
    let half = report(&placed(2), 0, Seen::Ended(Verdict::Exited(0))).unwrap();
    assert_eq!(half.phase, JobPhase::Running);
    let done = report(&half, 1, Seen::Ended(Verdict::Exited(0))).unwrap();
    assert_eq!(done.phase, JobPhase::Succeeded);
    assert_eq!(done.apply(JobEvent::Terminate, NOW, 3), Err(JobRefusal::NoChange));
    assert!(matches!(
        report(&done, 1, Seen::Lost),
        Err(JobRefusal::Stale { .. })
    ));
}

#[test]
fn one_failure_stops_the_others_first() {
    let stopping = report(&placed(2), 1, Seen::Ended(Verdict::Exited(7))).unwrap();
    assert_eq!(
        stopping.phase,
        JobPhase::Stopping(AfterStop::Finish(Verdict::Exited(7)))
    );
    let done = report(&stopping, 0, Seen::Ended(Verdict::Stopped)).unwrap();
    assert_eq!(done.phase, JobPhase::Failed);
    assert_eq!(done.execution.as_ref().unwrap().exit_code, Some(7));
    assert_eq!(code(&done).as_deref(), Some(JOB_FAILED));
}

/// The others of a job often fail first when it may write no more, and are heard of first.
#[test]
fn a_limit_is_the_reason_whichever_node_is_heard_of_first() {
    let over = || {
        Seen::Ended(Verdict::OverLimit(
            BatchAiError::new("NodeDiskFull", "full"),
            None,
        ))
    };
    let failed = || Seen::Ended(Verdict::Exited(1));
    for order in [[failed(), over()], [over(), failed()]] {
        let [first, second] = order;
        let stopping = report(&placed(2), 0, first).unwrap();
        let done = report(&stopping, 1, second).unwrap();
        assert_eq!(done.phase, JobPhase::Failed);
        assert_eq!(code(&done).as_deref(), Some("NodeDiskFull"));
        assert_eq!(done.execution.as_ref().unwrap().exit_code, None);
    }
    // A node that goes is no reason to run such a job again, and a stop that was wanted stays one.
    let stopping = report(&placed(2), 0, over()).unwrap();
    let done = report(&stopping, 1, Seen::Lost).unwrap();
    assert_eq!(code(&done).as_deref(), Some("NodeDiskFull"));
    let terminated = placed(1).apply(JobEvent::Terminate, NOW, 3).unwrap();
    assert_eq!(
        code(&report(&terminated, 0, over()).unwrap()).as_deref(),
        Some(JOB_TERMINATED)
    );
}

/// A job of two nodes of which only the first decides.
fn with_a_waiting_node() -> JobStatus {
    let mut status = placed(2);
    if let Some(placement) = &mut status.placement {
        placement.nodes[1].decides = false;
    }
    report(&status, 1, Seen::Active).unwrap()
}

#[test]
fn nodes_that_do_not_decide_are_stopped_when_the_others_have_ended() {
    let stopping = report(&with_a_waiting_node(), 0, Seen::Ended(Verdict::Exited(0))).unwrap();
    assert_eq!(
        stopping.phase,
        JobPhase::Stopping(AfterStop::Finish(Verdict::Exited(0)))
    );
    let done = report(&stopping, 1, Seen::Ended(Verdict::Stopped)).unwrap();
    assert_eq!(done.phase, JobPhase::Succeeded);
    assert_eq!(done.execution.unwrap().exit_code, Some(0));
}

#[test]
fn a_node_that_has_decided_waits_for_the_others_with_what_else_it_runs() {
    let decided = report(&placed(2), 0, Seen::Decided).unwrap();
    assert_eq!(decided.phase, JobPhase::Running);
    let stopping = report(&decided, 1, Seen::Ended(Verdict::Exited(0))).unwrap();
    assert_eq!(
        stopping.phase,
        JobPhase::Stopping(AfterStop::Finish(Verdict::Exited(0)))
    );
    let done = report(&stopping, 0, Seen::Ended(Verdict::Exited(0))).unwrap();
    assert_eq!(done.phase, JobPhase::Succeeded);
    let failed = report(&decided, 1, Seen::Ended(Verdict::Exited(5))).unwrap();
    assert_eq!(
        failed.phase,
        JobPhase::Stopping(AfterStop::Finish(Verdict::Exited(5)))
    );
}

#[test]
fn a_node_that_is_lost_after_success_was_decided_changes_nothing() {
    let stopping = report(&with_a_waiting_node(), 0, Seen::Ended(Verdict::Exited(0))).unwrap();
    assert_eq!(
        report(&stopping, 1, Seen::Lost).unwrap().phase,
        JobPhase::Succeeded
    );
    let lost = report(&with_a_waiting_node(), 1, Seen::Lost).unwrap();
    assert_eq!(lost.phase, JobPhase::Stopping(AfterStop::Lost));
}

/// What two nodes report of the same moment is heard of in any order.
#[test]
fn success_is_success_in_whatever_order_it_is_heard_of() {
    let success = Seen::Ended(Verdict::Exited(0));
    for other in [Seen::Lost, Seen::Ended(Verdict::TimedOut)] {
        for reports in [[(0, &success), (1, &other)], [(1, &other), (0, &success)]] {
            let mut status = with_a_waiting_node();
            for (node, seen) in reports {
                status = report(&status, node, seen.clone()).unwrap();
            }
            assert_eq!(status.phase, JobPhase::Succeeded, "{reports:?}");
        }
    }
    // A node that was stopped for it has not succeeded.
    let lost = report(&with_a_waiting_node(), 1, Seen::Lost).unwrap();
    let queued = report(&lost, 0, Seen::Ended(Verdict::Stopped)).unwrap();
    assert_eq!(queued.phase, JobPhase::Queued);
}

#[test]
fn a_placement_stored_before_nodes_could_wait_is_read() {
    let text = r#"{"nodes":[{"uid":1,"name":"n","address":"127.0.0.1","seen":"nothing"}],"port":7}"#;
    let placement: Placement = serde_json::from_str(text).unwrap();
    assert!(placement.nodes[0].decides && placement.task_ports.is_empty());
}

#[test]
fn a_lost_node_requeues_only_after_the_rest_is_stopped_and_not_for_ever() {
    let stopping = report(&placed(2), 0, Seen::Lost).unwrap();
    assert_eq!(stopping.phase, JobPhase::Stopping(AfterStop::Lost));
    let queued = report(&stopping, 1, Seen::Ended(Verdict::Stopped)).unwrap();
    assert_eq!((queued.phase.clone(), queued.losses), (JobPhase::Queued, 1));
    let again = JobEvent::Placed {
        attempt: Attempt(1),
        placement: Placement {
            nodes: Vec::new(),
            port: 1,
            task_ports: Vec::new(),
        },
    };
    assert!(matches!(
        queued.apply(again, NOW, 3),
        Err(JobRefusal::Stale { .. })
    ));
    let mut tired = placed(1);
    tired.losses = 3;
    let failed = report(&tired, 0, Seen::Lost).unwrap();
    assert_eq!(
        (failed.phase.clone(), code(&failed).as_deref()),
        (JobPhase::Failed, Some(NODE_LOST))
    );
}

#[test]
fn a_process_that_failed_because_a_node_was_lost_does_not_fail_the_job() {
    let failed = report(&placed(3), 0, Seen::Ended(Verdict::Exited(1))).unwrap();
    let lost = report(&failed, 1, Seen::Lost).unwrap();
    assert_eq!(lost.phase, JobPhase::Stopping(AfterStop::Lost));
    let queued = report(&lost, 2, Seen::Ended(Verdict::Stopped)).unwrap();
    assert_eq!((queued.phase.clone(), queued.losses), (JobPhase::Queued, 1));
    let terminated = placed(2).apply(JobEvent::Terminate, NOW, 3).unwrap();
    let ended = report(&terminated, 0, Seen::Ended(Verdict::Exited(1))).unwrap();
    let gone = report(&ended, 1, Seen::Lost).unwrap();
    assert_eq!(
        code(&gone).as_deref(),
        Some(JOB_TERMINATED),
        "what was asked for stays"
    );
}

#[test]
fn a_terminated_job_has_no_exit_code() {
    let queued = JobStatus::new(String::new(), BTreeMap::new(), NOW)
        .apply(JobEvent::Terminate, NOW, 3)
        .unwrap();
    assert_eq!(
        (
            queued.execution.as_ref().unwrap().exit_code,
            code(&queued).as_deref()
        ),
        (None, Some(JOB_TERMINATED))
    );
    let stopping = placed(1).apply(JobEvent::Terminate, NOW, 3).unwrap();
    assert_eq!(stopping.execution_state(), ExecutionState::Terminating);
    let done = report(&stopping, 0, Seen::Ended(Verdict::Exited(0))).unwrap();
    assert_eq!(
        (done.phase.clone(), code(&done).as_deref()),
        (JobPhase::Failed, Some(JOB_TERMINATED))
    );
}

#[test]
fn a_placed_job_that_cannot_be_had_ends_only_after_its_nodes() {
    let error = BatchAiError::new("AZFMountError", "Unable to mount Azure File");
    let stopping = placed(2).apply(JobEvent::Refused(error), NOW, 3).unwrap();
    assert!(stopping.holds_nodes());
    let half = report(&stopping, 0, Seen::Ended(Verdict::Exited(0))).unwrap();
    assert!(half.holds_nodes());
    let done = report(&half, 1, Seen::Ended(Verdict::Stopped)).unwrap();
    assert_eq!(
        (done.phase.clone(), code(&done).as_deref()),
        (JobPhase::Failed, Some("AZFMountError"))
    );
}

#[test]
fn late_reports_are_fenced_off() {
    let event = JobEvent::Reported {
        attempt: Attempt(9),
        node: Uid(0),
        seen: Seen::Active,
    };
    assert!(matches!(
        placed(1).apply(event, NOW, 3),
        Err(JobRefusal::Stale { .. })
    ));
}

#[test]
fn a_pre_empted_job_goes_back_to_the_line_and_nothing_counts_as_lost() {
    let stopping = placed(2).apply(JobEvent::Preempt, NOW, 0).unwrap();
    assert_eq!(stopping.phase, JobPhase::Stopping(AfterStop::Preempt));
    assert_eq!(stopping.execution_state(), ExecutionState::Running);
    for again in [JobEvent::Preempt, JobEvent::Requeue] {
        assert_eq!(stopping.apply(again, NOW, 0), Err(JobRefusal::NoChange));
    }
    let half = report(&stopping, 0, Seen::Ended(Verdict::Exited(143))).unwrap();
    assert!(half.holds_nodes(), "the other node is not done yet");
    // The machine may not have waited for the end.
    let queued = report(&half, 1, Seen::Lost).unwrap();
    assert_eq!((queued.phase.clone(), queued.losses), (JobPhase::Queued, 0));
    assert_eq!(queued.returned, Some(Returned::Preempted));
    let waiting = queued.waiting.as_deref().unwrap();
    assert!(waiting.contains("pre-empted"), "{waiting}");
    assert_eq!(queued.waiting_for("It waits."), format!("{waiting} It waits."));
    let terminated = stopping.apply(JobEvent::Terminate, NOW, 0).unwrap();
    assert_eq!(terminated.execution_state(), ExecutionState::Terminating);
}

#[test]
fn why_a_job_came_back_is_forgotten_when_it_runs_or_ends() {
    let requeued = placed(1).apply(JobEvent::Requeue, NOW, 3).unwrap();
    let queued = report(&requeued, 0, Seen::Ended(Verdict::Stopped)).unwrap();
    assert_eq!(queued.returned, Some(Returned::TakenAway));
    let nodes = placed(1).placement.unwrap();
    let event = JobEvent::Placed {
        attempt: Attempt(2),
        placement: nodes,
    };
    assert_eq!(queued.apply(event, NOW, 3).unwrap().returned, None);
    assert_eq!(queued.apply(JobEvent::Terminate, NOW, 3).unwrap().returned, None);
}

#[test]
fn the_stored_form_without_pre_emption_is_still_read() {
    let old = r#"{"v": 1, "is": {
        "phase": {"stopping": "requeue"}, "since": "1970-01-01T00:00:00Z", "attempt": 3,
        "placement": {"nodes": [{"uid": 7, "name": "n", "address": "127.0.0.1", "seen": "active"}], "port": 0},
        "losses": 1, "execution": {"start": "1970-01-01T00:00:00Z", "end": null, "exitCode": null, "errors": []},
        "waiting": null, "outputSegment": "s", "outputs": {}}}"#;
    let status: JobStatus = crate::stored::read(old).unwrap();
    assert_eq!(status.phase, JobPhase::Stopping(AfterStop::Requeue));
    assert_eq!(
        (status.attempt, status.losses, status.returned),
        (Attempt(3), 1, None)
    );
    assert_eq!(status.layout, OutputLayout::Usual);
    assert!(!crate::stored::write(&status).unwrap().contains("returned"));
}

#[test]
fn a_volume_that_failed_fails_the_job_whatever_the_command_said() {
    let lost = BatchAiError::new("VolumeNotStored", "a file did not reach its store");
    let codes = |exit| {
        let failed = report(
            &placed(1),
            0,
            Seen::Ended(Verdict::VolumeFailed(lost.clone(), exit)),
        );
        let execution = failed.unwrap().execution.unwrap();
        let codes: Vec<String> = execution.errors.into_iter().map(|error| error.code).collect();
        (execution.exit_code, codes)
    };
    assert_eq!(codes(0), (Some(-1), vec!["VolumeNotStored".to_owned()]));
    let both = vec![JOB_FAILED.to_owned(), "VolumeNotStored".to_owned()];
    assert_eq!(codes(5), (Some(5), both));
}

fn short(cut: Cut, highest: u64) -> Seen {
    let shortage = Shortage {
        limit: 64 << 20,
        highest: Some(highest),
        vm_size: "standard_d1".to_owned(),
    };
    Seen::Ended(Verdict::OutOfMemory(cut, shortage))
}

fn errors(status: &JobStatus) -> Vec<BatchAiError> {
    status.execution.clone().unwrap().errors
}

#[test]
fn a_job_over_its_memory_says_so_with_the_figures_and_keeps_its_exit_code() {
    let over = report(&placed(1), 0, short(Cut::Exited(137), 64 << 20)).unwrap();
    assert_eq!(over.phase, JobPhase::Failed);
    assert_eq!(over.execution.as_ref().unwrap().exit_code, Some(137));
    let [error] = &errors(&over)[..] else {
        panic!("one error is wanted")
    };
    assert_eq!(error.code, JOB_MEMORY_LIMIT_EXCEEDED);
    assert!(error.message.contains("64 MiB of a node of size standard_d1"));
    let expected = [
        ("limitInBytes", "67108864"),
        ("highestUseInBytes", "67108864"),
        ("vmSize", "standard_d1"),
        ("nodeId", "n0"),
    ];
    assert_eq!(
        error.details,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn memory_that_ran_out_elsewhere_is_not_the_job_s_limit() {
    let over = report(&placed(1), 0, short(Cut::Exited(137), 1 << 20)).unwrap();
    assert_eq!(code(&over).as_deref(), Some(MACHINE_OUT_OF_MEMORY));
}

/// An MPI launcher fails when a rank on another node was killed, and its end is heard of first.
#[test]
fn memory_is_the_reason_on_whichever_node_it_ran_out() {
    let failed = report(&placed(2), 0, Seen::Ended(Verdict::Exited(1))).unwrap();
    let over = report(&failed, 1, short(Cut::Stopped, 64 << 20)).unwrap();
    assert_eq!(code(&over).as_deref(), Some(JOB_MEMORY_LIMIT_EXCEEDED));
    assert_eq!(over.execution.unwrap().exit_code, Some(1));
}

#[test]
fn what_else_went_wrong_is_said_too() {
    let codes = |cut| {
        let over = report(&placed(1), 0, short(cut, 64 << 20)).unwrap();
        let codes = errors(&over).into_iter().map(|error| error.code);
        codes.collect::<Vec<_>>()
    };
    let prepared = codes(Cut::PreparationFailed(137));
    assert_eq!(prepared, [JOB_PREPARATION_FAILED, JOB_MEMORY_LIMIT_EXCEEDED]);
    assert_eq!(codes(Cut::TimedOut), [JOB_TIMED_OUT, JOB_MEMORY_LIMIT_EXCEEDED]);
}

#[test]
fn a_job_that_succeeded_does_not_fail_for_memory() {
    let done = report(&with_a_waiting_node(), 0, Seen::Ended(Verdict::Exited(0))).unwrap();
    let over = report(&done, 1, short(Cut::Stopped, 64 << 20)).unwrap();
    assert_eq!(over.phase, JobPhase::Succeeded);
    assert!(errors(&over).is_empty());
}
