"""`az batchai`, the vendor's command line of 2019, unchanged: each command of the module, as somebody types it."""

import contextlib
import json

import az
import pytest
from harness import PATIENCE, poll_until
from yards import ACCOUNT, ACCOUNT_KEY, LOCATION, SHARE

ACCOUNT_FLAGS = f"--storage-account-name {ACCOUNT} --storage-account-key {ACCOUNT_KEY}"
ADMIN = "-u yard -p 'a password of the test'"
HERE = "-g az-group -w yard"
RUNS = f"{HERE} -e runs"
NOT_FOUND = 3  # the exit code of every `show` of what is not there


@pytest.fixture(scope="module")
def a(clients_server):
    """A signed in `az`, with a workspace, an experiment and a cluster of one node that it has made."""
    with az.signed_in(clients_server, clients_server.subscription()) as signed_in:
        signed_in(f"az group create -n az-group -l {LOCATION}")
        signed_in("az batchai workspace create -g az-group -n yard")
        signed_in(f"az batchai experiment create {HERE} -n runs")
        signed_in(
            f"az batchai cluster create {HERE} -n pair -s STANDARD_D1 -t 1 {ADMIN} {ACCOUNT_FLAGS} --afs-name {SHARE}"
        )
        yield signed_in


def get(a, path):
    """What the server says of something beneath the workspace, by plain HTTP."""
    root = f"/subscriptions/{a.subscription}/resourceGroups/az-group/providers/Microsoft.BatchAI/workspaces/yard"
    return a.server.call("GET", f"{root}/{path}")


def job_file(a, command, name="job.json", **more):
    """A file as `job create` reads it."""
    properties = {
        "nodeCount": 1,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
        "customToolkitSettings": {"commandLine": command},
        "constraints": {"maxWallClockTime": "PT5M"},
        **more,
    }
    path = a.folder / name
    path.write_text(json.dumps({"properties": properties}))
    return path


def submit(a, name, command, **more):
    file = job_file(a, command, f"{name}.json", **more)
    return a(f"az batchai job create {RUNS} -n {name} -c pair -f {file}").json


def poll_ended(a, name):
    def ended():
        job = get(a, f"experiments/runs/jobs/{name}").json()["properties"]
        return job if job["executionState"] in ("succeeded", "failed") else None

    return poll_until(f"job {name} has ended", ended)


def counts_of(a, cluster):
    return get(a, f"clusters/{cluster}").json()["properties"]["nodeStateCounts"]


@contextlib.contextmanager
def started(a, line):
    """A command that runs beside the others."""
    process = a.start(line)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_workspaces(a):
    assert a("az batchai workspace show -g az-group -n yard").json["location"] == LOCATION
    a("az batchai workspace create -g az-group -n other -l westeurope")
    row = {"Resource Group": "az-group", "State": "succeeded"}
    assert sorted(a.table("az batchai workspace list -g az-group"), key=lambda one: one["Name"]) == [
        {"Name": "other", "Location": "westeurope", **row},
        {"Name": "yard", "Location": LOCATION, **row},
    ]
    assert {"other", "yard"} <= {one["name"] for one in a("az batchai workspace list").json}
    a("az batchai workspace delete -g az-group -n other -y")
    gone = a.run("az batchai workspace show -g az-group -n other")
    assert (gone.code, "The specified workspace other is not found" in gone.err) == (NOT_FOUND, True), str(gone)


def test_experiments(a):
    a(f"az batchai experiment create {HERE} -n second")
    row = {"Resource Group": "az-group", "Workspace": "yard", "State": "succeeded"}
    assert a.table(f"az batchai experiment list {HERE}") == [{"Name": "runs", **row}, {"Name": "second", **row}]
    assert a.table(f"az batchai experiment show {HERE} -n second") == [{"Name": "second", **row}]
    a(f"az batchai experiment delete {HERE} -n second -y")
    assert a.run(f"az batchai experiment show {HERE} -n second").code == NOT_FOUND


