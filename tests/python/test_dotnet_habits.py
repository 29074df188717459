"""The .NET client's ways on the wire, replayed with plain HTTP: its package is not to be had where these tests run.

It polls `Azure-AsyncOperation` until the status is no longer `InProgress`, waiting as long as `Retry-After` says. After a
PUT it gets the resource; after a DELETE it also gets `Location`, where it takes 200, 202 and 204. The paths of the two
URLs are swapped against their names. See docs/clients/dotnet.md.
"""

import re
import time

import pytest
import requests
from harness import API_VERSION, PATIENCE, poll_until
from yards import ACCOUNT, ACCOUNT_KEY, LOCATION, SHARE

ACCOUNT_SETTINGS = {"adminUserName": "yard", "adminUserPassword": "a password of the test"}
CLUSTER = {
    "properties": {
        "vmSize": "STANDARD_D1",
        "userAccountSettings": ACCOUNT_SETTINGS,
        "scaleSettings": {"manual": {"targetNodeCount": 1}},
        "nodeSetup": {
            "mountVolumes": {
                "azureFileShares": [
                    {
                        "accountName": ACCOUNT,
                        "azureFileUrl": f"https://{ACCOUNT}.file.core.windows.net/{SHARE}",
                        "credentials": {"accountKey": ACCOUNT_KEY},
                        "relativeMountPath": SHARE,
                    }
                ]
            }
        },
    }
}
GUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


class DotNet:
    """What the client does with an answer."""

    def __init__(self, server):
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {server.token}"
        self.server = server
        self.locations = f"{server.url}/subscriptions/{server.subscription()}/providers/Microsoft.BatchAI/locations"
        self.group = f"{server.url}/subscriptions/{server.subscription()}/resourceGroups/DotNet"
        self.root = f"{self.group}/providers/Microsoft.BatchAI/workspaces/net"

    def send(self, method, url, **more):
        if "api-version=" not in url:
            more["params"] = {"api-version": API_VERSION}
        return self.session.request(method, url, timeout=PATIENCE, **more)

    def finish(self, accepted):
        """The statuses that were polled, the last answer, and the URL of `Location`."""
        assert (accepted.status_code, accepted.content) == (202, b"")
        assert int(accepted.headers["Content-Length"]) == 0
        asynchronous, location = accepted.headers["Azure-AsyncOperation"], accepted.headers["Location"]
        pattern = rf"{re.escape(self.locations)}/{LOCATION}/%s/(?P<id>{GUID})\?api-version={API_VERSION}"
        operation = re.fullmatch(pattern % "operationresults", asynchronous)
        assert operation, asynchronous
        assert re.fullmatch(pattern % "operationstatuses", location)["id"] == operation["id"]
        statuses, answer = [], accepted
        while True:
            poll_after(answer)
            answer = self.send("GET", asynchronous)
            assert answer.status_code == 200
            statuses.append(answer.json()["status"])
            if statuses[-1] != "InProgress":
                return statuses, answer.json(), location


def poll_after(answer):
    """Waits as long as an answer says."""
    wait = answer.headers.get("Retry-After")
    assert re.fullmatch(r"\d+", wait or ""), f"no whole seconds in Retry-After: {wait!r}"
    assert int(wait) <= 15
    time.sleep(int(wait))


@pytest.fixture(scope="module")
def net(clients_server):
    net = DotNet(clients_server)
    for url, body in (
        (net.group, {"location": LOCATION}),
        (net.root, {"location": LOCATION}),
        (f"{net.root}/experiments/runs", None),
        (f"{net.root}/clusters/pair", CLUSTER),
    ):
        assert net.send("PUT", url, json=body).status_code in (200, 201)
    return net


def submit(net, name, command):
    body = {
        "properties": {
            "cluster": {"id": net.send("GET", f"{net.root}/clusters/pair").json()["id"]},
            "nodeCount": 1,
            "stdOutErrPathPrefix": f"$AZ_BATCHAI_MOUNT_ROOT/{SHARE}",
            "customToolkitSettings": {"commandLine": command},
            "constraints": {"maxWallClockTime": "PT5M"},
        }
    }
    url = f"{net.root}/experiments/runs/jobs/{name}"
    assert net.send("PUT", url, json=body).status_code == 200
    poll_until(f"{name} runs", lambda: net.send("GET", url).json()["properties"]["executionState"] == "running")
    return url


def test_a_delete_is_polled_at_both_urls(net):
    # The job takes no notice of SIGTERM, so the operation is long enough to be seen at work.
    url = submit(net, "stubborn", 'trap "" TERM; while :; do sleep 0.1; done')
    accepted = net.send("DELETE", url)
    early = net.send("GET", accepted.headers["Location"])
    assert (early.status_code, early.content) == (202, b"")
    assert net.send("GET", accepted.headers["Azure-AsyncOperation"]).json()["status"] == "InProgress"
    assert early.headers["Azure-AsyncOperation"] == accepted.headers["Azure-AsyncOperation"]
    statuses, last, location = net.finish(accepted)
    assert (set(statuses[:-1]) <= {"InProgress"}, statuses[-1]) == (True, "Succeeded")
    assert last["startTime"] <= last["endTime"]
    assert last["properties"]["resourceId"].endswith("$dotnet$net$runs$stubborn")
    assert net.send("GET", location).status_code == 204
    assert net.send("GET", url).status_code == 404
    assert net.send("DELETE", url).status_code == 204


def test_a_terminate_is_polled_and_the_job_is_got(net):
    url = submit(net, "terminated", "sleep 300")
    statuses, _, location = net.finish(net.send("POST", f"{url}/terminate"))
    assert statuses[-1] == "Succeeded"
    assert net.send("GET", location).status_code in (200, 204)
    assert net.send("GET", url).json()["properties"]["executionState"] == "failed"
    again = net.send("POST", f"{url}/terminate")
    assert (again.status_code, again.content) == (200, b"")


def test_an_operation_that_failed_says_why(net):
    body = {
        "properties": {
            "vmSize": "STANDARD_D1",
            "sshConfiguration": {"userAccountSettings": ACCOUNT_SETTINGS},
            "dataDisks": {"diskSizeInGB": 10, "diskCount": 1, "storageAccountType": "Premium_LRS"},
        }
    }
    statuses, last, location = net.finish(net.send("PUT", f"{net.root}/fileServers/premium", json=body))
    assert statuses == ["Failed"]
    assert last["error"]["code"] == "FileServerProvisioningFailed"
    assert "properties" not in last
    assert net.send("GET", location).status_code >= 400


def test_a_put_that_is_done_at_once_is_not_polled(net):
    answer = net.send("PUT", f"{net.root}/clusters/pair", json=CLUSTER)
    assert answer.status_code == 200
    assert not {"Azure-AsyncOperation", "Location", "Retry-After"} & set(answer.headers)
    assert answer.json()["properties"]["provisioningState"] == "succeeded"
