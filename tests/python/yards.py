"""The vendor's SDK, unchanged, on a workspace of its own, with what most tests need."""

import datetime

import requests
from azure.mgmt.batchai import BatchAIManagementClient, models
from harness import PATIENCE, poll_until
from msrest.authentication import BasicTokenAuthentication

ACCOUNT = "yardaccount"
ACCOUNT_KEY = "c2VjcmV0IG9mIHRoZSBhY2NvdW50"
SHARE = "files"
ROOT = f"$AZ_BATCHAI_MOUNT_ROOT/{SHARE}"
LOCATION = "eastus"
FINAL = ("succeeded", "failed")


def client_of(server, subscription, token=None):
    credentials = BasicTokenAuthentication({"access_token": token or server.token})
    client = BatchAIManagementClient(credentials, subscription, base_url=server.url)
    client.config.long_running_operation_timeout = 1  # seconds between polls where no Retry-After is sent
    return client


def share_reference(share=SHARE):
    return models.AzureFileShareReference(
        account_name=ACCOUNT,
        azure_file_url=f"https://{ACCOUNT}.file.core.windows.net/{share}",
        credentials=models.AzureStorageCredentialsInfo(account_key=ACCOUNT_KEY),
        relative_mount_path=share,
    )


def volumes():
    return models.MountVolumes(azure_file_shares=[share_reference()])


def manual(nodes, option=None):
    settings = models.ManualScaleSettings(target_node_count=nodes)
    if option:
        settings.node_deallocation_option = option
    return models.ScaleSettings(manual=settings)


def automatic(least, most):
    return models.ScaleSettings(
        auto_scale=models.AutoScaleSettings(minimum_node_count=least, maximum_node_count=most)
    )


def cluster_parameters(scale, vm_size="STANDARD_D1", **more):
    more.setdefault("node_setup", models.NodeSetup(mount_volumes=volumes()))
    user = models.UserAccountSettings(admin_user_name="yard", admin_user_password="a password of the test")
    more.setdefault("user_account_settings", user)
    return models.ClusterCreateParameters(vm_size=vm_size, scale_settings=scale, **more)


def gate(name):
    """A command that waits until the test opens the gate `name`."""
    return f'until [ -e "{ROOT}/gate-{name}" ]; do sleep 0.02; done'


class Yard:
    """Resource group, workspace and experiment; clusters and jobs by their names alone."""

    def __init__(self, server, group="Yard-Group", workspace="yard", experiment="runs", cluster="pair"):
        self.server = server
        self.subscription = server.subscription()
        self.client = client_of(server, self.subscription)
        self.group, self.workspace = group, workspace
        self.experiment, self.cluster = experiment, cluster

    # --- the whole

    @property
    def group_path(self):
        return f"/subscriptions/{self.subscription}/resourcegroups/{self.group}"

    def build(self, nodes, **more):
        made = self.server.call("PUT", self.group_path, json={"location": LOCATION})
        assert made.status_code in (200, 201), made.text
        self.client.workspaces.create(self.group, self.workspace, LOCATION).result(PATIENCE)
        self.client.experiments.create(self.group, self.workspace, self.experiment).result(PATIENCE)
        self.make_cluster(self.cluster, manual(nodes), **more)
        return self.wait_idle(self.cluster, nodes)

    # --- clusters

    def make_cluster(self, name, scale, **more):
        parameters = cluster_parameters(scale, **more)
        return self.client.clusters.create(self.group, self.workspace, name, parameters).result(PATIENCE)

    def get_cluster(self, name):
        return self.client.clusters.get(self.group, self.workspace, name)

    def scale(self, name, scale):
        return self.client.clusters.update(self.group, self.workspace, name, scale)

    def node_ids(self, name):
        """The nodes of a cluster, those that leave included."""
        logins = self.client.clusters.list_remote_login_information(self.group, self.workspace, name)
        return [login.node_id for login in logins]

    def delete_cluster(self, name):
        self.client.clusters.delete(self.group, self.workspace, name).result(PATIENCE)

    def wait_idle(self, name, nodes, patience=PATIENCE):
        """The cluster once it is steady with exactly this many nodes, all of them idle."""

        def idle():
            cluster = self.get_cluster(name)
            steady = cluster.allocation_state == "steady" and cluster.current_node_count == nodes
            return cluster if steady and cluster.node_state_counts.idle_node_count == nodes else None

        return poll_until(f"cluster {name} has {nodes} idle nodes", idle, patience)

    # --- jobs

    def job_parameters(self, command=None, *, cluster=None, nodes=1, **more):
        if command is not None:
            more["custom_toolkit_settings"] = models.CustomToolkitSettings(command_line=command)
        # Whatever a test leaves running ends by itself.
        more.setdefault("constraints", longest(minutes=5))
        cluster_id = self.get_cluster(cluster or self.cluster).id
        return models.JobCreateParameters(
            cluster=models.ResourceId(id=cluster_id), node_count=nodes, std_out_err_path_prefix=ROOT, **more
        )

    def put_job(self, name, parameters):
        poller = self.client.jobs.create(self.group, self.workspace, self.experiment, name, parameters)
        return poller.result(PATIENCE)

    def submit(self, name, command=None, **more):
        return self.put_job(name, self.job_parameters(command, **more))

    def run(self, name, command=None, **more):
        self.submit(name, command, **more)
        return self.wait_job(name)

    def get_job(self, name):
        return self.client.jobs.get(self.group, self.workspace, self.experiment, name)

    def wait_job(self, name, states=FINAL, patience=PATIENCE):
        def there():
            job = self.get_job(name)
            assert job.execution_state in states or job.execution_state not in FINAL, (
                f"job {name} {job.execution_state}: {job.execution_info and job.execution_info.as_dict()}"
            )
            return job if job.execution_state in states else None

        return poll_until(f"job {name} is {' or '.join(states)}", there, patience)

    def terminate(self, name):
        self.client.jobs.terminate(self.group, self.workspace, self.experiment, name).result(PATIENCE)

    def delete_job(self, name):
        self.client.jobs.delete(self.group, self.workspace, self.experiment, name).result(PATIENCE)

    def jobs(self, page=None):
        options = page and models.JobsListByExperimentOptions(max_results=page)
        return self.client.jobs.list_by_experiment(self.group, self.workspace, self.experiment, options)

    # --- files

    def files(self, job, directory_id="stdouterr", directory=".", page=None):
        """Files and directories of an output directory by name."""
        options = models.JobsListOutputFilesOptions(outputdirectoryid=directory_id, directory=directory)
        if page:
            options.max_results = page
        listed = self.client.jobs.list_output_files(
            self.group, self.workspace, self.experiment, job, options
        )
        return {file.name: file for file in listed}

    def read(self, job, name, directory_id="stdouterr", directory="."):
        """A file's text, downloaded as a plain HTTP client does: no token."""
        file = self.files(job, directory_id, directory)[name]
        answer = requests.get(file.download_url, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer.text

    @property
    def share(self):
        return self.server.share(ACCOUNT, SHARE)

    def open_gate(self, name):
        (self.share / f"gate-{name}").touch()


def longest(**time):
    return models.JobBasePropertiesConstraints(max_wall_clock_time=datetime.timedelta(**time))


def codes(job):
    return [error.code for error in job.execution_info.errors or []]
