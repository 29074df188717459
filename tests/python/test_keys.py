"""The key that seals secrets: from a file, a variable or a credential; replaced while the server serves."""

import base64
import contextlib
import random
import secrets
import threading

import requests
from azure.mgmt.batchai import models
from commands import done, files_with, mode, refused, served
from harness import PATIENCE, _others, _read
from yards import ROOT, Yard

SECRETS = 300


def new_key():
    return base64.b64encode(secrets.token_bytes(32)).decode()


def shown(server, **more):
    """Id, role and number of sealed values of each key."""
    lines = done("key", "show", "--data", server.data, **more).splitlines()
    return [tuple(line.split("\t")) for line in lines]


def job_body(yard, text):
    return {
        "properties": {
            "cluster": {"id": yard.get_cluster(yard.cluster).id},
            "nodeCount": 1,
            "stdOutErrPathPrefix": ROOT,
            "customToolkitSettings": {"commandLine": "true"},
            "secrets": [{"name": "S", "value": text}],
        }
    }


def path_of(yard, name):
    base = f"{yard.group_path}/providers/Microsoft.BatchAI/workspaces/{yard.workspace}"
    return f"{base}/experiments/{yard.experiment}/jobs/{name}"


def all_readable(yard, names):
    """An equal wish is the same job, another is refused: so the server has read the secret that is stored."""
    body = job_body(yard, "hush")
    for name in names:
        again = yard.server.call("PUT", path_of(yard, name), json=body)
        assert again.status_code == 200, f"{name}: {again.text}"
    other = yard.server.call("PUT", path_of(yard, names[0]), json=job_body(yard, "another"))
    assert other.status_code == 409, other.text


def full_yard(server, count=SECRETS):
    yard = Yard(server)
    yard.build(nodes=0)
    body = job_body(yard, "hush")
    names = [f"job-{i:04}" for i in range(count)]
    for name in names:
        made = server.call("PUT", path_of(yard, name), json=body)
        assert made.status_code in (200, 202), made.text
    return yard, names


def step(server):
    """One step of a rotation, as the command asks for it; none when the server dies over it."""
    with contextlib.suppress(requests.ConnectionError):
        return server.call("POST", "/trainyard/key/rotate", version=None)


