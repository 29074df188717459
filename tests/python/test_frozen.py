"""Nodes that something keeps from ending their jobs, and nodes that cannot start: real processes, real server."""

import os
import signal
import time

from harness import binary, poll_until
from ledger import parameters, processes_of, yard_on
from yards import ROOT, codes, longest, manual

# How long a node may show no sign of life, with a job's grace of two seconds before and the ways around.
KILLED_WITHIN = 45


def freeze(server):
    """Stops all that is a node, outside and within its namespaces; its jobs go on."""
    nodes = [pid for pid, command in server.left().items() if " node --folder " in command]
    assert nodes
    for pid in nodes:
        os.kill(pid, signal.SIGSTOP)
    return nodes


def start(yard, ledger, name, **more):
    yard.put_job(name, parameters(yard, name, f"{ROOT}/gate-never", **more))
    poll_until("it has started", lambda: ledger.lines(name))


def ended_once(server, ledger, name):
    """Its one attempt has not come to its end by itself, and nothing of it is left."""
    assert [line[0] for line in ledger.lines(name)] == ["start"]
    assert processes_of(server, name) == {}


def test_a_job_on_a_frozen_node_is_terminated_and_the_next_one_runs(own_server, fact):
    yard, ledger = yard_on(own_server, 1)
    start(yard, ledger, "held")
    freeze(own_server)
    begun = time.monotonic()
    yard.client.jobs.terminate(yard.group, yard.workspace, yard.experiment, "held")
    # What the server knows of the stop must outlive it.
    own_server.kill()
    own_server.start()
    job = yard.wait_job("held", patience=KILLED_WITHIN)
    took = time.monotonic() - begun
    assert (job.execution_state, codes(job)) == ("failed", ["JobTerminated"])
    ended_once(own_server, ledger, "held")
    yard.wait_idle(yard.cluster, 1)
    yard.put_job("next", parameters(yard, "next", "0"))
    assert yard.wait_job("next").execution_state == "succeeded"
    fact(f"a job on a frozen node is terminated after {took:.1f} s, with a kill -9 of the server meanwhile")


def test_a_job_on_a_frozen_node_times_out(own_server):
    yard, ledger = yard_on(own_server, 1)
    start(yard, ledger, "held", constraints=longest(seconds=5))
    freeze(own_server)
    job = yard.wait_job("held", patience=KILLED_WITHIN)
    assert (job.execution_state, codes(job)) == ("failed", ["JobMaxWallClockTimeExceeded"])
    ended_once(own_server, ledger, "held")
    yard.wait_idle(yard.cluster, 1)


def test_a_frozen_node_goes_when_its_cluster_is_resized(own_server):
    yard, ledger = yard_on(own_server, 1)
    start(yard, ledger, "held")
    nodes = freeze(own_server)
    yard.scale(yard.cluster, manual(0, "requeue"))
    yard.wait_idle(yard.cluster, 0, KILLED_WITHIN)
    assert yard.get_job("held").execution_state == "queued"
    ended_once(own_server, ledger, "held")
    assert not set(nodes) & set(own_server.left())


def put_in_place(path, text=None):
    """Has another program stand at `path`, whatever runs from there now: this script, or the true one."""
    new = path.with_suffix(".new")
    if text is None:
        os.link(binary(), new)
    else:
        new.write_text(text)
        new.chmod(0o755)
    new.replace(path)


def test_nodes_that_cannot_start_are_tried_less_and_less_often_and_the_cluster_says_why(own_server, fact):
    own_server.terminate()
    program = own_server.data.parent / "trainyard"
    put_in_place(program)
    own_server.program = str(program)
    own_server.start()
    yard, _ledger = yard_on(own_server, 0)
    put_in_place(program, "#!/bin/sh\necho something is missing here >&2\nexit 3\n")
    begun = time.monotonic()
    yard.scale(yard.cluster, manual(1))

    def lost():
        return own_server.log.read_text().count("the node is lost")

    errors = poll_until("the cluster says why", lambda: yard.get_cluster(yard.cluster).errors)
    assert [error.code for error in errors] == ["InternalError"]
    assert [detail.value for detail in errors[0].details] == ["something is missing here"]
    poll_until("four were tried", lambda: lost() >= 4)
    assert time.monotonic() - begun > 5, "they were tried at once"
    put_in_place(program)
    yard.wait_idle(yard.cluster, 1)
    assert not yard.get_cluster(yard.cluster).errors
    fact(f"{lost()} nodes were tried that could not start, in {time.monotonic() - begun:.0f} s")
