"""Jobs whose files lie in accounts of Azure and in stores that speak S3, with the real Azurite and s3rver."""

import concurrent.futures
import datetime
import subprocess
import time

import harness
import pytest
import requests
import stores
from azure.core.exceptions import ResourceNotFoundError
from azure.mgmt.batchai import models
from harness import PATIENCE, poll_until
from yards import Yard, manual

# A store that is down must be told of well before a client gives up; these are the server's own bounds and some room.
REACHED = 5 + 3
ANSWERED = 15 + 5
FINAL = ("succeeded", "failed")


@pytest.fixture(scope="module")
def azurite():
    with stores.running(stores.Azurite) as store:
        yield store


@pytest.fixture(scope="module")
def s3rver():
    with stores.running(stores.S3rver) as store:
        yield store


def yard_on(server, nodes=1):
    server.start()
    yard = Yard(server)
    yard.build(nodes)
    return yard


@pytest.fixture(scope="module")
def cloudy(azurite):
    """A yard whose server knows the account in Azurite."""
    with harness.running_server(start=False) as server:
        key = stores.secret_file(server, stores.KEY)
        stores.configure(server, **{azurite.account: azurite.settings(key)})
        yield yard_on(server)


def container(account, name):
    return models.AzureBlobFileSystemReference(
        account_name=account,
        container_name=name,
        credentials=models.AzureStorageCredentialsInfo(account_key="YW55"),
        relative_mount_path="data",
    )


def submit(yard, name, account, share, command="true"):
    """A job that mounts a container and has its output directory MODEL in it."""
    root = "$AZ_BATCHAI_JOB_MOUNT_ROOT/data"
    wish = models.JobCreateParameters(
        cluster=models.ResourceId(id=yard.get_cluster(yard.cluster).id),
        node_count=1,
        std_out_err_path_prefix=root,
        mount_volumes=models.MountVolumes(azure_blob_file_systems=[container(account, share)]),
        output_directories=[models.OutputDirectory(id="MODEL", path_prefix=root)],
        custom_toolkit_settings=models.CustomToolkitSettings(command_line=command),
    )
    created = yard.client.jobs.create(yard.group, yard.workspace, yard.experiment, name, wish).result(PATIENCE)
    return f"{created.job_output_directory_path_segment}/outputs"


def job(yard, name):
    return yard.client.jobs.get(yard.group, yard.workspace, yard.experiment, name)


def ended(yard, name):
    def end():
        found = job(yard, name)
        return found if found.execution_state in FINAL else None

    return poll_until(f"job {name} ends", end)


def errors_of(ended_job):
    return {error.code: [d.value for d in error.details or []] for error in ended_job.execution_info.errors or []}


def listing(yard, name, directory=".", most=None, minutes=60):
    options = models.JobsListOutputFilesOptions(
        outputdirectoryid="MODEL", directory=directory, max_results=most, linkexpiryinminutes=minutes
    )
    files = yard.client.jobs.list_output_files(yard.group, yard.workspace, yard.experiment, name, options)
    return list(files)


def refused(yard, name):
    """What a listing is refused with, and after how long."""
    begun = time.monotonic()
    path = f"{yard.group_path}/providers/Microsoft.BatchAI/workspaces/{yard.workspace}/experiments/{yard.experiment}"
    answer = requests.post(
        f"{yard.server.url}{path}/jobs/{name}/listOutputFiles",
        params={"api-version": harness.API_VERSION, "outputdirectoryid": "MODEL"},
        headers={"Authorization": f"Bearer {yard.server.token}"},
        timeout=PATIENCE,
    )
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"], time.monotonic() - begun


def there(probe):
    try:
        return probe()
    except ResourceNotFoundError:
        return None


