"""Secrets of every kind, planted in a server at work, are in clear in no place but those named here."""

import base64
import os
import re
from pathlib import Path

import pytest
import requests
from azure.mgmt.batchai import models
from commands import done, mode, served, stored, trainyard
from harness import CONFIGURATION, PATIENCE, _others, _read, poll_until
from yards import ACCOUNT, LOCATION, ROOT, SHARE, Yard, cluster_parameters, gate, manual

VERSIONS = ["2017-09-01-preview", "2018-03-01", "2018-05-01", "2026-12-01-preview"]


def account_key(text):
    return base64.b64encode(text.encode()).decode()


PLANTED = {
    "a variable of a job": "planted-variable-of-a-job",
    "a variable of a setup task": "planted-variable-of-a-setup-task",
    "the key of a share": account_key("planted key of a share"),
    "the key of a container": account_key("planted key of a container"),
    "the password of a registry": "planted-password-of-a-registry",
    "the password of a cluster": "planted-password-of-a-cluster",
    "the password of a file server": "planted-password-of-a-file-server",
    "a secret of a vault": "planted-secret-of-a-vault",
    "a secret of a setup task's vault": "planted-secret-of-a-setup-vault",
}
WITH_VAULTS = CONFIGURATION + """
[key_vaults]
folder = "{folder}"
"""


def reference(name):
    return models.KeyVaultSecretReference(
        source_vault=models.ResourceId(id="/subscriptions/s/providers/Microsoft.KeyVault/vaults/keys"),
        secret_url=f"https://keys.vault.azure.net/secrets/{name}",
    )


def variable(name, value=None, vault=None):
    return models.EnvironmentVariableWithSecretValue(
        name=name, value=value, value_secret_reference=vault and reference(vault)
    )


def credentials(key):
    return models.AzureStorageCredentialsInfo(account_key=PLANTED[key])


def share():
    return models.AzureFileShareReference(
        account_name=ACCOUNT,
        azure_file_url=f"https://{ACCOUNT}.file.core.windows.net/{SHARE}",
        credentials=credentials("the key of a share"),
        relative_mount_path=SHARE,
    )


def container():
    return models.AzureBlobFileSystemReference(
        account_name=ACCOUNT,
        container_name="box",
        credentials=credentials("the key of a container"),
        relative_mount_path="box",
    )


def fill(folder, name, text):
    """A secret in the folder of the vault `keys`."""
    file = folder / "keys" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text + "\n")
    file.chmod(0o600)


class Search:
    """Everything that must not be found, in every form that somebody may have given it."""

    def __init__(self, secrets):
        self.forms = {}
        for what, text in secrets.items():
            raw = text.encode()
            self.forms[what] = [raw, base64.b64encode(raw).rstrip(b"="), raw.hex().encode()]

    def within(self, content):
        return {what for what, forms in self.forms.items() if any(form in content for form in forms)}

    def folder(self, folder):
        """What is in clear in the files of a folder, by path."""
        found = {}
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                try:
                    holds = self.within(path.read_bytes())
                except FileNotFoundError:  # it went meanwhile
                    continue
                if holds:
                    found[str(path.relative_to(folder))] = (holds, mode(path))
        return found

    def processes(self, name):
        """What is in clear in `cmdline` or `environ` of other processes, by number."""
        found = {pid: self.within(_read(pid, name)) for pid in _others()}
        return {pid: holds for pid, holds in found.items() if holds}


