"""kill -9 of each process of a running MPI job of two nodes, in turn, and what is shown of the job then."""

from pathlib import Path

import pytest
from azure.mgmt.batchai import models
from harness import kill_by_number, long_sleep, nodes_among, poll_until, processes, running
from launchers import launcher, variables
from yards import ROOT, codes, gate

RANKS = 2


class Victim:
    """A job whose preparation waits for a gate and whose two ranks, one a node, sleep until they are killed."""

    def __init__(self, yard, name, folder):
        self.yard, self.name, self.work = yard, name, long_sleep()
        found, _ = launcher("Open MPI", folder)
        self.tag = f"{name}@{yard.server.data}"
        command = (
            f"[ -e {ROOT}/gate-{name}-end ] || exec {self.work}"
        )
        yard.submit(
            name,
            nodes=RANKS,
            custom_mpi_settings=models.CustomMpiSettings(command_line=command, process_count=RANKS),
            job_preparation=models.JobPreparation(command_line=gate(name)),
            environment_variables=[*found, *variables(YARD_TEST_JOB=self.tag)],
        )

    def open(self):
        """Lets the preparation end; returns when both ranks work."""
        self.yard.open_gate(self.name)
        poll_until("both ranks work", lambda: running(self.work) == RANKS)

    def rank(self, index):
        """Its process as the machine counts it: its own number for itself is another one on an isolated node."""
        sought = f"OMPI_COMM_WORLD_RANK={index}".encode()
        [found] = [pid for pid in self.find("sleep") if sought in environment(pid)]
        return found

    def find(self, word, node=None):
        """The processes of the job whose command begins with this word, on one node if it is named."""
        commands = processes(f"YARD_TEST_JOB={self.tag}")
        begins = [pid for pid, command in commands.items() if Path(command.split()[0]).name == word]
        return [pid for pid in begins if node is None or mark(pid).startswith(node)]

    def node_of(self, pid):
        """The folder of the node that a process runs on, and the process that is this node."""
        folder = mark(pid).rsplit(":", 1)[0]
        found = nodes_among(processes(f"node --folder {folder}".replace(" ", "\0")))
        assert len(found) == 1, found
        return next(iter(found))

    def check_nothing_is_left(self):
        """The machine is looked at: no process of the job, and no work of it under any name."""
        assert processes(f"YARD_TEST_JOB={self.tag}") == {}
        assert running(self.work) == 0

    def ended(self):
        job = self.yard.wait_job(self.name)
        self.check_nothing_is_left()
        return job.execution_state, job.execution_info.exit_code, codes(job)


def environment(pid):
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def mark(pid):
    name = b"TRAINYARD_PLACEMENT="
    return next(entry[len(name) :].decode() for entry in environment(pid) if entry.startswith(name))


@pytest.fixture
def victim(yard, tmp_path):
    return lambda name: Victim(yard, name, tmp_path)


def test_the_preparation_is_killed_on_one_node(victim, fact):
    job = victim("kill-preparation")
    preparing = poll_until("both nodes prepare", lambda: len(job.find("bash")) == 2 and job.find("bash"))
    kill_by_number(preparing[1])
    shown = job.ended()
    fact(f"killed the preparation on one of two nodes: {shown}")
    assert shown == ("failed", 137, ["JobPreparationFailed"])


def test_the_launcher_is_killed(victim, fact):
    job = victim("kill-launcher")
    job.open()
    [launching] = job.find("mpirun.openmpi") or job.find("orterun")
    kill_by_number(launching)
    shown = job.ended()
    fact(f"killed mpirun: {shown}")
    assert shown == ("failed", 137, ["JobFailed"])


@pytest.mark.parametrize("index", range(RANKS))
def test_the_workload_is_killed(victim, fact, index):
    job = victim(f"kill-rank-{index}")
    job.open()
    kill_by_number(job.rank(index))
    shown = job.ended()
    fact(f"killed rank {index}: {shown}")
    # The launcher tells a rank that died of a signal as a shell does.
    assert shown == ("failed", 137, ["JobFailed"])


def test_the_launchers_helper_on_the_other_node_is_killed(victim, fact):
    job = victim("kill-helper")
    job.open()
    helper = job.find("orted", node=mark(job.rank(1)).rsplit(":", 1)[0])
    assert len(helper) == 1
    kill_by_number(helper[0])
    state, code, shown = job.ended()
    fact(f"killed orted on the second node: {(state, code, shown)}")
    assert (state, shown) == ("failed", ["JobFailed"]) and code != 0


@pytest.mark.parametrize("index", range(RANKS))
def test_a_node_is_killed(victim, yard, fact, index):
    job = victim(f"kill-node-{index}")
    job.open()
    before = [job.rank(n) for n in range(RANKS)]
    kill_by_number(job.node_of(job.rank(index)))

    def again():
        """Both ranks of the next attempt work, and nobody else does."""
        alive = running(job.work)
        assert alive <= RANKS, "two attempts at once"
        return alive == RANKS and not set(job.find("sleep")) & set(before)

    poll_until("the job works again", again)
    assert yard.get_job(job.name).execution_state == "running"
    yard.open_gate(f"{job.name}-end")
    for pid in [job.rank(n) for n in range(RANKS)]:
        kill_by_number(pid)
    shown = job.ended()
    fact(f"killed node {index} of two: back in the line, runs again; its ranks killed then: {shown}")
    assert shown == ("failed", 137, ["JobFailed"])
