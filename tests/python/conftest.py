"""Fixtures: a server, and a yard on it with a workspace, an experiment and a cluster."""

import os
import shutil
import tempfile
from pathlib import Path

import harness
import pytest
import yards

# Not in /tmp: isolated nodes have one of their own, and what a test lays there for its jobs would not be seen.
tempfile.tempdir = str(Path(harness.binary()).parent.parent / "tmp")
Path(tempfile.tempdir).mkdir(exist_ok=True)

FACTS = []


@pytest.fixture(scope="session")
def server():
    """One server for all tests that do it no harm."""
    with harness.running_server() as server:
        yield server


@pytest.fixture
def own_server():
    """A server for a test that kills it."""
    with harness.running_server() as server:
        yield server


@pytest.fixture(scope="session")
def yard(server):
    """Group, workspace, experiment and a cluster of two nodes, all made by the SDK."""
    yard = yards.Yard(server)
    yard.build(nodes=2)
    return yard


@pytest.fixture(scope="session")
def clients_server():
    """A server for the vendor's clients alone, with the resource group that they work in."""
    with harness.running_server() as server:
        group = f"/subscriptions/{server.subscription()}/resourcegroups/Seed-Group"
        assert server.call("PUT", group, json={"location": yards.LOCATION}).status_code in (200, 201)
        yield server


@pytest.fixture
def fact():
    """Notes a figure for the end of the run."""
    return FACTS.append


@pytest.fixture
def reference():
    """The folder with the facts of the service; a clone may be without."""
    named = os.environ.get("TRAINYARD_SHARED")
    if named and Path(named).is_dir():
        return Path(named)
    leave_out("../shared is not here (recipes)")


@pytest.fixture
def compiler():
    """A C compiler."""
    if found := shutil.which("cc"):
        return found
    leave_out("there is no C compiler here (GPUs by NVML)")


def leave_out(what):
    """Says that a test cannot run here, and why; in CI that is a failure unless only ../shared is missing."""
    line = f"left out: {what}"
    print(line)
    if left_out := os.environ.get("TRAINYARD_LEFT_OUT"):
        with open(left_out, "a", encoding="utf-8") as file:
            file.write(line + "\n")
    pytest.skip(line)


def pytest_terminal_summary(terminalreporter):
    for text in FACTS:
        terminalreporter.write_line(f"fact: {text}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What the servers logged last goes with every failure."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    for server in harness.RUNNING:
        if server.log.exists():
            report.sections.append(("server log", server.log.read_text(errors="replace")[-8000:]))
