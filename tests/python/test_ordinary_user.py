"""A server that an ordinary user runs: its nodes are on the plain level, and all else is as ever."""

import io
import os
import shutil
import tarfile
import tempfile
from pathlib import Path

import harness
import pytest
import yards
from azure.mgmt.batchai import models
from conftest import leave_out
from harness import kill_by_number, long_sleep, nodes_among, poll_until, running
from images import make_root, need_podman

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
            (folder / "images").mkdir(mode=0o755)
            server.environment["TRAINYARD_CONTAINERS_IMAGES"] = str(folder / "images")
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


# --- containers: podman without root's rights


@pytest.fixture(scope="module")
def images(yard):
    """The folder of images, with one whose files are all of one user and one with a file of another."""
    need_podman()
    if not shutil.which("newuidmap"):
        leave_out("newuidmap is not here (install it: apt-get install uidmap)")
    folder = yard.server.data.parent / "images"
    folder.mkdir(mode=0o755, exist_ok=True)
    plain = make_root(folder)
    several = shutil.copy(plain, folder / "several_users_1.tar")
    with tarfile.open(several, "a") as archive:
        member = tarfile.TarInfo("./etc/shadow")
        member.uid, member.gid, member.size = 4242, 4242, 2
        archive.addfile(member, io.BytesIO(b"x\n"))
    plain.rename(folder / "stand_in_1.tar")
    return folder


def container(image="stand/in:1"):
    return models.ContainerSettings(image_source_registry=models.ImageSourceRegistry(image=image))


@pytest.mark.usefixtures("images")
def test_containers_of_an_ordinary_user_have_a_root_that_is_this_user(yard):
    command = (
        "id -u; touch $AZ_BATCHAI_SHARED_JOB_TEMP/made; ls /etc/debian_version; "
        "ssh $(tail -1 $AZ_BATCHAI_MPI_HOST_FILE | cut -d' ' -f1) 'id -u; ls /etc/debian_version'; "
        f"touch {yards.ROOT}/made; exit 7"
    )
    job = yard.run("contained", command, nodes=2, container_settings=container())
    said = yard.read("contained", "stdout.txt"), yard.read("contained", "stderr.txt")
    assert said[0] == "0\n0\n" and said[1].count("No such file") == 2, (said, job.execution_info.as_dict())
    assert (job.execution_info.exit_code, yards.codes(job)) == (7, ["JobFailed"])
    assert (yard.share / "made").stat().st_uid == NOBODY


@pytest.mark.usefixtures("images")
def test_a_container_of_an_ordinary_user_ends_with_its_job_and_with_its_node(yard):
    yard.wait_idle(yard.cluster, 2)
    daemon, work = long_sleep(), long_sleep()
    yard.submit("daemon", f"setsid env -i /bin/sh -c 'trap : TERM; {daemon}; {daemon}' & {work}", container_settings=container())
    poll_until("the job works", lambda: running(work) == 1 and running(daemon) == 1)
    yard.terminate("daemon")
    assert yards.codes(yard.wait_job("daemon")) == ["JobTerminated"]
    assert running(work) == running(daemon) == 0

    name, work = "node-killed", long_sleep()
    yard.submit(name, f"[ -e {yards.ROOT}/gate-{name} ] || {work}", container_settings=container())
    poll_until("the job works", lambda: running(work) == 1)
    # All nodes are killed, so it is one of them.
    for node in nodes_among(harness.processes("node\0--folder\0" + str(yard.server.data))):
        kill_by_number(node)
    yard.open_gate(name)
    assert yard.wait_job(name).execution_state == "succeeded"
    assert running(work) == 0
    yard.wait_idle(yard.cluster, 2)


@pytest.mark.usefixtures("images")
def test_an_image_with_files_of_several_users_needs_numbers_for_them_and_says_so(yard):
    if "nobody:" in Path("/etc/subuid").read_text():
        leave_out("nobody has numbers for more users here (what is said without)")
    job = yard.run("several", "true", container_settings=container("several/users:1"))
    assert yards.codes(job) == ["FailedStartingContainer"]
    facts = {detail.name: detail.value for detail in job.execution_info.errors[0].details}
    assert facts["imageName"] == "several/users:1" and "/etc/subuid" in facts["Info"], facts
