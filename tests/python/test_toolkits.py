"""Every toolkit with real processes: parameter servers, three kinds of MPI, PyTorch over gloo."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import harness
import pytest
import yards
from azure.mgmt.batchai import models
from conftest import leave_out
from launchers import launcher, variables
from yards import ROOT, codes

PAYLOADS = Path(__file__).parent / "payloads"
SYSTEM_PYTHON = "/usr/bin/python3"  # the one that distributions install PyTorch for


@pytest.fixture(scope="module", params=["auto", "plain"])
def yard(request):
    """Two nodes of the level that a server chooses here, and two plain ones."""
    with harness.running_server(start=False) as server:
        with open(server.data / "trainyard.toml", "a") as configuration:
            configuration.write(f'level = "{request.param}"\n')
        server.start()
        yard = yards.Yard(server)
        yard.build(nodes=2)
        yield yard


@pytest.fixture
def payload(yard):
    """Puts a script on the share; its path there."""

    def put(name):
        (yard.share / "payloads").mkdir(exist_ok=True)
        shutil.copy(PAYLOADS / name, yard.share / "payloads" / name)
        return f"{ROOT}/payloads/{name}"

    return put


def outputs(yard, job):
    """The text of stdout and stderr files by name."""
    return {name: yard.read(job, name) for name in yard.files(job) if name.startswith("std")}


def run_well(yard, name, **more):
    job = yard.run(name, **more)
    said = outputs(yard, name)
    assert job.execution_state == "succeeded", f"{codes(job)} {said}"
    return said


# --- parameter servers


def test_workers_train_through_a_parameter_server(yard, payload):
    hosts = "--ps_hosts=$AZ_BATCHAI_PS_HOSTS --worker_hosts=$AZ_BATCHAI_WORKER_HOSTS --task_index=$AZ_BATCHAI_TASK_INDEX"
    settings = models.TensorFlowSettings(
        python_script_file_path=payload("parameter_server.py"),
        python_interpreter_path=sys.executable,
        master_command_line_args=f"--job_name=worker {hosts}",
        worker_command_line_args=f"--job_name=worker {hosts}",
        parameter_server_command_line_args=f"--job_name=ps {hosts}",
        worker_count=2,
        parameter_server_count=1,
    )
    said = run_well(yard, "servers", nodes=2, tensor_flow_settings=settings)
    names = [f"std{stream}-{task}.txt" for stream in ("err", "out") for task in ("ps-0", "wk-0", "wk-1")]
    assert sorted(said) == names
    assert said["stdout-ps-0.txt"].startswith("serving at 127.")
    first, second = said["stdout-wk-0.txt"].split(), said["stdout-wk-1.txt"].split()
    assert [first[1], second[1]] == ["0", "1"]
    for worker in (first, second):
        assert abs(float(worker[5]) - 3) < 0.2 and abs(float(worker[7]) - 1) < 0.2, worker
    # The server has seen both workers at the addresses of their own nodes.
    assert first[3] != second[3] and first[9].split(",") == sorted([first[3], second[3]])


# --- MPI


def told(text):
    """What mpi_sum.py prints: the library, and of each rank its total, node, folder and word."""
    library, *lines = text.splitlines()
    words = [line.split() for line in lines if line.startswith("rank ")]
    return library, [(int(w[1]), int(w[3]), w[5], w[7], w[9]) for w in words]


def check_three_ranks(text, library):
    said, ranks = told(text)
    assert said == library
    assert [(rank, total, word) for rank, total, _, _, word in ranks] == [(n, 6, "aye") for n in range(3)]
    nodes = [node for _, _, node, _, _ in ranks]
    # Two on the first node, one on the second, each with the environment of its own node.
    assert nodes[0] == nodes[1] != nodes[2]
    assert all(folder.startswith((node, "/mnt/batch/")) for _, _, node, folder, _ in ranks)


def custom_mpi(command, processes=3):
    return models.CustomMpiSettings(command_line=command, process_count=processes)


def run_sum(payload, *arguments):
    return " ".join([sys.executable, payload("mpi_sum.py"), *arguments])


# Where nodes share no memory, this MPICH may wait for ever in MPI_Finalize (docs/toolkits.md).
MPICH_RUNS = pytest.mark.parametrize("yard", ["plain"], indirect=True)


@pytest.mark.parametrize("kind", ["Open MPI", "Intel MPI"])
def test_an_mpi_job_runs_its_ranks_on_their_nodes(yard, payload, tmp_path, fact, kind):
    check_mpi(yard, payload, tmp_path, fact, kind)


@MPICH_RUNS
def test_mpich_runs_its_ranks_on_their_nodes(yard, payload, tmp_path, fact):
    check_mpi(yard, payload, tmp_path, fact, "MPICH")


def check_mpi(yard, payload, tmp_path, fact, kind):
    environment, library = launcher(kind, tmp_path)
    name = f"mpi-{kind.split()[0].lower()}"
    begun = time.monotonic()
    said = run_well(
        yard,
        name,
        nodes=2,
        custom_mpi_settings=custom_mpi(run_sum(payload)),
        environment_variables=[*environment, *variables(WORD="aye")],
    )
    fact(f"{kind}: three ranks on two nodes from PUT to the end in {time.monotonic() - begun:.2f} s")
    assert sorted(said) == ["stderr.txt", "stdout.txt"]
    check_three_ranks(said["stdout.txt"], library)


def test_the_exit_code_of_a_rank_is_that_of_the_job(yard, payload, tmp_path):
    environment, _ = launcher("Open MPI", tmp_path)
    job = yard.run(
        "mpi-fails",
        nodes=2,
        custom_mpi_settings=custom_mpi(run_sum(payload, "9")),
        environment_variables=environment,
    )
    assert (job.execution_info.exit_code, codes(job)) == (9, ["JobFailed"])


def test_horovod_and_chainer_scripts_run_by_mpi(yard, payload, tmp_path):
    environment, library = launcher("Open MPI", tmp_path)
    for kind, member in ((models.HorovodSettings, "horovod_settings"), (models.ChainerSettings, "chainer_settings")):
        settings = kind(
            python_script_file_path=payload("mpi_sum.py"), python_interpreter_path=sys.executable, process_count=3
        )
        said = run_well(
            yard,
            member.replace("_", "-"),
            nodes=2,
            environment_variables=[*environment, *variables(WORD="aye")],
            **{member: settings},
        )
        check_three_ranks(said["stdout.txt"], library)


def test_pytorch_ranks_of_mpi_know_their_index(yard, tmp_path):
    environment, _ = launcher("Open MPI", tmp_path)
    (yard.share / "index.py").write_text('import os, sys; print("index", sys.argv[1], os.environ["AZ_BATCHAI_TASK_INDEX"])')
    settings = models.PyTorchSettings(
        python_script_file_path=f"{ROOT}/index.py",
        python_interpreter_path=sys.executable,
        command_line_args="$AZ_BATCHAI_TASK_INDEX",
        process_count=4,
        communication_backend="mpi",
    )
    said = run_well(yard, "index", nodes=2, py_torch_settings=settings, environment_variables=environment)
    assert sorted(said["stdout.txt"].splitlines()) == [f"index {n} {n}" for n in range(4)]


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_users_own_call_of_mpirun_reaches_all_nodes(yard, payload, tmp_path, nodes):
    """As the recipes before the toolkits wrote it."""
    environment, _ = launcher("Open MPI", tmp_path)
    command = (
        "mpirun -mca btl_tcp_if_exclude docker0,lo --allow-run-as-root --hostfile $AZ_BATCHAI_MPI_HOST_FILE "
        + run_sum(payload)
    )
    said = run_well(yard, f"own-call-{nodes}", command=command, nodes=nodes, environment_variables=environment)
    _, ranks = told(said["stdout.txt"])
    assert len(ranks) == nodes and len({node for _, _, node, _, _ in ranks}) == nodes


@MPICH_RUNS
def test_a_users_own_call_of_mpich_takes_the_host_list(yard, payload, tmp_path):
    environment, _ = launcher("MPICH", tmp_path)
    command = "mpirun -n 2 -ppn 1 -hosts $AZ_BATCH_HOST_LIST " + run_sum(payload)
    said = run_well(yard, "host-list", command=command, nodes=2, environment_variables=environment)
    _, ranks = told(said["stdout.txt"])
    assert [total for _, total, _, _, _ in ranks] == [3, 3]


def test_without_a_launcher_the_job_says_what_is_missing(yard, tmp_path):
    for tool in ("bash", "env"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    job = yard.run(
        "no-mpi",
        custom_mpi_settings=custom_mpi("true", processes=2),
        environment_variables=variables(PATH=str(tmp_path)),
    )
    assert job.execution_info.exit_code == 127
    assert "No mpirun of Open MPI, MPICH or Intel MPI was found" in yard.read("no-mpi", "stderr.txt")


# --- PyTorch


@pytest.fixture(scope="module")
def torch():
    has = subprocess.run([SYSTEM_PYTHON, "-c", "import torch"], capture_output=True, check=False)
    if has.returncode != 0:
        leave_out("PyTorch is not here (install it: apt-get install python3-torch)")


def check_training(texts):
    """The loss fell on both ranks, which ran on two nodes and ended with the same weights."""
    ranks = sorted(line.split() for text in texts for line in text.splitlines() if line.startswith("rank "))
    assert [(rank[1], rank[3]) for rank in ranks] == [("0", "2"), ("1", "2")]
    for rank in ranks:
        assert float(rank[7]) < 0.2 * float(rank[5]), rank
    assert ranks[0][9] == ranks[1][9]
    assert ranks[0][11] != ranks[1][11]


def test_pytorch_trains_in_parallel_over_gloo(yard, payload, torch, fact):
    settings = models.PyTorchSettings(
        python_script_file_path=payload("data_parallel.py"),
        python_interpreter_path=SYSTEM_PYTHON,
        command_line_args="init=$AZ_BATCHAI_PYTORCH_INIT_METHOD rank=$AZ_BATCHAI_TASK_INDEX world_size=2",
        communication_backend="gloo",
    )
    begun = time.monotonic()
    said = run_well(yard, "gloo-ddp", nodes=2, py_torch_settings=settings)
    fact(f"PyTorch over gloo on two nodes from PUT to the end in {time.monotonic() - begun:.2f} s")
    check_training([said["stdout-0.txt"], said["stdout-1.txt"]])


def test_pytorch_finds_its_world_in_the_environment(yard, payload, torch):
    settings = models.PyTorchSettings(
        python_script_file_path=payload("data_parallel.py"),
        python_interpreter_path=SYSTEM_PYTHON,
        communication_backend="tcp",
    )
    said = run_well(yard, "env-ddp", nodes=2, py_torch_settings=settings)
    check_training([said["stdout-0.txt"], said["stdout-1.txt"]])


# --- modern launchers, by our own api-version

OWN_VERSION = "2026-12-01-preview"


def run_on_every_node(yard, name, command, nodes=2):
    """A job whose command runs on every node."""
    properties = {
        "cluster": {"id": yard.get_cluster(yard.cluster).id},
        "nodeCount": nodes,
        "stdOutErrPathPrefix": ROOT,
        "customToolkitSettings": {"commandLine": command, "perNode": True},
        "constraints": {"maxWallClockTime": "PT5M"},
    }
    path = f"{yard.group_path}/providers/Microsoft.BatchAI/workspaces/{yard.workspace}/experiments/{yard.experiment}"
    made = yard.server.call(
        "PUT", f"{path}/jobs/{name}", version=OWN_VERSION, json={"properties": properties}
    )
    assert made.status_code == 200, made.text
    job = yard.wait_job(name)
    said = outputs(yard, name)
    assert job.execution_state == "succeeded", f"{codes(job)} {said}"
    return said


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_command_runs_on_every_node_and_knows_which(yard, nodes):
    command = 'echo "$NODE_RANK of $NNODES at $MASTER_ADDR:$MASTER_PORT, ${RANK-no rank}"'
    said = run_on_every_node(yard, f"each-of-{nodes}", command, nodes)
    lines = [said[f"stdout-{index}.txt"].split() for index in range(nodes)]
    assert [line[0] for line in lines] == [str(index) for index in range(nodes)]
    assert {line[2] for line in lines} == {str(nodes)}
    assert len({line[4] for line in lines}) == 1 and all(line[5:] == ["no", "rank"] for line in lines)


def test_torchrun_trains_on_two_nodes(yard, payload, torch):
    launcher = f"{SYSTEM_PYTHON} -m torch.distributed.run --nnodes $NNODES --node_rank $NODE_RANK"
    meeting = "--master_addr $MASTER_ADDR --master_port $MASTER_PORT"
    # PyTorch 1.13 on Python 3.11 takes neither of its own defaults; what workers say is prefixed by --tee.
    command = f"{launcher} {meeting} --redirects 1 --tee 1 {payload('data_parallel.py')}"
    said = run_on_every_node(yard, "torchrun", command)
    check_training([said[f"stdout-{node}.txt"].replace("[default0]:", "") for node in range(2)])
