"""The programs that do the work of the page which tells how to move to workspaces, one for each client."""

import json
import subprocess
from dataclasses import dataclass, field

import client_env
from yards import ACCOUNT, ACCOUNT_KEY, LOCATION

HERE = client_env.HERE
PATIENCE = 180.0
COMMAND = "echo the work of the page; echo err >&2"
OUTPUT = "the work of the page\n"
PASSWORD = "a password of the test"


def python(version, program=None):
    def command():
        interpreter = client_env.python_of(f"python-{version}", f"python/requirements-{version}.txt")
        return [interpreter, HERE / f"python/seed_page_{program or version}.py"], {}

    return command


def node():
    path, folder = client_env.node_modules()
    return [path, HERE / "node/seed_page.js"], {"NODE_PATH": str(folder / "node_modules")}


def go():
    return [client_env.go_program()], {}


def java():
    path, jars = client_env.java_libraries()
    return [path, "-cp", f"{jars}/*", HERE / "java/SeedPage.java"], {}


PROGRAMS = {
    "python-2.0.0": python("2.0.0"),
    "python-7.0.0": python("7.0.0"),
    "node-2.2.1": node,
    "go": go,
    "java": java,
}
# Those of the versions before workspaces.
FLAT = {"python-1.0.1": python("1.0.1", "flat"), "python-0.2.0": python("0.2.0", "flat")}


@dataclass
class Page:
    """What a program is to work on."""

    server: object
    client: str
    subscription: str
    group: str = "Seed-Group"
    workspace: str = ""
    experiment: str = "first"
    names: dict = field(default_factory=lambda: {"cluster": "pair", "file_server": "disks", "job": "hello"})

    def __post_init__(self):
        self.workspace = self.workspace or "for-" + self.client.replace(".", "-")
        self.command, self.extra = {**PROGRAMS, **FLAT}[self.client]()

    @property
    def path(self):
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.BatchAI/workspaces/{self.workspace}"
        )

    def run(self, phase):
        """What the program says it saw: by step, in order."""
        yard = {
            "url": self.server.url,
            "token": self.server.token,
            "subscription": self.subscription,
            "location": LOCATION,
            "group": self.group,
            "workspace": self.workspace,
            "experiment": self.experiment,
            "account": ACCOUNT,
            "account_key": ACCOUNT_KEY,
            "password": PASSWORD,
            "command": COMMAND,
            **self.names,
        }
        ended = subprocess.run(
            [*map(str, self.command), phase],
            env={
                **client_env.environment(),
                **self.extra,
                **{f"YARD_{name.upper()}": value for name, value in yard.items()},
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
        said = [json.loads(line) for line in ended.stdout.splitlines()]
        return {one.pop("did"): one for one in said}
