"""Remote login: `az batchai cluster node exec` and `job node exec`, plain `ssh`, and `ssh` within a job."""

import json
import shutil
import socket
import subprocess

import az
import pytest
import requests
from conftest import leave_out
from harness import PATIENCE, free_port, poll_until
from yards import LOCATION, Yard, manual

PASSWORD = "a password of the test"
HERE = "-g az-group -w login"
RUNS = f"{HERE} -e runs"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """An RSA key as old clients have it, and its public half."""
    keygen = shutil.which("ssh-keygen")
    if keygen is None:
        leave_out("ssh-keygen is not here (remote login)")
    path = tmp_path_factory.mktemp("keys") / "id_rsa"
    subprocess.run([keygen, "-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture(scope="module")
def a(clients_server, keys):
    """A signed in `az`, with a cluster of one node that lets in by key and password, and a job that serves a page."""
    with az.signed_in(clients_server, clients_server.subscription()) as signed_in:
        signed_in(f"az group create -n az-group -l {LOCATION}")
        signed_in("az batchai workspace create -g az-group -n login")
        signed_in(f"az batchai experiment create {HERE} -n runs")
        signed_in(
            f"az batchai cluster create {HERE} -n one -s STANDARD_D1 -t 1 -u yard -p '{PASSWORD}' -k {keys}.pub"
        )
        yield signed_in


@pytest.fixture(scope="module")
def board(a):
    """A job that serves a page at a port of its node, as TensorBoard does."""
    port = free_port()
    command = f"mkdir page; echo loss 0.1 > page/index.html; cd page; exec python3 -m http.server {port}"
    path = a.folder / "board.json"
    properties = {
        "nodeCount": 1,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_JOB_TEMP",
        "customToolkitSettings": {"commandLine": command},
        "constraints": {"maxWallClockTime": "PT5M"},
    }
    path.write_text(json.dumps({"properties": properties}))
    a(f"az batchai job create {RUNS} -n board -c one -f {path}")

    def serves():
        try:
            return requests.get(f"http://127.0.0.1:{port}/", timeout=PATIENCE).ok
        except requests.ConnectionError:
            return False

    poll_until("the page is served", serves)
    return port


def lines(ended):
    return [line for line in ended.out.replace("\r", "").splitlines() if line]


def test_a_command_runs_on_a_node_by_password_and_by_key(a, keys):
    for way in (f"-p '{PASSWORD}'", f"-k {keys}"):
        ended = a(f"az batchai cluster node exec {HERE} -c one {way} --exec 'echo on the node; tty -s && echo terminal'")
        assert {"on the node", "terminal"} <= set(lines(ended)), f"{way}: {ended}"


def test_a_wrong_password_says_so(a):
    ended = a.run(f"az batchai cluster node exec {HERE} -c one -p wrong --exec 'echo in'")
    assert (ended.code, "Connection to remote host failed" in ended.err) == (1, True), str(ended)
    assert "in" not in lines(ended)


def test_a_command_on_the_node_of_a_job_sees_nothing_of_the_job(a, board):
    ended = a(f"az batchai job node exec {RUNS} -j board -p '{PASSWORD}' --exec 'env | grep -c AZ_BATCHAI; pwd'")
    assert "0" in lines(ended), str(ended)


def test_a_board_of_a_job_is_seen_through_a_tunnel(a, board):
    local = free_port()
    process = a.start(f"az batchai job node exec {RUNS} -j board -p '{PASSWORD}' -L {local}:localhost:{board}")
    try:

        def page():
            try:
                return requests.get(f"http://127.0.0.1:{local}/", timeout=PATIENCE).text
            except requests.ConnectionError:
                return None

        assert poll_until("the page is seen", page) == "loss 0.1\n"
    finally:
        process.kill()
        process.communicate()


def test_the_audit_trail_names_who_came(a):
    a(f"az batchai cluster node exec {HERE} -c one -p '{PASSWORD}' --exec true")
    log = a.server.log.read_text()
    assert "somebody logs in" in log and "a login was refused" in log
    assert PASSWORD not in log


def test_ssh_between_the_nodes_of_a_job(yard):
    command = (
        "for node in ${AZ_BATCH_HOST_LIST//,/ }; do ssh -o StrictHostKeyChecking=no $node echo done by \\$NODE_RANK; done;"
        ' echo "echo in a shell" | ssh ${AZ_BATCH_HOST_LIST##*,}; command -v ssh'
    )
    yard.run("ssh", command, nodes=2)
    printed = yard.read("ssh", "stdout.txt").splitlines()
    assert printed[:3] == ["done by 0", "done by 1", "in a shell"]
    assert printed[3].endswith("/tools/ssh")


def test_ports_outlive_the_server_and_go_with_their_nodes(own_server):
    yard = Yard(own_server)
    yard.build(nodes=2)

    def logins():
        listed = yard.client.clusters.list_remote_login_information(yard.group, yard.workspace, yard.cluster)
        return {one.node_id: (one.ip_address, int(one.port)) for one in listed}

    before = logins()
    assert len(set(before.values())) == 2
    for address, port in before.values():
        with socket.create_connection((address, port), timeout=PATIENCE) as stream:
            assert stream.recv(64).startswith(b"SSH-2.0-")
    own_server.kill()
    own_server.start()
    assert logins() == before
    yard.scale(yard.cluster, manual(1))
    yard.wait_idle(yard.cluster, 1)
    left = logins()
    assert len(left) == 1 and set(left.items()) <= set(before.items())
    (gone,) = set(before.values()) - set(left.values())

    def closed():
        try:
            socket.create_connection(gone, timeout=PATIENCE).close()
        except ConnectionRefusedError:
            return True

    poll_until("the door of the node that is gone is closed", closed)
