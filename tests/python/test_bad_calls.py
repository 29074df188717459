"""Calls that must be refused, each with status and code of errors.md, by the vendor's SDK where it sends them."""

import pytest
import requests
from azure.mgmt.batchai import models
from harness import PATIENCE
from msrestazure.azure_exceptions import CloudError
from yards import LOCATION, ROOT, client_of, cluster_parameters, manual

ELSEWHERE = "00000000-0000-0000-0000-00000000feed"


def refused(status, code, call):
    """The call fails in ARM's form; the message says something."""
    with pytest.raises(CloudError) as caught:
        call()
    error = caught.value
    assert (error.status_code, error.error.error) == (status, code), error.message
    assert error.message
    return error


def target(error):
    return error.response.json()["error"].get("target")


@pytest.fixture
def put(yard):
    """Puts a job that is to be refused; nothing may be left of it."""

    def put(parameters):
        yard.put_job("bad", parameters)

    yield put
    refused(404, "JobNotFound", lambda: yard.get_job("bad"))


@pytest.fixture
def put_cluster(yard):
    """Puts a cluster that is to be refused; nothing may be left of it."""

    def put(parameters):
        yard.client.clusters.create(yard.group, yard.workspace, "bad", parameters).result(PATIENCE)

    yield put
    refused(404, "ClusterNotFound", lambda: yard.get_cluster("bad"))


def test_an_unknown_workspace(yard):
    jobs, clusters = yard.client.jobs, yard.client.clusters
    refused(404, "WorkspaceNotFound", lambda: yard.client.workspaces.get(yard.group, "none"))
    refused(404, "WorkspaceNotFound", lambda: clusters.create(yard.group, "none", "c", cluster_parameters(manual(0))))
    refused(404, "WorkspaceNotFound", lambda: list(jobs.list_by_experiment(yard.group, "none", "e")))


def test_unknown_things_of_a_known_workspace(yard):
    client, at = yard.client, (yard.group, yard.workspace)
    refused(404, "ExperimentNotFound", lambda: client.experiments.get(*at, "none"))
    refused(404, "ExperimentNotFound", lambda: client.jobs.get(*at, "none", "j"))
    refused(404, "JobNotFound", lambda: client.jobs.get(*at, yard.experiment, "none"))
    refused(404, "JobNotFound", lambda: client.jobs.terminate(*at, yard.experiment, "none"))
    refused(404, "ClusterNotFound", lambda: client.clusters.get(*at, "none"))
    refused(404, "ClusterNotFound", lambda: client.clusters.update(*at, "none", manual(1)))
    refused(404, "FileServerNotFound", lambda: client.file_servers.get(*at, "none"))


def test_a_job_for_an_unknown_cluster(yard, put):
    parameters = yard.job_parameters("true")
    parameters.cluster.id += "-not"
    error = refused(404, "ClusterNotFound", lambda: put(parameters))
    assert target(error) == "properties.cluster.id"
    parameters.cluster.id = "/no/cluster/at/all"
    error = refused(400, "BadRequest", lambda: put(parameters))
    assert target(error) == "properties.cluster.id"


def test_a_bad_name(yard):
    # The SDK itself lets any letter pass, as Python's \w does.
    refused(400, "BadRequest", lambda: yard.client.workspaces.create(yard.group, "naïve", LOCATION))
    refused(400, "BadRequest", lambda: yard.client.experiments.create(yard.group, yard.workspace, "naïve"))
    path = f"{yard.group_path}/providers/Microsoft.BatchAI/workspaces/with.dot"
    answer = yard.server.call("PUT", path, json={"location": LOCATION})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")


def test_two_scale_settings(yard, put_cluster):
    both = models.ScaleSettings(
        manual=models.ManualScaleSettings(target_node_count=1),
        auto_scale=models.AutoScaleSettings(minimum_node_count=0, maximum_node_count=1),
    )
    error = refused(400, "BadRequest", lambda: put_cluster(cluster_parameters(both)))
    assert target(error) == "properties.scaleSettings"
    refused(400, "BadRequest", lambda: yard.scale(yard.cluster, both))
    assert yard.get_cluster(yard.cluster).scale_settings.auto_scale is None


def test_no_toolkit(yard, put):
    refused(400, "BadRequest", lambda: put(yard.job_parameters()))


def test_two_toolkits(yard, put):
    two = yard.job_parameters(
        "true", py_torch_settings=models.PyTorchSettings(python_script_file_path="train.py")
    )
    refused(400, "BadRequest", lambda: put(two))


@pytest.mark.parametrize("nodes", [0, -1, 101])
def test_a_node_count_out_of_range(yard, put, nodes):
    error = refused(400, "BadRequest", lambda: put(yard.job_parameters("true", nodes=nodes)))
    assert target(error) == "properties.nodeCount"


@pytest.mark.parametrize("nodes", [-1, 101])
def test_a_cluster_of_impossible_size(put_cluster, nodes):
    error = refused(400, "BadRequest", lambda: put_cluster(cluster_parameters(manual(nodes))))
    assert target(error) == "properties.scaleSettings.manual.targetNodeCount"


