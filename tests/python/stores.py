"""Real stores on this machine: Azurite for accounts of Azure, s3rver for S3; and one that never answers."""

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import urllib.parse
from pathlib import Path

import client_env
from azure.storage.blob import BlobServiceClient
from harness import PATIENCE, free_port, poll_until

# What no answer, log or plan may hold.
KEY_TEXT = b"the key of the account, hush7391"
KEY = base64.b64encode(KEY_TEXT).decode()
# s3rver knows one key, and no other.
S3_KEY = "S3RVER"


class Store:
    """A storage service as a process; its files outlive it, so it may be killed and started again."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.port = free_port()
        self.process = None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env={**client_env.environment(), **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

        def listens():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True

        poll_until(f"{type(self).__name__} listens", listens)

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)


class Azurite(Store):
    """The vendor's emulator of blob storage, with one account."""

    account = "yardblobs"

    def command(self):
        node, home = client_env.store("azurite")
        main = home / "dist/src/blob/main.js"
        # Without --disableTelemetry it calls its maker.
        quiet = ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
        place = ["--location", str(self.folder / "files")]
        return [node, str(main), *quiet, *place, "--blobHost", "127.0.0.1", "--blobPort", str(self.port)]

    def environment(self):
        return {"AZURITE_ACCOUNTS": f"{self.account}:{KEY}"}

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}/{self.account}"

    def container(self, name):
        """The container by the vendor's own client and the account's key."""
        return BlobServiceClient(self.endpoint, credential=KEY, retry_total=0).get_container_client(name)

    def settings(self, key_file):
        return f'kind = "azure"\nkey_file = "{key_file}"\nblob_endpoint = "{self.endpoint}"\n'


class S3rver(Store):
    """A small server that speaks S3; of signatures of this version it looks at the key's id alone."""

    account = "yardlake"
    bucket = "yard-lake"

    def command(self):
        node, home = client_env.store("s3rver")
        place = ["--directory", str(self.folder / "files"), "--address", "127.0.0.1", "--port", str(self.port)]
        return [node, str(home / "bin/s3rver.js"), *place, "--configure-bucket", self.bucket]

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.port}"

    def put(self, key, content):
        """Writes by rclone, as a node does."""
        (rclone,) = client_env.tools("S3", "rclone")
        remote = {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": self.endpoint, "REGION": "us-east-1"}
        keys = {"ACCESS_KEY_ID": S3_KEY, "SECRET_ACCESS_KEY": S3_KEY, "NO_CHECK_BUCKET": "true"}
        settings = {f"RCLONE_CONFIG_LAKE_{name}": value for name, value in {**remote, **keys}.items()}
        once = ["--retries", "1", "--low-level-retries", "1", "--contimeout", "3s"]
        subprocess.run(
            [rclone, "rcat", f"lake:{self.bucket}/{key}", *once],
            env={"PATH": os.environ["PATH"], **settings, "RCLONE_CONFIG": str(self.folder / "none")},
            input=content,
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )

    def settings(self, key_file, bucket=None):
        return (
            f'kind = "s3"\nendpoint = "{self.endpoint}"\naccess_key_id = "{S3_KEY}"\n'
            f'secret_access_key_file = "{key_file}"\nbucket = "{bucket or self.bucket}"\n'
        )


@contextlib.contextmanager
def running(kind):
    folder = tempfile.mkdtemp(prefix="store-")
    store = kind(folder)
    try:
        store.start()
        yield store
    finally:
        if store.process is not None and store.process.poll() is None:
            store.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def silent():
    """The port of a service that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", free_port()), backlog=64) as listener:
        yield listener.getsockname()[1]


def secret_file(server, text, name="account-key"):
    """A file that its owner alone reads, in the folder of the server's data."""
    file = server.data.parent / name
    file.touch(mode=0o600)
    file.write_text(text + "\n")
    return file


def configure(server, **accounts):
    """Adds accounts to the configuration of a server that is not started yet."""
    with open(server.data / "trainyard.toml", "a", encoding="utf-8") as file:
        for name, settings in accounts.items():
            file.write(f"[storage_accounts.{name}]\n{settings}")


def parameter(link, name):
    return urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)[name][0]
