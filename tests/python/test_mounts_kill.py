"""kill -9 of the server and of nodes at moments all over the life of a job that mounts a volume of each kind."""

import os
import random
import shutil
import time

import harness
import pytest
import stores
from azure.mgmt.batchai import models
from harness import kill_by_number, parent_of, poll_until, running_server
from test_accounts import container, errors_of
from test_mounts import unmanaged
from yards import ROOT, Yard, share_reference

pytestmark = pytest.mark.skipif(
    not shutil.which("rclone") or not os.path.exists("/dev/fuse") or os.geteuid() != 0,
    reason="left out: rclone, /dev/fuse and root are not all here (volumes)",
)
SEED = int(os.environ.get("YARD_SEED", "20180501"))  # another one replays another run
MOMENTS = int(os.environ.get("YARD_MOMENTS", "8"))
LIFE = 3.0  # seconds from the PUT of a job to its end, about
JOBS = "$AZ_BATCHAI_JOB_MOUNT_ROOT"
CLUSTER = "$AZ_BATCHAI_MOUNT_ROOT"


@pytest.fixture(scope="module")
def azurite():
    with stores.running(stores.Azurite) as store:
        yield store


@pytest.fixture(params=["plain", "isolated"])
def shaken(request, azurite):
    """A yard with a server of its own, whose cluster mounts a directory, a container and a file system in memory."""
    with running_server(start=False) as server:
        with open(server.data / "trainyard.toml", "a", encoding="utf-8") as file:
            file.write(f'level = "{request.param}"\n')
        key = stores.secret_file(server, stores.KEY)
        stores.configure(server, **{azurite.account: azurite.settings(key)})
        server.start()
        yard = Yard(server)
        of_cluster = models.MountVolumes(
            azure_file_shares=[share_reference()],
            azure_blob_file_systems=[container(azurite.account, "of-cluster")],
            unmanaged_file_systems=unmanaged("mount -t tmpfs -o size=1m none").unmanaged_file_systems,
        )
        yard.build(1, node_setup=models.NodeSetup(mount_volumes=of_cluster))
        yield yard
        server.stop()
        with open("/proc/self/mountinfo") as table:
            assert str(server.data) not in table.read(), "something is still mounted"


# Whatever attempt runs it, it ends with the same files; it says in the ledger when it starts and stops.
WORK = f"""set -e
echo start >> {ROOT}/ledger-$NAME
test $(stat -f -c %T {CLUSTER}/scratch) = tmpfs; test $(stat -f -c %T {JOBS}/scratch) = tmpfs
mkdir -p {JOBS}/data/$NAME
for i in 0 1 2 3 4 5 6 7 8 9; do echo $i > {JOBS}/data/$NAME/$i; echo $i > {JOBS}/scratch/$i; sleep 0.08; done
echo $NAME > {CLUSTER}/data/$NAME
echo stop >> {ROOT}/ledger-$NAME
"""


def submit(yard, account, name):
    volumes = models.MountVolumes(
        azure_blob_file_systems=[container(account, "of-jobs")],
        unmanaged_file_systems=unmanaged("mount -t tmpfs -o size=1m none").unmanaged_file_systems,
    )
    variable = models.EnvironmentVariable(name="NAME", value=name)
    wish = yard.job_parameters(WORK, mount_volumes=volumes, environment_variables=[variable])
    wish.std_out_err_path_prefix = f"{CLUSTER}/data"
    yard.put_job(name, wish)


def outputs(azurite, name):
    of_jobs = {blob.name for blob in azurite.container("of-jobs").list_blobs(name_starts_with=f"{name}/")}
    return of_jobs, azurite.container("of-cluster").download_blob(name).readall()


def rclones(yard):
    return [pid for pid, command in yard.server.left().items() if command.startswith("rclone mount")]


def check(yard, azurite, name):
    """It has succeeded, what it wrote is stored at that moment, and its volumes are gone."""
    job = yard.wait_job(name)
    stored = outputs(azurite, name)
    assert job.execution_state == "succeeded", errors_of(job)
    assert stored == ({f"{name}/{i}" for i in range(10)}, f"{name}\n".encode()), "outputs are not stored"
    yard.wait_idle(yard.cluster, 1)
    poll_until("one rclone is left, the cluster's", lambda: len(rclones(yard)) == 1)


def moments():
    dice = random.Random(SEED)
    found = [(number + dice.random()) * LIFE / MOMENTS for number in range(MOMENTS)]
    print(f"seed {SEED}, kills so many seconds after the PUT: {[f'{moment:.2f}' for moment in found]}")
    return found


def test_the_server_is_killed_while_volumes_are_mounted(shaken, azurite, fact):
    yard, server, during = shaken, shaken.server, 0
    begun = time.monotonic()
    for number, moment in enumerate(moments()):
        name = f"server-{number}"
        submit(yard, azurite.account, name)
        time.sleep(moment)  # the random moment itself
        during += yard.get_job(name).execution_state == "running"
        server.kill()
        server.start()
        check(yard, azurite, name)
        assert (yard.share / f"ledger-{name}").read_text() == "start\nstop\n", "it ran once"
    assert during >= MOMENTS // 3, f"only {during} kills hit a job that ran"
    took = time.monotonic() - begun
    fact(f"kill -9 of the server at {MOMENTS} moments of jobs with volumes, {during} while one ran: {took:.0f} s")


def node_processes(yard):
    """The node's processes, the outer one first where it is isolated."""
    found = [pid for pid, command in yard.server.left().items() if " node --folder " in command]
    return sorted(found, key=lambda pid: parent_of(pid) in found)


def test_a_node_is_killed_while_volumes_are_mounted(shaken, azurite, fact):
    yard, again = shaken, 0
    begun = time.monotonic()
    for number, moment in enumerate(moments()):
        name = f"node-{number}"
        submit(yard, azurite.account, name)
        time.sleep(moment)  # the random moment itself
        nodes = node_processes(yard)
        kill_by_number(nodes[number % len(nodes)])
        check(yard, azurite, name)
        lines = (yard.share / f"ledger-{name}").read_text().split()
        assert lines[-2:] == ["start", "stop"] and len(lines) <= 4, lines
        again += len(lines) > 2
    assert again >= MOMENTS // 5, f"only {again} jobs had to run again"
    took = time.monotonic() - begun
    fact(f"kill -9 of a node at {MOMENTS} moments of jobs with volumes, {again} ran again: {took:.0f} s")
