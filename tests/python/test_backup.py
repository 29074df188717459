"""`trainyard backup` and `restore` on a server at work: nothing acknowledged is missing, no attempt comes twice."""

import threading

import requests
from azure.mgmt.batchai import models
from commands import attempts, done, files_with, mode, nodes_of, refused, served, stored
from harness import PATIENCE, poll_until, processes
from yards import ACCOUNT_KEY, ROOT, Yard, gate, manual, share_reference

PASSWORD = "planted-password-of-the-user"
VARIABLE = "planted-value-of-a-variable"
MOUNT_KEY = "cGxhbnRlZC1rZXktb2YtYS1tb3VudA=="
SECRETS = [PASSWORD, VARIABLE, MOUNT_KEY, ACCOUNT_KEY]
# Each attempt writes its number down, once when it starts and once when it ends.
NOTE = f'echo "$1 ${{TRAINYARD_PLACEMENT##*-}}" >> {ROOT}/ledger-$2'


def noting(job, work):
    """A command that notes its attempts around `work`."""
    script = f"note() {{ {NOTE}; }}; note start {job}; {work}; note stop {job}"
    return script


class Load:
    """Submits jobs from a thread of its own until told to end; knows which were acknowledged."""

    def __init__(self, yard):
        self.yard, self.acknowledged, self.refusals = yard, [], []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.submit)
        self.cluster = yard.get_cluster(yard.cluster).id

    def submit(self):
        path = f"{self.yard.group_path}/providers/Microsoft.BatchAI/workspaces/yard/experiments/runs/jobs"
        while not self.over.is_set() and len(self.acknowledged) < 2000:
            name = f"load-{len(self.acknowledged):04}"
            wish = {
                "cluster": {"id": self.cluster},
                "nodeCount": 1,
                "stdOutErrPathPrefix": ROOT,
                "customToolkitSettings": {"commandLine": noting(name, "true")},
            }
            answer = self.yard.server.call("PUT", f"{path}/{name}", json={"properties": wish})
            if answer.status_code in (200, 202):
                self.acknowledged.append(name)
            else:
                self.refusals.append(answer.text)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(PATIENCE)

    def poll_more(self, count):
        wanted = len(self.acknowledged) + count
        poll_until(f"{wanted} jobs are acknowledged", lambda: len(self.acknowledged) >= wanted)


def planted(yard):
    """A cluster and a job with secrets in every place that takes one."""
    cluster = models.ClusterCreateParameters(
        vm_size="STANDARD_D1",
        scale_settings=manual(0),
        user_account_settings=models.UserAccountSettings(admin_user_name="yard", admin_user_password=PASSWORD),
        node_setup=models.NodeSetup(
            setup_task=models.SetupTask(
                command_line="true",
                std_out_err_path_prefix=ROOT,
                secrets=[models.EnvironmentVariableWithSecretValue(name="A_SECRET", value=VARIABLE)],
            ),
            mount_volumes=models.MountVolumes(azure_file_shares=[share_reference()]),
        ),
    )
    made = yard.client.clusters.create(yard.group, yard.workspace, "planted", cluster).result(PATIENCE)
    blob = models.AzureBlobFileSystemReference(
        account_name="planted",
        container_name="box",
        relative_mount_path="box",
        credentials=models.AzureStorageCredentialsInfo(account_key=MOUNT_KEY),
    )
    job = yard.job_parameters(
        "true",
        cluster="planted",
        secrets=[models.EnvironmentVariableWithSecretValue(name="A_SECRET", value=VARIABLE)],
        mount_volumes=models.MountVolumes(azure_blob_file_systems=[blob]),
    )
    yard.put_job("planted", job)
    return made


