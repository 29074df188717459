"""The vendor's command line, installed and pointed at a server by the files of its own folder."""

import contextlib
import json
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

import client_env

PATIENCE = 120.0
AUTHORITY = "https://login.invalid/adfs"
FOREVER = "2099-01-01 00:00:00.000000"


def clouds(url):
    return f"""[local]
endpoint_resource_manager = {url}
endpoint_management = {url}
endpoint_active_directory = {AUTHORITY}
endpoint_active_directory_resource_id = {url}
endpoint_active_directory_graph_resource_id = {url}
suffix_storage_endpoint = core.windows.net
"""


def profile(subscription):
    return {
        "subscriptions": [
            {
                "id": subscription,
                "name": "local",
                "state": "Enabled",
                "isDefault": True,
                "tenantId": "00000000-0000-0000-0000-000000000000",
                "environmentName": "local",
                "user": {"name": "yard", "type": "user"},
            }
        ]
    }


def tokens(url, token):
    return [
        {
            "tokenType": "Bearer",
            "accessToken": token,
            "expiresOn": FOREVER,
            "expiresIn": 3600,
            "resource": url,
            "refreshToken": "none",
            "isMRRT": True,
            "userId": "yard",
            "_clientId": "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
            "_authority": AUTHORITY,
        }
    ]


class Ended:
    """How a command ended, and what it printed."""

    def __init__(self, line, code, out, err):
        self.line, self.code, self.out, self.err = line, code, out, err

    @property
    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"{self.line}\nexit code {self.code}\n{self.out[-2000:]}{self.err[-3000:]}"


class Az:
    """`az` with a folder of its own, signed in to a server as its admin."""

    def __init__(self, server, subscription, folder):
        self.server, self.subscription, self.folder = server, subscription, Path(folder)
        self.python = client_env.python_of("az", "az/requirements.txt")
        self.variables = {}
        for name, text in {
            "clouds.config": clouds(server.url),
            "config": "[cloud]\nname = local\n[core]\ncollect_telemetry = no\n",
            "azureProfile.json": json.dumps(profile(subscription)),
            "accessTokens.json": json.dumps(tokens(server.url, server.token)),
        }.items():
            (self.folder / name).write_text(text)

    def start(self, line, stdin=subprocess.DEVNULL):
        """A command as somebody types it, started."""
        words = shlex.split(line)
        assert words.pop(0) == "az", line
        environment = {
            **client_env.environment(),
            "AZURE_CONFIG_DIR": str(self.folder),
            "HOME": str(self.folder),
            "PYTHONPATH": str(client_env.HERE / "az"),
            "PYTHONUNBUFFERED": "1",
            **self.variables,
        }
        return subprocess.Popen(
            [str(self.python), "-m", "azure.cli", *words],
            env=environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, line, stdin=subprocess.DEVNULL):
        """A command and how it ended, whatever that is."""
        process = self.start(line, stdin)
        try:
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        return Ended(line, process.returncode, out, err)

    def __call__(self, line):
        """A command that must end well; what it printed."""
        ended = self.run(line)
        assert ended.code == 0, str(ended)
        return ended

    def confirmed(self, line):
        """A command that asks whether one is sure, with `y` typed at its terminal; it must end well."""
        terminal, typed = os.openpty()
        try:
            os.write(terminal, b"y\n")
            ended = self.run(line, typed)
        finally:
            os.close(typed)
            os.close(terminal)
        assert ended.code == 0, str(ended)
        return ended

    def table(self, line):
        """The rows of a command's table: by column, without what stands in none."""
        lines = self(f"{line} -o table").out.splitlines()
        spans, at = [], 0
        for dashes in lines[1].split("  "):
            spans.append((at, at + len(dashes)))
            at += len(dashes) + 2
        head, *rows = ([row[a:b].strip() for a, b in spans] for row in [lines[0], *lines[2:]])
        return [dict(zip(head, row, strict=True)) for row in rows]


@contextlib.contextmanager
def signed_in(server, subscription):
    with tempfile.TemporaryDirectory(prefix="yard-az-") as folder:
        yield Az(server, subscription, folder)
