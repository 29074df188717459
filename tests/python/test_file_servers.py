"""File servers made by the SDK and mounted by real nodes and jobs; what is in their folders on this machine."""

import contextlib
import re
import sqlite3
from pathlib import Path

import pytest
from azure.mgmt.batchai import models
from harness import PATIENCE, poll_until
from msrestazure.azure_exceptions import CloudError
from yards import LOCATION, Yard, client_of, cluster_parameters, gate, manual

PLACE = re.compile(r"a file server is made.* file_server=\"?\S*/fileservers/(\S+?)\"? folder=\"?([^\s\"]+)")


def parameters(disks="Standard_LRS", **more):
    return models.FileServerCreateParameters(
        vm_size="STANDARD_D1",
        ssh_configuration=models.SshConfiguration(
            user_account_settings=models.UserAccountSettings(
                admin_user_name="yard", admin_user_password="a password of the test"
            )
        ),
        data_disks=models.DataDisks(disk_size_in_gb=10, disk_count=2, storage_account_type=disks),
        **more,
    )


def make(yard, name, **more):
    poller = yard.client.file_servers.create(yard.group, yard.workspace, name, parameters(**more))
    return poller.result(PATIENCE)


def delete(yard, name):
    yard.client.file_servers.delete(yard.group, yard.workspace, name).result(PATIENCE)


def refused_delete(yard, name):
    with pytest.raises(CloudError) as refused:
        delete(yard, name)
    assert (refused.value.status_code, refused.value.error.error) == (409, "FileServerInUse")
    return refused.value.message


def folder_of(yard, name):
    """Where the log says that the folder of the newest file server of this name is."""
    places = [path for made, path in PLACE.findall(yard.server.log.read_text()) if made == name]
    return Path(places[-1])


def reference(server, path="nfs", source=None):
    return models.FileServerReference(
        file_server=models.ResourceId(id=server.id),
        relative_mount_path=path,
        source_directory=source,
        mount_options="rw",
    )


def make_cluster(yard, name, nodes, *references):
    wish = cluster_parameters(manual(nodes))
    wish.node_setup.mount_volumes.file_servers = list(references)
    yard.client.clusters.create(yard.group, yard.workspace, name, wish).result(PATIENCE)
    return yard.wait_idle(name, nodes)


def test_it_is_reported_as_the_service_did(yard):
    made = make(yard, "reported")
    assert made.id.endswith("/fileservers/reported")
    assert made.provisioning_state == "succeeded"
    assert made.mount_settings.mount_point == "/data"
    assert made.mount_settings.file_server_internal_ip
    assert made.ssh_configuration.user_account_settings.admin_user_password is None
    assert re.fullmatch(
        r"/subscriptions/[^/]+/resourceGroups/fileserverrg-[-0-9a-f]{36}/providers/Microsoft.Network"
        r"/virtualNetworks/[-0-9a-f]{36}vnet/subnets/Subnet-1",
        made.subnet.id,
    )
    again = make(yard, "reported")
    assert (again.subnet.id, again.creation_time) == (made.subnet.id, made.creation_time)
    folder = folder_of(yard, "reported")
    assert folder.parent == yard.server.data / "file-servers"
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    delete(yard, "reported")
    with pytest.raises(CloudError) as gone:
        yard.client.file_servers.get(yard.group, yard.workspace, "reported")
    assert (gone.value.status_code, gone.value.error.error) == (404, "FileServerNotFound")
    delete(yard, "reported")  # of what is absent: fine


def test_two_nodes_read_what_lay_there_and_leave_their_results(yard):
    server = make(yard, "data")
    folder = folder_of(yard, "data")
    (folder / "in").mkdir()
    (folder / "in" / "words").write_text("laid down before\n")
    cluster = make_cluster(yard, "mounting", 2, reference(server), reference(server, "results", "out/deep"))
    assert cluster.subnet.id == server.subnet.id
    # The job preparation runs on each node, the command on the first.
    of_cluster, of_job = "$AZ_BATCHAI_MOUNT_ROOT", "$AZ_BATCHAI_JOB_MOUNT_ROOT"
    job = yard.run(
        "both-levels",
        f'cat "{of_job}/volume/words"; echo trained > "{of_cluster}/results/model"',
        cluster="mounting",
        nodes=2,
        job_preparation=models.JobPreparation(
            command_line=f'cp "{of_cluster}/nfs/in/words" $(mktemp "{of_job}/volume/seen-XXXXXX")'
        ),
        mount_volumes=models.MountVolumes(file_servers=[reference(server, "volume", "/in/")]),
    )
    assert job.execution_state == "succeeded", yard.read("both-levels", "stderr.txt")
    assert yard.read("both-levels", "stdout.txt") == "laid down before\n"
    copies = sorted((folder / "in").glob("seen-*"))
    assert [copy.read_text() for copy in copies] == ["laid down before\n"] * 2
    assert (folder / "out" / "deep" / "model").read_text() == "trained\n"
    assert job.mount_volumes.file_servers[0].mount_options == "rw"

    assert "the cluster mounting in the workspace yard" in refused_delete(yard, "data")
    yard.delete_cluster("mounting")
    delete(yard, "data")
    root = yard.server.data / "file-servers"
    left = [folder.name, f"trainyard.gone-{folder.name}"]
    poll_until("the folder is deleted", lambda: not any((root / name).exists() for name in left))