def ledger(yard, job):
    file = yard.share / f"ledger-{job}"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def test_backup_and_restore_of_a_server_at_work(tmp_path):
    with served() as server:
        yard = Yard(server)
        yard.build(nodes=2)
        planted(yard)
        # One job runs from before the backup until after the restore, one ends in between.
        yard.submit("long", noting("long", gate("long")))
        yard.submit("between", noting("between", gate("between")))
        for name in ("long", "between"):
            yard.wait_job(name, ("running",))
            poll_until(f"{name} has begun", lambda name=name: ledger(yard, name))
        copy = tmp_path / "copy.db"
        with Load(yard) as load:
            load.poll_more(20)
            before = list(load.acknowledged)
            done("backup", "--data", server.data, "--to", copy)
            load.poll_more(20)
        assert load.refusals == []
        assert mode(copy) == 0o600
        content = copy.read_bytes()
        assert "exists already" in refused(1, "backup", "--data", server.data, "--to", copy)
        assert copy.read_bytes() == content

        # The backup goes on living: jobs end, a cluster comes.
        yard.open_gate("between")
        yard.wait_job("between")
        for name in load.acknowledged:
            yard.wait_job(name, ("succeeded",))
        yard.make_cluster("later", manual(1))
        yard.wait_idle("later", 1)
        assert len(nodes_of(server)) == 3
        said = refused(1, "restore", "--data", server.data, "--from", copy)
        assert f"pid {server.process.pid}" in said and "in use" in said, said
        server.terminate()
        old = attempts(server.data / "trainyard.db")
        assert old["between"][1] == "succeeded"

        done("restore", "--data", server.data, "--from", copy)
        # The store that was there is kept.
        (kept,) = [path for path in server.data.glob("trainyard.db.replaced-*") if path.suffix.count("-") == 1]
        assert attempts(kept) == old and mode(kept) == 0o600
        highest = max(attempt for attempt, _ in old.values())
        (floor,) = stored(server.data / "trainyard.db", "SELECT value FROM meta WHERE key = 'attempt_floor'")[0]
        assert floor > highest
        assert mode(server.data / "trainyard.db") == 0o600

        server.start()
        restored = {job.name for job in yard.jobs()}
        assert set(before) | {"long", "between", "planted"} <= restored
        # What was made after the backup is gone, and so is the node that nobody knows any more.
        assert "later" not in [c.name for c in yard.client.clusters.list_by_workspace(yard.group, "yard")]
        poll_until("nodes that the restored store does not know have ended", lambda: len(nodes_of(server)) == 2)
        assert yard.get_job("long").execution_state in ("running", "queued")
        yard.open_gate("long")
        for name in ["long", "between", *before]:
            yard.wait_job(name, ("succeeded",))
        now = attempts(server.data / "trainyard.db")
        again = {name for name in before if len(ledger(yard, name)) > 2}
        assert again, "no job of the backup ran once more; the test shows nothing"
        for name in ["long", "between", *before]:
            lines = ledger(yard, name)
            starts = [int(attempt) for word, attempt in lines if word == "start"]
            assert len(starts) == len(set(starts)), f"{name}: an attempt started twice: {lines}"
            assert now[name][0] == max(starts), (name, now[name], lines)
            if name in again:
                assert now[name][0] > highest, (name, now[name], highest)
        # A name that is used again after the restore is a new thing with a new uid.
        uids = [uid for (uid,) in stored(kept, "SELECT uid FROM jobs")]
        yard.run("new", "true")
        ((new,),) = stored(server.data / "trainyard.db", "SELECT uid FROM jobs WHERE name = 'new'")
        assert new > max(uids)


def everything_said(server, yard):
    """The text of every answer to a read."""
    base = f"{yard.group_path}/providers/Microsoft.BatchAI/workspaces/yard"
    jobs = f"{base}/experiments/runs/jobs"
    paths = [base, f"{base}/clusters", f"{base}/clusters/planted", jobs, f"{jobs}/planted"]
    texts = [server.call("GET", path).text for path in paths]
    texts.append(server.call("POST", f"{jobs}/planted/listRemoteLoginInformation").text)
    texts.append(server.call("PUT", f"{base}/clusters/planted", data=b"{").text)
    texts.append(server.call("PATCH", f"{base}/clusters/planted", json={"tags": {"a": "b"}}).text)
    texts.append(requests.get(f"{server.url}/metrics", timeout=PATIENCE).text)
    texts.append(server.call("GET", "/metrics", version=None).text)
    texts.append(server.call("GET", "/trainyard/tokens", version=None).text)
    return texts


