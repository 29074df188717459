"""A server that an ordinary user runs: its nodes are on the plain level, and all else is as ever."""

import os
import shutil
import tempfile
from pathlib import Path

import harness
import pytest
import yards
from conftest import leave_out
from harness import long_sleep, poll_until, running

NOBODY = 65534


@pytest.fixture(scope="module")
def yard():
    if os.geteuid() != 0:
        leave_out("the tests run as an ordinary user already")
    # Others must be able to read the program, and to reach the data, wherever this was built.
    folder = Path(tempfile.mkdtemp(prefix="yard-ordinary-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        with harness.running_server(start=False) as server:
            server.program = shutil.copy(harness.binary(), folder)
            server.data = shutil.copytree(server.data, folder / "data")
            for path in [server.data, *server.data.iterdir()]:
                os.chown(path, NOBODY, NOBODY)
            server.user = NOBODY
            server.environment["HOME"] = str(server.data)
            server.start()
            yard = yards.Yard(server)
            yard.build(nodes=2)
            yield yard
    finally:
        shutil.rmtree(folder)


def test_jobs_run_as_the_server_s_user_on_plain_nodes(yard):
    job = yard.run("plain", "id -u; echo $AZ_BATCHAI_MOUNT_ROOT; hostname")
    assert job.execution_state == "succeeded"
    user, root, _ = yard.read("plain", "stdout.txt").splitlines()
    assert user == str(NOBODY)
    assert root.startswith(str(yard.server.data))
    log = yard.server.log.read_text()
    assert "nodes are not kept apart" in log and "root" in log


def test_two_nodes_meet_and_what_a_job_leaves_is_ended(yard):
    daemon = long_sleep()
    job = yard.run("both", f"setsid {daemon} & ls $AZ_BATCHAI_SHARED_JOB_TEMP; cat $AZ_BATCHAI_MPI_HOST_FILE", nodes=2)
    assert job.execution_state == "succeeded"
    assert len(yard.read("both", "stdout.txt").splitlines()) == 2
    poll_until("the daemon is gone", lambda: running(daemon) == 0)


def test_a_job_is_stopped_with_all_it_started(yard):
    sleep = long_sleep()
    yard.submit("stubborn", f"trap '' TERM; {sleep}; {sleep}")
    poll_until("the job works", lambda: running(sleep) == 1)
    yard.client.jobs.terminate(yard.group, yard.workspace, yard.experiment, "stubborn").result(harness.PATIENCE)
    assert yard.wait_job("stubborn").execution_state == "failed"
    assert running(sleep) == 0
