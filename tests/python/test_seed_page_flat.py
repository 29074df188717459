"""Clients of the versions before workspaces, unchanged; then the lines of the page that tells how to move from them.

The page has its lines in Python (SDK 2.0.0) and for the command line. They are run as they stand there, on what the old
clients have made, with the names filled in.
"""

import re
from pathlib import Path

import az
import pytest
from azure.mgmt.batchai import models
from msrestazure.azure_exceptions import CloudError
from seed_page import FLAT, OUTPUT, Page
from yards import LOCATION, client_of, cluster_parameters, manual

CLUSTER, FILE_SERVER, JOB = "old.cluster", "old-disks", "old-job"
NAMES = {"cluster": "old-cluster", "file_server": FILE_SERVER, "job": JOB}
# The page, in its own order. Its `client.fileservers` is `client.file_servers` in the SDK; its last line lacks a comma.
PYTHON = [
    "cluster = client.clusters.get(resource_group_name, 'migrated-<region>', cluster_name)",
    "client.clusters.delete(resource_group_name, 'migrated-<region>', cluster_name)",
    "cluster = client.fileservers.get(resource_group_name, 'migrated-<region>', fileserver_name)",
    "client.fileservers.delete(resource_group_name, 'migrated-<region>', fileserver_name)",
    "cluster = client.jobs.get(resource_group_name, 'migrated-<region>', 'migrated', job_name)",
    "client.jobs.delete(resource_group_name, 'migrated-<region>', 'migrated', job_name)",
    "_ = client.clusters.create(resource_group_name, workspace_name, cluster_name, cluster_create_parameters).result()",
    "_ = client.fileservers.create(resource_group_name, workspace_name, fileserver_name, "
    "fileserver_create_parameters).result()",
    "_ = client.jobs.create(resource_group_name, workspace_name, experiment_name, job_name "
    "job_create_parameters).result()",
]
COMMANDS = [
    "az batchai cluster show -g resource-group-name -w migrated-<region> -n cluster-name",
    "az batchai cluster delete -g resource-group-name -w migrated-<region> -n cluster-name",
    "az batchai file-server show -g resource-group-name -w migrated-<region> -n fileserver-name",
    "az batchai file-server delete -g resource-group-name -w migrated-<region> -n fileserver-name",
    "az batchai job show -g resource-group-name -w migrated-<region> -e migrated -n job-name",
    "az batchai job delete -g resource-group-name -w migrated-<region> -e migrated -n job-name",
    "az batchai workspace create -g resource-group-name -n workspace-name",
    "az batchai experiment create -g resource-group-name -w workspace-name -n experiment-name",
]
FILLED_IN = {
    "resource-group-name": "for-python-0-2-0",
    "<region>": LOCATION,
    "workspace-name": "new-workspace",
    "experiment-name": "new-experiment",
    "cluster-name": NAMES["cluster"],
    "fileserver-name": FILE_SERVER,
    "job-name": JOB,
}


def lines_of(page, language):
    blocks = re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def filled_in(command):
    for name, value in FILLED_IN.items():
        command = command.replace(name, value)
    return command


def flat_page(server, client, group, **names):
    subscription = server.subscription()
    path = f"/subscriptions/{subscription}/resourcegroups/{group}"
    assert server.call("PUT", path, json={"location": LOCATION}).status_code in (200, 201)
    return Page(server, client, subscription, group=group, names={**NAMES, **names})


def migrated(page, path):
    """What 2018-05-01 says of something beneath the migrated workspace."""
    root = f"/subscriptions/{page.subscription}/resourceGroups/{page.group}/providers/Microsoft.BatchAI/workspaces"
    return page.server.call("GET", f"{root}/migrated-{LOCATION}/{path}")


