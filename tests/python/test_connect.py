"""`trainyard connect`: what it prints is all that a client needs, over TLS of the server's own."""

import os
import stat
import subprocess

import client_env
import harness
import pytest
import requests

GROUP = "/subscriptions/{}/resourceGroups/rg"
WORKSPACE = GROUP + "/providers/Microsoft.BatchAI/workspaces/seen"


class TlsServer(harness.Server):
    """A server with TLS of its own; plain calls go by its admin socket's files."""

    def __init__(self, data, log):
        super().__init__(data, log)
        self.authority = self.data / "tls" / "authority.pem"
        self.url = f"https://localhost:{self.port}"

    def start(self, wait=True):
        command = [harness.binary(), "serve", "--listen", f"127.0.0.1:{self.port}", "--data", str(self.data), "--tls-local"]
        with open(self.log, "ab") as log:
            self.begins = log.tell()
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment
            )
        harness.poll_until("the server is ready", self.was_ready)

    def put(self, path, location="eastus"):
        token = (self.data / "admin-token").read_text().strip()
        answer = requests.put(
            f"{self.url}{path}?api-version=2018-05-01",
            json={"location": location},
            headers={"Authorization": f"Bearer {token}"},
            verify=str(self.authority),
            timeout=harness.PATIENCE,
        )
        assert answer.status_code in (200, 201), answer.text


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    server = TlsServer(folder / "data", folder / "log")
    server.start()
    try:
        token = (server.data / "admin-token").read_text().strip()
        found = requests.get(
            f"{server.url}/subscriptions?api-version=2016-06-01",
            headers={"Authorization": f"Bearer {token}"},
            verify=str(server.authority),
            timeout=harness.PATIENCE,
        )
        server.subscription_id = found.json()["value"][0]["subscriptionId"]
        server.put(GROUP.format(server.subscription_id))
        server.put(WORKSPACE.format(server.subscription_id))
        yield server
    finally:
        server.stop()


def connect(*arguments):
    command = [harness.binary(), "connect", *map(str, arguments)]
    return subprocess.run(
        command, env=harness.own_environment(), capture_output=True, text=True, timeout=harness.PATIENCE, check=False
    )


def printed(*arguments):
    ended = connect(*arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def run(command, **variables):
    environment = {**client_env.environment(), **variables}
    ended = subprocess.run(
        [str(word) for word in command], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_az_works_with_what_is_printed(tls):
    lines = printed("az", "--data", tls.data)
    variables = dict(line.removeprefix("export ").split("=", 1) for line in lines.splitlines())
    variables = {name: value.strip("'") for name, value in variables.items()}
    assert variables["REQUESTS_CA_BUNDLE"] == str(tls.authority)
    folder = variables["AZURE_CONFIG_DIR"]
    for name in ["accessTokens.json", "token"]:
        assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600
    python = client_env.python_of("az", "az/requirements.txt")
    listed = run(
        [python, "-m", "azure.cli", "batchai", "workspace", "list", "--query", "[].name", "-o", "tsv"],
        **variables,
        HOME=folder,
        PYTHONPATH=str(client_env.HERE / "az"),
    )
    assert listed.split() == ["seen"]


def test_a_second_time_the_same_token_is_used_and_what_az_was_told_stays(tls):
    folder = tls.data / "connect" / "again"
    printed("az", "--data", tls.data, "--folder", folder)
    token = (folder / "token").read_text()
    (folder / "config").write_text("[defaults]\ngroup = mine\n")
    printed("az", "--data", tls.data, "--folder", folder)
    assert (folder / "token").read_text() == token
    assert "group = mine" in (folder / "config").read_text()
    # A token that the server knows no more is replaced.
    (folder / "token").write_text("revoked\n")
    ended = connect("az", "--data", tls.data, "--folder", folder)
    assert ended.returncode == 0 and "known no more" in ended.stderr
    assert (folder / "token").read_text() not in (token, "revoked\n")


def test_the_python_program_works_as_it_stands(tls, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(printed("python", "--data", tls.data))
    python = client_env.python_of("python-2.0.0", "python/requirements-2.0.0.txt")
    shown = run([python, program])
    assert shown.split() == [WORKSPACE.format(tls.subscription_id)]


def test_the_node_program_works_as_it_stands(tls):
    node, folder = client_env.node_modules()
    program = folder / "connected.js"
    program.write_text(printed("node", "--data", tls.data))
    try:
        shown = run([node, program], NODE_EXTRA_CA_CERTS=str(tls.authority))
    finally:
        program.unlink()
    assert shown.split() == [WORKSPACE.format(tls.subscription_id)]


def test_a_profile_of_somebody_else_is_not_touched(tls, tmp_path):
    profile = tmp_path / ".azure"
    profile.mkdir()
    (profile / "azureProfile.json").write_text("theirs")
    ended = connect("az", "--data", tls.data, "--folder", profile)
    assert ended.returncode == 1 and "--folder" in ended.stderr
    assert [file.name for file in profile.iterdir()] == ["azureProfile.json"]


def test_a_certificate_of_the_authority_is_needed(tls):
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{tls.url}/healthz", timeout=harness.PATIENCE)
    assert requests.get(f"{tls.url}/healthz", verify=str(tls.authority), timeout=harness.PATIENCE).text == "ok\n"


def test_who_has_no_server_is_told_what_to_do(tmp_path):
    ended = connect("python", "--data", tmp_path / "none")
    assert ended.returncode == 1 and "trainyard serve --data" in ended.stderr
    ended = connect("python", "--data", tmp_path / "none", "--url", "ftp://x", "--token", "t")
    assert ended.returncode == 1 and "http://HOST:PORT" in ended.stderr
