"""Nodes with a network of their own, `local.network = "bridge"`: what jobs and guests reach.

The server has a network namespace here, so that the machine keeps the network that it has."""

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess

import harness
import pytest
import requests
from azure.mgmt.batchai import models
from conftest import leave_out
from harness import PATIENCE, free_port, poll_until
from yards import Yard

NEW_NETWORK = 0x4000_0000  # CLONE_NEWNET


@contextlib.contextmanager
def own_network():
    """This thread, and all that it starts, in a network of their own."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        assert libc.unshare(NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        assert libc.setns(before, NEW_NETWORK) == 0, os.strerror(ctypes.get_errno())
        os.close(before)


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """A key of a guest's, and its public half."""
    path = tmp_path_factory.mktemp("keys") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture(scope="module")
def bridged(request):
    """A yard of two nodes on a bridge, which let the key in."""
    if os.geteuid() != 0:
        leave_out("root is not here (nodes on a bridge)")
    for program in ("ip", "nsenter", "iptables", "ssh", "ssh-keygen"):
        if shutil.which(program) is None:
            leave_out(f"{program} is not here (nodes on a bridge)")
    key = request.getfixturevalue("key")
    with own_network(), harness.running_server(start=False) as server:
        configuration = harness.CONFIGURATION + 'network = "bridge"\n'
        (server.data / "trainyard.toml").write_text(configuration)
        server.start()
        yard = Yard(server)
        guest = models.UserAccountSettings(
            admin_user_name="yard", admin_user_ssh_public_key=key.with_suffix(".pub").read_text()
        )
        yard.build(nodes=2, user_account_settings=guest)
        yield yard
        server.stop()
        links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
        rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
        assert "trainyard" not in links + rules
        server.start()


def test_the_nodes_of_a_job_reach_one_another_by_name_and_address(bridged):
    command = (
        "for host in ${AZ_BATCH_HOST_LIST//,/ }; do ssh $host 'hostname -i; getent hosts $(hostname)'; done;"
        " echo $AZ_BATCH_HOST_LIST"
    )
    bridged.run("hosts", command, nodes=2)
    lines = bridged.read("hosts", "stdout.txt").split("\n")
    addresses = lines[4].split(",")
    assert [line.startswith("10.199.") for line in addresses] == [True, True], lines
    assert lines[:4:2] == addresses
    assert [line.split()[0] for line in lines[1:4:2]] == addresses


def test_a_job_reaches_neither_the_server_nor_its_doors_on_the_loopback_of_the_machine(bridged):
    logins = bridged.client.clusters.list_remote_login_information(
        bridged.group, bridged.workspace, bridged.cluster
    )
    ports = [bridged.server.port, *(int(login.port) for login in logins)]
    for port in ports:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    script = (
        f"for port in {' '.join(map(str, ports))}; do for host in 127.0.0.1 10.199.0.1; do"
        " (echo > /dev/tcp/$host/$port) 2>/dev/null && echo $host $port; done; done; echo done"
    )
    bridged.run("server", script)
    assert bridged.read("server", "stdout.txt") == "done\n"


def test_a_guest_looks_at_a_board_that_listens_within_the_node_alone(bridged, key):
    command = "mkdir page; echo loss 0.1 > page/index.html; cd page; exec python3 -m http.server 6006 -b 127.0.0.1"
    bridged.submit("board", command)
    job = bridged.wait_job("board", ("running",))
    (login,) = bridged.client.jobs.list_remote_login_information(
        bridged.group, bridged.workspace, bridged.experiment, job.name
    )
    ssh = ["ssh", "-F", "none", "-i", key, "-p", str(int(login.port)), "-o", "BatchMode=yes"]
    ssh += ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={key}.hosts"]
    guest = f"yard@{login.ip_address}"
    said = subprocess.run(
        [*ssh, guest, "hostname -i"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert said.stdout.startswith("10.199."), said
    local = free_port()
    tunnel = subprocess.Popen(
        [*ssh, "-N", "-L", f"{local}:localhost:6006", guest], stdin=subprocess.DEVNULL
    )
    try:

        def page():
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"http://127.0.0.1:{local}/", timeout=PATIENCE).text

        assert poll_until("the page is seen", page) == "loss 0.1\n"
        with pytest.raises(requests.ConnectionError):
            requests.get("http://127.0.0.1:6006/", timeout=PATIENCE)
    finally:
        tunnel.kill()
        tunnel.wait(PATIENCE)
    bridged.terminate("board")
