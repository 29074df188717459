"""A disk that is really full, and one that has less room than `min_free`."""

import contextlib
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import requests
from commands import attempts, done, leave_out, served
from harness import CONFIGURATION, PATIENCE, poll_until, processes
from yards import Yard, gate

SIZE = "24m"


@contextlib.contextmanager
def small_disk(size=SIZE):
    """A folder on a small file system of its own."""
    folder = Path(tempfile.mkdtemp(prefix="yard-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "yard-test", str(folder)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    try:
        if mounted.returncode != 0:
            leave_out(f"a small file system cannot be mounted here (a full disk): {mounted.stderr.strip()}")
        yield folder
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", str(folder)], check=True, timeout=PATIENCE)
        folder.rmdir()


def fill(folder):
    """Takes every last byte; says which file has them."""
    ballast = folder / "ballast"
    with open(ballast, "ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    assert shutil.disk_usage(folder).free == 0
    return ballast


class Callers:
    """Put jobs from two threads, read from another, and remember every answer."""

    def __init__(self, yard):
        self.server = yard.server
        self.base = f"{yard.group_path}/providers/Microsoft.BatchAI/workspaces/yard"
        self.cluster = yard.get_cluster(yard.cluster).id
        self.puts, self.reads, self.numbers = {}, [], iter(range(100_000))

    def put(self, name):
        wish = {
            "cluster": {"id": self.cluster},
            "nodeCount": 1,
            "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/files",
            "customToolkitSettings": {"commandLine": "true"},
            "environmentVariables": [{"name": "PADDING", "value": "p" * 3000}],
        }
        answer = self.server.call("PUT", f"{self.base}/experiments/runs/jobs/{name}", json={"properties": wish})
        self.puts[name] = answer
        return answer

    def read(self):
        for path in (self.base, f"{self.base}/clusters", f"{self.base}/experiments/runs/jobs?maxresults=5"):
            self.reads.append(self.server.call("GET", path))
        self.reads.append(requests.get(f"{self.server.url}/healthz", timeout=PATIENCE))
        return [answer.status_code for answer in self.reads[-4:]]

    def rush(self, until, patience=PATIENCE):
        """Many puts side by side until one of them is answered as wanted."""
        seen = threading.Event()

        def put_on():
            while not seen.is_set():
                answer = self.put(f"rush-{next(self.numbers):05}")
                if answer.status_code in until:
                    seen.set()

        threads = [threading.Thread(target=put_on) for _ in range(2)]
        for thread in threads:
            thread.start()
        came = seen.wait(patience)
        seen.set()
        for thread in threads:
            thread.join(PATIENCE)
        assert came, f"no answer of {until}; last: {list(self.puts.values())[-1].status_code}"

    def acknowledged(self):
        return [name for name, answer in self.puts.items() if answer.status_code in (200, 202)]


def test_a_full_disk_loses_nothing():
    with small_disk() as disk, served(start=False, data=disk / "data") as server:
        # The log and stderr lie on the full disk too.
        home, server.log = server.log.parent, disk / "server.log"
        shares = Path(tempfile.mkdtemp(prefix="yard-shares-", dir=home))
        # Output files are the user's; they lie elsewhere, so that the job itself is not what fails.
        server.configure(f'{CONFIGURATION}[storage_accounts.yardaccount]\ndirectory = "{shares}"\n')
        server.start()
        yard = Yard(server)
        yard.build(nodes=1)
        callers = Callers(yard)
        share = shares / "files" / "files"
        yard.submit("held", f"{gate('end')}; exit 9")
        yard.wait_job("held", ("running",))
        assert callers.put("before").status_code in (200, 202)

        ballast = fill(disk)
        callers.rush(until=(503,))
        for _ in range(5):
            refused = callers.put("while")
            assert refused.status_code == 503, refused.text
            assert refused.json()["error"]["code"] == "StoreFull", refused.text
            assert int(refused.headers["Retry-After"]) >= 1
            assert callers.read() == [200] * 4
        # The job ends meanwhile; its node cannot say so yet.
        (share / "gate-end").touch()
        poll_until("the job's processes have ended", lambda: not processes("gate-end"))
        assert callers.read() == [200] * 4
        assert yard.get_job("held").execution_state == "running"
        assert server.process.poll() is None
        with_token = done("token", "list", "--data", server.data)
        assert "admin" in with_token

        ballast.unlink()
        poll_until("jobs are taken again", lambda: callers.put("after").status_code in (200, 202))
        job = yard.wait_job("held", ("failed",))
        assert job.execution_info.exit_code == 9, job.execution_info.as_dict()
        assert attempts(server.data / "trainyard.db")["held"][0] == 1, "the job ran twice"
        there = {job.name for job in yard.jobs(page=500)}
        assert set(callers.acknowledged()) <= there
        refusals = {answer.status_code for answer in callers.puts.values()} - {200, 202}
        assert refusals <= {503}, refusals
        assert {answer.status_code for answer in callers.reads} == {200}
        yard.wait_job("before", ("succeeded",))
        assert server.process.poll() is None and "panicked" not in server.log.read_text()
        node_logs = [path.read_text() for path in server.data.glob("engine/nodes/*/node.log")]
        assert not [text for text in node_logs if "panicked" in text]
        server.stop()
        assert set(callers.acknowledged()) <= set(attempts(server.data / "trainyard.db"))


def test_below_min_free_no_job_starts_and_the_log_says_why():
    with served(configuration=CONFIGURATION.replace("min_free = 0", 'min_free = "900TiB"')) as server:
        yard = Yard(server)
        yard.build(nodes=1)
        yard.submit("waits", "true")
        reason = "No job starts while the disk has"
        poll_until("the log tells why the job waits", lambda: reason in server.log.read_text())
        assert yard.get_job("waits").execution_state == "queued"
        line = next(line for line in server.log.read_text().splitlines() if reason in line)
        assert "waits" in line and "min_free" in line, line
        server.terminate()
        server.configure(CONFIGURATION)
        server.start()
        yard.wait_job("waits", ("succeeded",))