def check_files(yard, name, put):
    """Lists and downloads what `put` writes, before and after the cluster is gone."""
    assert listing(yard, name) == []
    put("weights.bin", b"0123456789")
    put("log/a b+ü%.txt", b"deep")
    put("log-2", b"")
    for round_ in ("with the cluster", "without it"):
        files = listing(yard, name)
        shown = [(file.name, file.file_type, file.content_length) for file in files]
        directory = ("log", "directory", None)
        assert shown == [directory, ("log-2", "file", 0), ("weights.bin", "file", 10)], round_
        age = datetime.datetime.now(datetime.timezone.utc) - files[2].last_modified
        assert abs(age) < datetime.timedelta(minutes=10)
        link = files[2].download_url
        assert "hush7391" not in link and stores.KEY not in link
        assert requests.get(link, timeout=PATIENCE).content == b"0123456789"
        part = requests.get(link, headers={"Range": "bytes=7-"}, timeout=PATIENCE)
        assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"789", "bytes 7-9/10")
        # The emulator takes the byte behind the last one for one of the file; the service does not.
        beyond = requests.get(link, headers={"Range": "bytes=11-"}, timeout=PATIENCE)
        assert beyond.status_code == 416
        (deep,) = listing(yard, name, "log")
        assert requests.get(deep.download_url, timeout=PATIENCE).content == b"deep"
        if round_ == "with the cluster":
            yard.delete_cluster(yard.cluster)
    yard.make_cluster(yard.cluster, manual(1))
    yard.wait_idle(yard.cluster, 1)


def test_the_container_of_a_job_is_made_listed_and_downloaded(azurite, cloudy):
    files = azurite.container("models")
    assert there(files.get_container_properties) is None
    place = submit(cloudy, "trains", azurite.account, "models")
    poll_until("the container is made", lambda: there(files.get_container_properties))
    ended(cloudy, "trains")
    check_files(cloudy, "trains", lambda name, content: files.upload_blob(f"{place}/{name}", content))
    link = listing(cloudy, "trains", minutes=7)[2].download_url
    expires = datetime.datetime.fromisoformat(stores.parameter(link, "se").replace("Z", "+00:00"))
    left = expires - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(minutes=6) < left <= datetime.timedelta(minutes=7)
    assert (stores.parameter(link, "sp"), stores.parameter(link, "sr")) == ("r", "b")
    # It opens one file, and is for reading.
    assert requests.get(link.replace("weights.bin", "log-2"), timeout=PATIENCE).status_code == 403
    written = requests.put(link, data=b"x", headers={"x-ms-blob-type": "BlockBlob"}, timeout=PATIENCE)
    assert written.status_code == 403


def test_pages_hold_every_file_once(azurite, cloudy):
    place = submit(cloudy, "pages", azurite.account, "models")
    ended(cloudy, "pages")
    names = sorted(["a", "a-b", "b.txt", "c", "d", "e/x", "f"])
    for name in names:
        azurite.container("models").upload_blob(f"{place}/{name}", b"")
    # What file systems over containers write to mark a directory is no file.
    azurite.container("models").upload_blob(f"{place}/e", b"", metadata={"hdi_isfolder": "true"})
    found = [file.name for file in listing(cloudy, "pages", most=3)]
    assert sorted(found) == ["a", "a-b", "b.txt", "c", "d", "e", "f"]


def test_no_key_leaves_the_server(azurite, cloudy):
    answer = cloudy.server.call(
        "POST",
        f"/subscriptions/{cloudy.subscription}/resourceGroups/trainyard-storage/providers/Microsoft.Storage"
        f"/storageAccounts/{azurite.account}/listKeys",
        version="2019-06-01",
    )
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["keys"]) == 2 and stores.KEY not in answer.text
    holds = [
        file
        for file in cloudy.server.data.rglob("*")
        if file.is_file() and (stores.KEY.encode() in file.read_bytes() or stores.KEY_TEXT in file.read_bytes())
    ]
    assert holds == []
    log = cloudy.server.log.read_text()
    assert stores.KEY not in log and "sig=" not in log


