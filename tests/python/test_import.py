"""`trainyard migrate import` and `undo`: as many old jobs as a lab has, killed on the way, and taken away again."""

import json
import re
import signal
import subprocess
import time

import exports
import harness
import pytest
import requests

JOBS = 10_000
FLAT = "2018-03-01"
PATIENCE = 300


def command(server, *words):
    return [harness.binary(), "migrate", *words, "--data", str(server.data)]


def run(server, *words, fails=False):
    ended = subprocess.run(
        command(server, *words),
        env=harness.own_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (ended.returncode != 0) == fails, ended.stdout[-2000:] + ended.stderr[-2000:]
    return ended


def started(server, *words):
    return subprocess.Popen(
        command(server, *words),
        env=harness.own_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until(process, done):
    """Reads what an import says until the server has acknowledged `done` of its steps."""
    for line in process.stderr:
        said = re.match(r"(\d+) of \d+ done", line)
        if said and int(said[1]) >= done:
            return
    raise AssertionError(f"the import ended before {done} steps were done")


def everything(server, path, version=FLAT):
    """A whole list, page by page."""
    entries, link = [], None
    while True:
        if link is None:
            answer = server.call("GET", path, version=version)
        else:
            answer = requests.get(link, headers={"Authorization": f"Bearer {server.token}"}, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        entries += page["value"]
        link = page.get("nextLink")
        if link is None:
            return entries


def listing(server):
    """All that the older api-versions list, without what is of the import's own time and chance.

    That is since when a cluster is steady, and the name of a subnet made here.
    """
    at = f"/subscriptions/{server.subscription()}/providers/Microsoft.BatchAI"
    found = {kind: everything(server, f"{at}/{kind}") for kind in ("clusters", "fileServers", "jobs")}
    for entry in found["clusters"] + found["fileServers"]:
        for own in ("subnet", "allocationStateTransitionTime"):
            entry["properties"].pop(own, None)
    text = json.dumps(found).replace(server.subscription(), "SUBSCRIPTION")
    return json.loads(text)


def tree(server):
    """Names and states of everything from the groups down, as 2018-05-01 shows it."""
    at = f"/subscriptions/{server.subscription()}"
    groups = [entry["name"] for entry in everything(server, f"{at}/resourceGroups", "2018-05-01")]
    workspaces = everything(server, f"{at}/providers/Microsoft.BatchAI/workspaces", "2018-05-01")
    found = {"groups": groups, "workspaces": workspaces}
    for workspace in workspaces:
        for kind in ("experiments", "clusters", "fileservers"):
            path = f"{workspace['id']}/{kind}"
            found[path] = everything(server, path, "2018-05-01")
        for experiment in found[f"{workspace['id']}/experiments"]:
            found[experiment["id"]] = everything(server, f"{experiment['id']}/jobs", "2018-05-01")
    return found


def import_id(text):
    return re.search(r"trainyard migrate undo (\S+)", text)[1]


def put(server, path, body, version="2018-05-01"):
    answer = server.call("PUT", f"/subscriptions/{server.subscription()}{path}", version=version, json=body)
    assert answer.status_code in (200, 201), answer.text


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return exports.write(tmp_path_factory.mktemp("export"), JOBS)


@pytest.fixture(scope="module")
def in_one_go(files):
    """What an import that nothing disturbs gives, and how long it took."""
    with harness.running_server() as server:
        begin = time.monotonic()
        ended = run(server, "import", *files, "--yes")
        yield listing(server), ended.stdout, time.monotonic() - begin


def test_an_import_killed_half_way_and_resumed_is_as_one_in_one_go(own_server, files, in_one_go, fact):
    whole, _, seconds = in_one_go
    fact(f"{JOBS} old jobs imported in {seconds:.1f} s, plan and all: {JOBS / seconds:.0f} jobs/s")
    words = ("import", *files, "--yes")

    client = started(own_server, *words)
    read_until(client, 3000)
    client.kill()
    assert client.wait(PATIENCE) == -signal.SIGKILL

    client = started(own_server, *words)
    read_until(client, 6000)
    own_server.kill()
    assert client.wait(PATIENCE) == 1
    assert "goes on where it was" in client.stderr.read()
    own_server.start()

    ended = run(own_server, *words)
    made = re.search(r"jobs: +(\d+) made, (\d+) made before", ended.stdout.split("To take all")[0].rsplit("Import ", 1)[1])
    assert int(made[2]) >= 6000 - 10 and int(made[1]) + int(made[2]) == JOBS - JOBS // 100
    assert listing(own_server) == whole


def test_what_is_imported_is_what_was_exported(in_one_go):
    whole, said, _ = in_one_go
    jobs = {entry["name"]: entry for entry in whole["jobs"]}
    assert len(jobs) == JOBS - JOBS // 100
    assert [entry["name"] for entry in whole["jobs"]] == [
        f"job.{number}" for number in range(1, JOBS + 1) if number % 100
    ]
    for number in (1, 2, 3, 7, 14, 21, 9_999):
        old, new = exports.job(number)["properties"], jobs[f"job.{number}"]["properties"]
        old.setdefault("jobOutputDirectoryPathSegment", exports.segment(number))
        old["outputDirectories"][0]["createNew"] = True
        old["cluster"]["id"] = old["cluster"]["id"].replace(exports.OLD_SUBSCRIPTION, "SUBSCRIPTION")
        assert new == old
    assert f"{JOBS // 100}" in said and "it was running when the export was made" in said
    for entry in whole["clusters"]:
        settings = entry["properties"]["scaleSettings"]
        assert settings["manual"]["targetNodeCount"] == 0
        assert entry["tags"] == {"team": entry["name"]}
        assert entry["properties"]["creationTime"] == exports.at(100)


def test_files_of_imported_jobs_are_listed_and_downloaded(own_server, tmp_path):
    mapped = tmp_path / "from-azure"
    (own_server.data / "trainyard.toml").write_text(
        harness.CONFIGURATION + f'[storage_accounts.{exports.ACCOUNT}]\ndirectory = "{mapped}"\n'
    )
    own_server.terminate()
    own_server.start()
    run(own_server, "import", *exports.write(tmp_path, 4), "--yes")
    at = f"/subscriptions/{own_server.subscription()}/resourceGroups/{exports.GROUP}/providers/Microsoft.BatchAI"
    for number, version in ((1, "2017-09-01-preview"), (1, FLAT), (2, FLAT)):
        place = mapped / "files" / "share" / exports.segment(number)
        stdout = place / "stdout.txt" if number % 2 == 1 else place / "stdouterr" / "stdout.txt"
        for file, directory in ((stdout, "stdouterr"), (place / "outputs" / "m" / "model.bin", "MODEL")):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"of job {number}: {directory}")
            path = f"{at}/jobs/job.{number}/listOutputFiles"
            answer = own_server.call("POST", f"{path}?outputdirectoryid={directory}", version=version)
            found = {entry["name"]: entry for entry in answer.json()["value"]}
            link = found[file.name]["downloadUrl"]
            assert requests.get(link, timeout=PATIENCE).text == file.read_text()


def test_an_undo_leaves_what_was_there_before(own_server, files):
    group = f"/resourceGroups/{exports.GROUP}"
    put(own_server, group, {"location": "eastus"}, "2019-05-10")
    workspace = f"{group}/providers/Microsoft.BatchAI/workspaces/migrated-eastus"
    put(own_server, workspace, {"location": "eastus", "tags": {"a": "b"}})
    own = {"vmSize": "STANDARD_D1", "userAccountSettings": {"adminUserName": "u", "adminUserPassword": "p"}}
    put(own_server, f"{workspace}/clusters/own", {"properties": own})
    before = tree(own_server)
    said = run(own_server, "import", *files, "--yes").stdout
    assert tree(own_server) != before
    undone = run(own_server, "undo", import_id(said))
    assert "nothing of the import" in undone.stderr
    assert tree(own_server) == before


def test_an_undo_that_is_killed_is_run_again(own_server, tmp_path):
    before = tree(own_server)
    said = run(own_server, "import", *exports.write(tmp_path, 1000), "--yes").stdout
    undo = started(own_server, "undo", import_id(said))
    line = undo.stderr.readline()
    assert line.endswith(" removed\n"), line
    undo.kill()
    undo.wait(PATIENCE)
    own_server.kill()
    own_server.start()
    run(own_server, "undo", import_id(said))
    assert tree(own_server) == before


def test_a_plan_changes_nothing_and_nobody_is_asked_without_a_terminal(own_server, tmp_path):
    words = ("import", *exports.write(tmp_path, 20))
    before = tree(own_server)
    shown = run(own_server, *words, "--plan").stdout
    assert "20 to make" in shown and "migrated-westeurope/migrated: 10" in shown
    assert "no nodes; the old one wanted 5" in shown
    assert "say --yes" in run(own_server, *words, fails=True).stderr
    assert tree(own_server) == before


def test_a_live_old_endpoint_is_read_page_by_page(own_server, tmp_path, in_one_go):
    """A server with an import is itself an old endpoint for another one."""
    with harness.running_server() as old:
        run(old, "import", *exports.write(tmp_path, 1500), "--yes")
        report = tmp_path / "report.json"
        words = ("import", "--from", old.url, "--token", old.token, "--yes", "--report", str(report))
        run(own_server, *words)
        assert listing(own_server) == listing(old)
        found = json.loads(report.read_text())
        assert found["counts"]["jobs"] == {"made": 1485, "already": 0, "found": 0, "leftOut": 0}
        assert found["leftOut"] == []
        # What it is told is no old endpoint says so.
        wrong = run(own_server, "import", "--from", "http://127.0.0.1:9", "--token", "t", "--yes", fails=True)
        assert "127.0.0.1:9" in wrong.stderr


def test_the_report_says_what_was_left_out_and_why(own_server, tmp_path):
    clash = exports.job(1)
    clash["id"] = clash["id"].replace(exports.GROUP.lower(), "another")
    lost = exports.job(2)
    lost["properties"]["cluster"]["id"] = exports.old_id("clusters", "gone")
    lost["id"] += "-lost"
    bad = exports.job(4)
    bad["properties"]["nodeCount"] = 0
    bad["id"] += "-bad"
    (tmp_path / "more.json").write_text(json.dumps([clash, lost, bad, exports.job(100), {"no": "id"}, 7]))
    report = tmp_path / "report.json"
    files = [*exports.write(tmp_path, 3), str(tmp_path / "more.json")]
    run(own_server, "import", *files, "--yes", "--resource-group", "all", "--report", str(report))
    left = {entry["what"].rsplit("/", 1)[-1]: entry["reason"] for entry in json.loads(report.read_text())["leftOut"]}
    assert "takes its place" in left["job.1"]
    assert "its cluster" in left["job.2-lost"] and "--location" in left["job.2-lost"]
    assert left["job.4-bad"].startswith("nodeCount: ")
    assert "it was running" in left["job.100"]
    assert "no id" in left["more.json, entry 5"] and "no JSON object" in left["more.json, entry 6"]
    assert len(left) == 6


def test_what_is_no_export_is_refused(own_server, tmp_path):
    (tmp_path / "text.json").write_text("Name  Location\n")
    assert "is not JSON" in run(own_server, "import", str(tmp_path / "text.json"), fails=True).stderr
    assert "cannot be read" in run(own_server, "import", str(tmp_path / "none.json"), fails=True).stderr
