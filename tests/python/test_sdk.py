"""The vendor's SDK 2.0.0, unchanged, against the real server with real jobs: resources, jobs, their output."""

import datetime
import time

import pytest
import requests
from azure.mgmt.batchai import models
from harness import PATIENCE, PLANTED, long_sleep, poll_until, running
from msrestazure.azure_exceptions import CloudError
from yards import ACCOUNT, ACCOUNT_KEY, LOCATION, ROOT, codes, gate, longest, manual, share_reference


def variables(text):
    """What `printenv` printed."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_the_cluster_comes_up_and_shows_what_was_asked_for(yard):
    cluster = yard.get_cluster(yard.cluster)
    assert cluster.id == (
        f"/subscriptions/{yard.subscription}/resourceGroups/{yard.group.lower()}"
        f"/providers/Microsoft.BatchAI/workspaces/{yard.workspace}/clusters/{yard.cluster}"
    )
    assert cluster.type == "Microsoft.BatchAI/workspaces/clusters"
    assert cluster.provisioning_state == "succeeded"
    assert cluster.allocation_state == "steady"
    assert cluster.vm_size == "STANDARD_D1"
    assert cluster.scale_settings.manual.target_node_count == 2
    counts = cluster.node_state_counts
    assert counts.idle_node_count + counts.running_node_count == cluster.current_node_count == 2
    share = cluster.node_setup.mount_volumes.azure_file_shares[0]
    assert share.account_name == ACCOUNT
    assert share.credentials.account_key is None
    assert cluster.user_account_settings.admin_user_password is None


def test_a_job_runs_and_its_output_is_listed_and_downloaded(yard):
    job = yard.run("hello", "echo hi; echo err >&2; printenv")
    assert job.execution_state == "succeeded"
    assert job.tool_type == "custom"
    assert job.execution_info.exit_code == 0
    assert codes(job) == []
    assert job.creation_time <= job.execution_info.start_time <= job.execution_info.end_time
    assert job.execution_state_transition_time == job.execution_info.end_time
    files = yard.files("hello")
    assert sorted(files) == ["execution.log", "stderr.txt", "stdout.txt"]
    assert yard.read("hello", "stderr.txt") == "err\n"
    stdout = yard.read("hello", "stdout.txt")
    assert stdout.startswith("hi\n")
    assert files["stdout.txt"].file_type == "file"
    assert files["stdout.txt"].content_length == len(stdout)
    # The same file lies where behaviour.md section 7 says, on the share itself.
    path = yard.share / job.job_output_directory_path_segment / "stdouterr" / "stdout.txt"
    assert path.read_text() == stdout
    seen = variables(stdout)
    assert seen["AZ_BATCHAI_STDOUTERR_DIR"].endswith(f"/{job.job_output_directory_path_segment}/stdouterr")
    for name in (
        "AZ_BATCHAI_MOUNT_ROOT",
        "AZ_BATCHAI_JOB_MOUNT_ROOT",
        "AZ_BATCHAI_JOB_TEMP",
        "AZ_BATCHAI_SHARED_JOB_TEMP",
        "AZ_BATCHAI_MPI_HOST_FILE",
    ):
        assert seen[name].startswith("/"), name
    assert seen["AZ_BATCHAI_NUM_GPUS"] == "0"
    assert PLANTED not in seen
    assert yard.server.token not in stdout


def test_download_links_serve_ranges_and_nothing_else(yard):
    yard.run("ranges", "printf 0123456789")
    url = yard.files("ranges")["stdout.txt"].download_url

    def get(asked):
        answer = requests.get(url, headers={"Range": asked}, timeout=PATIENCE)
        return answer.status_code, answer.text

    assert get("bytes=4-") == (206, "456789")
    assert get("bytes=2-3") == (206, "23")
    assert get("bytes=10-")[0] == 416
    forged = url.replace("stdout.txt", "stderr.txt")
    assert requests.get(forged, timeout=PATIENCE).status_code == 403


def test_output_is_read_while_the_job_runs(yard):
    yard.submit("live", f"echo early; {gate('live')}; echo late")
    yard.wait_job("live", ("running",))
    poll_until("stdout.txt is listed", lambda: "stdout.txt" in yard.files("live"))
    poll_until("the first line is there", lambda: yard.read("live", "stdout.txt") == "early\n")
    assert yard.get_job("live").execution_state == "running"
    yard.open_gate("live")
    assert yard.wait_job("live").execution_state == "succeeded"
    assert yard.read("live", "stdout.txt") == "early\nlate\n"


def test_output_directories_inputs_variables_and_secrets(yard):
    (yard.share / "data").mkdir()
    (yard.share / "data" / "in.txt").write_text("from the share\n")
    job = yard.run(
        "rich",
        'mkdir "$AZ_BATCHAI_OUTPUT_MODEL/epoch-1" && cp "$AZ_BATCHAI_INPUT_DATA/in.txt" '
        '"$AZ_BATCHAI_OUTPUT_MODEL/epoch-1/weights" && echo "$GREETING $PLACE $SECRET" > "$AZ_BATCHAI_OUTPUT_NOTES/n"',
        input_directories=[models.InputDirectory(id="DATA", path=f"{ROOT}/data")],
        output_directories=[
            models.OutputDirectory(id="MODEL", path_prefix=ROOT, path_suffix="Models"),
            models.OutputDirectory(id="NOTES", path_prefix=ROOT, path_suffix="Notes"),
        ],
        environment_variables=[
            models.EnvironmentVariable(name="GREETING", value="hello"),
            models.EnvironmentVariable(name="PLACE", value="$AZ_BATCHAI_MOUNT_ROOT"),
        ],
        secrets=[models.EnvironmentVariableWithSecretValue(name="SECRET", value="open sesame")],
    )
    assert job.execution_state == "succeeded", yard.read("rich", "stderr.txt")
    directory = yard.files("rich", "MODEL")["epoch-1"]
    assert (directory.file_type, directory.download_url) == ("directory", None)
    assert yard.read("rich", "weights", "MODEL", "epoch-1") == "from the share\n"
    notes = yard.read("rich", "n", "NOTES")
    assert notes.startswith("hello /") and notes.endswith("/mounts open sesame\n")
    assert (
        yard.share / job.job_output_directory_path_segment / "outputs/Models/epoch-1/weights"
    ).read_text() == "from the share\n"
    secret = job.secrets[0]
    assert (secret.name, secret.value) == ("SECRET", None)
    assert [(one.name, one.value) for one in job.environment_variables][0] == ("GREETING", "hello")


def test_no_answer_ever_holds_a_secret(yard):
    base = f"{yard.group_path}/providers/Microsoft.BatchAI/workspaces/{yard.workspace}"
    yard.run(
        "hush", "true", secrets=[models.EnvironmentVariableWithSecretValue(name="S", value="open sesame")]
    )
    for path in (
        f"/clusters/{yard.cluster}",
        "/clusters",
        f"/experiments/{yard.experiment}/jobs",
        f"/experiments/{yard.experiment}/jobs/hush",
    ):
        answer = yard.server.call("GET", base + path)
        assert answer.status_code == 200
        for secret in ("open sesame", ACCOUNT_KEY, "a password of the test"):
            assert secret not in answer.text, path


def test_a_job_that_fails_says_how(yard):
    job = yard.run("fails", "echo before; exit 3")
    assert job.execution_state == "failed"
    assert job.execution_info.exit_code == 3
    assert codes(job) == ["JobFailed"]
    assert job.execution_info.errors[0].message == "Job failed with non-zero exit code"
    assert yard.read("fails", "stdout.txt") == "before\n"


def test_preparation_runs_before_the_job_on_its_node(yard):
    job = yard.run(
        "prepared",
        'cat "$AZ_BATCHAI_JOB_TEMP/made"',
        job_preparation=models.JobPreparation(
            command_line='echo preparing; echo "made by $WHO" > "$AZ_BATCHAI_JOB_TEMP/made"'
        ),
        environment_variables=[models.EnvironmentVariable(name="WHO", value="preparation")],
    )
    assert job.execution_state == "succeeded", yard.read("prepared", "stderr.txt")
    assert yard.read("prepared", "stdout.txt") == "made by preparation\n"
    assert yard.read("prepared", "stdout-job_prep.txt") == "preparing\n"
    assert {"stderr-job_prep.txt", "execution.log"} <= set(yard.files("prepared"))


def test_a_preparation_that_fails_keeps_the_job_from_starting(yard):
    job = yard.run(
        "unprepared",
        f"touch {ROOT}/must-not-be",
        job_preparation=models.JobPreparation(command_line="echo why >&2; exit 7"),
    )
    assert job.execution_state == "failed"
    assert job.execution_info.exit_code == 7
    assert codes(job) == ["JobPreparationFailed"]
    assert yard.read("unprepared", "stderr-job_prep.txt") == "why\n"
    assert not (yard.share / "must-not-be").exists()


def test_a_custom_job_on_two_nodes_runs_once_and_knows_both(yard):
    job = yard.run(
        "two",
        'echo "$AZ_BATCH_HOST_LIST"; cat "$AZ_BATCHAI_MPI_HOST_FILE"; ls "$AZ_BATCHAI_SHARED_JOB_TEMP"',
        nodes=2,
        job_preparation=models.JobPreparation(
            command_line='mktemp "$AZ_BATCHAI_SHARED_JOB_TEMP/prepared-XXXXXX"'
        ),
    )
    assert job.execution_state == "succeeded", yard.read("two", "stderr.txt")
    lines = yard.read("two", "stdout.txt").splitlines()
    hosts = lines[0].split(",")
    assert len(set(hosts)) == 2
    assert [line.split()[0] for line in lines[1:3]] == hosts
    assert len(lines) == 5 and all(line.startswith("prepared-") for line in lines[3:])
    logs = [name for name in yard.files("two") if name.startswith("execution-")]
    assert len(logs) == 2


def test_a_job_that_takes_too_long_is_stopped(yard):
    started = time.monotonic()
    job = yard.run("slow", "sleep 600", constraints=longest(seconds=1))
    assert job.execution_state == "failed"
    assert job.execution_info.exit_code is None
    assert codes(job) == ["JobMaxWallClockTimeExceeded"]
    assert time.monotonic() - started < 30


def test_a_repeated_put_changes_nothing_and_a_different_one_is_refused(yard):
    settings = yard.job_parameters("true", constraints=longest(hours=1))
    first = yard.put_job("again", settings)
    yard.wait_job("again")
    repeated = yard.put_job("again", settings)
    assert repeated.creation_time == first.creation_time
    assert repeated.job_output_directory_path_segment == first.job_output_directory_path_segment
    assert len(list(filter(lambda job: job.name == "again", yard.jobs()))) == 1
    for different in (
        yard.job_parameters("false", constraints=longest(hours=1)),
        yard.job_parameters("true", constraints=longest(hours=2)),
    ):
        with pytest.raises(CloudError) as refused:
            yard.put_job("again", different)
        assert (refused.value.status_code, refused.value.error.error) == (409, "JobAlreadyExists")
    same = yard.make_cluster(yard.cluster, manual(2))
    assert same.id == yard.get_cluster(yard.cluster).id
    with pytest.raises(CloudError) as refused:
        yard.make_cluster(yard.cluster, manual(3))
    assert (refused.value.status_code, refused.value.error.error) == (409, "ClusterAlreadyExists")


def test_a_running_job_is_terminated_with_all_it_started(yard):
    # One process leaves its session, its directory and its environment behind; it must end all the same.
    daemon, work = long_sleep(), long_sleep()
    yard.submit("endless", f"(cd /; env -i setsid {daemon} &) ; {work}")
    poll_until("both run", lambda: running(daemon) == running(work) == 1)
    yard.terminate("endless")
    job = yard.wait_job("endless")
    assert job.execution_state == "failed"
    assert job.execution_info.exit_code is None
    assert codes(job) == ["JobTerminated"]
    assert job.execution_info.start_time <= job.execution_info.end_time
    assert running(daemon) == running(work) == 0
    yard.terminate("endless")  # of what is over: nothing changes
    assert yard.get_job("endless").execution_info.end_time == job.execution_info.end_time


def test_a_waiting_job_is_terminated_and_never_starts(yard):
    yard.submit("holder", gate("holder"), nodes=2)
    yard.wait_job("holder", ("running",))
    waiting = yard.submit("waiter", f"touch {ROOT}/waiter-ran")
    assert waiting.execution_state == "queued"
    assert waiting.execution_info is None
    yard.terminate("waiter")
    job = yard.get_job("waiter")
    assert job.execution_state == "failed"
    assert job.execution_info.exit_code is None
    assert codes(job) == ["JobTerminated"]
    yard.open_gate("holder")
    assert yard.wait_job("holder").execution_state == "succeeded"
    assert not (yard.share / "waiter-ran").exists()


def test_a_running_job_is_deleted_and_its_files_stay(yard):
    work = long_sleep()
    job = yard.submit("doomed", f"echo was here; {work}")
    poll_until("the job works", lambda: running(work) == 1)
    yard.delete_job("doomed")
    with pytest.raises(CloudError) as gone:
        yard.get_job("doomed")
    assert (gone.value.status_code, gone.value.error.error) == (404, "JobNotFound")
    assert running(work) == 0
    segment = job.job_output_directory_path_segment
    assert (yard.share / segment / "stdouterr" / "stdout.txt").read_text() == "was here\n"
    yard.delete_job("doomed")  # of what is absent: fine
    again = yard.submit("doomed", "true")
    assert again.job_output_directory_path_segment != segment
    assert yard.wait_job("doomed").execution_state == "succeeded"


def test_priority_decides_who_is_next(yard):
    order = yard.share / "order"
    yard.submit("busy", gate("busy"), nodes=2)
    yard.wait_job("busy", ("running",))
    for name in ("low", "normal", "high"):
        yard.submit(
            f"prio-{name}", f"echo {name} >> {ROOT}/order", nodes=2, scheduling_priority=name
        )
    yard.open_gate("busy")
    for name in ("low", "normal", "high"):
        assert yard.wait_job(f"prio-{name}").execution_state == "succeeded"
    assert order.read_text().split() == ["high", "normal", "low"]


def test_lists_come_in_pages(yard):
    client, group, workspace = yard.client, yard.group, "paged"
    client.workspaces.create(group, workspace, LOCATION).result(PATIENCE)
    wanted = [f"e{number}" for number in range(7)]
    for name in wanted:
        client.experiments.create(group, workspace, name).result(PATIENCE)
    options = models.ExperimentsListByWorkspaceOptions(max_results=3)
    listed = client.experiments.list_by_workspace(group, workspace, options)
    pages = []
    while True:
        try:
            pages.append([experiment.name for experiment in listed.advance_page()])
        except StopIteration:
            break
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(sum(pages, [])) == wanted
    workspaces = client.workspaces.list(models.WorkspacesListOptions(max_results=1))
    assert {"paged", yard.workspace} <= {one.name for one in workspaces}
    client.workspaces.delete(group, workspace).result(PATIENCE)
    yard.run("many-files", 'cd "$AZ_BATCHAI_STDOUTERR_DIR"; touch a b c d e')
    files = yard.files("many-files", page=2)
    assert list(files) == ["a", "b", "c", "d", "e", "execution.log", "stderr.txt", "stdout.txt"]


def test_remote_logins_name_each_node_of_the_cluster_and_of_the_job(yard):
    logins = list(
        yard.client.clusters.list_remote_login_information(yard.group, yard.workspace, yard.cluster)
    )
    assert len({login.node_id for login in logins}) == 2
    assert all(login.node_id.startswith("tvm-") and login.port > 0 for login in logins)
    yard.run("where", 'echo "$AZ_BATCH_HOST_LIST"', nodes=2)
    of_job = list(
        yard.client.jobs.list_remote_login_information(
            yard.group, yard.workspace, yard.experiment, "where"
        )
    )
    assert {login.node_id for login in of_job} <= {login.node_id for login in logins}
    assert len({(login.ip_address, login.port) for login in of_job}) == 2
    assert len(yard.read("where", "stdout.txt").strip().split(",")) == 2


def test_usages_count_clusters_and_cores(yard):
    usages = list(yard.client.usages.list(LOCATION))
    assert usages[0].name.value == "Clusters"
    assert usages[0].limit == 20
    assert 1 <= usages[0].current_value <= 20
    assert usages[1].name.value == "Total Cluster Dedicated Regional vCPUs"
    assert usages[1].current_value >= 2
    assert {usage.unit for usage in usages} <= {"Count", "count"}


def test_the_operations_of_the_service_are_listed(yard):
    operations = list(yard.client.operations.list())
    names = {operation.name.lower() for operation in operations}
    assert len(names) == len(operations) >= 20
    assert "microsoft.batchai/workspaces/experiments/jobs/write" in names
    assert all(operation.display.description for operation in operations)


def test_the_time_from_put_to_succeeded(yard, fact):
    """No bound but the usual patience: a figure to look at, on whatever machine this is."""
    walls, starts = [], []
    for number in range(10):
        begun = time.monotonic()
        yard.submit(f"trivial-{number}", "true")
        job = yard.wait_job(f"trivial-{number}")
        walls.append(time.monotonic() - begun)
        assert job.execution_state == "succeeded"
        starts.append(job.execution_info.start_time - job.creation_time)
    walls.sort()
    to_run = sorted(starts)[len(starts) // 2] / datetime.timedelta(milliseconds=1)
    fact(
        f"job `true` on an idle node, PUT to succeeded as the SDK sees it: median {walls[5] * 1000:.0f} ms, "
        f"best {walls[0] * 1000:.0f} ms, worst {walls[-1] * 1000:.0f} ms; PUT to running by the server's clock: "
        f"median {to_run:.0f} ms"
    )


def test_job_volumes_are_seen_by_their_job_only(yard):
    shares = models.MountVolumes(azure_file_shares=[share_reference("of-the-job")])
    job = yard.run(
        "volume",
        'echo kept > "$AZ_BATCHAI_JOB_MOUNT_ROOT/of-the-job/file"',
        mount_volumes=shares,
    )
    assert job.execution_state == "succeeded", yard.read("volume", "stderr.txt")
    assert (yard.server.share(ACCOUNT, "of-the-job") / "file").read_text() == "kept\n"
    later = yard.run("no-volume", 'ls "$AZ_BATCHAI_JOB_MOUNT_ROOT/of-the-job"')
    assert later.execution_state == "failed"