def test_a_store_that_dies_is_told_of_and_found_again(azurite, cloudy):
    place = submit(cloudy, "survives", azurite.account, "dying")
    ended(cloudy, "survives")
    files = azurite.container("dying")
    files.upload_blob(f"{place}/kept", b"kept")
    (kept,) = listing(cloudy, "survives")
    azurite.kill()
    try:
        status, code, message, seconds = refused(cloudy, "survives")
        assert (status, code) == (424, "StorageAccountUnreachable"), message
        assert azurite.endpoint in message and "sig=" not in message
        assert seconds < REACHED
        with pytest.raises(requests.ConnectionError):
            requests.get(kept.download_url, timeout=PATIENCE)
        submit(cloudy, "unlucky", azurite.account, "another")
        errors = errors_of(ended(cloudy, "unlucky"))
        assert azurite.endpoint in errors["BFSMountError"][0], errors
    finally:
        azurite.start()
    # A killed emulator may have forgotten what it was told last.
    if not files.exists():
        files.create_container()
    files.upload_blob(f"{place}/kept", b"kept", overwrite=True)
    (kept,) = listing(cloudy, "survives")
    assert requests.get(kept.download_url, timeout=PATIENCE).content == b"kept"


def test_a_store_that_hangs_holds_up_neither_requests_nor_other_jobs():
    with stores.silent() as port, harness.running_server(start=False) as server:
        key = stores.secret_file(server, stores.KEY)
        silent = f'kind = "azure"\nkey_file = "{key}"\nblob_endpoint = "http://127.0.0.1:{port}"\n'
        stores.configure(server, silent=silent)
        yard = yard_on(server, nodes=2)
        submit(yard, "waits", "silent", "share")
        begun = time.monotonic()
        submit(yard, "goes-on", "elsewhere", "share")
        assert ended(yard, "goes-on").execution_state == "succeeded"
        assert time.monotonic() - begun < ANSWERED / 2
        assert job(yard, "waits").execution_state == "running"
        with concurrent.futures.ThreadPoolExecutor() as beside:
            asked = beside.submit(refused, yard, "waits")
            begun = time.monotonic()
            assert requests.get(f"{server.url}/healthz", timeout=PATIENCE).status_code == 200
            assert time.monotonic() - begun < 1
            status, code, message, seconds = asked.result(PATIENCE)
        assert (status, code) == (424, "StorageAccountUnreachable")
        assert "15 seconds" in message and seconds < ANSWERED
        errors = errors_of(ended(yard, "waits"))
        assert "15 seconds" in errors["BFSMountError"][0], errors


def test_a_wrong_key_is_told_as_what_the_store_says(azurite):
    with harness.running_server(start=False) as server:
        key = stores.secret_file(server, "d3Jvbmc=")
        stores.configure(server, **{azurite.account: azurite.settings(key)})
        yard = yard_on(server)
        submit(yard, "refused", azurite.account, "models")
        status, code, message, _ = refused(yard, "refused")
        assert (status, code) == (424, "StorageAccountRefused")
        assert "403" in message and "sig=" not in message and "d3Jvbmc" not in message
        errors = errors_of(ended(yard, "refused"))
        assert "403" in errors["BFSMountError"][0], errors


def test_files_in_a_bucket_are_listed_and_downloaded(s3rver):
    with harness.running_server(start=False) as server:
        secret = stores.secret_file(server, stores.S3_KEY)
        missing = s3rver.settings(secret, bucket="no-such-bucket")
        stores.configure(server, **{s3rver.account: s3rver.settings(secret), "nobucket": missing})
        yard = yard_on(server)
        place = submit(yard, "trains", s3rver.account, "models")
        ended(yard, "trains")
        submit(yard, "fails", "nobucket", "models")
        assert "404" in errors_of(ended(yard, "fails"))["BFSMountError"][0]
        check_files(yard, "trains", lambda name, content: s3rver.put(f"blobs/models/{place}/{name}", content))


def test_a_server_does_not_start_with_a_key_that_others_read():
    with harness.running_server(start=False) as server:
        key = stores.secret_file(server, stores.KEY)
        key.chmod(0o644)
        stores.configure(server, prod=f'kind = "azure"\nkey_file = "{key}"\n')
        command = [harness.binary(), "serve", "--listen", f"127.0.0.1:{server.port}", "--data", str(server.data)]
        started = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, check=False, env=harness.own_environment()
        )
        assert started.returncode != 0
        assert "storage_accounts.prod.key_file" in started.stderr and "chmod 600" in started.stderr
        key.chmod(0o600)
        server.start()
