"""The work of the page that tells how to move to workspaces, with the vendor's SDK 7.0.0.

`make` creates everything and runs a job, `end` gets everything and deletes it. Each step prints a line of JSON.
"""

import datetime
import json
import os
import sys
import time
import urllib.request

from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.batchai import BatchAI, models

yard = {name[5:].lower(): value for name, value in os.environ.items() if name.startswith("YARD_")}
group, workspace, experiment = yard["group"], yard["workspace"], yard["experiment"]
cluster, file_server, job = yard["cluster"], yard["file_server"], yard["job"]


class Bearer(SansIOHTTPPolicy):
    """The token goes with every request; the SDK's own policy refuses to send one without TLS."""

    def on_request(self, request):
        request.http_request.headers["Authorization"] = "Bearer " + yard["token"]


unused = object()  # the SDK wants a credential; with a policy of our own it never asks it
client = BatchAI(
    unused, yard["subscription"], base_url=yard["url"], authentication_policy=Bearer(), polling_interval=1
)


def say(did, **seen):
    print(json.dumps({"did": did, **seen}), flush=True)


def refused(did, call):
    """Says how a call was refused; it is an error if it was not."""
    try:
        call()
    except HttpResponseError as error:
        say(did, status=error.status_code, code=error.error.code, message=error.error.message)
    else:
        raise SystemExit(f"{did}: not refused")


def account():
    return models.UserAccountSettings(admin_user_name="yard", admin_user_password=yard["password"])


def cluster_parameters():
    share = models.AzureFileShareReference(
        account_name=yard["account"],
        azure_file_url=f"https://{yard['account']}.file.core.windows.net/files",
        credentials=models.AzureStorageCredentialsInfo(account_key=yard["account_key"]),
        relative_mount_path="files",
    )
    return models.ClusterCreateParameters(
        vm_size="STANDARD_D1",
        user_account_settings=account(),
        scale_settings=models.ScaleSettings(manual=models.ManualScaleSettings(target_node_count=1)),
        node_setup=models.NodeSetup(mount_volumes=models.MountVolumes(azure_file_shares=[share])),
    )


def file_server_parameters(disks="Standard_LRS"):
    return models.FileServerCreateParameters(
        vm_size="STANDARD_D1",
        ssh_configuration=models.SshConfiguration(user_account_settings=account()),
        data_disks=models.DataDisks(disk_size_in_gb=10, disk_count=2, storage_account_type=disks),
    )


def job_parameters(cluster_id):
    return models.JobCreateParameters(
        cluster=models.ResourceId(id=cluster_id),
        node_count=1,
        std_out_err_path_prefix="$AZ_BATCHAI_MOUNT_ROOT/files",
        custom_toolkit_settings=models.CustomToolkitSettings(command_line=yard["command"]),
        constraints=models.JobBasePropertiesConstraints(max_wall_clock_time=datetime.timedelta(minutes=5)),
    )


def poll_job():
    """The job once it has ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        seen = client.jobs.get(group, workspace, experiment, job)
        if seen.execution_state in ("succeeded", "failed"):
            return seen
        time.sleep(0.2)
    raise SystemExit("the job does not end")


def make():
    region = models.WorkspaceCreateParameters(location=yard["location"])
    made = client.workspaces.begin_create(group, workspace, region).result()
    say("workspace", id=made.id, state=made.provisioning_state, location=made.location)
    made = client.experiments.begin_create(group, workspace, experiment).result()
    say("experiment", id=made.id, state=made.provisioning_state)
    made = client.clusters.begin_create(group, workspace, cluster, cluster_parameters()).result()
    say("cluster", id=made.id, state=made.provisioning_state, vm_size=made.vm_size)
    server = client.file_servers.begin_create(group, workspace, file_server, file_server_parameters()).result()
    say("file server", id=server.id, state=server.provisioning_state, at=server.mount_settings.mount_point)
    made = client.jobs.begin_create(group, workspace, experiment, job, job_parameters(made.id)).result()
    say("job", id=made.id, state=made.provisioning_state, tool=made.tool_type)
    ended = poll_job()
    say("job ended", state=ended.execution_state, exit_code=ended.execution_info.exit_code)
    options = models.JobsListOutputFilesOptions(outputdirectoryid="stdouterr")
    files = {
        file.name: file.download_url
        for file in client.jobs.list_output_files(group, workspace, experiment, job, options)
    }
    with urllib.request.urlopen(files["stdout.txt"]) as answer:
        say("output", files=sorted(files), text=answer.read().decode())
    refused("missing", lambda: client.jobs.get(group, workspace, experiment, "nothing"))
    premium = file_server_parameters("Premium_LRS")
    refused("failed", lambda: client.file_servers.begin_create(group, workspace, "premium", premium).result())


def end():
    seen = client.clusters.get(group, workspace, cluster)
    say("cluster", id=seen.id, state=seen.provisioning_state, vm_size=seen.vm_size)
    # This version of the SDK has no get and no delete for file servers.
    seen = next(one for one in client.file_servers.list_by_workspace(group, workspace) if one.name == file_server)
    say("file server", id=seen.id, state=seen.provisioning_state, at=seen.mount_settings.mount_point)
    seen = client.jobs.get(group, workspace, experiment, job)
    say("job", id=seen.id, state=seen.provisioning_state, tool=seen.tool_type)
    client.jobs.begin_delete(group, workspace, experiment, job).result()
    refused("job gone", lambda: client.jobs.get(group, workspace, experiment, job))
    client.clusters.begin_delete(group, workspace, cluster).result()
    refused("cluster gone", lambda: client.clusters.get(group, workspace, cluster))


{"make": make, "end": end}[sys.argv[1]]()
