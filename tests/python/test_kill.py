"""kill -9 of the server, of a node, of a job's processes: real processes, on data folders of their own."""

import concurrent.futures
import os
import random
import time

import requests
from azure.mgmt.batchai import models
from harness import PATIENCE, Server, kill_by_number, long_sleep, nodes_among, parent_of, poll_until, running
from ledger import parameters, processes_of, tag, yard_on
from msrest.exceptions import ClientRequestError
from yards import ROOT, Yard, codes, gate, manual

SEED = int(os.environ.get("YARD_SEED", "20180501"))  # another one replays another run
KILLS, JOBS, NODES = 20, 100, 4


def answered(call):
    """A client's call to a server that may be killed at any time: the same call again until it is answered.

    PUT of the same body is the same wish, so a call whose answer was lost may be repeated.
    """

    def tried():
        try:
            return call()
        except (ClientRequestError, requests.ConnectionError):
            return None

    return poll_until("the server answers", tried)


def submit_all(yard, bodies):
    """Puts every job; says which were acknowledged. No retries of the SDK's own: they would wait long."""
    yard.client.config.retry_policy.policy.total = 0
    for job, body in bodies.items():
        answered(lambda job=job, body=body: yard.put_job(job, body))
    return list(bodies)


def test_the_server_is_killed_twenty_times_while_a_hundred_jobs_run(own_server, fact):
    server, dice = own_server, random.Random(SEED)
    yard, ledger = yard_on(server, NODES)
    names = [f"job-{number:03}" for number in range(JOBS)]
    bodies = {name: parameters(yard, name, f"{dice.uniform(0, 0.3):.3f}") for name in names}
    # Each kill comes once so many jobs are through, and a moment later; the last ones before the line is empty.
    moments = sorted((dice.randrange(0, JOBS - 8), dice.uniform(0, 0.25)) for _ in range(KILLS))
    print(f"seed {SEED}, kills (jobs through, seconds later): {moments}")
    begun, downs, ready = time.monotonic(), [], 0
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        submitting = pool.submit(submit_all, yard, bodies)
        for through, later in moments:
            poll_until(f"{through} jobs are through", lambda t=through: ledger.said("stop") >= t)
            time.sleep(later)  # the random moment itself
            server.kill()
            downs.append(ledger.said("stop"))
            ready += server.was_ready()
            # Not waited for: the next kill may come while it starts.
            server.start(wait=False)
        server.wait_ready()
        acknowledged = submitting.result(PATIENCE)
    assert acknowledged == names
    assert downs[-1] < JOBS, "all was over before the last kill"
    assert ready >= KILLS // 4, f"only {ready} kills hit a server that was ready"
    yard.client = Yard(server).client
    jobs = poll_until("all jobs are over", lambda: all_over(yard), 120)
    took = time.monotonic() - begun
    assert sorted(jobs) == names, "jobs were lost"
    assert {name: job.execution_state for name, job in jobs.items()} == dict.fromkeys(names, "succeeded")
    for name in names:
        lines = ledger.lines(name)
        # No node was killed, so there is one attempt: it started once, stopped once, and saw no other.
        assert [line[0] for line in lines] == ["start", "stop"], f"{name}: {lines}"
        assert lines[0][1] == lines[1][1], f"{name}: {lines}"
        assert lines[0][2] == "0", f"{name}: {lines}"
    cluster = yard.get_cluster(yard.cluster)
    assert cluster.current_node_count == NODES
    fact(
        f"kill -9 of the server at {KILLS} moments (seed {SEED}), {ready} of them when it was ready, else while it "
        f"started, while {JOBS} jobs ran on {NODES} nodes: all succeeded, one attempt each, {took:.1f} s in all"
    )


def all_over(yard):
    jobs = {job.name: job for job in yard.jobs()}
    over = all(job.execution_state in ("succeeded", "failed") for job in jobs.values())
    return jobs if over else None


def told_of(pid):
    """What the kernel says of a process, for a failure's text."""
    try:
        with open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/environ") as environment:
            marks = [entry for entry in environment.read().split("\0") if entry.startswith("TRAINYARD")]
            return stat.read()[:80], marks
    except OSError as gone:
        return gone


def node_processes(server):
    left = server.left()
    return set(nodes_among({pid: command for pid, command in left.items() if " node --folder " in command}))


def node_process_of(server, job):
    """The node process above a job's processes."""
    nodes = node_processes(server)
    for pid in processes_of(server, job):
        while pid > 1:
            if pid in nodes:
                return pid
            pid = parent_of(pid)
    raise AssertionError(f"no node above the processes of {job} among {nodes}")


