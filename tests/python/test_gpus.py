"""GPUs from NVML to a job's processes, with an NVML of three made-up GPUs in the place of the driver's."""

import os
import subprocess

import pytest
from azure.mgmt.batchai import models
from harness import poll_until, running_server
from yards import Yard, manual

NVML = """
#include <stdio.h>
#include <string.h>
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 4; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    if (index == 2) return 15; /* NVML_ERROR_GPU_IS_LOST */
    *device = (void *)(unsigned long)(index + 1);
    return 0;
}
int nvmlDeviceGetUUID(void *device, char *uuid, unsigned length) {
    snprintf(uuid, length, "GPU-%lu", (unsigned long)device);
    return 0;
}
"""
GPUS = {"GPU-1", "GPU-2", "GPU-4"}
SHOW = 'echo "<${CUDA_VISIBLE_DEVICES-not set}> $AZ_BATCHAI_NUM_GPUS $AZ_BATCHAI_NUM_GPUS_PER_NODE"'


@pytest.fixture
def machine(compiler, tmp_path):
    """A yard on a server that finds the made-up GPUs."""
    source, library = tmp_path / "nvml.c", tmp_path / "libnvidia-ml.so.1"
    source.write_text(NVML)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    with running_server(start=False) as server:
        server.environment["LD_LIBRARY_PATH"] = os.fspath(tmp_path)
        server.start()
        yard = Yard(server)
        yard.build(nodes=1)
        yield yard


def shown(yard, name, cluster, nodes=1):
    """What each node of a job is shown of GPUs, by its job preparation."""
    preparation = models.JobPreparation(command_line=SHOW)
    job = yard.run(name, "true", cluster=cluster, nodes=nodes, job_preparation=preparation)
    assert job.execution_state == "succeeded"
    files = [file for file in yard.files(name) if file.startswith("stdout-job_prep")]
    assert len(files) == nodes
    return [yard.read(name, file).strip() for file in files]


def test_each_node_has_gpus_of_its_own_and_jobs_see_those_alone(machine):
    yard = machine
    yard.make_cluster("single", manual(2), vm_size="Standard_NC6")
    yard.wait_idle("single", 2)
    singles = shown(yard, "singles", "single", nodes=2)
    assert all(line.endswith("> 1 1") for line in singles)
    used = {line[1 : line.index(">")] for line in singles}
    assert len(used) == 2 and used < GPUS, "a lost GPU is nobody's"
    # A node of a size without GPUs sees none.
    assert shown(yard, "plain", yard.cluster) == ["<> 0 0"]

    yard.make_cluster("double", manual(1), vm_size="standard_nc12")

    def told():
        return [error.message for error in yard.get_cluster("double").errors or []]

    (message,) = poll_until("the cluster says why it has no node", told)
    assert "This machine offers 3 GPUs, 1 free" in message
    yard.delete_cluster("single")
    yard.wait_idle("double", 1)
    (double,) = shown(yard, "doubles", "double")
    assert double.endswith("> 2 2")
    assert set(double[1 : double.index(">")].split(",")) < GPUS
