"""Jobs that run as an account of the machine without rights, with all that a job may have."""

import shutil
import subprocess
from pathlib import Path

import harness
import pytest
import yards
from azure.mgmt.batchai import models
from conftest import leave_out
from test_file_servers import folder_of, make, reference
from yards import codes

ACCOUNT = "nobody"


@pytest.fixture(scope="module")
def yard():
    with harness.running_server(start=False) as server:
        with open(server.data / "trainyard.toml", "a") as configuration:
            configuration.write(f'level = "auto"\nrun_as = "{ACCOUNT}"\n')
        try:
            server.start()
        except AssertionError:
            if "isolated nodes are asked for" in server.log.read_text():
                leave_out("isolated nodes cannot be had here (run_as)")
            raise
        yard = yards.Yard(server)
        yard.build(nodes=2)
        yield yard


def run_well(yard, name, *arguments, **more):
    job = yard.run(name, *arguments, **more)
    said = {file: yard.read(name, file) for file in yard.files(name) if file.startswith("std")}
    assert job.execution_state == "succeeded", f"{codes(job)} {said}"
    return said


def test_a_job_of_two_nodes_has_shares_servers_preparation_and_the_other_node(yard):
    server = make(yard, "disk")
    script = """set -e
id -un; cat $AZ_BATCHAI_SHARED_JOB_TEMP/prepared-*
echo 1 > $AZ_BATCHAI_JOB_MOUNT_ROOT/own/file; echo 2 > $AZ_BATCHAI_JOB_MOUNT_ROOT/nfs/file
for node in ${AZ_BATCH_HOST_LIST//,/ }; do
  ssh -o StrictHostKeyChecking=no $node "id -un; cat $AZ_BATCHAI_JOB_MOUNT_ROOT/own/file"
done"""
    said = run_well(
        yard,
        "all",
        script,
        nodes=2,
        job_preparation=models.JobPreparation(
            command_line='id -un > $(mktemp "$AZ_BATCHAI_SHARED_JOB_TEMP/prepared-XXXXXX")'
        ),
        mount_volumes=models.MountVolumes(
            azure_file_shares=[yards.share_reference("own")],
            file_servers=[reference(server, source="new/place")],
        ),
    )
    lines = said["stdout.txt"].split()
    assert lines == [ACCOUNT] * 3 + [ACCOUNT, "1"] * 2, said
    places = [
        yard.server.share(yards.ACCOUNT, "own") / "file",
        folder_of(yard, "disk") / "new/place/file",
        yard.share,
    ]
    assert [place.owner() for place in places] == [ACCOUNT] * 3


def test_an_mpi_job_starts_its_ranks_on_both_nodes(yard):
    mpirun = shutil.which("mpirun")
    if mpirun is None:
        leave_out("mpirun is not here (install it: apt-get install openmpi-bin)")
    told = subprocess.run([mpirun, "--version"], capture_output=True, text=True, check=False).stdout
    if "Open MPI" not in told:
        leave_out(f"mpirun is another one than that of Open MPI ({Path(mpirun).resolve()})")
    said = run_well(
        yard,
        "mpi",
        nodes=2,
        custom_mpi_settings=models.CustomMpiSettings(
            command_line="sh -c 'echo $(hostname) $(id -un) rank $OMPI_COMM_WORLD_RANK'", process_count=3
        ),
    )
    ranks = sorted(line.split() for line in said["stdout.txt"].splitlines() if " rank " in line)
    assert len(ranks) == 3 and {rank[1] for rank in ranks} == {ACCOUNT}, said
    assert len({rank[0] for rank in ranks}) == 2, ranks