def test_clusters(a):
    again = a.run(f"az batchai cluster create {HERE} -n pair -s STANDARD_D1 -t 1 {ADMIN}")
    assert (again.code, "already exists" in again.err) == (1, True), str(again)
    made = a(
        f"az batchai cluster create {HERE} -n wide -s STANDARD_D1 --min 0 --max 2 {ADMIN} -i UbuntuLTS"
        " --vm-priority lowpriority"
    ).json
    assert made["scaleSettings"]["autoScale"] == {
        "initialNodeCount": 0,
        "maximumNodeCount": 2,
        "minimumNodeCount": 0,
    }
    assert (made["vmPriority"], made["userAccountSettings"]["adminUserPassword"]) == ("lowpriority", None)
    resized = a(f"az batchai cluster resize {HERE} -n wide -t 1").json
    assert (resized["scaleSettings"]["manual"]["targetNodeCount"], resized["scaleSettings"]["autoScale"]) == (1, None)
    poll_until("the node is idle", lambda: counts_of(a, "wide")["idleNodeCount"])
    row = {"Resource Group": "az-group", "Workspace": "yard", "VM Size": "STANDARD_D1", "State": "steady"}
    counts = {"Idle": "1", "Running": "0", "Preparing": "0", "Leaving": "0", "Unusable": "0"}
    by_name = {one["Name"]: one for one in a.table(f"az batchai cluster list {HERE}")}
    assert by_name["wide"] == {"Name": "wide", **row, **counts}
    (node,) = a.table(f"az batchai cluster node list {HERE} -c wide")
    assert node["ID"].startswith("tvm-") and node["ID"].endswith("-p") and int(node["SSH Port"]) > 0
    assert a(f"az batchai cluster file list {HERE} -c wide").json == []  # there is no setup task
    scaled = a(f"az batchai cluster auto-scale --ids {made['id']} --min 0 --max 1").json["scaleSettings"]
    assert (scaled["manual"], scaled["autoScale"]["maximumNodeCount"]) == (None, 1)
    a(f"az batchai cluster delete {HERE} -n wide -y")
    assert get(a, "clusters/wide").status_code == 404
    assert a.run(f"az batchai cluster show {HERE} -n wide").code == NOT_FOUND


def test_file_servers(a):
    disks = "--disk-count 2 --disk-size 10"
    create = f"az batchai file-server create {HERE} -s STANDARD_D1 {disks} {ADMIN}"
    made = a(f"{create} -n nfs --storage-sku Standard_LRS")
    assert made.json["provisioningState"] == "succeeded"
    (row,) = a.table(f"az batchai file-server list {HERE}")
    assert (row["Name"], row["Disks"], row["Mount Point"]) == ("nfs", "2 x 10 Gb", "/data")
    assert a.table(f"az batchai file-server show {HERE} -n nfs") == [row]
    bad = a.run(f"{create} -n premium --storage-sku Premium_LRS")
    assert (bad.code, "File Server provisioning has failed" in bad.err) == (1, True), str(bad)
    # A cluster that mounts it, by its name.
    a(f"az batchai cluster create {HERE} -n mounts -s STANDARD_D1 -t 0 {ADMIN} --nfs nfs")
    mounted = get(a, "clusters/mounts").json()["properties"]["nodeSetup"]["mountVolumes"]["fileServers"]
    assert (mounted[0]["relativeMountPath"], mounted[0]["fileServer"]["id"]) == ("nfs", made.json["id"])
    kept = a.run(f"az batchai file-server delete {HERE} -n nfs -y")
    assert (kept.code, "mounts" in kept.err) == (1, True), str(kept)
    a(f"az batchai cluster delete {HERE} -n mounts -y")
    a(f"az batchai file-server delete {HERE} -n nfs -y")
    assert get(a, "fileservers/nfs").status_code == 404


def test_a_job_is_streamed_and_waited_for(a):
    gate = "until [ -e $AZ_BATCHAI_MOUNT_ROOT/afs/az-gate ]; do sleep 0.02; done"
    models = {"id": "MODEL", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "pathSuffix": "Models"}
    command = f"echo early; {gate}; echo late; mkdir $AZ_BATCHAI_OUTPUT_MODEL/epoch"
    made = submit(a, "hello", command, outputDirectories=[models])
    assert (made["provisioningState"], made["toolType"]) == ("succeeded", "custom")
    again = a.run(f"az batchai job create {RUNS} -n hello -c pair -f {a.folder / 'hello.json'}")
    assert (again.code, "already exists" in again.err) == (1, True), str(again)
    stream = f"az batchai job file stream {RUNS} -j hello -f stdout.txt"
    with started(a, stream) as streaming, started(a, f"az batchai job wait {RUNS} -n hello") as waiting:
        assert streaming.stdout.readline() == "early\n"
        assert get(a, "experiments/runs/jobs/hello").json()["properties"]["executionState"] == "running"
        a.server.share(ACCOUNT, SHARE).joinpath("az-gate").touch()
        out, err = streaming.communicate(timeout=PATIENCE)
        assert (streaming.returncode, out) == (0, "late\n"), err
        poll_ended(a, "hello")
        row = {"Cluster": "pair", "Cluster RG": "az-group", "Cluster Workspace": "yard", "Tool": "custom"}
        row |= {"Nodes": "1", "State": "succeeded", "Exit code": "0"}
        assert a.table(f"az batchai job show {RUNS} -n hello") == [{"Name": "hello", **row}]
        assert {"Name": "hello", **row} in a.table(f"az batchai job list {RUNS}")
        files = a.table(f"az batchai job file list {RUNS} -j hello")
        assert [(one["Name"], one["Type"]) for one in files] == [
            ("execution.log", "file"),
            ("stderr.txt", "file"),
            ("stdout.txt", "file"),
        ]
        assert files[2]["Size"] == str(len("early\nlate\n"))
        (directory,) = a(f"az batchai job file list {RUNS} -j hello -d MODEL --expiry 15").json
        assert (directory["name"], directory["fileType"]) == ("epoch", "directory")
        (node,) = a(f"az batchai job node list {RUNS} -j hello").json
        assert node["nodeId"].startswith("tvm-")
        out, err = waiting.communicate(timeout=PATIENCE)  # it looks every 15 seconds
    assert (waiting.returncode, "Job completed at" in err) == (0, True), err
    a(f"az batchai job delete {RUNS} -n hello -y")
    assert a.run(f"az batchai job show {RUNS} -n hello").code == NOT_FOUND


