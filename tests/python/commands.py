"""The `trainyard` command as a user runs it, and servers with flags, variables and folders of their own."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import harness
import pytest
from harness import CONFIGURATION, PATIENCE, RUNNING, Server, binary, own_environment


def trainyard(*words, variables=None, **more):
    """Runs the command to its end; what it said and its exit code come back."""
    return subprocess.run(
        [binary(), *map(str, words)],
        env={**own_environment(), **(variables or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        stdin=subprocess.DEVNULL,
        check=False,
        **more,
    )


def done(*words, **more):
    """The same of a command that must succeed; its stdout."""
    ended = trainyard(*words, **more)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def refused(code, *words, **more):
    """The same of a command that must fail with this exit code; its stderr."""
    ended = trainyard(*words, **more)
    assert ended.returncode == code, f"exit code {ended.returncode}: {ended.stdout}{ended.stderr}"
    assert "panicked" not in ended.stderr, ended.stderr
    return ended.stderr


class Served(Server):
    """A server with flags and variables of its own."""

    def __init__(self, folder, data=None):
        super().__init__(data or folder / "data", folder / "server.log")
        self.flags, self.variables = [], {}
        self.host = "127.0.0.1"

    def command(self):
        where = ["--listen", f"{self.host}:{self.port}", "--data", str(self.data)]
        return [binary(), "serve", *where, *map(str, self.flags)]

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            self.begins = log.tell()
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**own_environment(), **self.variables},
            )
        if wait:
            self.wait_ready()

    def configure(self, text):
        (self.data / "trainyard.toml").write_text(text)

    def said(self):
        """What the server logged since its last start."""
        with open(self.log, "rb") as log:
            log.seek(self.begins)
            return log.read().decode(errors="replace")


@contextlib.contextmanager
def served(start=True, configuration=CONFIGURATION, data=None):
    """A server on a fresh data folder; afterwards all of it ends, and nothing may be left."""
    folder = Path(tempfile.mkdtemp(prefix="yard-"))
    server = Served(folder, data)
    server.data.mkdir(mode=0o700, exist_ok=True)
    server.configure(configuration)
    RUNNING.append(server)
    try:
        if start:
            server.start()
        yield server
        server.stop()
    finally:
        server.clear()
        RUNNING.remove(server)
        shutil.rmtree(folder, ignore_errors=True)


def leave_out(why):
    """Says what cannot be tested here, and ends the test."""
    line = f"left out: {why}"
    print(line)
    if file := os.environ.get("TRAINYARD_LEFT_OUT"):
        with open(file, "a", encoding="utf-8") as lines:
            lines.write(line + "\n")
    pytest.skip(line)


def stored(file, statement, *values):
    """Rows of a store's file, which may be in use."""
    with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as store:
        return store.execute(statement, values).fetchall()


def attempts(file):
    """(attempt, execution state) of each job in a store's file."""
    rows = stored(file, "SELECT name, json_extract(status, '$.is.attempt'), state FROM jobs")
    return {name: (attempt, state) for name, attempt, state in rows}


def mode(path):
    return path.stat().st_mode & 0o777


def files_with(folder, secrets):
    """(file, secret) for every file beneath a folder that holds one of the secrets in clear."""
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file():
                content = path.read_bytes()
                found += [(str(path), secret) for secret in secrets if secret.encode() in content]
    return found


def resident(pid, of="VmRSS"):
    """Bytes of memory of a process: all that is resident, or one share of it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{of}:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no {of}")


def nodes_of(server):
    """Node processes of a server by number."""
    sought = f" node --folder {server.data}/"
    found = harness.processes(str(server.data))
    return harness.nodes_among({pid: line for pid, line in found.items() if sought in line})


def cgroups_of(server):
    """Directories of a server's nodes in the cgroup trees: by their folder's fingerprint, as nodes name them."""
    value = 0xCBF29CE484222325
    for byte in os.fsencode(os.path.realpath(server.data) + "/engine/nodes"):
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    found = []
    for mount in Path("/proc/self/mounts").read_text().splitlines():
        _, folder, kind, *_ = mount.split()
        if kind in ("cgroup", "cgroup2"):
            for name, folders, _ in os.walk(folder):
                found += [Path(name) / one for one in folders if one == f"{value:016x}"]
    return found