def planted_yard(server):
    """A yard whose cluster and jobs have secrets wherever there may be one."""
    yard = Yard(server)
    made = server.call("PUT", yard.group_path, json={"location": LOCATION})
    assert made.status_code in (200, 201), made.text
    yard.client.workspaces.create(yard.group, yard.workspace, LOCATION).result(PATIENCE)
    yard.client.experiments.create(yard.group, yard.workspace, yard.experiment).result(PATIENCE)
    setup = models.NodeSetup(
        setup_task=models.SetupTask(
            command_line='test -n "$SET_UP" && test -n "$VAULTED"',
            std_out_err_path_prefix=ROOT,
            secrets=[
                variable("SET_UP", PLANTED["a variable of a setup task"]),
                variable("VAULTED", vault="setup"),
            ],
        ),
        mount_volumes=models.MountVolumes(azure_file_shares=[share()], azure_blob_file_systems=[container()]),
    )
    parameters = cluster_parameters(manual(2), node_setup=setup)
    parameters.user_account_settings.admin_user_password = PLANTED["the password of a cluster"]
    yard.client.clusters.create(yard.group, yard.workspace, yard.cluster, parameters).result(PATIENCE)
    account = models.UserAccountSettings(
        admin_user_name="yard", admin_user_password=PLANTED["the password of a file server"]
    )
    file_server = models.FileServerCreateParameters(
        vm_size="STANDARD_D1",
        ssh_configuration=models.SshConfiguration(user_account_settings=account),
        data_disks=models.DataDisks(disk_size_in_gb=1, disk_count=1, storage_account_type="Standard_LRS"),
    )
    yard.client.file_servers.create(yard.group, yard.workspace, "nfs", file_server).result(PATIENCE)
    yard.wait_idle(yard.cluster, 2)
    return yard


def submit(yard, name, command, **more):
    """A job whose command finds both of its secrets."""
    secrets = [variable("GIVEN", PLANTED["a variable of a job"]), variable("VAULTED", vault="job")]
    sizes = 'test "${#GIVEN} ${#VAULTED}" = "' + " ".join(
        str(len(PLANTED[what])) for what in ("a variable of a job", "a secret of a vault")
    ) + '"'
    marks = [models.EnvironmentVariable(name="MARK", value=name)]
    command = f"{sizes} || exit 90; {command}"
    yard.submit(name, command, secrets=secrets, environment_variables=marks, **more)


def flat_cluster(server, yard, version):
    """A cluster of a version without workspaces, with passwords and keys as those have them."""
    shares = [
        {
            "accountName": ACCOUNT,
            "azureFileUrl": f"https://{ACCOUNT}.file.core.windows.net/{SHARE}",
            "credentials": {"accountKey": PLANTED["the key of a share"]},
            "relativeMountPath": SHARE,
        }
    ]
    secret = {"name": "SET_UP", "value": PLANTED["a variable of a setup task"]}
    setup = {"commandLine": "true", "stdOutErrPathPrefix": ROOT, "secrets": [secret]}
    if version == "2017-09-01-preview":
        setup.pop("secrets")
        setup["environmentVariables"] = [{"name": "OPEN", "value": "seen"}]
    properties = {
        "vmSize": "STANDARD_D1",
        "scaleSettings": {"manual": {"targetNodeCount": 0}},
        "userAccountSettings": {
            "adminUserName": "yard",
            "adminUserPassword": PLANTED["the password of a cluster"],
        },
        "nodeSetup": {"setupTask": setup, "mountVolumes": {"azureFileShares": shares}},
    }
    path = f"{yard.group_path}/providers/Microsoft.BatchAI/clusters/flat-{version[:4]}"
    body = {"location": LOCATION, "properties": properties}
    made = server.call("PUT", path, version=version, json=body)
    assert made.status_code in (200, 202), made.text
    return path


def answers(server, yard, flat):
    """Every list and every resource, in every version, and what the server says of itself."""
    base = f"{yard.group_path}/providers/Microsoft.BatchAI"
    subscription = f"/subscriptions/{yard.subscription}"
    workspace = f"{base}/workspaces/{yard.workspace}"
    jobs = f"{workspace}/experiments/{yard.experiment}/jobs"
    names = [job.name for job in yard.jobs()]
    paths = [
        f"{base}/workspaces", workspace, f"{workspace}/clusters", f"{workspace}/clusters/{yard.cluster}",
        f"{workspace}/fileServers", f"{workspace}/fileServers/nfs", f"{workspace}/experiments", jobs,
        *(f"{jobs}/{name}" for name in names),
        f"{base}/clusters", f"{base}/jobs", f"{base}/fileServers", *flat,
        f"{subscription}/providers/Microsoft.BatchAI/clusters",
        f"{subscription}/providers/Microsoft.BatchAI/workspaces",
        f"{subscription}/providers/Microsoft.BatchAI/locations/{LOCATION}/usages",
        f"{subscription}/resourceGroups", "/providers/Microsoft.BatchAI/operations",
        "/trainyard/tokens", "/trainyard/principals", "/trainyard/key", "/metrics",
        "/trainyard/openapi/2026-12-01-preview.json",
    ]
    shown = {}
    for path in paths:
        for version in VERSIONS:
            answer = server.call("GET", path, version=version)
            assert answer.status_code < 500, answer.text
            shown[(path, version)] = answer
    good = [path for (path, _), answer in shown.items() if answer.status_code == 200]
    assert set(paths) == set(good), f"never shown: {set(paths) - set(good)}"
    posts = [f"{jobs}/{name}/listOutputFiles" for name in names]
    posts += [f"{workspace}/clusters/{yard.cluster}/listRemoteLoginInformation"]
    for path in posts:
        shown[(path, "")] = requests.post(
            f"{server.url}{path}?outputdirectoryid=stdouterr&api-version=2018-05-01",
            headers={"Authorization": f"Bearer {server.token}"},
            timeout=PATIENCE,
        )
    return {key: answer.content + str(answer.headers).encode() for key, answer in shown.items()}