def test_a_job_keeps_its_file_server_until_it_is_over_and_a_name_used_again_starts_empty(yard):
    volumes = models.MountVolumes(file_servers=[reference(make(yard, "again"))])
    here = "$AZ_BATCHAI_JOB_MOUNT_ROOT/nfs"
    (folder_of(yard, "again") / "old").touch()
    yard.submit("keeper", f'{gate("keeper")}; echo kept > "{here}/result"', mount_volumes=volumes)
    assert "the job keeper of the experiment runs" in refused_delete(yard, "again")
    yard.open_gate("keeper")
    assert yard.wait_job("keeper").execution_state == "succeeded"
    first = folder_of(yard, "again")
    assert (first / "result").read_text() == "kept\n"
    delete(yard, "again")
    make(yard, "again")
    assert folder_of(yard, "again") != first
    job = yard.run("empty", f'ls -A "{here}/"', mount_volumes=volumes)
    assert job.execution_state == "succeeded"
    assert yard.read("empty", "stdout.txt") == ""
    assert not first.exists()
    delete(yard, "again")


def test_premium_disks_on_a_plain_size_fail(yard):
    for _ in range(2):
        with pytest.raises(CloudError) as failed:
            make(yard, "premium", disks="Premium_LRS")
        assert failed.value.error.error == "FileServerProvisioningFailed"
        assert "File Server provisioning has failed" in failed.value.message
    found = yard.client.file_servers.get(yard.group, yard.workspace, "premium")
    assert found.provisioning_state == "failed"
    with pytest.raises(CloudError) as refused:
        make_cluster(yard, "unmounted", 0, reference(found))
    assert (refused.value.status_code, refused.value.error.error) == (409, "FileServerFailed")
    delete(yard, "premium")


def test_one_of_the_version_before_gets_a_folder_at_the_start(own_server):
    yard = Yard(own_server)
    yard.build(nodes=1)
    server = make(yard, "old")
    folder_of(yard, "old").rmdir()
    own_server.terminate()
    # As the version before left it: no folder, and no subnet.
    with contextlib.closing(sqlite3.connect(own_server.data / "trainyard.db")) as store, store:
        store.execute("UPDATE file_servers SET folder = NULL, made_subnet = NULL")
    own_server.start()
    yard.client = client_of(own_server, yard.subscription)
    assert yard.client.file_servers.get(yard.group, yard.workspace, "old").subnet is None
    (folder,) = (own_server.data / "file-servers").iterdir()
    job = yard.run(
        "writes",
        'echo kept > "$AZ_BATCHAI_JOB_MOUNT_ROOT/nfs/file"',
        mount_volumes=models.MountVolumes(file_servers=[reference(server)]),
    )
    assert job.execution_state == "succeeded"
    assert (folder / "file").read_text() == "kept\n"


def test_it_outlives_a_killed_server_and_goes_with_its_workspace(own_server):
    yard = Yard(own_server)
    yard.build(nodes=1)
    server = make(yard, "lasting")
    own_server.kill()
    folder = folder_of(yard, "lasting")
    assert folder.is_dir()
    (folder / "words").write_text("still here\n")
    own_server.start()
    yard.client = client_of(own_server, yard.subscription)
    job = yard.run(
        "reads",
        'cat "$AZ_BATCHAI_JOB_MOUNT_ROOT/nfs/words"',
        mount_volumes=models.MountVolumes(file_servers=[reference(server)]),
    )
    assert job.execution_state == "succeeded"
    assert yard.read("reads", "stdout.txt") == "still here\n"
    yard.client.workspaces.delete(yard.group, yard.workspace).result(PATIENCE)
    poll_until("the folder is gone", lambda: not folder.exists())
    # The next one of these names is another.
    yard.client.workspaces.create(yard.group, yard.workspace, LOCATION).result(PATIENCE)
    make(yard, "lasting")
    assert list(folder_of(yard, "lasting").iterdir()) == []
