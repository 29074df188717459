"""Volumes that nodes mount: containers of a real store by rclone, and file systems by mount commands."""

import os
import shutil

import harness
import pytest
import stores
from azure.mgmt.batchai import models
from harness import PATIENCE
from test_accounts import container, ended, errors_of
from yards import Yard

pytestmark = pytest.mark.skipif(
    not shutil.which("rclone") or not os.path.exists("/dev/fuse"),
    reason="left out: rclone and /dev/fuse are not both here (volumes)",
)


@pytest.fixture(scope="module")
def azurite():
    with stores.running(stores.Azurite) as store:
        yield store


@pytest.fixture(scope="module")
def cloudy(azurite):
    """A yard whose server knows the account in Azurite."""
    with harness.running_server(start=False) as server:
        key = stores.secret_file(server, stores.KEY)
        stores.configure(server, **{azurite.account: azurite.settings(key)})
        server.start()
        yard = Yard(server)
        yard.build(1)
        yield yard


def mounted(yard):
    """What the machine has mounted for the server; others may mount at any time."""
    folder = str(yard.server.data)
    with open("/proc/self/mountinfo") as table:
        places = [line.split(" ")[4] for line in table]
    return [place for place in places if place.startswith(folder)]


def submit(yard, name, volumes, command, root="$AZ_BATCHAI_JOB_MOUNT_ROOT/data"):
    wish = models.JobCreateParameters(
        cluster=models.ResourceId(id=yard.get_cluster(yard.cluster).id),
        node_count=1,
        std_out_err_path_prefix=root,
        mount_volumes=volumes,
        output_directories=[models.OutputDirectory(id="MODEL", path_prefix=root)],
        custom_toolkit_settings=models.CustomToolkitSettings(command_line=command),
    )
    made = yard.client.jobs.create(yard.group, yard.workspace, yard.experiment, name, wish).result(PATIENCE)
    return made.job_output_directory_path_segment


def test_what_a_job_wrote_is_in_the_container_when_it_has_succeeded(azurite, cloudy):
    files = azurite.container("models")
    files.create_container()
    files.upload_blob("in/words.txt", b"hello")
    command = (
        "set -e; d=$AZ_BATCHAI_JOB_MOUNT_ROOT/data; cat $d/in/words.txt; stat -c %a $d/in/words.txt; "
        "mkdir -p $AZ_BATCHAI_OUTPUT_MODEL/deep; head -c 3000000 /dev/zero > $AZ_BATCHAI_OUTPUT_MODEL/deep/weights; "
        "echo last > $AZ_BATCHAI_OUTPUT_MODEL/last.txt"
    )
    volumes = models.MountVolumes(azure_blob_file_systems=[container(azurite.account, "models")])
    place = submit(cloudy, "writes", volumes, command)
    found = ended(cloudy, "writes")
    # Nothing is waited for from here on.
    sizes = {blob.name: blob.size for blob in files.list_blobs(name_starts_with=place)}
    assert found.execution_state == "succeeded", errors_of(found)
    assert sizes[f"{place}/outputs/deep/weights"] == 3_000_000
    assert files.download_blob(f"{place}/outputs/last.txt").readall() == b"last\n"
    assert files.download_blob(f"{place}/stdouterr/stdout.txt").readall() == b"hello777\n"
    assert mounted(cloudy) == []


def test_a_second_job_reads_what_the_first_wrote(azurite, cloudy):
    volumes = models.MountVolumes(azure_blob_file_systems=[container(azurite.account, "relay")])
    root = "$AZ_BATCHAI_JOB_MOUNT_ROOT/data"
    submit(cloudy, "first", volumes, f"echo baton > {root}/baton")
    assert ended(cloudy, "first").execution_state == "succeeded"
    submit(cloudy, "second", volumes, f"test $(cat {root}/baton) = baton && rm {root}/baton")
    assert ended(cloudy, "second").execution_state == "succeeded"
    names = [blob.name for blob in azurite.container("relay").list_blobs()]
    assert "baton" not in names


def unmanaged(command, path="scratch"):
    reference = models.UnmanagedFileSystemReference(mount_command=command, relative_mount_path=path)
    return models.MountVolumes(unmanaged_file_systems=[reference])


@pytest.mark.skipif(os.geteuid() != 0, reason="left out: only root can mount (volumes)")
def test_a_mount_command_of_a_job_is_run_or_refused_with_its_reason(cloudy):
    root = "$AZ_BATCHAI_JOB_MOUNT_ROOT/scratch"
    command = f"test $(stat -f -c %T {root}) = tmpfs && echo x > {root}/x"
    submit(cloudy, "tmpfs", unmanaged("mount -t tmpfs -o size=1m none"), command, root=root)
    found = ended(cloudy, "tmpfs")
    assert found.execution_state == "succeeded", errors_of(found)
    submit(cloudy, "bind", unmanaged("mount --bind /etc"), "true", root=root)
    found = ended(cloudy, "bind")
    assert (found.execution_state, found.execution_info.exit_code) == ("failed", -1)
    (why,) = errors_of(found)["UnmanagedMountError"]
    assert "local.mount_commands" in why
    assert mounted(cloudy) == []
