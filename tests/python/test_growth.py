"""What grows has bounds: output and temporary files of jobs, the disk, logs, and what nobody needs any more."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from commands import attempts, done, refused, served, trainyard
from harness import CONFIGURATION, poll_until
from test_disk_full import small_disk
from yards import Yard, gate

DISK = "64m"


def limited(**limits):
    return CONFIGURATION + "[limits]\n" + "".join(f'{name} = "{size}"\n' for name, size in limits.items())


def only_error(job):
    errors = job.execution_info.errors
    assert len(errors) == 1, job.execution_info.as_dict()
    return errors[0].code, errors[0].message, {fact.name: fact.value for fact in errors[0].details or []}


def test_a_job_that_prints_too_much_is_ended_with_the_file_and_its_size():
    with served(configuration=limited(stdout_bytes="64KiB", execution_log_bytes="1KiB")) as server:
        yard = Yard(server)
        yard.build(nodes=1)
        job = yard.run("loud", "head -c 70000 /dev/zero | tr '\\0' x >&2; sleep 300")
        code, message, facts = only_error(job)
        assert (job.execution_state, code) == ("failed", "JobOutputLimitExceeded")
        assert facts == {"file": "stderr.txt", "bytes": "70000", "limit": "65536"}, facts
        assert "limits.stdout_bytes" in message and "68 KiB" in message, message
        # Whoever fails before anybody looked has the same reason, and his exit code.
        job = yard.run("short", "head -c 70000 /dev/zero; exit 7")
        assert only_error(job)[0] == "JobOutputLimitExceeded" and job.execution_info.exit_code == 7
        # Success is success.
        assert yard.run("lucky", "head -c 70000 /dev/zero").execution_state == "succeeded"


def left_of(server, job):
    """Directories of a job on nodes, as the machine sees them."""
    return list(server.data.glob(f"engine/nodes/*/root/jobs/yard/runs/{job}"))


def test_a_job_that_keeps_too_much_is_ended_and_its_directory_goes_at_once():
    with served(configuration=limited(job_temp_bytes="1MiB")) as server:
        yard = Yard(server)
        yard.build(nodes=1)
        big = "head -c 3000000 /dev/zero > $AZ_BATCHAI_JOB_TEMP/big"
        job = yard.run("hoarder", f"echo $AZ_BATCHAI_JOB_TEMP; {big}; sleep 300")
        code, message, facts = only_error(job)
        assert (job.execution_state, code) == ("failed", "JobTempLimitExceeded")
        assert yard.read("hoarder", "stdout.txt").strip() == facts["directory"]
        assert int(facts["bytes"]) > 3_000_000 and facts["limit"] == str(1 << 20), facts
        assert "AZ_BATCHAI_JOB_TEMP" in message and "limits.job_temp_bytes" in message, message
        poll_until("the directory is gone", lambda: not left_of(server, "hoarder"))


@pytest.mark.parametrize("pause", ["sleep 0.02", ":"], ids=["piece by piece", "at once"])
def test_the_job_that_fills_the_disk_fails_alone(pause):
    with small_disk(DISK) as disk, served(configuration=limited(disk_floor="8MiB"), data=disk / "data") as server:
        # Output goes elsewhere, so that the one that writes little is not failed by the disk itself.
        server.terminate()
        shares = Path(tempfile.mkdtemp(prefix="yard-shares-", dir=server.log.parent))
        more = f'[storage_accounts.yardaccount]\ndirectory = "{shares}"\n'
        server.configure(limited(disk_floor="8MiB") + more)
        server.start()
        yard = Yard(server)
        yard.build(nodes=2)
        yard.submit("calm", f"head -c 2000000 /dev/zero > $AZ_BATCHAI_JOB_TEMP/some; {gate('end')}")
        yard.wait_job("calm", ("running",))
        piece = "head -c 1048576 /dev/zero >> $AZ_BATCHAI_JOB_TEMP/blob"
        job = yard.run("greedy", f"while {piece}; do {pause}; done; exit 5")
        code, message, facts = only_error(job)
        assert (job.execution_state, code) == ("failed", "NodeDiskFull"), message
        assert int(facts["free"]) < int(facts["floor"]) == 8 << 20, facts
        assert int(facts["grownBy"]) > 32 << 20 and "limits.disk_floor" in message, facts
        poll_until("there is room again", lambda: shutil.disk_usage(disk).free > 32 << 20)
        made = server.call("PUT", f"{yard.group_path}-2", json={"location": "eastus"})
        assert made.status_code in (200, 201), made.text
        assert yard.get_job("calm").execution_state == "running"
        (shares / "files" / "files" / "gate-end").touch()
        assert yard.wait_job("calm").execution_state == "succeeded"
        assert yard.run("next", "true").execution_state == "succeeded"


def litter(data):
    """What crashes may leave, with what must stay beside it."""
    waste = [data / "engine/nodes/gone-77", data / "engine/shared/77-1"]
    kept = [data / "engine/shared/mine", data / "precious"]
    for folder in waste + kept:
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 100_000)
    (data / "engine/nodes/gone-78").symlink_to(data / "precious")
    return waste, kept


def shown(data, *words):
    report = json.loads(done("gc", "--data", data, "--json", *words))
    return {(room["room"], Path(waste["place"]).name) for room in report["rooms"] for waste in room["waste"]}


def all_there(*folders):
    return [folder.exists() and bool(list(folder.rglob("file"))) for folder in folders]


def test_gc_shows_and_deletes_beside_a_server_and_nothing_of_running_jobs():
    with served() as server:
        yard = Yard(server)
        yard.build(nodes=2)
        waste, kept = litter(server.data)
        big = "head -c 500000 /dev/zero > $AZ_BATCHAI_JOB_TEMP/file"
        yard.run("over", big)
        assert left_of(server, "over")
        yard.submit("runs", f"{big}; cp $AZ_BATCHAI_JOB_TEMP/file $AZ_BATCHAI_SHARED_JOB_TEMP; {gate('end')}; "
                    "wc -c $AZ_BATCHAI_JOB_TEMP/file $AZ_BATCHAI_SHARED_JOB_TEMP/file")
        yard.wait_job("runs", ("running",))
        poll_until("the job has written", lambda: list(server.data.glob("engine/shared/*-*/file"))[1:])
        # The job that runs may have the node of the one before; then that one's directory is gone.
        idle = {("idle nodes", "jobs")} if left_of(server, "over") else set()
        expected = {("released nodes", "gone-77"), ("shared directories", "77-1")} | idle
        assert shown(server.data) == expected
        assert all(all_there(*waste, *kept))
        assert "released nodes" in done("gc", "--data", server.data)
        assert shown(server.data, "--delete") == expected
        assert not any(all_there(*waste)) and all(all_there(*kept))
        assert (server.data / "engine/nodes/gone-78").is_symlink()
        poll_until("the node has removed what the job left", lambda: not left_of(server, "over"))
        poll_until("nothing is left to show", lambda: not shown(server.data))
        yard.open_gate("end")
        assert yard.wait_job("runs").execution_state == "succeeded"
        assert yard.read("runs", "stdout.txt").count("500000") == 2


def test_gc_without_a_server_removes_nodes_that_no_cluster_has_and_leaves_those_that_run():
    with served() as server:
        yard = Yard(server)
        yard.build(nodes=1)
        yard.submit("runs", f"{gate('end')}")
        yard.wait_job("runs", ("running",))
        server.kill()
        waste, kept = litter(server.data)
        lost = server.data / "engine/nodes/79"
        (lost / "wanted").mkdir(parents=True)
        (lost / "file").touch()
        before = {path for path in server.data.rglob("*") if path.suffix not in (".db-wal", ".db-shm")}
        assert shown(server.data) >= {
            ("released nodes", "gone-77"),
            ("shared directories", "77-1"),
            ("lost nodes", "79"),
        }
        assert before <= set(server.data.rglob("*"))
        done("gc", "--data", server.data, "--yes")
        assert not any(all_there(lost, *waste)) and all(all_there(*kept))
        server.start()
        yard.open_gate("end")
        job = yard.wait_job("runs")
        assert job.execution_state == "succeeded", job.execution_info.as_dict()
        assert attempts(server.data / "trainyard.db")["runs"][0] == 1


def test_gc_names_what_is_wrong():
    with served() as server:
        assert "there is no folder" in refused(1, "gc", "--data", server.data / "none")
        answer = server.call("POST", "/trainyard/gc", json={"delete": "all"})
        assert answer.status_code == 400 and "delete" in answer.text, answer.text
        server.terminate()
        assert "there is nothing to delete" in trainyard("gc", "--data", server.data).stderr
