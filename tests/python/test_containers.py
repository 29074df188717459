"""Jobs in containers, by the vendor's SDK and real podman, with images made on the spot."""

import pytest
from azure.mgmt.batchai import models
from harness import poll_until, running_server
from images import Registry, make_root, need_podman
from yards import ROOT, Yard, codes

IMAGE = "stand/in:1"
SECRET = "a secret of the job"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    need_podman()
    return make_root(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def machine(archive, tmp_path_factory):
    """A yard whose jobs find the image in a folder, on a server that asks no registry but those of this machine."""
    folder = tmp_path_factory.mktemp("images")
    archive.rename(folder / "stand_in_1.tar")
    registries = folder / "registries.conf"
    registries.write_text('[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n')
    with running_server(start=False) as server:
        server.environment |= {
            "TRAINYARD_CONTAINERS_IMAGES": str(folder),
            "TRAINYARD_LOCAL_PASS_ENVIRONMENT": "CONTAINERS_REGISTRIES_CONF",
            "CONTAINERS_REGISTRIES_CONF": str(registries),
        }
        server.start()
        yard = Yard(server)
        yard.build(nodes=2)
        yield yard


def container(image=IMAGE, **registry):
    source = models.ImageSourceRegistry(image=image, **registry)
    return models.ContainerSettings(image_source_registry=source, shm_size="96m")


def details(job):
    return {detail.name: detail.value for error in job.execution_info.errors for detail in error.details}


def test_a_job_has_all_it_has_on_the_node_in_its_container(machine):
    command = (
        f'ls /etc/debian_version; cat /prepared {ROOT}/input; echo "$WHO $HUSH"; echo put > $AZ_BATCHAI_OUTPUT_MODEL/m; '
        'df -k /dev/shm | tail -1 | awk "{print \\$2}"; cat $AZ_BATCHAI_MPI_HOST_FILE | wc -l; exit 7'
    )
    (machine.share / "input").write_text("from the share\n")
    job = machine.run(
        "whole",
        command,
        container_settings=container(),
        job_preparation=models.JobPreparation(command_line="echo prepared > /prepared; echo ready"),
        environment_variables=[models.EnvironmentVariable(name="WHO", value="me")],
        secrets=[models.EnvironmentVariableWithSecretValue(name="HUSH", value=SECRET)],
        output_directories=[models.OutputDirectory(id="MODEL", path_prefix=ROOT)],
    )
    assert (job.execution_state, job.execution_info.exit_code) == ("failed", 7)
    assert codes(job) == ["JobFailed"]
    said = machine.read("whole", "stdout.txt").split("\n")
    assert said == ["prepared", "from the share", f"me {SECRET}", "98304", "1", ""]
    assert machine.read("whole", "stdout-job_prep.txt") == "ready\n"
    assert machine.read("whole", "m", "MODEL") == "put\n"
    log = machine.read("whole", "execution.log")
    assert "stand_in_1.tar" in log and "container trainyard-" in log and SECRET not in log


def test_a_job_on_two_nodes_runs_in_two_containers(machine):
    job = machine.run(
        "two",
        'for node in $(cut -d" " -f1 $AZ_BATCHAI_MPI_HOST_FILE); do '
        "$OMPI_MCA_plm_rsh_agent $node 'ls /etc/debian_version 2>&1 | wc -l; cat /node'; done",
        nodes=2,
        container_settings=container(),
        job_preparation=models.JobPreparation(command_line="echo one of them > /node"),
    )
    assert job.execution_state == "succeeded"
    assert machine.read("two", "stdout.txt") == "1\none of them\n" * 2


def test_nodes_reach_one_another_by_ssh_in_their_containers(machine):
    job = machine.run(
        "ssh",
        "for node in $(cut -d' ' -f1 $AZ_BATCHAI_MPI_HOST_FILE) elsewhere; do "
        "ssh $node 'ls /etc/debian_version 2>&1 | wc -l; cat /node'; done",
        nodes=2,
        container_settings=container(),
        job_preparation=models.JobPreparation(command_line="echo one of them > /node"),
    )
    said = machine.read("ssh", "stdout.txt"), machine.read("ssh", "stderr.txt")
    # The last is no node of the job: the image has no other ssh.
    assert said[0] == "1\none of them\n" * 2, said
    assert "ssh" in said[1] and job.execution_info.exit_code != 0, said


def test_a_job_in_a_container_can_be_terminated(machine):
    machine.submit("endless", "trap '' TERM; echo on; sleep 1000", container_settings=container())
    poll_until("it runs", lambda: "stdout.txt" in machine.files("endless") and machine.read("endless", "stdout.txt"))
    machine.terminate("endless")
    assert codes(machine.wait_job("endless")) == ["JobTerminated"]


def test_an_image_that_is_nowhere_fails_the_job_by_name(machine):
    job = machine.run("nowhere", "true", container_settings=container("127.0.0.1:1/no/such:1"))
    assert codes(job) == ["FailedStartingContainer"]
    assert job.execution_info.errors[0].message == "unable to start docker container"
    assert details(job)["imageName"] == "127.0.0.1:1/no/such:1"
    assert "refused" in details(job)["Info"]


def test_a_private_image_is_for_those_with_a_login_and_the_login_does_not_stay(machine, tmp_path):
    need_podman()
    registry = Registry(make_root(tmp_path))
    with registry.serving() as host:
        login = models.PrivateRegistryCredentials(username=registry.USER, password=registry.PASSWORD)
        image = f"{host}/own/image:1"
        good = machine.run("with-login", "echo in", container_settings=container(image, credentials=login))
        assert good.execution_state == "succeeded", good.execution_info.errors
        assert registry.let_in
        login = models.PrivateRegistryCredentials(username=registry.USER, password="another")
        for name, more in (("no-login", {}), ("wrong-login", {"credentials": login})):
            job = machine.run(name, "true", container_settings=container(image, **more))
            assert codes(job) == ["FailedStartingContainer"], "the image is here, but not for everybody"
            assert registry.PASSWORD not in str(details(job))
    for file in (machine.server.data / "engine").rglob("*"):
        if file.is_file() and file.stat().st_size < 1 << 20 and "images/overlay" not in str(file):
            assert registry.PASSWORD.encode() not in file.read_bytes(), file
    assert not list((machine.server.data / "engine/nodes").glob("*/container/login"))