def test_a_rotation_that_is_killed_anywhere_loses_nothing_and_goes_on(fact):
    with served() as server:
        yard, names = full_yard(server)
        (first,) = shown(server)
        killed = set()
        for round_ in range(10):
            for _ in range(round_ % 5):
                assert step(server).status_code == 200
            # One more step is under way, or about to be, when the server dies.
            last = threading.Thread(target=step, args=(server,))
            last.start()
            last.join(random.SystemRandom().uniform(0, 0.012))
            server.kill()
            last.join(PATIENCE)
            server.start()
            rows = shown(server)
            assert [row for row in rows if row[1] == "missing"] == [], rows
            killed.add((len(rows), rows[0][2]))
            all_readable(yard, names[:: SECRETS // 20])
        new = done("key", "rotate", "--data", server.data).strip()
        rows = shown(server)
        assert [row[:2] for row in rows] == [(new, "seals")]
        assert new != first[0] and int(rows[0][2]) > SECRETS
        assert len((server.data / "secret-key").read_text().splitlines()) == 1
        assert mode(server.data / "secret-key") == 0o600
        assert list(server.data.glob("secret-key.*")) == []
        all_readable(yard, names)
        server.kill()
        server.start()
        all_readable(yard, names)
        fact(f"rotation: {len(killed)} different places where a server was killed")


def test_a_rotation_works_without_a_server_and_old_backups_name_the_key_they_need(tmp_path):
    with served() as server:
        yard, names = full_yard(server, 20)
        old = (server.data / "secret-key").read_text()
        (before,) = shown(server)
        done("backup", "--data", server.data, "--to", tmp_path / "copy.db")
        server.terminate()
        new = done("key", "rotate", "--data", server.data).strip()
        assert shown(server) == [(new, "seals", before[2])]
        said = refused(1, "restore", "--data", server.data, "--from", tmp_path / "copy.db")
        assert before[0] in said and new in said and "one more line" in said, said
        with open(server.data / "secret-key", "a", encoding="utf-8") as file:
            file.write(old)
        done("restore", "--data", server.data, "--from", tmp_path / "copy.db")
        server.start()
        assert "several keys" in server.said()
        all_readable(yard, names)
        assert done("key", "rotate", "--data", server.data).strip() == new
        assert shown(server) == [(new, "seals", before[2])]
        all_readable(yard, names)


def test_a_key_of_the_environment_is_written_nowhere_and_given_to_nobody():
    key = new_key()
    with served(start=False) as server:
        server.variables = {"TRAINYARD_SECRET_KEY": key}
        server.start()
        yard = Yard(server)
        yard.build(nodes=1)
        job = yard.run(
            "j", 'test -z "$TRAINYARD_SECRET_KEY"',
            secrets=[models.EnvironmentVariableWithSecretValue(name="S", value="hush")],
        )
        assert job.execution_state == "succeeded"
        assert not (server.data / "secret-key").exists()
        raw = base64.b64decode(key)
        assert files_with(server.data, [key, raw.hex()]) == []
        holders = [pid for pid in _others() if key.encode() in _read(pid, "environ")]
        assert holders == [server.process.pid]
        said = refused(1, "key", "rotate", "--data", server.data)
        assert "TRAINYARD_SECRET_KEY" in said and "first line" in said, said
        # The operator puts a new one before it, and has the rows moved.
        server.terminate()
        other = new_key()
        server.variables = {"TRAINYARD_SECRET_KEY": f"{other}\n{key}"}
        server.start()
        done("key", "rotate", "--data", server.data)
        server.terminate()
        server.variables = {"TRAINYARD_SECRET_KEY": other}
        server.start()
        assert yard.get_job("j").name == "j"
        server.terminate()
        # Another one, none, or nonsense: what was found and what to do.
        said = refused(1, "serve", "--data", server.data, "--listen", "127.0.0.1:0",
                       variables={"TRAINYARD_SECRET_KEY": key})
        assert "TRAINYARD_SECRET_KEY" in said and "sealed with the key" in said, said
        said = refused(1, "serve", "--data", server.data, "--listen", "127.0.0.1:0")
        assert "secret-key" in said and "backup" in said, said
        assert not (server.data / "secret-key").exists()
        said = refused(1, "serve", "--data", server.data, "--listen", "127.0.0.1:0",
                       variables={"TRAINYARD_SECRET_KEY": "hunter2hunter2"})
        assert "base64" in said and "hunter2" not in said, said
        server.start()


def test_a_credential_of_the_service_manager_comes_before_the_file(tmp_path):
    key = new_key()
    (tmp_path / "trainyard-secret-key").write_text(key)
    with served(start=False) as server:
        server.variables = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
        server.start()
        assert "credential" in done_said(server)
        assert not (server.data / "secret-key").exists()
        assert files_with(server.data, [key]) == []


def done_said(server):
    """Where the running server says that its key comes from."""
    answer = server.call("GET", "/trainyard/key", version=None)
    assert answer.status_code == 200, answer.text
    return answer.json()["origin"]


def test_a_file_elsewhere_is_made_private_and_refused_when_others_may_read_it(tmp_path):
    place = tmp_path / "own key"
    with served(start=False) as server:
        server.variables = {"TRAINYARD_SECRETS_KEY_FILE": str(place)}
        server.start()
        assert mode(place) == 0o600 and not (server.data / "secret-key").exists()
        server.terminate()
        place.chmod(0o644)
        said = refused(1, "serve", "--data", server.data, "--listen", "127.0.0.1:0",
                       variables=server.variables)
        assert "644" in said and "chmod 600" in said, said
        place.chmod(0o600)
        server.start()
