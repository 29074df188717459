"""kill -9 of each process of a running MPI job of two nodes in containers, and of what runs its containers: what is shown
of the job then, and what is left on the machine and in the nodes.

Open MPI of this machine runs in an image made of its files; its ranks sum up all the time.
"""

import subprocess
from pathlib import Path

import pytest
from azure.mgmt.batchai import models
from conftest import leave_out
from harness import kill_by_number, nodes_among, parent_of, poll_until, processes, running_server
from images import make_root, need_podman, open_mpi
from launchers import variables
from leftovers import mount_points, node_folders, of_node
from victims import RANKS, Victim, node_processes, tag_of
from yards import ROOT, Yard, gate

IMAGE = "stand/mpi:1"
PROGRAM = Path(__file__).parent / "payloads/ranks.c"
FAILED = ("failed", 137, ["JobFailed"])


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder with the image."""
    need_podman()
    folder = tmp_path_factory.mktemp("images")
    root = make_root(folder, {**open_mpi(), "/usr/bin/ranks": compiled(folder / "ranks")})
    root.rename(folder / "stand_mpi_1.tar")
    return folder


def compiled(program):
    library = next(Path("/usr/lib").glob("*/libmpi.so.40"))
    try:
        subprocess.run(["cc", "-O1", "-o", program, PROGRAM, library], check=True)
    except FileNotFoundError:
        leave_out("there is no C compiler here (ranks in containers)")
    return program


@pytest.fixture(scope="module")
def yard(images):
    before = mount_points()
    with running_server(start=False) as server:
        server.environment["TRAINYARD_CONTAINERS_IMAGES"] = str(images)
        server.start()
        yard = Yard(server)
        yard.build(nodes=RANKS)
        yield yard
    assert mount_points() == before, "something stays mounted when all has ended"


def contained():
    return models.ContainerSettings(image_source_registry=models.ImageSourceRegistry(image=IMAGE))


@pytest.fixture
def victim(yard):
    """Makes a job; afterwards nothing may be left of its containers and the nodes must do the next job."""
    before = mount_points()

    def make(name):
        command = f"exec /usr/bin/ranks {ROOT}/gate-{name}-end"
        return Victim(
            yard,
            name,
            "ranks",
            custom_mpi_settings=models.CustomMpiSettings(command_line=command, process_count=RANKS),
            container_settings=contained(),
            job_preparation=models.JobPreparation(command_line=gate(name)),
            environment_variables=variables(YARD_TEST_JOB=tag_of(yard, name)),
        )

    yield make
    yard.wait_idle(yard.cluster, RANKS)
    nodes = node_folders(yard.server)
    assert len(nodes) == RANKS
    job = f"after-{len(list(yard.jobs()))}"
    settings = models.CustomMpiSettings(command_line="test ! -e /etc/debian_version", process_count=RANKS)
    after = yard.run(job, nodes=RANKS, custom_mpi_settings=settings, container_settings=contained())
    assert after.execution_state == "succeeded", after.execution_info.as_dict()
    assert node_folders(yard.server) == nodes, "the nodes are the same as before it"
    assert {folder.name: of_node(folder) for folder in nodes} == {folder.name: {} for folder in nodes}
    assert mount_points() == before


def above(pid, word):
    """The nearest process above this one with this word in its command line."""
    while word not in Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " "):
        pid = parent_of(pid)
        assert pid > 1, f"no {word} above"
    return pid


def init_of(rank):
    return above(rank, "contained init")


def conmon_of(rank):
    return above(rank, "conmon ")


def clients(job, index):
    """The processes that wait on the node for what runs in its container."""
    found = processes(f"contained run {job.folder_of_rank(index)}/".replace(" ", "\0"))
    assert found
    return list(found)


def test_nobody_is_killed(victim, yard, fact):
    job = victim("kill-nobody")
    job.open()
    job.end_well()
    shown = job.ended()
    said = yard.read(job.name, "stdout.txt")
    fact(f"a job in two containers, nobody killed: {shown}")
    assert shown == ("succeeded", 0, [])
    assert sorted(said.splitlines()) == [f"rank {index} of 2: sum 3" for index in range(RANKS)]


def test_the_preparation_is_killed_in_one_container(victim, fact):
    job = victim("kill-preparation")
    preparing = poll_until("both nodes prepare", lambda: len(job.find("bash")) == RANKS and job.find("bash"))
    kill_by_number(preparing[1])
    shown = job.ended()
    fact(f"in containers, killed the preparation on one of two nodes: {shown}")
    assert shown == ("failed", 137, ["JobPreparationFailed"])


def test_the_launcher_is_killed(victim, fact):
    job = victim("kill-launcher")
    job.open()
    [launching] = job.find("mpirun")
    kill_by_number(launching)
    shown = job.ended()
    fact(f"in containers, killed mpirun: {shown}")
    assert shown == FAILED


@pytest.mark.parametrize("index", range(RANKS))
def test_a_rank_is_killed(victim, fact, index):
    job = victim(f"kill-rank-{index}")
    job.open()
    kill_by_number(job.rank(index))
    shown = job.ended()
    fact(f"in containers, killed rank {index}: {shown}")
    assert shown == FAILED


def test_the_launchers_helper_on_the_other_node_is_killed(victim, fact):
    job = victim("kill-helper")
    job.open()
    [helper] = job.find("orted", node=job.folder_of_rank(1))
    kill_by_number(helper)
    state, code, shown = job.ended()
    fact(f"in containers, killed orted on the second node: {(state, code, shown)}")
    assert (state, shown) == ("failed", ["JobFailed"]) and code != 0


@pytest.mark.parametrize("index", range(RANKS))
def test_the_first_process_of_a_container_is_killed(victim, fact, index):
    job = victim(f"kill-init-{index}")
    job.open()
    kill_by_number(init_of(job.rank(index)))
    state, code, shown = job.ended()
    fact(f"killed the first process of the container on node {index}: {(state, code, shown)}")
    assert (state, shown) == ("failed", ["JobFailed"]) and code != 0


@pytest.mark.parametrize("index", range(RANKS))
def test_what_waits_for_a_container_on_its_node_is_killed(victim, fact, index):
    job = victim(f"kill-client-{index}")
    job.open()
    for client in clients(job, index):
        kill_by_number(client)
    state, code, shown = job.ended()
    fact(f"killed what waits on node {index} for its container: {(state, code, shown)}")
    assert (state, shown) == ("failed", ["JobFailed"]) and code != 0


@pytest.mark.parametrize("index", range(RANKS))
def test_the_monitor_of_a_container_is_killed_which_the_job_does_not_notice(victim, fact, index):
    job = victim(f"kill-monitor-{index}")
    job.open()
    kill_by_number(conmon_of(job.rank(index)))
    job.end_well()
    shown = job.ended()
    fact(f"killed conmon on node {index}: {shown}")
    assert shown == ("succeeded", 0, [])


@pytest.mark.parametrize("index", range(RANKS))
@pytest.mark.parametrize("which", ["inner", "outer"])
def test_a_node_is_killed(victim, yard, fact, which, index):
    job = victim(f"kill-{which}-node-{index}")
    job.open()
    before, folder = job.ranks(), job.folder_of_rank(index)
    both = node_processes(folder)
    [inner] = nodes_among(both)
    outer = [pid for pid in both if pid != inner]
    if which == "outer" and not outer:
        leave_out("nodes are not isolated here (outer processes of nodes)")
    kill_by_number(inner if which == "inner" else outer[0])

    def again():
        """Both ranks of the next attempt work, and nobody else does."""
        alive = set(job.find("ranks"))
        assert len(alive) <= RANKS, "two attempts at once"
        return len(alive) == RANKS and not alive & set(before)

    poll_until("the job works again", again)
    assert yard.get_job(job.name).execution_state == "running"
    assert folder not in map(str, node_folders(yard.server)), "the dead node is gone"
    job.end_well()
    shown = job.ended()
    fact(f"killed the {which} process of node {index} of two: back in the line, runs again, then: {shown}")
    assert shown == ("succeeded", 0, [])


def test_the_server_is_killed_while_containers_run(victim, yard, fact):
    job = victim("kill-server")
    poll_until("both nodes prepare", lambda: len(job.find("bash")) == RANKS)
    for moment in ("while they prepare", "while they work"):
        yard.server.kill()
        yard.server.start()
        if moment == "while they prepare":
            job.open()
            before = job.ranks()
    assert job.ranks() == before, "the same ranks still work"
    yard.server.kill()
    job.end_well()
    poll_until("all ends without a server", lambda: not job.find("ranks"))
    yard.server.start()
    shown = job.ended()
    fact(f"killed the server thrice while two containers ran: {shown}")
    assert shown == ("succeeded", 0, [])
    assert yard.read(job.name, "stdout.txt").count("sum 3") == RANKS
