"""`trainyard quickstart`, as a newcomer runs it, twice."""

import subprocess
import time

import harness
import yards
from azure.mgmt.batchai import models
from harness import PATIENCE


def quickstart(server):
    command = [harness.binary(), "quickstart", "--exit"]
    command += ["--data", str(server.data), "--listen", f"127.0.0.1:{server.port}"]
    begun = time.monotonic()
    ended = subprocess.run(
        command, env=harness.own_environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    took = time.monotonic() - begun
    assert ended.returncode == 0, ended.stderr
    assert server.left() == {}, "quickstart left something running"
    return ended.stdout + ended.stderr, took


def test_quickstart_shows_two_ranks_and_goes_on_with_its_data(fact):
    with harness.running_server(start=False) as server:
        times = []
        for _ in range(2):
            text, took = quickstart(server)
            times.append(took)
            for expected in (
                "stdout-0.txt",
                "stdout-1.txt",
                "rank 0 of 2",
                "rank 1 of 2",
                "which is right",
                server.url,
                "admin-token",
            ):
                assert expected in text, text
            assert "WRONG" not in text
            assert took < 30, f"{took:.1f} s"
        fact(f"quickstart: first start {times[0]:.1f} s, second on the same data {times[1]:.1f} s")
        # The same data: both starts' jobs are there, and nothing was made twice.
        server.start()
        client = yards.client_of(server, server.subscription())
        workspaces = [workspace.name for workspace in client.workspaces.list()]
        assert workspaces == ["quickstart"]
        at = ("quickstart", "quickstart")
        assert [cluster.name for cluster in client.clusters.list_by_workspace(*at)] == ["quickstart"]
        jobs = list(client.jobs.list_by_experiment(*at, "quickstart"))
        assert [job.execution_state for job in jobs] == ["succeeded", "succeeded"]
        for job in jobs:
            options = models.JobsListOutputFilesOptions(outputdirectoryid="stdouterr")
            files = client.jobs.list_output_files(*at, "quickstart", job.name, options)
            assert {"stdout-0.txt", "stdout-1.txt"} <= {file.name for file in files}
