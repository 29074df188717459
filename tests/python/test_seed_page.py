"""The vendor's clients, unchanged, do the work of the page that tells how to move to workspaces, each in its language.

They make a workspace, an experiment, a cluster, a file server and a job, wait for each long-running operation and for
the job, read its output and two kinds of error; then they get and delete what they made. What they say they saw is
compared with what lies on the server.
"""

import re

import pytest
from seed_page import OUTPUT, PROGRAMS, Page
from yards import ACCOUNT, LOCATION, SHARE

# SDK 7.0.0 can make and list file servers, and nothing more.
LACKS = {"python-7.0.0": {"file server gone"}}
# Those that read `Location` too, once a delete is done.
READ_LOCATION = {"node-2.2.1"}
CHILDREN = {"cluster": "clusters/pair", "file server": "fileservers/disks", "job": "experiments/first/jobs/hello"}


def polls(server, status):
    """How many polls of either URL of a long-running operation were answered so."""
    text = server.call("GET", "/metrics", version=None).text
    pattern = rf'trainyard_requests_total\{{operation="Operation(Results|Statuses)_Get",status="{status}"\}} (\d+)'
    return {url: int(count) for url, count in re.findall(pattern, text)}


def get(page, path):
    return page.server.call("GET", f"{page.path}/{path}")


@pytest.mark.parametrize("client", PROGRAMS)
def test_the_page_is_worked_through(clients_server, client):
    page = Page(clients_server, client, clients_server.subscription())
    root = page.path.replace(page.group, page.group.lower())

    made = page.run("make")
    assert made["workspace"] == {"id": root, "state": "succeeded", "location": LOCATION}
    assert made["experiment"] == {"id": f"{root}/experiments/first", "state": "succeeded"}
    own = {
        "cluster": {"state": "succeeded", "vm_size": "STANDARD_D1"},
        "file server": {"state": "succeeded", "at": "/data"},
        "job": {"state": "succeeded", "tool": "custom"},
    }
    for kind, path in CHILDREN.items():
        assert made[kind] == {"id": f"{root}/{path}", **own[kind]}
        assert get(page, path).status_code == 200
    assert made["job ended"] == {"state": "succeeded", "exit_code": 0}
    assert made["output"] == {"files": ["execution.log", "stderr.txt", "stdout.txt"], "text": OUTPUT}
    segment = get(page, CHILDREN["job"]).json()["properties"]["jobOutputDirectoryPathSegment"]
    lies_at = page.server.share(ACCOUNT, SHARE) / segment / "stdouterr" / "stdout.txt"
    assert lies_at.read_text() == OUTPUT
    missing = made["missing"]
    assert (missing["status"], missing["code"]) == (404, "JobNotFound")
    assert "The specified job nothing is not found" in missing["message"]
    # The operation has failed, and the client has read why from the URL that it polled.
    failed = made["failed"]
    assert failed["code"] == "FileServerProvisioningFailed"
    assert "File Server provisioning has failed" in failed["message"]

    before, before_location = polls(page.server, 200), polls(page.server, 204)
    ended = page.run("end")
    after, after_location = polls(page.server, 200), polls(page.server, 204)
    assert after["Results"] > before.get("Results", 0), "no operation was polled"
    if client in READ_LOCATION:
        assert after_location["Statuses"] > before_location.get("Statuses", 0), "Location was not read"
    for kind, path in CHILDREN.items():
        assert ended[kind] == made[kind]
        if f"{kind} gone" in LACKS.get(client, ()):
            continue
        gone = ended[f"{kind} gone"]
        assert (gone["status"], gone["code"]) == (404, f"{kind.title().replace(' ', '')}NotFound")
        assert get(page, path).status_code == 404
    assert lies_at.read_text() == OUTPUT, "the output of a deleted job stays"
