"""The work of the page that tells how to move to workspaces, in the flat world before it, with SDK 1.0.1 or 0.2.0.

`make` creates everything and runs a job, `end` gets everything and deletes it. Each step prints a line of JSON.
"""

import datetime
import json
import os
import sys
import time
import urllib.request

from azure.mgmt.batchai import BatchAIManagementClient, models
from msrest.authentication import BasicTokenAuthentication
from msrestazure.azure_exceptions import CloudError

yard = {name[5:].lower(): value for name, value in os.environ.items() if name.startswith("YARD_")}
group, region = yard["group"], yard["location"]
cluster, file_server, job = yard["cluster"], yard["file_server"], yard["job"]

client = BatchAIManagementClient(
    BasicTokenAuthentication({"access_token": yard["token"]}), yard["subscription"], base_url=yard["url"]
)
client.config.long_running_operation_timeout = 1  # seconds between polls where no Retry-After is sent


def say(did, **seen):
    print(json.dumps({"did": did, **seen}), flush=True)


def word(state):
    """A state of 1.0.1 is a text; of 0.2.0, which has the same program, an Enum."""
    return getattr(state, "value", state)


def refused(did, call):
    """Says how a call was refused; it is an error if it was not."""
    try:
        call()
    except CloudError as error:
        say(did, status=error.status_code, code=error.error.error, message=error.message)
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
        location=region,
        tags={"from": "before"},
        vm_size="STANDARD_D1",
        user_account_settings=account(),
        scale_settings=models.ScaleSettings(manual=models.ManualScaleSettings(target_node_count=1)),
        node_setup=models.NodeSetup(mount_volumes=models.MountVolumes(azure_file_shares=[share])),
    )


def file_server_parameters(disks="Standard_LRS"):
    return models.FileServerCreateParameters(
        location=region,
        vm_size="STANDARD_D1",
        ssh_configuration=models.SshConfiguration(user_account_settings=account()),
        data_disks=models.DataDisks(disk_size_in_gb=10, disk_count=2, storage_account_type=disks),
    )


def job_parameters(cluster_id):
    return models.JobCreateParameters(
        location=region,
        priority=10,
        experiment_name=yard["experiment"],
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
        seen = client.jobs.get(group, job)
        if word(seen.execution_state) in ("succeeded", "failed"):
            return seen
        time.sleep(0.2)
    raise SystemExit("the job does not end")


def say_cluster(seen):
    say("cluster", id=seen.id, state=word(seen.provisioning_state), vm_size=seen.vm_size, tags=seen.tags)


def say_file_server(seen):
    at = seen.mount_settings.mount_point
    say("file server", id=seen.id, state=word(seen.provisioning_state), at=at)


def say_job(seen):
    say("job", id=seen.id, state=word(seen.provisioning_state), tool=word(seen.tool_type), priority=seen.priority)


def make():
    made = client.clusters.create(group, cluster, cluster_parameters()).result()
    say_cluster(made)
    say_file_server(client.file_servers.create(group, file_server, file_server_parameters()).result())
    say_job(client.jobs.create(group, job, job_parameters(made.id)).result())
    ended = poll_job()
    say("job ended", state=word(ended.execution_state), exit_code=ended.execution_info.exit_code)
    options = models.JobsListOutputFilesOptions(outputdirectoryid="stdouterr")
    files = {file.name: file.download_url for file in client.jobs.list_output_files(group, job, options)}
    with urllib.request.urlopen(files["stdout.txt"]) as answer:
        say("output", files=sorted(files), text=answer.read().decode())
    refused("missing", lambda: client.jobs.get(group, "nothing"))
    premium = file_server_parameters("Premium_LRS")
    refused("failed", lambda: client.file_servers.create(group, "premium", premium).result())


def end():
    say_cluster(client.clusters.get(group, cluster))
    say_file_server(client.file_servers.get(group, file_server))
    say_job(client.jobs.get(group, job))
    client.jobs.delete(group, job).result()
    refused("job gone", lambda: client.jobs.get(group, job))
    client.clusters.delete(group, cluster).result()
    refused("cluster gone", lambda: client.clusters.get(group, cluster))
    client.file_servers.delete(group, file_server).result()
    refused("file server gone", lambda: client.file_servers.get(group, file_server))


{"make": make, "end": end}[sys.argv[1]]()
