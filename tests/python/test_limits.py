"""What a VM size has is what its nodes get: memory that runs out is told with its figures."""

import pytest
from conftest import leave_out
from harness import CONFIGURATION, running_server
from yards import ROOT, Yard, codes, manual

SIZES = """
[vm_sizes.SMALL]
cores = 1
memory = 64
processes = 60
family = "Standard D Family"
"""
# Wants 300 MiB at once.
GREEDY = "set -o pipefail; head -c 300M /dev/zero | tail -c 299M > /dev/null"
OWN_VERSION = "2026-12-01-preview"


@pytest.fixture(scope="module")
def small():
    """A yard with two nodes of a small size."""
    with running_server(start=False) as server:
        (server.data / "trainyard.toml").write_text(CONFIGURATION + SIZES)
        server.start()
        if "nodes are held to the limits of their VM size" not in server.log.read_text():
            leave_out("this machine enforces no limits")
        yard = Yard(server, cluster="small")
        yard.build(nodes=2, vm_size="small")
        yield yard


def details(error):
    return {detail.name: detail.value for detail in error.details}


def test_a_job_over_its_memory_says_so_with_the_figures(small):
    job = small.run("greedy", GREEDY)
    assert job.execution_state == "failed" and job.execution_info.exit_code == 137
    assert codes(job) == ["JobMemoryLimitExceeded"]
    (error,) = job.execution_info.errors
    assert "64 MiB of a node of size small" in error.message
    told = details(error)
    assert told["limitInBytes"] == str(64 << 20) and told["vmSize"] == "small"
    assert 60 << 20 <= int(told["highestUseInBytes"]) <= 64 << 20
    assert told["nodeId"] in small.node_ids("small")
    # Of the next job on the node it says nothing.
    assert codes(small.run("another", "exit 3")) == ["JobFailed"]


def test_the_node_on_which_memory_ran_out_is_named(small):
    command = f'if [ "$NODE_RANK" = 1 ]; then {GREEDY}; else sleep 600; fi'
    properties = {
        "cluster": {"id": small.get_cluster("small").id},
        "nodeCount": 2,
        "stdOutErrPathPrefix": ROOT,
        "customToolkitSettings": {"commandLine": command, "perNode": True},
        "constraints": {"maxWallClockTime": "PT5M"},
    }
    path = f"{small.group_path}/providers/Microsoft.BatchAI/workspaces/yard/experiments/runs/jobs/second"
    made = small.server.call("PUT", path, version=OWN_VERSION, json={"properties": properties})
    assert made.status_code == 200, made.text
    job = small.wait_job("second")
    assert codes(job) == ["JobMemoryLimitExceeded"] and job.execution_info.exit_code == 137
    assert details(job.execution_info.errors[0])["nodeId"] in small.node_ids("small")


MANY = """cat > many.py <<'END'
import os, time
for number in range(200):
    try:
        child = os.fork()
    except OSError:
        print(number)
        break
    if child == 0:
        time.sleep(1000)
END
python3 many.py
"""


def test_processes_beyond_the_limit_are_refused_and_the_log_says_so(small):
    job = small.run("many", MANY)
    assert job.execution_state == "succeeded"
    assert 40 <= int(small.read("many", "stdout.txt")) <= 63
    assert "not started: no more than 60 are allowed on small" in small.read("many", "execution.log")
