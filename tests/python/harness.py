"""A real server in a data folder of its own, and what can be seen of it from outside."""

import contextlib
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import requests

API_VERSION = "2018-05-01"
# Outgoing connections take their ports above, jobs of the local engine between, so that the port of a server
# that is down stays free for it.
PORTS = range(10_000, 20_000)
LOOK = 0.02  # seconds between two looks of everything that polls
PATIENCE = 60.0  # seconds, unless a test says otherwise
CONFIGURATION = """\
min_free = 0
[autoscale]
idle_time = 1
[local]
max_nodes = 16
grace_seconds = 2
"""
# A variable of the server's own that no job may see.
PLANTED = "YARD_TEST_PLANTED_IN_THE_SERVER"


def poll_until(what, probe, patience=PATIENCE):
    """The first true answer of `probe`, which must come in time."""
    deadline = time.monotonic() + patience
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"after {patience:g} s still not so: {what}; last seen: {answer!r}")
        time.sleep(LOOK)


def binary():
    return os.environ["TRAINYARD_BIN"]


def own_environment():
    """Ours without what would configure the server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRAINYARD_")}
    return {**kept, PLANTED: "a secret of the server"}


def free_port():
    for port in random.SystemRandom().sample(PORTS, 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError(f"no free port among a hundred of {PORTS}")


def _read(pid, name):
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _link(pid, name):
    try:
        return os.readlink(f"/proc/{pid}/{name}").encode()
    except OSError:
        return b""


EXITING = 0x4  # the kernel's PF_EXITING: it runs no more and gives back what it holds


def _runs(pid):
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return bool(fields) and fields[0] not in (b"Z", b"X") and not int(fields[6]) & EXITING


def _others():
    """The numbers of all processes but this one."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def processes(text):
    """Processes other than this one whose command line, environment or working directory holds `text`.

    By number, with their command lines.
    """
    sought, found = text.encode(), {}
    for pid in _others():
        command = _read(pid, "cmdline")
        holds = sought in command or sought in _read(pid, "environ") or sought in _link(pid, "cwd")
        if holds and _runs(pid):
            found[pid] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


_sleeps = itertools.count(601)


def long_sleep():
    """A command that no other process of this machine has, and that ends by itself in some ten minutes."""
    return f"sleep {next(_sleeps)}.{os.getpid()}"


def running(command):
    """How many processes run exactly this command, wherever they made off to."""
    sought = command.replace(" ", "\0").encode() + b"\0"
    return sum(_read(pid, "cmdline") == sought and _runs(pid) for pid in _others())


def kill_by_number(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class Server:
    """`trainyard serve` on a data folder; may be ended and started again."""

    def __init__(self, data, log):
        self.data = Path(data)
        self.log = Path(log)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.begins = 0  # where the log of the last start begins
        self.environment = own_environment()
        self.program = binary()
        self.user = None  # as who started this, if not set

    def start(self, wait=True):
        command = [self.program, "serve", "--listen", f"127.0.0.1:{self.port}", "--data", str(self.data)]
        with open(self.log, "ab") as log:
            self.begins = log.tell()
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
            )
        if wait:
            self.wait_ready()

    def wait_ready(self):
        def ready():
            assert self.process.poll() is None, f"the server ended:\n{self.log.read_text()[-4000:]}"
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"{self.url}/healthz", timeout=PATIENCE).status_code == 200

        poll_until("the server is ready", ready)

    def kill(self):
        """SIGKILL; the server must have been alive to be killed."""
        self.process.kill()
        assert self.process.wait(PATIENCE) == -signal.SIGKILL, self.log.read_text()[-4000:]

    def terminate(self):
        """SIGTERM: a clean end that leaves nodes and jobs running."""
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0

    def stop(self):
        """The end of the server, its nodes and their jobs; nothing may be left of them."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        command = [binary(), "stop", "--nodes", "--data", str(self.data)]
        ended = subprocess.run(
            command, env=own_environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert ended.returncode == 0, ended.stderr
        self.process.wait(PATIENCE)
        assert self.left() == {}, "processes are left"

    def was_ready(self):
        """Whether the last start got so far."""
        with open(self.log, "rb") as log:
            log.seek(self.begins)
            return b"listening on " in log.read()

    def left(self):
        return processes(str(self.data))

    def clear(self):
        """Ends what is left after a test that failed."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        for _ in range(100):
            left = self.left()
            if not left:
                return
            for pid in left:
                kill_by_number(pid)
            time.sleep(LOOK)

    @property
    def token(self):
        return (self.data / "admin-token").read_text().strip()

    def share(self, account, share):
        """The directory behind a file share of the built-in storage."""
        return self.data / "storage" / account / "files" / share

    def call(self, method, path, *, version=API_VERSION, token=None, **more):
        """One plain request, as a client other than the SDK sends it."""
        headers = {"Authorization": f"Bearer {token or self.token}", **more.pop("headers", {})}
        query = {} if version is None else {"api-version": version}
        return requests.request(
            method, self.url + path, params=query, headers=headers, timeout=PATIENCE, **more
        )

    def subscription(self):
        answer = self.call("GET", "/subscriptions", version="2016-06-01")
        assert answer.status_code == 200, answer.text
        return answer.json()["value"][0]["subscriptionId"]


RUNNING = []


@contextlib.contextmanager
def running_server(start=True):
    """A server on a fresh data folder; afterwards all of it ends, and nothing may be left."""
    folder = Path(tempfile.mkdtemp(prefix="yard-"))
    server = Server(folder / "data", folder / "server.log")
    server.data.mkdir(mode=0o700)
    (server.data / "trainyard.toml").write_text(CONFIGURATION)
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
