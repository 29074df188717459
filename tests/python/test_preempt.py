"""Low-priority nodes that are taken away: the warning, the grace, the kill, and the next attempt."""

import pytest
from azure.mgmt.batchai import models
from commands import done, nodes_of, refused, stored, trainyard
from harness import long_sleep, poll_until, processes, running
from yards import ROOT, Yard, gate, manual, volumes


@pytest.fixture
def low(own_server):
    """A yard with a cluster of two low-priority nodes."""
    yard = Yard(own_server)
    yard.build(0)
    yard.make_cluster("low", manual(2), vm_priority="lowpriority")
    yard.wait_idle("low", 2)
    return yard


def preempt(yard, node):
    return done_talking("node", "preempt", node, "--data", yard.server.data)


def done_talking(*words):
    """What a command that must succeed says on stderr."""
    ended = trainyard(*words)
    assert ended.returncode == 0, ended.stderr
    return ended.stderr


def process_of(yard, node):
    """The number of a node's process, by its id."""
    [(uid,)] = stored(yard.server.data / "trainyard.db", "SELECT uid FROM nodes WHERE name = ?", node)
    [pid] = [pid for pid, line in nodes_of(yard.server).items() if line.endswith(f"/{uid}")]
    return pid


def said(yard, name):
    path = yard.share / name
    return path.read_text().split() if path.exists() else []


def test_a_job_that_does_not_heed_the_warning_is_killed_after_its_grace(low):
    # Each rank writes down its attempts and its warning, and ends only when the gate is open.
    script = f"""
import os, signal, time
root = os.path.expandvars("{ROOT}")
def say(word):
    with open(f"{{root}}/said", "a") as file:
        file.write(f"{{word}}-{{os.environ['AZ_BATCHAI_TASK_INDEX']}}\\n")
signal.signal(signal.SIGTERM, lambda *_: say("warned"))
say("start")
while not os.path.exists(f"{{root}}/gate-open"):
    time.sleep(0.02)
"""
    (low.share / "ranks.py").write_text(script)
    mark = f"pre-empted@{low.server.data}"
    low.submit(
        "pair",
        cluster="low",
        nodes=2,
        py_torch_settings=models.PyTorchSettings(
            python_interpreter_path="python3",
            python_script_file_path=f"{ROOT}/ranks.py",
            communication_backend="tcp",
        ),
        environment_variables=[models.EnvironmentVariable(name="YARD_TEST_MARK", value=mark)],
    )
    poll_until("both ranks run", lambda: len(said(low, "said")) == 2)
    node, kept = low.node_ids("low")
    old, pid = set(processes(f"YARD_TEST_MARK={mark}")), process_of(low, node)
    words = preempt(low, node)
    assert node in words and "/jobs/pair" in words
    assert low.get_cluster("low").node_state_counts.leaving_node_count == 1
    poll_until("both ranks are warned", lambda: said(low, "said").count("warned-0") and len(said(low, "said")) == 4)
    assert sorted(said(low, "said")[2:]) == ["warned-0", "warned-1"]
    assert old & set(processes(f"YARD_TEST_MARK={mark}")), "killed at once, without a grace"
    assert low.get_job("pair").execution_state == "running"
    # Told again it changes nothing: not even a second warning.
    preempt(low, node)
    poll_until("both ranks run again", lambda: said(low, "said").count("start-1") == 2 and len(said(low, "said")) == 6)
    assert sorted(said(low, "said")[4:]) == ["start-0", "start-1"]
    assert not old & set(processes(f"YARD_TEST_MARK={mark}")), "something of the old attempt is left"
    poll_until("the node's process is gone", lambda: pid not in nodes_of(low.server))
    nodes = low.node_ids("low")
    assert len(nodes) == 2 and kept in nodes and node not in nodes
    low.open_gate("open")
    assert low.wait_job("pair").execution_state == "succeeded"
    low.wait_idle("low", 2)
    [(attempt, losses)] = stored(
        low.server.data / "trainyard.db",
        "SELECT json_extract(status, '$.is.attempt'), json_extract(status, '$.is.losses') FROM jobs",
    )
    assert (attempt, losses) == (2, 0)
    rows = stored(low.server.data / "trainyard.db", "SELECT action, detail FROM events ORDER BY number")
    assert ("Trainyard/nodes/preempt/action", node) in rows
    assert ("Trainyard/jobs/queued", "The job is back in the line: a node of it was pre-empted.") in rows


def test_a_job_can_save_its_work_at_the_warning_and_go_on_from_there(low):
    command = (
        f'trap "echo saved > {ROOT}/checkpoint; exit 0" TERM; cat {ROOT}/checkpoint 2>/dev/null && exit 0; '
        f"touch {ROOT}/begun; while true; do sleep 0.02; done"
    )
    low.submit("careful", command, cluster="low")
    poll_until("the job has begun", (low.share / "begun").exists)
    [busy] = [
        login.node_id
        for login in low.client.jobs.list_remote_login_information(
            low.group, low.workspace, low.experiment, "careful"
        )
    ]
    preempt(low, busy)
    job = low.wait_job("careful")
    assert (job.execution_state, job.execution_info.exit_code) == ("succeeded", 0)
    assert low.read("careful", "stdout.txt") == "saved\n"


def test_a_node_without_a_job_leaves_at_once(low):
    first, second = low.node_ids("low")
    pid = process_of(low, first)
    assert "no job" in preempt(low, first)
    poll_until("the node's process is gone", lambda: pid not in nodes_of(low.server))
    low.wait_idle("low", 2)
    assert second in low.node_ids("low") and first not in low.node_ids("low")


def test_a_node_in_preparation_leaves_at_once_with_its_setup_task(low):
    slow = long_sleep()
    setup = models.NodeSetup(
        setup_task=models.SetupTask(command_line=slow, std_out_err_path_prefix=ROOT), mount_volumes=volumes()
    )
    low.make_cluster("slow", manual(1), vm_priority="lowpriority", node_setup=setup)
    poll_until("the setup task runs", lambda: running(slow) == 1)
    [node] = low.node_ids("slow")
    preempt(low, node)
    poll_until("it has left", lambda: node not in low.node_ids("slow"))
    low.scale("slow", manual(0))
    low.wait_idle("slow", 0)
    assert running(slow) == 0


def test_what_cannot_be_pre_empted_is_said(low):
    low.make_cluster("dedicated", manual(1))
    low.wait_idle("dedicated", 1)
    [node] = low.node_ids("dedicated")
    words = refused(1, "node", "preempt", node, "--data", low.server.data)
    assert "NodeNotPreemptible" in words and "lowpriority" in words
    words = refused(1, "node", "preempt", "tvm-1_1-20180606t204645z-p", "--data", low.server.data)
    assert "NodeNotFound" in words
    assert "no id of a node" in refused(1, "node", "preempt", "../stop", "--data", low.server.data)
    assert "--help" in refused(2, "node")
    assert "preempt" in done("node", "--help") and "--folder" not in done("node", "--help")
    assert low.node_ids("dedicated") == [node]


def test_a_pre_emption_goes_on_over_the_death_of_the_server(low):
    low.submit("held", f"trap '' TERM; {gate('held')}; touch {ROOT}/done-held", cluster="low", nodes=2)
    low.wait_job("held", ("running",))
    node = low.node_ids("low")[0]
    preempt(low, node)
    low.server.kill()
    low.server.start()
    poll_until("the node has left", lambda: node not in low.node_ids("low"))
    low.open_gate("held")
    assert low.wait_job("held").execution_state == "succeeded"
    low.wait_idle("low", 2)
