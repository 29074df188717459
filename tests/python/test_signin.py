"""The vendor's clients, unchanged, sign in: as service principals over local TLS, by a managed identity, by a token."""

import json
import shlex
import subprocess
import sys

import client_env
import pytest
import requests
from commands import done, files_with, mode, refused, served
from harness import CONFIGURATION, PATIENCE, poll_until
from yards import LOCATION

AZ = 120.0  # seconds for one command line
IDENTITIES = CONFIGURATION + "[sign_in]\nmanaged_identity = true\n"
ENDING = """
client.workspaces.create("signed-in", "from-python", "eastus").result()
print([one.name for one in client.workspaces.list_by_resource_group("signed-in")])
"""
NODE_ENDING = """
client.workspaces.listByResourceGroup("signed-in").then((all) => console.log(all.map((one) => one.name).join()));
"""


class Yard:
    """A server, and a shell of somebody who uses it."""

    def __init__(self, server, folder):
        self.server, self.folder = server, folder
        self.home = folder / "home"
        self.home.mkdir()
        (self.home / ".azure").mkdir()

    @property
    def authority(self):
        return self.server.data / "tls" / "authority.pem"

    def call(self, method, path, **more):
        headers = {"Authorization": f"Bearer {self.server.token}"}
        verify = str(self.authority) if self.authority.exists() else True
        url = f"{self.server.url}{path}?api-version=2018-05-01"
        return requests.request(method, url, headers=headers, verify=verify, timeout=PATIENCE, **more)

    def trainyard(self, *words):
        return done(*words, "--data", self.server.data, variables={"HOME": str(self.home)})

    def principal(self, role="Contributor", scope="/"):
        return json.loads(self.trainyard("principal", "create", "--name", "ci", "--role", role, "--scope", scope))

    def run(self, program, *words, **variables):
        environment = {**client_env.environment(), "HOME": str(self.home), **variables}
        for name in ("REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
            if name not in variables:
                environment.pop(name, None)
        return subprocess.run(
            [str(program), *map(str, words)],
            env=environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=AZ,
            check=False,
        )

    def python(self, text, **variables):
        file = self.folder / "program.py"
        file.write_text(text)
        return self.run(sys.executable, file, **variables)

    def shell(self, *lines, **variables):
        """Lines as somebody types them, `az` being the vendor's."""
        python = client_env.python_of("az", "az/requirements.txt")
        here = shlex.quote(str(client_env.HERE / "az"))
        az = f'az() {{ PYTHONPATH={here} {shlex.quote(str(python))} -m azure.cli "$@"; }}'
        ended = self.run("sh", "-ec", "\n".join([az, *lines]), **variables)
        return ended

    def typed(self, *lines, **variables):
        ended = self.shell(*lines, **variables)
        assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-3000:]
        return ended.stdout


def furnish(yard):
    (listed,) = yard.call("GET", "/subscriptions").json()["value"]
    yard.subscription = listed["subscriptionId"]
    group = f"/subscriptions/{yard.subscription}/resourcegroups/signed-in"
    assert yard.call("PUT", group, json={"location": LOCATION}).status_code in (200, 201)
    return yard


@pytest.fixture(scope="module")
def safe(tmp_path_factory):
    """A server with TLS by its own authority."""
    with served(start=False, configuration=IDENTITIES) as server:
        server.flags = ["--tls-local"]
        server.url = f"https://localhost:{server.port}"
        yard = Yard(server, tmp_path_factory.mktemp("safe"))
        start_safely(yard)
        yield furnish(yard)


