"""`trainyard migrate verify`: the real command over scripts, which it does not run and does not change."""

import json
import subprocess

import harness

SCRIPT = """#!/bin/bash
touch {ran}
az() {{ touch {ran}; }}
az batchai cluster create -n nc6 -g $RG -l eastus -s STANDARD_NC6 --min 0 --max 2 -u me -p hush7391
az batchai job create -n j -g $RG -l eastus -r nc6 -c job.json
az batchai job show -n j -g $(touch {ran})
az batchai job list
"""
JOB = {
    "location": "eastus",
    "properties": {
        "nodeCount": 2,
        "priority": 5,
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/anymount",
        "customToolkitSettings": {"commandLine": "touch /tmp/never"},
    },
}
PROGRAM = """from azure.mgmt.batchai import BatchAIManagementClient, models
client = BatchAIManagementClient(credentials, subscription)
open({ran!r}, 'w')
client.clusters.create('rg', 'c', models.ClusterCreateParameters(
    location='eastus', vm_size='STANDARD_D1', scale_settings=models.ScaleSettings(models.ManualScaleSettings(1)),
    user_account_settings=models.UserAccountSettings('me', 'ssh-rsa A'))).result()
client.jobs.get('rg', 'j')
"""


def verify(folder, *words):
    """The command without a home, a server or anything else; temporary files of its own."""
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    ended = subprocess.run(
        [harness.binary(), "migrate", "verify", *words],
        env={"TMPDIR": str(temporary)},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert not list(temporary.iterdir()), "something was left behind"
    return ended


def test_a_folder_is_verified_and_nothing_of_it_runs(tmp_path):
    ran = tmp_path / "ran"
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "run.sh").write_text(SCRIPT.format(ran=ran))
    (scripts / "train.py").write_text(PROGRAM.format(ran=str(ran)))
    (scripts / "job.json").write_text(json.dumps(JOB))
    before = {path: path.read_bytes() for path in scripts.iterdir()}
    ended = verify(tmp_path, "scripts", "--format", "json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = json.loads(ended.stdout)
    by_call = {(call["file"].split("/")[-1], call["call"]): call for call in found["calls"]}
    for name in [
        ("run.sh", "az batchai cluster create"),
        ("run.sh", "az batchai job create"),
        ("run.sh", "az batchai job show"),
        ("job.json", "job file"),
        ("train.py", "clusters.create"),
        ("train.py", "jobs.get"),
    ]:
        assert by_call[name]["finding"] == "same", by_call[name]
    asked = by_call[("run.sh", "az batchai job list")]
    assert asked["finding"] == "not replayed" and "undecided" in asked["why"]
    assert by_call[("run.sh", "az batchai job create")]["notes"] == [], "the job file beside it was read"
    assert found["summary"]["differs"] == 0
    assert "hush7391" not in ended.stdout + ended.stderr
    assert not ran.exists()
    assert {path: path.read_bytes() for path in scripts.iterdir()} == before


def test_a_difference_ends_with_3(tmp_path):
    """The image of the file was always written over by 0.1; the new form takes that of the file."""
    cluster = {
        "properties": {
            "vmSize": "STANDARD_NC6",
            "virtualMachineConfiguration": {"imageReference": {"publisher": "p", "offer": "o", "sku": "s"}},
        }
    }
    (tmp_path / "cluster.json").write_text(json.dumps(cluster))
    (tmp_path / "run.sh").write_text(
        "az batchai cluster create -n c -g g -w w -s NO_SUCH_SIZE -t 1 -u me -p hush7391\n"
        "az batchai cluster create -n c -g g -l eastus -c cluster.json --min 0 --max 2 -u me -p hush7391 --no-wait\n"
    )
    ended = verify(tmp_path, "run.sh")
    assert ended.returncode == 3, ended.stdout + ended.stderr
    first, second = ended.stdout.splitlines()[:2]
    assert first.startswith("run.sh:1: az batchai cluster create: refused: 400 ")
    assert ": differs: " in second and "imageReference" in second, second
    assert "hush7391" not in ended.stdout + ended.stderr
