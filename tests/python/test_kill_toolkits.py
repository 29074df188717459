"""kill -9 of each process of a running MPI job of two nodes, in turn, and what is shown of the job then."""

import pytest
from azure.mgmt.batchai import models
from harness import kill_by_number, long_sleep, poll_until, running
from launchers import launcher, variables
from victims import RANKS, Victim, node_of, tag_of
from yards import ROOT, gate

class Toolkit(Victim):
    """Its ranks sleep until they are killed."""

    def __init__(self, yard, name, folder):
        self.work = long_sleep()
        found, _ = launcher("Open MPI", folder)
        command = f"[ -e {ROOT}/gate-{name}-end ] || exec {self.work}"
        super().__init__(
            yard,
            name,
            "sleep",
            custom_mpi_settings=models.CustomMpiSettings(command_line=command, process_count=RANKS),
            job_preparation=models.JobPreparation(command_line=gate(name)),
            environment_variables=[*found, *variables(YARD_TEST_JOB=tag_of(yard, name))],
        )

    def check_nothing_is_left(self):
        """No work of it under any name either."""
        super().check_nothing_is_left()
        assert running(self.work) == 0


@pytest.fixture
def victim(yard, tmp_path):
    return lambda name: Toolkit(yard, name, tmp_path)


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
    helper = job.find("orted", node=job.folder_of_rank(1))
    assert len(helper) == 1
    kill_by_number(helper[0])
    state, code, shown = job.ended()
    fact(f"killed orted on the second node: {(state, code, shown)}")
    assert (state, shown) == ("failed", ["JobFailed"]) and code != 0


@pytest.mark.parametrize("index", range(RANKS))
def test_a_node_is_killed(victim, yard, fact, index):
    job = victim(f"kill-node-{index}")
    job.open()
    before = job.ranks()
    kill_by_number(node_of(job.folder_of_rank(index)))

    def again():
        """Both ranks of the next attempt work, and nobody else does."""
        alive = running(job.work)
        assert alive <= RANKS, "two attempts at once"
        return alive == RANKS and not set(job.find("sleep")) & set(before)

    poll_until("the job works again", again)
    assert yard.get_job(job.name).execution_state == "running"
    job.end_well()
    for pid in job.ranks():
        kill_by_number(pid)
    shown = job.ended()
    fact(f"killed node {index} of two: back in the line, runs again; its ranks killed then: {shown}")
    assert shown == ("failed", 137, ["JobFailed"])