def test_no_secret_stands_anywhere_in_clear(tmp_path):
    with served() as server:
        server.terminate()
        server.flags = ["--log-level", "trace"]
        server.start()
        yard = Yard(server)
        yard.build(nodes=1)
        planted(yard)
        # The same secrets on a job that really runs, and is seen in the list of processes meanwhile.
        variables = [models.EnvironmentVariableWithSecretValue(name="A_SECRET", value=VARIABLE)]
        yard.submit("runs", f'test -n "$A_SECRET"; {gate("end")}', secrets=variables)
        yard.wait_job("runs", ("running",))
        copy = tmp_path / "copy.db"
        done("backup", "--data", server.data, "--to", copy)
        secrets = [*SECRETS, server.token]
        assert files_with(tmp_path, secrets) == []
        stores = [path for path in server.data.glob("trainyard.db*")]
        found = [secret for path in stores for secret in secrets if secret.encode() in path.read_bytes()]
        assert stores and found == []
        for text in everything_said(server, yard):
            assert [secret for secret in secrets if secret in text] == [], text
        for secret in secrets:
            commands = [line for line in processes(secret).values() if secret in line]
            assert commands == []
        logs = [server.log, *server.data.rglob("*.log"), *server.data.rglob("execution*.log")]
        told = [(path, secret) for path in logs for secret in secrets if secret in path.read_text()]
        assert told == []
        yard.open_gate("end")
        yard.wait_job("runs", ("succeeded",))
        # Plans hold secrets as long as they are needed, and are gone with their job.
        plans = list((server.data / "engine" / "nodes").glob("*/wanted/*"))
        poll_until("the plan is removed", lambda: not any(path.exists() for path in plans))
        left = [file for file, secret in files_with(server.data, [VARIABLE])]
        assert left == [], left


def test_a_damaged_store_can_be_replaced(tmp_path):
    with served() as server:
        yard = Yard(server)
        yard.build(nodes=0)
        copy = tmp_path / "copy.db"
        done("backup", "--data", server.data, "--to", copy)
        server.terminate()
        store = server.data / "trainyard.db"
        for name in ("trainyard.db-wal", "trainyard.db-shm"):
            (server.data / name).unlink(missing_ok=True)
        store.write_bytes(b"nothing that anybody could read" * 1000)
        assert "damaged" in refused(1, "serve", "--data", server.data, "--listen", "127.0.0.1:0")
        # What is no backup is refused, and changes nothing.
        (tmp_path / "other").write_bytes(b"no database at all" * 100)
        for wrong in (tmp_path / "other", store):
            assert str(wrong) in refused(1, "restore", "--data", server.data, "--from", wrong)
        assert store.read_bytes().startswith(b"nothing that")
        done("restore", "--data", server.data, "--from", copy)
        server.start()
        assert yard.get_cluster(yard.cluster).name == yard.cluster
        # A copy of one that is damaged cannot be made, and none is left half done.
        assert refused(1, "backup", "--data", tmp_path, "--to", tmp_path / "never")
        assert not (tmp_path / "never").exists()


def test_a_backup_without_its_key_is_told_as_such(tmp_path):
    with served() as server, served(start=False) as other:
        done("backup", "--data", server.data, "--to", tmp_path / "copy.db")
        said = refused(1, "restore", "--data", other.data, "--from", tmp_path / "copy.db")
        assert "secret-key" in said, said
        assert not (other.data / "trainyard.db").exists()
        # Another key does not fit either, and what is there stays what it is.
        other.start()
        own = other.subscription()
        other.terminate()
        said = refused(1, "restore", "--data", other.data, "--from", tmp_path / "copy.db")
        assert "secret-key" in said, said
        other.start()
        assert other.subscription() == own
        other.terminate()
        # With the key it is the same house on another folder.
        (other.data / "secret-key").unlink()
        (other.data / "secret-key").write_bytes((server.data / "secret-key").read_bytes())
        (other.data / "secret-key").chmod(0o600)
        done("restore", "--data", other.data, "--from", tmp_path / "copy.db")
        other.start()
        assert other.subscription() == server.subscription()