def of_job(pid, job):
    """Whether a process is one of this job's."""
    return f"MARK={job}".encode() in _read(pid, "environ").split(b"\0")


def of_node(data, file):
    """The plan of an attempt, in the folder of a node."""
    return re.fullmatch(r"engine/nodes/\d+/wanted/\d+-\d+\.json", file) and data.joinpath(file)


@pytest.fixture
def vaults(tmp_path):
    folder = tmp_path / "vaults"
    folder.mkdir(mode=0o700)
    fill(folder, "job", PLANTED["a secret of a vault"])
    fill(folder, "setup", PLANTED["a secret of a setup task's vault"])
    return folder


def test_planted_secrets_are_in_clear_in_no_place_but_the_named_ones(vaults, tmp_path):
    with served(start=False, configuration=WITH_VAULTS.format(folder=vaults)) as server:
        server.variables = {"TRAINYARD_LOG_LEVEL": "trace"}
        server.start()
        group = f"/subscriptions/{server.subscription()}"
        token = done(
            "token", "create", "--name", "t", "--role", "Reader", "--scope", group, "--data", server.data
        ).strip()
        made = done(
            "principal", "create", "--name", "p", "--role", "Reader", "--scope", group, "--data", server.data
        )
        client_secret = re.search(r'"password": "(.+)"', made)[1]
        old_key = (server.data / "secret-key").read_text().split()[1]
        yard = planted_yard(server)
        flat = [flat_cluster(server, yard, version) for version in VERSIONS[:2]]
        submit(yard, "well", "true")
        submit(yard, "badly", "exit 3")
        registry = models.ImageSourceRegistry(
            server_url="private.example.org",
            image="private.example.org/image",
            credentials=models.PrivateRegistryCredentials(
                username="u", password=PLANTED["the password of a registry"]
            ),
        )
        contained = models.ContainerSettings(image_source_registry=registry)
        submit(yard, "contained", "true", container_settings=contained)
        assert yard.wait_job("well").execution_state == "succeeded"
        assert yard.wait_job("badly").execution_info.exit_code == 3
        yard.wait_job("contained")
        submit(yard, "running", gate("end"))
        yard.wait_job("running", ("running",))
        poll_until("the job has begun", lambda: any(of_job(pid, "running") for pid in _others()))
        server.kill()
        server.start()
        submit(yard, "after", "true")
        assert yard.wait_job("after").execution_state == "succeeded"
        done("key", "rotate", "--data", server.data)
        new_key = (server.data / "secret-key").read_text().split()[1]
        assert new_key != old_key
        done("backup", "--data", server.data, "--to", tmp_path / "copy.db")

        kinds = {
            **PLANTED,
            "the key": new_key,
            "the key before": old_key,
            "the admin token": server.token,
            "a token": token,
            "the secret of a principal": client_secret,
        }
        search = Search(kinds)
        # What runs has its own secrets, in its environment and in a plan that only its owner may read.
        own = {"a variable of a job", "a secret of a vault"}
        found = search.folder(server.data)
        assert found.pop("secret-key") == ({"the key"}, 0o600)
        assert found.pop("admin-token") == ({"the admin token"}, 0o600)
        plans = [file for file in found if of_node(server.data, file)]
        assert [found.pop(plan) for plan in plans] == [(own, 0o600)], "the plan of the running job alone"
        assert found == {}
        holders = search.processes("environ")
        assert any(of_job(pid, "running") for pid in holders), "the search would not find a thing"
        assert {pid: holds for pid, holds in holders.items() if not (of_job(pid, "running") and holds <= own)} == {}
        assert search.processes("cmdline") == {}
        # What others see of it.
        assert search.within((tmp_path / "copy.db").read_bytes()) == set()
        log = server.log.read_bytes()
        assert b"TRACE" in log or b"DEBUG" in log
        assert search.within(log) == set()
        shown = {key: search.within(content) for key, content in answers(server, yard, flat).items()}
        assert {key: holds for key, holds in shown.items() if holds} == {}
        rows = stored(server.data / "trainyard.db", "SELECT * FROM events")
        assert rows and search.within(repr(rows).encode()) == set()
        # Once it has ended nothing is left of its plan; nor of anything once all is deleted.
        yard.open_gate("end")
        assert yard.wait_job("running").execution_state == "succeeded"
        kept = {"secret-key", "admin-token"}
        poll_until("its plan is gone", lambda: set(search.folder(server.data)) == kept)
        for job in list(yard.jobs()):
            yard.delete_job(job.name)
        yard.delete_cluster(yard.cluster)
        poll_until("nothing else is left", lambda: set(search.folder(server.data)) == kept)
        assert search.within(server.log.read_bytes()) == set()