def start_safely(yard):
    server = yard.server
    server.start(wait=False)

    def poll_ready():
        assert server.process.poll() is None, server.said()
        return "listening on" in server.said()

    poll_until("the server listens", poll_ready)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A server without TLS."""
    with served(configuration=IDENTITIES) as server:
        yield furnish(Yard(server, tmp_path_factory.mktemp("plain")))


def untouched(yard):
    assert list((yard.home / ".azure").iterdir()) == []


def test_a_python_program_signs_in_as_a_principal(safe):
    ci = safe.principal()
    beginning = safe.trainyard("connect", "python", "--principal", ci["appId"])
    assert ci["password"] not in beginning
    ended = safe.python(beginning + ENDING, AZURE_CLIENT_SECRET=ci["password"])
    assert ended.returncode == 0 and "from-python" in ended.stdout, ended.stderr[-3000:]
    wrong = safe.python(beginning + ENDING, AZURE_CLIENT_SECRET="wrong")
    assert wrong.returncode == 1 and "invalid_client" in wrong.stderr, wrong.stderr[-3000:]
    # What is revoked is over at once, whoever asks.
    safe.trainyard("principal", "revoke", ci["appId"])
    assert "ci" not in safe.trainyard("principal", "list")
    gone = safe.python(beginning + ENDING, AZURE_CLIENT_SECRET=ci["password"])
    assert gone.returncode == 1 and "invalid_client" in gone.stderr, gone.stderr[-3000:]


def test_a_token_of_a_principal_outlives_a_restart_but_not_its_secret(safe):
    ci = safe.principal("Reader")
    form = {
        "grant_type": "client_credentials",
        "client_id": ci["appId"],
        "client_secret": ci["password"],
        "resource": safe.server.url,
    }

    def sign_in():
        url = f"{safe.server.url}/adfs/oauth2/token"
        return requests.post(url, data=form, verify=str(safe.authority), timeout=PATIENCE)

    def status(token):
        url = f"{safe.server.url}/subscriptions?api-version=2016-06-01"
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(url, headers=headers, verify=str(safe.authority), timeout=PATIENCE).status_code

    token = sign_in().json()["access_token"]
    before = safe.authority.read_bytes()
    safe.server.terminate()
    start_safely(safe)
    assert (status(token), safe.authority.read_bytes() == before) == (200, True)
    new = json.loads(safe.trainyard("principal", "reset", ci["appId"]))
    assert (status(token), sign_in().status_code) == (401, 401)
    form["client_secret"] = new["password"]
    assert sign_in().status_code == 200
    # Nothing that lets anybody in lies on the disk or in the log; what clients trust is for all, its key is not.
    secrets = [ci["password"], new["password"], token]
    assert files_with(safe.server.data, secrets) == []
    log = safe.server.log.read_text()
    assert not any(secret in log for secret in secrets)
    assert mode(safe.server.data / "tls" / "authority-key.pem") == 0o600


def test_az_signs_in_as_a_principal(safe):
    ci = safe.principal()
    lines = safe.trainyard("connect", "az", "--principal", ci["appId"], "--folder", safe.folder / "az-principal")
    shown = safe.typed(lines, "az account show", AZURE_CLIENT_SECRET=ci["password"])
    assert safe.subscription in shown and ci["tenant"] in shown, shown
    again = lines.replace("az login", "true")
    safe.typed(again, "az batchai workspace create -g signed-in -n from-az")
    assert '"from-az"' in safe.typed(again, "az batchai workspace list -g signed-in")
    safe.typed(again, "az provider register -n Microsoft.BatchAI")
    wrong = safe.shell(lines, AZURE_CLIENT_SECRET="wrong")
    assert wrong.returncode == 1 and "invalid_client" in wrong.stderr, wrong.stderr[-3000:]
    untouched(safe)


def test_az_finds_the_rest_by_the_metadata_of_a_registered_cloud(safe):
    ci = safe.principal()
    lines = [
        f"export AZURE_CONFIG_DIR={shlex.quote(str(safe.folder / 'az-short'))}",
        f"export REQUESTS_CA_BUNDLE={shlex.quote(str(safe.authority))}",
        f"az cloud register -n yard --endpoint-resource-manager {safe.server.url}",
        "az cloud set -n yard",
        f'az login --service-principal -u {ci["appId"]} -p "$AZURE_CLIENT_SECRET" --tenant {ci["tenant"]}',
        "az batchai workspace list -g signed-in",
    ]
    safe.typed(*lines, AZURE_CLIENT_SECRET=ci["password"])
    untouched(safe)


def test_az_takes_the_key_of_a_storage_account_by_itself(safe):
    (safe.server.data / "storage" / "byitself" / "files" / "share").mkdir(parents=True)
    lines = safe.trainyard("connect", "az", "--folder", safe.folder / "az-storage")
    safe.typed(
        lines,
        "az batchai workspace create -g signed-in -n stores",
        "az batchai cluster create -g signed-in -w stores -n c -s STANDARD_D1 -t 0 -u yard -p 'a password of the test'"
        " --storage-account-name byitself --afs-name share",
    )
    path = f"/subscriptions/{safe.subscription}/resourceGroups/signed-in/providers/Microsoft.BatchAI/workspaces/stores"
    made = safe.call("GET", f"{path}/clusters/c").json()
    (share,) = made["properties"]["nodeSetup"]["mountVolumes"]["azureFileShares"]
    assert share["accountName"] == "byitself"
    missing = safe.shell(
        lines,
        "az batchai cluster create -g signed-in -w stores -n d -s STANDARD_D1 -t 0 -u yard -p 'a password of the test'"
        " --storage-account-name nowhere --afs-name share",
    )
    assert missing.returncode == 1 and "nowhere" in missing.stderr, missing.stderr[-2000:]


def test_az_works_by_a_token_over_plain_http(plain):
    folder = plain.folder / "az token's"
    lines = plain.trainyard("connect", "az", "--folder", folder)
    assert plain.trainyard("connect", "az", "--folder", folder) == lines, "a second run"
    assert (mode(folder), mode(folder / "accessTokens.json")) == (0o700, 0o600)
    plain.typed(lines, "az batchai workspace create -g signed-in -n by-token")
    assert '"by-token"' in plain.typed(lines, "az batchai workspace list -g signed-in")
    untouched(plain)


def test_az_signs_in_by_a_managed_identity(plain):
    ci = plain.principal("Reader")
    export = plain.trainyard("principal", "identity", ci["appId"])
    lines = plain.trainyard("connect", "az", "--folder", plain.folder / "az-identity").splitlines()
    typed = [*lines, export, "az login --identity"]
    shown = plain.typed(*typed, "az account show")
    assert "systemAssignedIdentity" in shown, shown
    plain.typed(*lines, export, "az batchai workspace list -g signed-in")
    refusal = plain.shell(*lines, export, "az batchai workspace create -g signed-in -n never")
    assert refusal.returncode == 1 and "ci" in refusal.stderr, refusal.stderr[-2000:]
    # The path is a right: it stands in no log.
    assert export.strip().strip("'").rsplit("/", 1)[1] not in plain.server.log.read_text()
    untouched(plain)


def test_a_python_program_asks_for_a_managed_identity(plain):
    ci = plain.principal("Reader")
    endpoint = plain.trainyard("principal", "identity", ci["appId"]).split("'")[1]
    program = f"""