def test_a_node_is_killed_under_its_job(own_server, fact):
    yard, ledger = yard_on(own_server, 2)
    daemon = long_sleep()  # a process that makes itself independent must go too
    yard.put_job("struck", parameters(yard, "struck", f"{ROOT}/gate-struck", before=f"setsid {daemon} & "))
    poll_until("the first attempt has started", lambda: ledger.lines("struck"))
    first = ledger.lines("struck")[0]
    poll_until("its daemon runs", lambda: running(daemon) == 1)
    old = processes_of(own_server, "struck")
    node = node_process_of(own_server, "struck")
    assert daemon in old.values()
    begun = time.monotonic()
    kill_by_number(node)
    shown = set()

    def started_again():
        shown.add(yard.get_job("struck").execution_state)
        return len(ledger.lines("struck")) > 1

    poll_until("the second attempt has started", started_again)
    again = time.monotonic() - begun
    second = ledger.lines("struck")[1]
    assert (first[0], second[0]) == ("start", "start")
    assert first[1] != second[1], "the same attempt started twice"
    assert second[2] == "0", "the old attempt was still there"
    assert not set(old) & set(processes_of(own_server, "struck")), "processes of the old attempt are left"
    assert shown <= {"queued", "running"}
    yard.open_gate("struck")
    job = yard.wait_job("struck")
    assert (job.execution_state, job.execution_info.exit_code) == ("succeeded", 0)
    assert [line[0] for line in ledger.lines("struck")] == ["start", "start", "stop"]
    yard.wait_idle(yard.cluster, 2)
    assert processes_of(own_server, "struck") == {} and running(daemon) == 0
    fact(f"kill -9 of a node under a job: the job shows {sorted(shown)}, runs again after {again * 1000:.0f} ms")


def test_a_job_whose_node_dies_too_often_fails(own_server):
    yard, ledger = yard_on(own_server, 1)
    yard.put_job("unlucky", parameters(yard, "unlucky", f"{ROOT}/gate-never"))
    for attempt in range(1, 5):
        poll_until(f"attempt {attempt} runs", lambda a=attempt: len(ledger.lines("unlucky")) == a)
        kill_by_number(node_process_of(own_server, "unlucky"))
    job = yard.wait_job("unlucky")
    assert (job.execution_state, codes(job)) == ("failed", ["NodeLost"])
    assert job.execution_info.exit_code is None
    left = {pid: told_of(pid) for pid in processes_of(own_server, "unlucky")}
    assert left == {}, "the job is over and something of it runs"
    lines = ledger.lines("unlucky")
    assert len({line[1] for line in lines}) == 4
    assert [line[2] for line in lines] == ["0"] * 4, "an old attempt was still there"


def test_one_of_two_nodes_is_killed_under_a_job_on_both(own_server):
    yard, ledger = yard_on(own_server, 2)
    script = parameters(yard, "pair", f"{ROOT}/gate-pair").custom_toolkit_settings.command_line
    yard.put_job(
        "pair",
        yard.job_parameters(
            nodes=2,
            py_torch_settings=models.PyTorchSettings(
                python_interpreter_path="python3",
                python_script_file_path=f"{ROOT}/attempt.py",
                command_line_args=script.split("attempt.py ", 1)[1],
                communication_backend="tcp",
            ),
            environment_variables=[models.EnvironmentVariable(name="YARD_TEST_JOB", value=tag(own_server, "pair"))],
        ),
    )
    poll_until("both ranks run", lambda: len(ledger.lines("pair")) == 2)
    kill_by_number(node_process_of(own_server, "pair"))
    poll_until("both ranks run again", lambda: len(ledger.lines("pair")) == 4)
    lines = ledger.lines("pair")
    assert [line[0] for line in lines] == ["start"] * 4
    assert lines[0][1] == lines[1][1] != lines[2][1] == lines[3][1]
    assert [line[2] for line in lines] == ["0"] * 4, "ranks of the old attempt were still there"
    yard.open_gate("pair")
    assert yard.wait_job("pair").execution_state == "succeeded"
    assert [line[0] for line in ledger.lines("pair")] == ["start"] * 4 + ["stop"] * 2


def test_the_processes_of_a_job_are_killed(own_server):
    yard, ledger = yard_on(own_server, 1)
    yard.put_job("shot", parameters(yard, "shot", f"{ROOT}/gate-never", before="exec "))
    poll_until("the job runs", lambda: ledger.lines("shot"))
    for pid in processes_of(own_server, "shot"):
        kill_by_number(pid)
    job = yard.wait_job("shot")
    assert (job.execution_state, job.execution_info.exit_code) == ("failed", 137)
    assert codes(job) == ["JobFailed"]
    assert [line[0] for line in ledger.lines("shot")] == ["start"]
    # The node is as good as before.
    assert yard.run("after", "true").execution_state == "succeeded"
    assert processes_of(own_server, "shot") == {}


