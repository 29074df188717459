"""File servers exported by a real NFS server, seen by clients that speak NFS without the kernel: libnfs's tools."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import requests
from azure.mgmt.batchai import models
from conftest import leave_out
from harness import PATIENCE, free_port, kill_by_number, poll_until, processes, running_server
from msrestazure.azure_exceptions import CloudError
from test_doctor import doctor
from test_file_servers import delete, folder_of, make, reference
from yards import Yard, client_of, codes

TOOLS = ["ganesha.nfsd", "nfs-ls", "nfs-cat", "nfs-cp"]
# Clients that the NFS server knew come first for 20 s after its start.
GRACE = 40.0


def exporting_server():
    """A server whose file servers are exported, not started yet."""
    if os.geteuid() != 0:
        leave_out("only root can export (exports of file servers)")
    for tool in TOOLS:
        if not shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin"):
            leave_out(f"{tool} is not here (exports of file servers)")
    return running_server(start=False)


def configure(server, **more):
    server.nfs_port = free_port()
    lines = [f"{name} = {value}" for name, value in {"port": server.nfs_port, **more}.items()]
    with open(server.data / "trainyard.toml", "a", encoding="utf-8") as file:
        file.write("\n".join(["[nfs]", "enabled = true", *lines, ""]))


@pytest.fixture(scope="module")
def yard():
    with exporting_server() as server:
        configure(server)
        server.start()
        yard = Yard(server, group="Yard.Group_1")
        yard.build(nodes=1)
        yield yard


def url(yard, made, path=""):
    """As a client makes it of what it is told."""
    settings = made.mount_settings
    query = f"version=4&nfsport={yard.server.nfs_port}"
    return f"nfs://{settings.file_server_internal_ip}{settings.mount_point}{path}?{query}"


def call(*command):
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return ran.stdout if ran.returncode == 0 and "Failed" not in ran.stderr else None


def read(yard, made, path):
    return call("nfs-cat", url(yard, made, path))


def ganeshas(server):
    return [pid for pid, line in processes(str(server.data)).items() if "ganesha" in line]


def exported(server):
    """The paths in the NFS server's configuration."""
    text = (server.data / "nfs" / "ganesha.conf").read_text()
    return [line.split('Pseudo = "')[1].split('"')[0] for line in text.splitlines() if "Pseudo" in line][1:]


def volumes(made):
    return models.MountVolumes(file_servers=[reference(made)])


def test_a_job_s_file_is_read_by_a_client_and_a_client_s_by_the_next_job(yard, tmp_path):
    made = make(yard, "shared")
    assert made.mount_settings.mount_point == "/Yard.Group_1/yard/shared"
    assert made.mount_settings.file_server_public_ip == "127.0.0.1"
    here = "$AZ_BATCHAI_JOB_MOUNT_ROOT/nfs"
    job = yard.run("writes", f'echo of a job > "{here}/by-job"', mount_volumes=volumes(made))
    assert job.execution_state == "succeeded"
    assert poll_until("a client reads it", lambda: read(yard, made, "/by-job"), GRACE) == "of a job\n"
    (tmp_path / "own").write_text("of a client\n")
    assert call("nfs-cp", str(tmp_path / "own"), url(yard, made, "/by-client")) is not None
    job = yard.run("reads", f'cat "{here}/by-client"; echo more >> "{here}/by-client"', mount_volumes=volumes(made))
    assert job.execution_state == "succeeded"
    assert yard.read("reads", "stdout.txt") == "of a client\n"
    assert read(yard, made, "/by-client") == "of a client\nmore\n"
    delete(yard, "shared")


def test_exports_go_with_their_file_servers_and_a_new_one_of_the_name_starts_empty(yard, fact):
    kept, made = make(yard, "kept"), make(yard, "going")
    (folder_of(yard, "going") / "old").touch()
    since = time.monotonic()
    poll_until("it is exported", lambda: "old" in (call("nfs-ls", url(yard, made)) or ""))
    fact(f"a file server is seen by clients {1000 * (time.monotonic() - since):.0f} ms after the answer to its PUT")
    (number,) = ganeshas(yard.server)
    delete(yard, "going")
    poll_until("its export is gone", lambda: call("nfs-ls", url(yard, made)) is None)
    assert call("nfs-ls", url(yard, kept)) == ""
    assert made.mount_settings.mount_point not in exported(yard.server)
    again = make(yard, "going")
    poll_until("the new one is exported", lambda: call("nfs-ls", url(yard, again)) == "")
    assert ganeshas(yard.server) == [number], "the NFS server was never started again"
    delete(yard, "going")
    delete(yard, "kept")


def test_names_that_would_break_out_of_the_configuration_are_refused(yard):
    place = f"{yard.group_path}/providers/Microsoft.BatchAI/workspaces/yard/fileServers"
    body = {
        "properties": {
            "vmSize": "STANDARD_D1",
            "sshConfiguration": {"userAccountSettings": {"adminUserName": "u", "adminUserPassword": "a password"}},
            "dataDisks": {"diskSizeInGB": 1, "diskCount": 1, "storageAccountType": "Standard_LRS"},
        }
    }
    for name in ['a"; } EXPORT {', "a\\", "a;b", "a\n#", "..", "%include", "a%22", "$HOME", "é"]:
        quoted = requests.utils.quote(name, safe="")
        answer = yard.server.call("PUT", f"{place}/{quoted}", json=body)
        assert answer.status_code in (400, 404), (name, answer.status_code)
    # As much as a name may have.
    made = make(yard, "a-B_9")
    poll_until("it is exported", lambda: call("nfs-ls", url(yard, made)) == "")
    poll_until("nothing else is", lambda: exported(yard.server) == [made.mount_settings.mount_point])
    delete(yard, "a-B_9")