from azure.mgmt.batchai import BatchAIManagementClient
from msrestazure.azure_active_directory import MSIAuthentication
client = BatchAIManagementClient(MSIAuthentication(resource="{plain.server.url}"), "{plain.subscription}", "{plain.server.url}")
print("listed", [one.name for one in client.workspaces.list()])
"""
    for more in ({}, {"APPSETTING_WEBSITE_SITE_NAME": "app", "MSI_SECRET": endpoint.rsplit("/", 1)[1]}):
        ended = plain.python(program, MSI_ENDPOINT=endpoint, **more)
        assert ended.returncode == 0 and "listed" in ended.stdout, ended.stderr[-3000:]


def test_python_and_node_programs_work_as_they_are_printed(plain):
    ended = plain.python(plain.trainyard("connect", "python") + ENDING)
    assert ended.returncode == 0 and "from-python" in ended.stdout, ended.stderr[-3000:]
    node, modules = client_env.node_modules()
    file = plain.folder / "program.js"
    file.write_text(plain.trainyard("connect", "node") + NODE_ENDING)
    ended = plain.run(node, file, NODE_PATH=str(modules / "node_modules"))
    assert ended.returncode == 0 and "from-python" in ended.stdout, ended.stderr[-3000:]


def test_a_node_program_signs_in_as_a_principal(safe):
    node, modules = client_env.node_modules()
    ci = safe.principal("Reader")
    safe.call("PUT", f"/subscriptions/{safe.subscription}/resourceGroups/signed-in/providers/Microsoft.BatchAI/workspaces/seen", json={"location": LOCATION})
    file = safe.folder / "program.js"
    file.write_text(safe.trainyard("connect", "node", "--principal", ci["appId"]) + NODE_ENDING)
    path = {"NODE_PATH": str(modules / "node_modules"), "NODE_EXTRA_CA_CERTS": str(safe.authority)}
    ended = safe.run(node, file, AZURE_CLIENT_SECRET=ci["password"], **path)
    assert ended.returncode == 0 and "seen" in ended.stdout, ended.stderr[-3000:]


def test_what_cannot_be_connected_is_told_why(plain):
    data = ["--data", plain.server.data]
    home = {"HOME": str(plain.home)}
    own = refused(1, "connect", "az", "--folder", plain.home / ".azure", "--force", *data, variables=home)
    assert "never touched" in own
    others = plain.folder / "others"
    others.mkdir()
    (others / "clouds.config").write_text("mine")
    assert "--force" in refused(1, "connect", "az", "--folder", others, *data, variables=home)
    assert (others / "clouds.config").read_text() == "mine"
    assert "--tls-local" in refused(1, "connect", "python", "--principal", "x", *data)
    assert "--tls-local" in refused(1, "connect", "python", "--tls", *data)
    assert (plain.server.data / "tls" / "authority.pem").exists()
    assert "AuthenticationFailed" in refused(1, "connect", "python", "--token", "wrong", *data)
    assert "trainyard serve" in refused(1, "connect", "python", "--data", plain.folder / "nothing")
    refused(2, "connect", "python", "--token", "x", "--principal", "y", *data)
    assert "role" in refused(2, "principal", "create", "--name", "x", "--role", "Boss", "--scope", "/", *data)
    assert "PrincipalNotFound" in refused(1, "principal", "revoke", "nobody", *data)
    assert "no id" in refused(1, "principal", "revoke", "../tokens/admin", *data)
    assert "days" in refused(1, "principal", "create", "--name", "x", "--role", "Reader", "--scope", "/", "--days", "0", *data)