def test_a_failed_job_gives_its_exit_code_to_who_waits(a):
    submit(a, "fails", "exit 7")
    poll_ended(a, "fails")
    waited = a.run(f"az batchai job wait {RUNS} -n fails")
    assert waited.code == 7, str(waited)
    assert "Job failed with non-zero exit code" in waited.err


def test_a_job_is_terminated(a):
    submit(a, "endless", "sleep 300")
    poll_until(
        "the job runs",
        lambda: get(a, "experiments/runs/jobs/endless").json()["properties"]["executionState"] == "running",
    )
    asked = a.run(f"az batchai job terminate {RUNS} -n endless")
    assert (asked.code, "Use --yes" in asked.err) == (1, True), str(asked)
    a(f"az batchai job terminate {RUNS} -n endless -y")
    ended = poll_ended(a, "endless")
    assert [error["code"] for error in ended["executionInfo"]["errors"]] == ["JobTerminated"]
    (row,) = a.table(f"az batchai job show {RUNS} -n endless")
    assert (row["State"], row["Exit code"]) == ("failed", "")


def test_a_recipe_of_the_vendor_is_submitted_as_it_is_written(a, reference):
    recipe = reference / "recipes" / "Chainer-GPU-Distributed" / "job.json"
    a.variables = {"AZURE_BATCHAI_STORAGE_ACCOUNT": ACCOUNT, "AZURE_BATCHAI_STORAGE_KEY": ACCOUNT_KEY}
    try:
        made = a(f"az batchai job create {RUNS} -n recipe -c pair -f {recipe}").json
    finally:
        a.variables = {}
    wish = json.loads(recipe.read_text())["properties"]
    assert made["toolType"] == "chainer"
    assert made["chainerSettings"]["pythonScriptFilePath"] == wish["chainerSettings"]["pythonScriptFilePath"]
    assert made["nodeCount"] == wish["nodeCount"]
    assert made["containerSettings"]["imageSourceRegistry"]["image"]
    a(f"az batchai job delete {RUNS} -n recipe -y")


def test_usages(a):
    usages = a.table(f"az batchai list-usages -l {LOCATION}")
    assert (usages[0]["Value"], usages[0]["Limit"]) == ("Clusters", "20")
    assert int(usages[0]["Usage"]) >= 1
    assert usages[1]["Value"] == "Total Cluster Dedicated Regional vCPUs"


def test_auto_storage_says_what_to_use_instead(a):
    refused = a.run(f"az batchai cluster create {HERE} -n auto -s STANDARD_D1 -t 1 {ADMIN} --use-auto-storage")
    assert refused.code == 1
    assert "--use-auto-storage cannot work here" in refused.err, str(refused)
    assert get(a, "clusters/auto").status_code == 404
    # What the answer says to use instead.
    instead = f"{ACCOUNT_FLAGS} --afs-name share --afs-mount-path autoafs --bfs-name box --bfs-mount-path autobfs"
    assert all(flag in refused.err for flag in instead.split() if flag.startswith("--") or flag.startswith("auto"))
    a(f"az batchai cluster create {HERE} -n auto -s STANDARD_D1 -t 0 {ADMIN} {instead}")
    volumes = get(a, "clusters/auto").json()["properties"]["nodeSetup"]["mountVolumes"]
    assert volumes["azureFileShares"][0]["relativeMountPath"] == "autoafs"
    assert volumes["azureBlobFileSystems"][0]["relativeMountPath"] == "autobfs"
