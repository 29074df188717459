"""What an old deployment exports: made up, but in the forms in which it comes."""

import datetime
import json

OLD_SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = "Old-Lab"
REGIONS = ("eastus", "westeurope")
ACCOUNT = "oldaccount"
BEGIN = datetime.datetime(2018, 3, 1, tzinfo=datetime.timezone.utc)


def old_id(kind, name):
    group = GROUP.lower()
    return (
        f"/subscriptions/{OLD_SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.BatchAI/{kind}/{name}"
    )


def at(seconds):
    time = BEGIN + datetime.timedelta(seconds=seconds)
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3].rstrip("0").rstrip(".") + "Z"


def rest(kind, name, properties, **more):
    """A resource as the service lists it."""
    words = {"clusters": "Clusters", "fileservers": "FileServers", "jobs": "Jobs"}
    return {
        "id": old_id(kind, name),
        "name": name,
        "type": f"Microsoft.BatchAI/{words[kind]}",
        **more,
        "properties": properties,
    }


def printed_by_az(resource):
    """The same as `az` prints it: flattened, with nulls and what the SDK's models add, in Python's texts."""

    def printed(value):
        if isinstance(value, dict):
            shown = {name: printed(member) for name, member in value.items()}
            return {**shown, "additionalProperties": {}, "somethingUnset": None}
        if isinstance(value, list):
            return [printed(entry) for entry in value]
        if isinstance(value, str) and value.startswith("2018-") and value.endswith("Z"):
            return value[:-1] + "+00:00"
        return "7 days, 0:00:00" if value == "P7D" else value

    outer = {name: value for name, value in resource.items() if name != "properties"}
    properties = printed(resource["properties"])
    if disks := properties.get("dataDisks"):
        disks["diskSizeInGb"] = disks.pop("diskSizeInGB")
    return {"tags": None, "location": None, **outer, "resourceGroup": GROUP.lower(), **properties}


def share(path="afs"):
    return {
        "accountName": ACCOUNT,
        "azureFileUrl": f"https://{ACCOUNT}.file.core.windows.net/share",
        "credentials": {},
        "relativeMountPath": path,
        "fileMode": "0777",
        "directoryMode": "0777",
    }


def file_server(name, region):
    return rest(
        "fileservers",
        name,
        {
            "vmSize": "STANDARD_D1",
            "sshConfiguration": {"userAccountSettings": {"adminUserName": "lab"}},
            "dataDisks": {"diskSizeInGB": 10, "diskCount": 2, "storageAccountType": "Standard_LRS"},
            "provisioningState": "succeeded",
            "creationTime": at(0),
            "mountSettings": {"mountPoint": "/mnt/data", "fileServerType": "nfs"},
        },
        location=region,
    )


def cluster(name, region, server):
    volumes = {
        "azureFileShares": [share()],
        "fileServers": [
            {"fileServer": {"id": old_id("fileservers", server)}, "relativeMountPath": "nfs"}
        ],
    }
    return rest(
        "clusters",
        name,
        {
            "vmSize": "STANDARD_D1",
            "vmPriority": "dedicated",
            "scaleSettings": {"manual": {"targetNodeCount": 5, "nodeDeallocationOption": "requeue"}},
            "userAccountSettings": {"adminUserName": "lab"},
            "nodeSetup": {"mountVolumes": volumes},
            "provisioningState": "succeeded",
            "creationTime": at(100),
            "provisioningStateTransitionTime": at(101.5),
            "allocationState": "steady",
            "currentNodeCount": 5,
        },
        location=region,
        tags={"team": name},
    )


def job(number):
    """The job of this number: every seventh failed, every hundredth runs still, every other one is of 2017."""
    name, begin = f"job.{number}", 1000 + 10 * number
    region = number % len(REGIONS)
    preview = number % 2 == 1
    properties = {
        "experimentName": f"series {number % 5}",
        "priority": number % 2001 - 1000,
        "cluster": {"id": old_id("clusters", f"c{region}")},
        "nodeCount": 1 + number % 3,
        "toolType": "custom",
        "customToolkitSettings": {"commandLine": f"train --seed {number}"},
        "stdOutErrPathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs",
        "outputDirectories": [
            {"id": "MODEL", "pathPrefix": "$AZ_BATCHAI_MOUNT_ROOT/afs", "pathSuffix": "m", "type": "model"}
        ],
        "environmentVariables": [{"name": "SEED", "value": str(number)}],
        "constraints": {"maxWallClockTime": "P7D"},
        "creationTime": at(begin),
        "provisioningState": "succeeded",
        "provisioningStateTransitionTime": at(begin + 0.5),
        "executionState": "succeeded",
        "executionStateTransitionTime": at(begin + 9),
        "executionInfo": {"startTime": at(begin + 1), "endTime": at(begin + 9), "exitCode": 0},
    }
    if not preview:
        properties["jobOutputDirectoryPathSegment"] = segment(number)
    if number % 7 == 0:
        properties["executionState"] = "failed"
        error = {"code": "JobFailed", "message": "it failed", "details": [{"name": "n", "value": "v"}]}
        properties["executionInfo"] |= {"exitCode": number % 100 + 1, "errors": [error]}
    if number % 100 == 0:
        properties["executionState"] = "running"
        properties["executionInfo"] = {"startTime": at(begin + 1)}
    return rest("jobs", name, properties)


def segment(number):
    """Where the outputs of a job lie."""
    plain = f"{OLD_SUBSCRIPTION}/{GROUP.lower()}/jobs/job.{number}"
    return plain if number % 2 == 1 else f"{plain}/uuid-{number}"


def write(folder, jobs):
    """Files of all forms: as `az` prints lists, pages of the service behind one another, a single resource."""
    servers = [file_server(f"f{i}", region) for i, region in enumerate(REGIONS)]
    clusters = [cluster(f"c{i}", region, f"f{i}") for i, region in enumerate(REGIONS)]
    numbers = range(1, jobs + 1)
    by_az = [printed_by_az(job(number)) for number in numbers if number % 3 == 0]
    by_rest = [job(number) for number in numbers if number % 3 != 0]
    middle = len(by_rest) // 2
    texts = {
        "file-servers.json": json.dumps({"value": servers}),
        "cluster.json": json.dumps(clusters[0]),
        "clusters.json": json.dumps([printed_by_az(clusters[1])]),
        "jobs-az.json": json.dumps(by_az, indent=1),
        "jobs-rest.json": json.dumps({"value": by_rest[:middle]}) + "\n" + json.dumps({"value": by_rest[middle:]}),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [str(folder / name) for name in texts]