def test_a_dying_engine_leaves_no_half_written_plan(vaults):
    """What a server that was killed over a file has left goes at the next start."""
    with served(configuration=WITH_VAULTS.format(folder=vaults)) as server:
        yard = planted_yard(server)
        (wanted, *_) = (server.data / "engine/nodes").glob("*/wanted")
        server.kill()
        draft = wanted / ".7-1.json.new"
        draft.write_text(PLANTED["a variable of a job"])
        server.start()
        assert not draft.exists()
        submit(yard, "after", "true")
        assert yard.wait_job("after").execution_state == "succeeded"


def test_the_server_keeps_its_memory_to_itself():
    """No core dump, and no look at its memory by others of its user: its files in /proc are root's."""
    with served() as server:
        assert Path(f"/proc/{server.process.pid}/environ").stat().st_uid == 0
        limits = Path(f"/proc/{server.process.pid}/coredump_filter")
        assert limits.stat().st_uid == 0
        if os.getuid() == 0:
            ended = trainyard("key", "show", "--data", server.data)
            assert ended.returncode == 0, ended.stderr


def test_a_secret_of_a_vault_comes_by_command_and_each_failure_is_told(tmp_path):
    script = tmp_path / "fetch"
    script.write_text(
        "#!/bin/sh\n"
        'test "$1" = https://keys.vault.azure.net/secrets/good || { echo "no such secret" >&2; exit 4; }\n'
        f"echo '{PLANTED['a secret of a vault']}'\n"
    )
    script.chmod(0o700)
    configuration = CONFIGURATION + f'[key_vaults]\ncommand = ["{script}", "{{url}}"]\n'
    with served(configuration=configuration) as server:
        yard = Yard(server)
        yard.build(nodes=1)
        length = len(PLANTED["a secret of a vault"])
        good = yard.run("good", f"test ${{#S}} = {length}", secrets=[variable("S", vault="good")])
        assert good.execution_state == "succeeded"
        bad = yard.run("bad", "true", secrets=[variable("S", vault="bad")])
        (error,) = bad.execution_info.errors
        assert error.code == "KeyVaultSecretFailed"
        details = {detail.name: detail.value for detail in error.details}
        assert details["member"] == "properties.secrets[0].valueSecretReference"
        assert details["vault"] == "keys"
        assert "exit code 4" in details["Info"]
        assert "no such secret" not in error.message
        assert "no such secret" in server.said()
        assert PLANTED["a secret of a vault"] not in server.said()


def test_without_vaults_a_reference_is_refused_with_what_to_configure(yard):
    job = yard.run("no-vault", "true", secrets=[variable("S", vault="x")])
    (error,) = job.execution_info.errors
    assert error.code == "NotAvailable"
    for part in ("properties.secrets[0].valueSecretReference", "key_vaults.folder", "key_vaults.command"):
        assert part in error.message
