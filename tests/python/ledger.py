"""Jobs that write down themselves when an attempt of theirs starts and stops, and what they saw of others."""

from azure.mgmt.batchai import models
from harness import processes
from yards import ROOT, Yard

# A job that says in a file of its own when an attempt of it starts and stops. One line is one write, so lines
# of two attempts never mix. What is seen of another attempt at the start goes into the line.
SCRIPT = """
import os, signal, sys, time

name, attempt = os.environ["YARD_TEST_JOB"], os.environ["TRAINYARD_PLACEMENT"].rsplit(":", 1)[1]
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def environment(pid):
    try:
        return open(f"/proc/{pid}/environ", "rb").read()
    except OSError:
        return b""


def others():
    "Processes of other attempts of this job."
    job, own = f"YARD_TEST_JOB={name}\\0".encode(), f":{attempt}\\0".encode()
    seen = [environment(pid) for pid in os.listdir("/proc") if pid.isdigit()]
    return [one for one in seen if job in one and own not in one]


def say(*words):
    os.write(log, (" ".join(map(str, words)) + "\\n").encode())


linger = float(os.environ.get("YARD_TEST_LINGER", "0"))  # seconds between the warning and the end
if linger:
    signal.signal(signal.SIGTERM, lambda *_: (time.sleep(linger), os._exit(143)))
say("start", attempt, len(others()))
work = sys.argv[2]
if work.startswith("/"):
    while not os.path.exists(work):
        time.sleep(0.02)
else:
    time.sleep(float(work))
say("stop", attempt, 0)
"""


class Ledger:
    """What the jobs themselves wrote down of their attempts."""

    def __init__(self, yard):
        self.folder = yard.share / "ledger"
        self.folder.mkdir(parents=True)
        (yard.share / "attempt.py").write_text(SCRIPT)

    def lines(self, job):
        """(word, attempt, processes of other attempts seen) in order."""
        path = self.folder / job
        text = path.read_text() if path.exists() else ""
        return [line.split() for line in text.splitlines()]

    def said(self, word):
        """How many attempts of all jobs have said so."""
        return sum(path.read_text().count(word) for path in self.folder.iterdir())


def parameters(yard, job, work, before="", linger=0, **more):
    """A job that writes its attempts down.

    `work` is how many seconds it takes, or the file it waits for; `linger` how many it goes on after SIGTERM.
    """
    command = f'{before}python3 {ROOT}/attempt.py {ROOT}/ledger/{job} "{work}"'
    values = {"YARD_TEST_JOB": tag(yard.server, job), "YARD_TEST_LINGER": str(linger)}
    variables = [models.EnvironmentVariable(name=name, value=value) for name, value in values.items()]
    return yard.job_parameters(command, environment_variables=variables, **more)


def yard_on(server, nodes):
    yard = Yard(server)
    yard.build(nodes)
    return yard, Ledger(yard)


def tag(server, job):
    """What a job's processes carry in their environment; no other run of these tests on this machine has it."""
    return f"{job}@{server.data}"


def processes_of(server, job):
    return processes(f"YARD_TEST_JOB={tag(server, job)}")