@pytest.mark.parametrize("client", FLAT)
def test_a_flat_client_works_as_it_did(clients_server, client):
    page = flat_page(clients_server, client, f"Flat-{client.replace('.', '-')}", cluster=CLUSTER)
    root = f"/subscriptions/{page.subscription}/resourceGroups/{page.group.lower()}/providers/Microsoft.BatchAI"

    made = page.run("make")
    assert made["cluster"] == {
        "id": f"{root}/clusters/{CLUSTER}",
        "state": "succeeded",
        "vm_size": "STANDARD_D1",
        "tags": {"from": "before"},
    }
    assert made["file server"] == {"id": f"{root}/fileservers/{FILE_SERVER}", "state": "succeeded", "at": "/data"}
    assert made["job"] == {"id": f"{root}/jobs/{JOB}", "state": "succeeded", "tool": "custom", "priority": 10}
    assert made["job ended"] == {"state": "succeeded", "exit_code": 0}
    assert made["output"]["text"] == OUTPUT
    assert (made["missing"]["status"], made["missing"]["code"]) == (404, "ResourceNotFound")
    assert made["failed"]["code"] == "FileServerProvisioningFailed"
    # The same job through workspaces: its priority is a class there, and its place the migrated experiment.
    seen = migrated(page, f"experiments/migrated/jobs/{JOB}").json()["properties"]
    assert seen["schedulingPriority"] == "high"
    assert seen["cluster"]["id"] == f"{root}/workspaces/migrated-{LOCATION}/clusters/{CLUSTER}"

    ended = page.run("end")
    for kind, path in (
        ("cluster", f"clusters/{CLUSTER}"),
        ("file server", f"fileservers/{FILE_SERVER}"),
        ("job", f"experiments/migrated/jobs/{JOB}"),
    ):
        assert ended[kind] == made[kind]
        assert (ended[f"{kind} gone"]["status"], ended[f"{kind} gone"]["code"]) == (404, "ResourceNotFound")
        if "." not in path:  # 2018-05-01 cannot ask for a name with a dot
            assert migrated(page, path).status_code == 404


def test_the_lines_are_those_of_the_page(reference):
    (page,) = Path(reference).parent.glob("seed/*.md")
    text = page.read_text(encoding="utf-8")
    assert lines_of(text, "python") == PYTHON
    assert lines_of(text, "azurecli") == COMMANDS


def test_the_pages_python_lines_work_on_what_1_0_1_made(clients_server):
    page = flat_page(clients_server, "python-1.0.1", "for-python-1-0-1")
    page.run("make")
    client = client_of(clients_server, page.subscription)
    client.fileservers = client.file_servers
    names = {
        "client": client,
        "resource_group_name": page.group,
        "workspace_name": "new-workspace",
        "experiment_name": "new-experiment",
        "cluster_name": NAMES["cluster"],
        "fileserver_name": FILE_SERVER,
        "job_name": JOB,
    }

    def run(line):
        exec(line.replace("<region>", LOCATION).replace("job_name job", "job_name, job"), names)  # noqa: S102
        return names.get("cluster")

    for get, delete, name in zip(PYTHON[0:6:2], PYTHON[1:6:2], (NAMES["cluster"], FILE_SERVER, JOB), strict=True):
        assert run(get).name == name
        run(f"deleting = {delete}")
        names["deleting"].result()
        with pytest.raises(CloudError) as gone:
            run(get)
        assert gone.value.status_code == 404

    client.workspaces.create(page.group, "new-workspace", LOCATION).result()
    client.experiments.create(page.group, "new-workspace", "new-experiment").result()
    wish = cluster_parameters(manual(0))
    names["cluster_create_parameters"] = wish
    names["fileserver_create_parameters"] = models.FileServerCreateParameters(
        vm_size="STANDARD_D1",
        ssh_configuration=models.SshConfiguration(user_account_settings=wish.user_account_settings),
        data_disks=models.DataDisks(disk_size_in_gb=10, disk_count=1, storage_account_type="Standard_LRS"),
    )
    run(PYTHON[6])
    assert names["_"].provisioning_state == "succeeded"
    names["job_create_parameters"] = models.JobCreateParameters(
        cluster=models.ResourceId(id=names["_"].id),
        node_count=1,
        std_out_err_path_prefix="$AZ_BATCHAI_MOUNT_ROOT/files",
        custom_toolkit_settings=models.CustomToolkitSettings(command_line="true"),
    )
    for line in PYTHON[7:]:
        run(line)
        assert names["_"].provisioning_state == "succeeded"


def test_the_pages_commands_work_on_what_0_2_0_made(clients_server):
    page = flat_page(clients_server, "python-0.2.0", FILLED_IN["resource-group-name"])
    page.run("make")
    commands = [filled_in(command) for command in COMMANDS]
    with az.signed_in(clients_server, page.subscription) as a:
        for show, delete in zip(commands[0:6:2], commands[1:6:2], strict=True):
            assert a(show).json["name"] == show.split()[-1]
            a.confirmed(delete)
            assert a.run(show).code == 3
        for create in commands[6:]:
            assert a(create).json["provisioningState"] == "succeeded"