def test_an_nfs_server_that_is_killed_comes_back_and_ends_with_the_server(yard, fact):
    made = make(yard, "lasting")
    (folder_of(yard, "lasting") / "words").write_text("still here\n")
    poll_until("a client reads it", lambda: read(yard, made, "/words"), GRACE)
    (first,) = ganeshas(yard.server)
    since = time.monotonic()
    kill_by_number(first)
    poll_until("it serves again", lambda: call("nfs-ls", url(yard, made)))
    fact(f"a killed NFS server is listed from again after {time.monotonic() - since:.1f} s")
    (second,) = ganeshas(yard.server)
    assert second != first
    yard.server.terminate()
    assert ganeshas(yard.server) == []
    yard.server.start()
    assert len(ganeshas(yard.server)) == 1
    delete(yard, "lasting")


def test_a_killed_server_leaves_its_exports_and_the_next_start_has_one_nfs_server(fact):
    with exporting_server() as server:
        configure(server)
        server.start()
        yard = Yard(server)
        yard.build(nodes=0)
        made = make(yard, "lasting")
        (folder_of(yard, "lasting") / "words").write_text("still here\n")
        poll_until("a client reads it", lambda: read(yard, made, "/words"), GRACE)
        (first,) = ganeshas(server)
        server.kill()
        assert read(yard, made, "/words") == "still here\n"
        since = time.monotonic()
        server.start()
        (second,) = ganeshas(server)
        assert second != first
        assert "of an earlier start is ended" in server.log.read_text()
        poll_until("a client reads it again", lambda: read(yard, made, "/words"), GRACE)
        fact(f"after the start of a server that was killed files are opened in {time.monotonic() - since:.1f} s")
        yard.client = client_of(server, yard.subscription)
        delete(yard, "lasting")
        poll_until("its export is gone", lambda: call("nfs-ls", url(yard, made)) is None)
        # Neither a stop nor a start without exports leaves one behind.
        server.kill()
        assert len(ganeshas(server)) == 1
        stop = [server.program, "stop", "--nodes", "--data", str(server.data)]
        assert subprocess.run(stop, capture_output=True, timeout=PATIENCE, check=False).returncode == 0
        assert ganeshas(server) == []
        server.start()
        server.kill()
        configuration = server.data / "trainyard.toml"
        configuration.write_text(configuration.read_text().replace("enabled = true", "enabled = false"))
        server.start()
        assert ganeshas(server) == []


def test_without_an_nfs_server_the_start_says_what_is_missing():
    with exporting_server() as server:
        configure(server, program='"/no/ganesha"')
        server.start(wait=False)
        assert server.process.wait(PATIENCE) == 1
        said = server.log.read_text()
        assert "nfs.enabled asks for exports" in said and "/no/ganesha, which nfs.program names" in said
        code, lines = doctor(server.data, "--listen", f"127.0.0.1:{free_port()}")
        assert code == 1 and "/no/ganesha" in lines["NFS exports"]["found"]
        text = (server.data / "trainyard.toml").read_text()
        (server.data / "trainyard.toml").write_text(text.replace('program = "/no/ganesha"', ""))
        _, lines = doctor(server.data, "--listen", f"127.0.0.1:{free_port()}")
        assert lines["NFS exports"]["state"] == "ok"


def test_who_is_no_client_is_let_in_nowhere():
    with exporting_server() as server:
        configure(server, clients='["192.0.2.0/24"]', public_address='"192.0.2.1"')
        server.start()
        yard = Yard(server)
        yard.build(nodes=0)
        made = make(yard, "closed")
        assert made.mount_settings.file_server_public_ip == "192.0.2.1"
        assert made.mount_settings.file_server_internal_ip == "127.0.0.1"
        poll_until("it is exported", lambda: exported(server))
        assert call("nfs-ls", url(yard, made)) is None
        with pytest.raises(CloudError):  # the folder itself is used as ever
            yard.client.file_servers.get(yard.group, yard.workspace, "none")


def test_a_job_mounts_an_export_where_the_kernel_can(yard):
    """By a mount command, as clients of the old service did. Elsewhere it is told why not."""
    made = make(yard, "mounted")
    (folder_of(yard, "mounted") / "words").write_text("by the kernel\n")
    at = f"{made.mount_settings.file_server_internal_ip}:{made.mount_settings.mount_point}"
    options = f"port={yard.server.nfs_port},vers=4.2"
    unmanaged = models.UnmanagedFileSystemReference(
        mount_command=f"mount -t nfs -o {options} '{at}'", relative_mount_path="kernel"
    )
    job = yard.run(
        "mounts",
        'cat "$AZ_BATCHAI_JOB_MOUNT_ROOT/kernel/words"',
        mount_volumes=models.MountVolumes(unmanaged_file_systems=[unmanaged]),
    )
    kernel = "nfs4" in Path("/proc/filesystems").read_text().split() and shutil.which("mount.nfs4")
    if kernel:
        assert job.execution_state == "succeeded", codes(job)
        assert yard.read("mounts", "stdout.txt") == "by the kernel\n"
    else:
        assert codes(job) == ["UnmanagedMountError"]
    delete(yard, "mounted")