def test_jobs_go_on_while_the_server_is_stopped_and_their_end_is_reported(own_server):
    server = own_server
    yard, ledger = yard_on(server, 2)
    for name in ("ends-meanwhile", "ends-later"):
        yard.put_job(name, parameters(yard, name, f"{ROOT}/gate-{name}"))
    yard.submit("waits", gate("waits"), nodes=2)
    poll_until("both jobs run", lambda: ledger.said("start") == 2)
    before = {name: yard.get_job(name) for name in ("ends-meanwhile", "ends-later")}
    server.terminate()
    assert processes_of(own_server, "ends-meanwhile") and processes_of(own_server, "ends-later")
    yard.open_gate("ends-meanwhile")
    poll_until("one ends without a server", lambda: ledger.said("stop") == 1)
    poll_until("its processes are gone", lambda: not processes_of(own_server, "ends-meanwhile"))
    alive = set(processes_of(own_server, "ends-later"))
    server.start()
    assert yard.wait_job("ends-meanwhile").execution_state == "succeeded"
    later = yard.get_job("ends-later")
    assert later.execution_state == "running"
    assert later.execution_info.start_time == before["ends-later"].execution_info.start_time
    assert set(processes_of(own_server, "ends-later")) == alive
    assert yard.get_job("waits").execution_state == "queued"
    yard.open_gate("ends-later")
    yard.open_gate("waits")
    for name in ("ends-later", "waits"):
        assert yard.wait_job(name).execution_state == "succeeded"
    for name in ("ends-meanwhile", "ends-later"):
        assert [line[0] for line in ledger.lines(name)] == ["start", "stop"]


def test_a_job_terminated_just_before_the_server_is_killed_ends_terminated(own_server):
    yard, ledger = yard_on(own_server, 1)
    yard.put_job("told", parameters(yard, "told", f"{ROOT}/gate-never"))
    poll_until("the job runs", lambda: ledger.lines("told"))
    # 200 or 202: it is on disk, whatever happens to the server now.
    path = (
        f"{yard.group_path}/providers/Microsoft.BatchAI/workspaces/{yard.workspace}"
        f"/experiments/{yard.experiment}/jobs/told/terminate"
    )
    assert own_server.call("POST", path).status_code in (200, 202)
    own_server.kill()
    own_server.start()
    job = yard.wait_job("told")
    assert (job.execution_state, codes(job)) == ("failed", ["JobTerminated"])
    assert processes_of(own_server, "told") == {}


def test_a_job_acknowledged_just_before_the_server_is_killed_is_there_and_runs(own_server):
    yard, _ = yard_on(own_server, 1)
    for number in range(5):
        name = f"durable-{number}"
        yard.submit(name, "true")
        own_server.kill()
        own_server.start()
        assert yard.wait_job(name).execution_state == "succeeded"


def test_nodes_stay_the_same_over_a_restart(own_server):
    yard, _ = yard_on(own_server, 2)

    before, alive = yard.node_ids(yard.cluster), node_processes(own_server)
    assert len(alive) == 2
    own_server.kill()
    own_server.start()
    assert yard.run("still-works", "echo hi", nodes=2).execution_state == "succeeded"
    yard.wait_idle(yard.cluster, 2)
    assert (yard.node_ids(yard.cluster), node_processes(own_server)) == (before, alive)
    yard.scale(yard.cluster, manual(0))
    yard.wait_idle(yard.cluster, 0)


def test_a_deletion_goes_on_over_the_death_of_the_server(own_server):
    yard, _ = yard_on(own_server, 1)
    stubborn = long_sleep()
    # It ignores SIGTERM, so its end takes the whole grace: time enough for the server to die meanwhile.
    yard.submit("stubborn", f"trap '' TERM; {stubborn}; {stubborn}")
    poll_until("the job works", lambda: running(stubborn) == 1)
    deleting = yard.client.clusters.delete(yard.group, yard.workspace, yard.cluster)
    own_server.kill()
    assert running(stubborn) == 1, "the job was over before the server was killed"
    own_server.start()
    deleting.result(PATIENCE)
    job = yard.get_job("stubborn")
    assert (job.execution_state, codes(job)) == ("failed", ["JobTerminated"])
    assert list(yard.client.clusters.list_by_workspace(yard.group, yard.workspace)) == []
    assert running(stubborn) == 0


def test_server_and_node_are_killed_together(own_server):
    yard, ledger = yard_on(own_server, 1)
    yard.put_job("both", parameters(yard, "both", f"{ROOT}/gate-both"))
    poll_until("the first attempt runs", lambda: ledger.lines("both"))
    node = node_process_of(own_server, "both")
    own_server.kill()
    kill_by_number(node)
    own_server.start()
    poll_until("the second attempt runs", lambda: len(ledger.lines("both")) == 2)
    first, second = ledger.lines("both")
    assert first[1] != second[1] and second[2] == "0"
    yard.open_gate("both")
    assert yard.wait_job("both").execution_state == "succeeded"
    assert [line[0] for line in ledger.lines("both")] == ["start", "start", "stop"]


def test_a_second_server_on_the_same_folder_is_refused(own_server):
    yard, _ = yard_on(own_server, 0)
    second = Server(own_server.data, own_server.log.with_name("second.log"))
    second.start(wait=False)
    assert second.process.wait(PATIENCE) not in (0, -9)
    assert str(own_server.data) in second.log.read_text()
    assert yard.get_cluster(yard.cluster).allocation_state == "steady"
