"""Accounts of Azure without a key of their own: it comes with each request, in clear or from a key vault."""

import base64
import os
import shutil

import pytest
import requests
import stores
from azure.mgmt.batchai import models
from harness import PATIENCE, poll_until, running_server
from test_accounts import ended, errors_of, listing
from test_secrets import fill, reference
from yards import Yard, manual

pytestmark = pytest.mark.skipif(
    not shutil.which("rclone") or not os.path.exists("/dev/fuse"),
    reason="left out: rclone and /dev/fuse are not both here (volumes)",
)
ROOT = "$AZ_BATCHAI_JOB_MOUNT_ROOT/data"


@pytest.fixture(scope="module")
def azurite():
    with stores.running(stores.Azurite) as store:
        yield store


@pytest.fixture(scope="module")
def keyless(azurite, tmp_path_factory):
    """A yard whose server knows where the account is, and not its key; its vault `keys` has that as `account`."""
    vaults = tmp_path_factory.mktemp("vaults")
    fill(vaults, "account", stores.KEY)
    fill(vaults, "nonsense", "no key!")
    with running_server(start=False) as server:
        with open(server.data / "trainyard.toml", "a", encoding="utf-8") as file:
            file.write(f'[key_vaults]\nfolder = "{vaults}"\n')
        settings = f'kind = "azure"\nkey_of_requests = true\nblob_endpoint = "{azurite.endpoint}"\n'
        stores.configure(server, **{azurite.account: settings})
        server.start()
        yard = Yard(server)
        yard.build(1)
        yield yard


def by(key=None, vault=None):
    return models.AzureStorageCredentialsInfo(account_key=key, account_key_secret_reference=vault and reference(vault))


def volume(azurite, container, credentials):
    blob = models.AzureBlobFileSystemReference(
        account_name=azurite.account, container_name=container, credentials=credentials, relative_mount_path="data"
    )
    return models.MountVolumes(azure_blob_file_systems=[blob])


def submit(yard, azurite, name, credentials):
    wish = models.JobCreateParameters(
        cluster=models.ResourceId(id=yard.get_cluster(yard.cluster).id),
        node_count=1,
        std_out_err_path_prefix=ROOT,
        mount_volumes=volume(azurite, name, credentials),
        output_directories=[models.OutputDirectory(id="MODEL", path_prefix=ROOT)],
        custom_toolkit_settings=models.CustomToolkitSettings(
            command_line="echo trained > $AZ_BATCHAI_OUTPUT_MODEL/weights"
        ),
    )
    yard.client.jobs.create(yard.group, yard.workspace, yard.experiment, name, wish).result(PATIENCE)
    return ended(yard, name)


@pytest.mark.parametrize("name, credentials", [("inline", by(key=stores.KEY)), ("vaulted", by(vault="account"))])
def test_the_key_of_a_request_mounts_its_container_and_shows_its_outputs(azurite, keyless, name, credentials):
    found = submit(keyless, azurite, name, credentials)
    assert found.execution_state == "succeeded", errors_of(found)
    (file,) = listing(keyless, name)
    assert requests.get(file.download_url, timeout=PATIENCE).text == "trained\n"
    shown = keyless.get_job(name).mount_volumes.azure_blob_file_systems[0].credentials
    assert shown.account_key is None
    assert (name == "vaulted") == bool(shown.account_key_secret_reference)


WRONG = base64.b64encode(b"another account's key").decode()


@pytest.mark.parametrize(
    "name, credentials, why",
    [
        ("missing", by(vault="missing"), "azureBlobFileSystems[0].credentials.accountKeySecretReference"),
        ("no-key", by(vault="nonsense"), "is no key"),
        ("wrong-key", by(key=WRONG), "403"),
    ],
)
def test_a_key_that_cannot_be_had_or_used_fails_the_job_as_a_mount_does(azurite, keyless, name, credentials, why):
    found = submit(keyless, azurite, name, credentials)
    assert (found.execution_state, found.execution_info.exit_code) == ("failed", 1)
    (error,) = found.execution_info.errors
    assert error.code == "BFSMountError"
    said = error.message + " ".join(detail.value for detail in error.details)
    assert why in said and WRONG not in said, said


def test_a_cluster_mounts_by_a_key_of_a_vault_or_says_why_not(azurite, keyless):
    for cluster, vault in (("kept", "account"), ("lost", "missing")):
        setup = models.NodeSetup(mount_volumes=volume(azurite, f"of-{cluster}", by(vault=vault)))
        keyless.make_cluster(cluster, manual(1), node_setup=setup)
    keyless.wait_idle("kept", 1)
    job = keyless.job_parameters("echo x > $AZ_BATCHAI_MOUNT_ROOT/data/x", cluster="kept")
    job.std_out_err_path_prefix = "$AZ_BATCHAI_MOUNT_ROOT/data"
    keyless.put_job("on-kept", job)
    assert keyless.wait_job("on-kept").execution_state == "succeeded"
    assert azurite.container("of-kept").download_blob("x").readall() == b"x\n"

    def unusable():
        return keyless.get_cluster("lost").errors

    (error,) = poll_until("the cluster says why", unusable)
    assert error.code == "BFSMountError" and "key vault keys" in error.message, error.as_dict()
    for cluster in ("kept", "lost"):
        keyless.delete_cluster(cluster)
