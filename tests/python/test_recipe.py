"""The published recipe of distributed PyTorch over gloo, with a trainer of plain standard library."""

import json

from azure.mgmt.batchai import models
from yards import ACCOUNT, ACCOUNT_KEY

TRAINER = '''
"""Ranks meet through the file of --dist-url, as gloo's do, and then sum a number each epoch over sockets."""
import argparse, os, socket, sys, time
from urllib.parse import urlsplit

arguments = argparse.ArgumentParser()
for name, kind in (("epochs", int), ("world-size", int), ("dist-backend", str), ("dist-url", str), ("rank", int)):
    arguments.add_argument(f"--{name}", type=kind, required=True)
asked = arguments.parse_args()
meeting = urlsplit(asked.dist_url)
assert (meeting.scheme, asked.dist_backend) == ("file", "gloo"), asked
own = os.environ["AZ_BATCH_HOST_LIST"].split(",")[asked.rank]
deadline = time.monotonic() + 30


def lead():
    with socket.create_server((own, 0)) as server:
        server.settimeout(30)
        with open(meeting.path + ".new", "w") as file:
            file.write(f"{own} {server.getsockname()[1]}")
        os.rename(meeting.path + ".new", meeting.path)
        return [server.accept() for _ in range(asked.world_size - 1)]


def follow():
    while not os.path.exists(meeting.path):
        assert time.monotonic() < deadline, "rank 0 never came"
        time.sleep(0.02)
    host, port = open(meeting.path).read().split()
    return socket.create_connection((host, int(port)), timeout=30, source_address=(own, 0))


if asked.rank == 0:
    others = [(connection.makefile("rw"), peer[0]) for connection, peer in lead()]
    for epoch in range(asked.epochs):
        total = epoch + sum(int(stream.readline()) for stream, _ in others)
        for stream, _ in others:
            print(total, file=stream, flush=True)
    print(f"rank 0 at {own} with {','.join(peer for _, peer in others)}: {total}")
else:
    with follow() as connection, connection.makefile("rw") as stream:
        for epoch in range(asked.epochs):
            print(epoch * 10, file=stream, flush=True)
            total = int(stream.readline())
    print(f"rank {asked.rank} at {own}: {total}")
'''


def filled_in(recipe, cluster_id):
    """What the service's own command line makes of a recipe: cluster, account and key; no container here."""
    text = recipe.read_text().replace("<AZURE_BATCHAI_STORAGE_ACCOUNT>", ACCOUNT)
    body = json.loads(text)
    properties = body["properties"]
    del properties["containerSettings"]
    properties["cluster"] = {"id": cluster_id}
    for share in properties["mountVolumes"]["azureFileShares"]:
        share["accountName"] = ACCOUNT
        share["credentials"] = {"accountKey": ACCOUNT_KEY}
    return models.JobCreateParameters.deserialize(body)


def test_the_distributed_pytorch_recipe_runs_on_two_nodes(yard, reference):
    scripts = yard.server.share(ACCOUNT, "scripts") / "pytorch"
    scripts.mkdir(parents=True)
    (scripts / "mnist_trainer.py").write_text(TRAINER)
    recipe = reference / "recipes" / "PyTorch-GPU-Distributed-Gloo" / "job.json"
    yard.put_job("gloo", filled_in(recipe, yard.get_cluster(yard.cluster).id))
    job = yard.wait_job("gloo")
    files = yard.files("gloo")
    said = {name: yard.read("gloo", name) for name in files if name.startswith("std")}
    assert job.execution_state == "succeeded", said
    assert job.tool_type == "pytorch"
    assert sorted(said) == ["stderr-0.txt", "stderr-1.txt", "stdout-0.txt", "stdout-1.txt"]
    first, second = said["stdout-0.txt"].split(), said["stdout-1.txt"].split()
    assert (first[:2], second[:2]) == (["rank", "0"], ["rank", "1"])
    assert first[-1] == second[-1] == "99"  # 9 of rank 0 and 90 of rank 1 in the tenth epoch
    leader, peer = first[3], first[5].rstrip(":")
    assert peer == second[3].rstrip(":") != leader
    assert job.mount_volumes.azure_file_shares[0].credentials.account_key is None
