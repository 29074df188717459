"""Images that nobody needs any more, and what a fetch leaves that was cut off: `trainyard gc` with real podman."""

import json
import os
import time

import pytest
from azure.mgmt.batchai import models
from commands import done
from harness import CONFIGURATION, poll_until, running_server
from images import make_root, need_podman
from leftovers import mount_points
from yards import Yard

IMAGE = "stand/in:1"
DAY = 86400


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    need_podman()
    folder = tmp_path_factory.mktemp("images")
    make_root(folder).rename(folder / "stand_in_1.tar")
    with running_server(start=False) as server:
        (server.data / "trainyard.toml").write_text(CONFIGURATION + "[retention]\nimage_days = 7\n")
        server.environment["TRAINYARD_CONTAINERS_IMAGES"] = str(folder)
        server.start()
        yard = Yard(server)
        yard.build(nodes=1)
        yield yard


def container():
    return models.ContainerSettings(image_source_registry=models.ImageSourceRegistry(image=IMAGE))


def shown(server, *words):
    report = json.loads(done("gc", "--data", server.data, "--json", *words))
    [room] = [room for room in report["rooms"] if room["room"] == "images"]
    assert room["error"] is None
    return room["waste"]


def age(path, days):
    then = time.time() - DAY * days
    os.utime(path, (then, then))


def store(server):
    return server.data / "engine/containers"


def note(server):
    [found] = (store(server) / "used").iterdir()
    return found


def layers(server):
    return [path for path in (store(server) / "images/overlay").iterdir() if path.name != "l" and path.is_dir()]


def test_an_image_goes_when_no_job_has_used_it_for_long_and_comes_again(machine):
    server, mounted = machine.server, mount_points()
    assert shown(server) == []
    assert machine.run("first", "true", container_settings=container()).execution_state == "succeeded"
    assert shown(server) == []
    age(note(server), 6)
    assert shown(server) == [], "it is kept for 7 days"
    age(note(server), 8)
    for _ in range(2):
        [waste] = shown(server)
        assert "retention.image_days" in waste["why"] and waste["bytes"] > 1 << 20 and waste["left"] is None
    assert len(layers(server)) == 1
    assert shown(server, "--delete") == [waste]
    assert layers(server) == [] and not list((store(server) / "used").iterdir())
    assert shown(server) == [] and mount_points() == mounted
    assert machine.run("second", "true", container_settings=container()).execution_state == "succeeded"
    assert len(layers(server)) == 1 and note(server)


def test_the_image_of_a_container_stays_as_long_as_it_runs(machine):
    server = machine.server
    machine.submit("long", "echo on; sleep 1000", container_settings=container())
    poll_until("it runs", lambda: "stdout.txt" in machine.files("long") and machine.read("long", "stdout.txt"))
    age(note(server), 800)
    assert shown(server, "--delete") == []
    machine.terminate("long")
    machine.wait_job("long")
    machine.wait_idle(machine.cluster, 1)
    assert shown(server, "--delete") == [], "it was used until now"
    assert len(layers(server)) == 1


def test_what_a_fetch_leaves_that_was_cut_off_goes(machine):
    server = machine.server
    assert machine.run("noted", "true", container_settings=container()).execution_state == "succeeded"
    # As if the node had been killed between the image and its note, and another one in the midst of an image.
    image = note(server)
    image.unlink()
    part = store(server) / "parts/storage1"
    part.mkdir(parents=True)
    (part / "layer").write_bytes(bytes(100_000))
    found = shown(server)
    assert [waste["place"] for waste in found] == [image.name, str(part)]
    assert all("cut off" in waste["why"] and waste["bytes"] > 90_000 for waste in found)
    assert shown(server, "--delete") == found
    assert layers(server) == [] and not part.exists() and shown(server) == []
    assert machine.run("again", "true", container_settings=container()).execution_state == "succeeded"


def test_gc_goes_without_a_server(machine):
    server, mounted = machine.server, mount_points()
    server.terminate()
    try:
        age(note(server), 8)
        [waste] = shown(server, "--delete")
        assert waste["left"] is None
        assert shown(server) == [] and layers(server) == [] and mount_points() == mounted
    finally:
        server.start()
    assert machine.run("after", "true", container_settings=container()).execution_state == "succeeded"