def test_an_unknown_vm_size(put_cluster):
    parameters = cluster_parameters(manual(0))
    parameters.vm_size = "STANDARD_NONE"
    error = refused(400, "BadRequest", lambda: put_cluster(parameters))
    assert target(error) == "properties.vmSize"


def test_an_unknown_output_directory(yard):
    yard.run("plain", "true")
    error = refused(400, "BadRequest", lambda: yard.files("plain", "NONE"))
    assert target(error) == "outputdirectoryid"


@pytest.mark.parametrize("directory", ["..", "../..", "a/../../..", "/etc"])
def test_a_directory_outside_of_the_output(yard, directory):
    yard.run("inside", "true")
    with pytest.raises(CloudError) as caught:
        yard.files("inside", directory=directory)
    assert caught.value.status_code in (400, 404)
    assert caught.value.error.error in ("BadRequest", "FileNotFound")


def test_output_that_lies_on_no_share(yard):
    parameters = yard.job_parameters("true")
    parameters.std_out_err_path_prefix = "$AZ_BATCHAI_JOB_TEMP"
    yard.put_job("local-output", parameters)
    assert yard.wait_job("local-output").execution_state == "succeeded"
    error = refused(400, "OutputDirectoryNotOnMountRoot", lambda: yard.files("local-output"))
    assert "is not present on a mount root" in error.message


@pytest.mark.parametrize("member", ["relative_mount_path", "path_prefix", "path_suffix"])
def test_a_path_that_climbs_out(yard, put, member):
    climbing = yard.job_parameters("true")
    if member == "relative_mount_path":
        share = yard.get_cluster(yard.cluster).node_setup.mount_volumes.azure_file_shares[0]
        share.credentials.account_key = "any"
        share.relative_mount_path = "../../outside"
        climbing.mount_volumes = models.MountVolumes(azure_file_shares=[share])
    else:
        paths = {"path_prefix": ROOT, "path_suffix": "s", member: f"{ROOT}/../.." if "prefix" in member else "../.."}
        climbing.output_directories = [models.OutputDirectory(id="OUT", **paths)]
    refused(400, "BadRequest", lambda: put(climbing))


def test_an_unknown_subscription(yard):
    other = client_of(yard.server, ELSEWHERE)
    refused(404, "SubscriptionNotFound", lambda: list(other.workspaces.list()))
    refused(404, "SubscriptionNotFound", lambda: other.workspaces.create(yard.group, "w", LOCATION))
    refused(404, "SubscriptionNotFound", lambda: list(other.usages.list(LOCATION)))


def test_a_wrong_token(yard):
    stranger = client_of(yard.server, yard.subscription, token="not-a-token")
    refused(401, "AuthenticationFailed", lambda: list(stranger.workspaces.list()))
    refused(401, "AuthenticationFailed", lambda: stranger.clusters.delete(yard.group, yard.workspace, yard.cluster))
    url = f"{yard.server.url}{yard.group_path}/providers/Microsoft.BatchAI/workspaces?api-version=2018-05-01"
    answer = requests.get(url, timeout=PATIENCE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AuthenticationFailed")


@pytest.mark.parametrize(
    ("version", "status", "code"),
    [
        (None, 400, "MissingApiVersionParameter"),
        # The flat versions have no workspaces.
        ("2018-03-01", 404, "InvalidResourceType"),
        ("2017-09-01-preview", 404, "InvalidResourceType"),
        ("tomorrow", 400, "InvalidApiVersionParameter"),
    ],
)
def test_a_wrong_api_version(yard, version, status, code):
    path = f"{yard.group_path}/providers/Microsoft.BatchAI/workspaces"
    answer = yard.server.call("GET", path, version=version)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_put_into_an_absent_group(yard):
    refused(
        404,
        "ResourceGroupNotFound",
        lambda: yard.client.workspaces.create("no-such-group", "w", LOCATION),
    )


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b'{"properties": []}', b'{"properties": {"nodeCount": "two"}}', b"\xff\xfe"]
)
def test_a_body_that_is_no_job(yard, body):
    path = (
        f"{yard.group_path}/providers/Microsoft.BatchAI/workspaces/{yard.workspace}"
        f"/experiments/{yard.experiment}/jobs/malformed"
    )
    answer = yard.server.call("PUT", path, data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] in ("InvalidRequestContent", "BadRequest")
    refused(404, "JobNotFound", lambda: yard.get_job("malformed"))


def test_an_image_that_nobody_has_fails_the_job_and_names_it(yard):
    container = models.ContainerSettings(
        image_source_registry=models.ImageSourceRegistry(image="127.0.0.1:1/nobody/has:this")
    )
    job = yard.run("contained", "true", container_settings=container)
    assert job.execution_state == "failed"
    error = job.execution_info.errors[0]
    assert error.code == "FailedStartingContainer"
    assert {"name": "imageName", "value": "127.0.0.1:1/nobody/has:this"} in [d.as_dict() for d in error.details]
