"""Clusters that grow and shrink, and the end of everything, by the vendor's SDK."""

import pytest
from harness import PATIENCE, long_sleep, poll_until, running
from msrestazure.azure_exceptions import CloudError
from yards import LOCATION, ROOT, Yard, automatic, codes, gate, manual


@pytest.fixture
def small(yard):
    """Makes clusters of this test's own, and deletes them after it."""
    made = []

    def make(name, scale):
        made.append(name)
        return yard.make_cluster(name, scale)

    yield make
    for name in made:
        yard.delete_cluster(name)


def test_a_cluster_is_resized_up_and_down(yard, small):
    made = small("sized", manual(1))
    assert made.scale_settings.manual.target_node_count == 1
    yard.wait_idle("sized", 1)
    answered = yard.scale("sized", manual(3))
    assert answered.scale_settings.manual.target_node_count == 3
    yard.wait_idle("sized", 3)
    first = set(yard.node_ids("sized"))
    assert len(first) == 3
    yard.scale("sized", manual(1))
    yard.wait_idle("sized", 1)
    assert set(yard.node_ids("sized")) < first
    yard.scale("sized", manual(0))
    yard.wait_idle("sized", 0)
    assert set(yard.node_ids("sized")) == set()


def shrink_under_a_job(yard, small, name, option):
    """A job on a cluster of one node, of which that node is then taken away."""
    small(name, manual(1))
    yard.submit(name, f"echo start >> {ROOT}/{name}-log; {gate(name)}; echo end >> {ROOT}/{name}-log", cluster=name)
    poll_until("the job has begun", (yard.share / f"{name}-log").exists)
    yard.scale(name, manual(0, option))


def test_a_shrinking_cluster_puts_jobs_back_in_the_line(yard, small):
    shrink_under_a_job(yard, small, "requeue", "requeue")
    yard.wait_job("requeue", ("queued",))
    yard.wait_idle("requeue", 0)
    yard.open_gate("requeue")
    yard.scale("requeue", manual(1))
    assert yard.wait_job("requeue").execution_state == "succeeded"
    assert (yard.share / "requeue-log").read_text().split() == ["start", "start", "end"]


def test_a_shrinking_cluster_ends_jobs_where_asked(yard, small):
    shrink_under_a_job(yard, small, "terminate", "terminate")
    job = yard.wait_job("terminate")
    assert (job.execution_state, codes(job)) == ("failed", ["JobTerminated"])
    yard.wait_idle("terminate", 0)


def test_a_shrinking_cluster_waits_for_jobs_where_asked(yard, small):
    shrink_under_a_job(yard, small, "patient", "waitforjobcompletion")
    # What comes now is not to start on the node that leaves.
    yard.submit("impatient", "true", cluster="patient")
    yard.open_gate("patient")
    assert yard.wait_job("patient").execution_state == "succeeded"
    yard.wait_idle("patient", 0)
    assert yard.get_job("impatient").execution_state == "queued"
    assert (yard.share / "patient-log").read_text().split() == ["start", "end"]


def test_an_auto_scale_cluster_grows_for_jobs_and_shrinks_after_them(yard, small):
    made = small("elastic", automatic(0, 2))
    assert made.scale_settings.manual is None
    yard.wait_idle("elastic", 0)
    names = ["elastic-1", "elastic-2", "elastic-3"]
    for name in names:
        yard.submit(name, f'echo "$AZ_BATCH_HOST_LIST"; {gate("elastic")}', cluster="elastic")
    poll_until("two jobs run", lambda: states(yard, names).count("running") == 2)
    cluster = yard.get_cluster("elastic")
    assert cluster.current_node_count == 2
    assert states(yard, names).count("queued") == 1
    yard.open_gate("elastic")
    for name in names:
        assert yard.wait_job(name).execution_state == "succeeded"
    yard.wait_idle("elastic", 0)


def states(yard, names):
    return [yard.get_job(name).execution_state for name in names]


def test_a_cluster_goes_from_manual_to_automatic(yard, small):
    small("switched", manual(1))
    yard.wait_idle("switched", 1)
    answered = yard.scale("switched", automatic(0, 1))
    assert answered.scale_settings.manual is None
    assert answered.scale_settings.auto_scale.maximum_node_count == 1
    yard.wait_idle("switched", 0)


def test_the_end_of_a_cluster_ends_its_jobs_and_leaves_their_files(yard, small):
    yard.make_cluster("short-lived", manual(1))
    finished = yard.run("before", "echo long ago", cluster="short-lived")
    assert finished.execution_state == "succeeded"
    work = long_sleep()
    yard.submit("during", f"echo cut off; {work}", cluster="short-lived")
    poll_until("the job works", lambda: running(work) == 1)
    yard.submit("never", "true", cluster="short-lived")
    yard.delete_cluster("short-lived")
    with pytest.raises(CloudError) as gone:
        yard.get_cluster("short-lived")
    assert (gone.value.status_code, gone.value.error.error) == (404, "ClusterNotFound")
    for name in ("during", "never"):
        job = yard.get_job(name)
        assert (job.execution_state, codes(job)) == ("failed", ["JobTerminated"])
        assert job.execution_info.exit_code is None
    assert yard.get_job("before").execution_state == "succeeded"
    assert yard.read("before", "stdout.txt") == "long ago\n"
    assert yard.read("during", "stdout.txt") == "cut off\n"
    assert running(work) == 0
    yard.delete_job("before")
    assert "before" not in [job.name for job in yard.jobs()]


def test_the_end_of_an_experiment_and_of_a_workspace(yard):
    other = Yard(yard.server, workspace="leaving")
    other.build(nodes=1)
    work = long_sleep()
    other.submit("running", work)
    poll_until("the job works", lambda: running(work) == 1)
    other.submit("queued", "true")
    client = other.client
    client.experiments.create(other.group, other.workspace, "kept").result(PATIENCE)
    client.experiments.delete(other.group, other.workspace, other.experiment).result(PATIENCE)
    assert [e.name for e in client.experiments.list_by_workspace(other.group, other.workspace)] == ["kept"]
    with pytest.raises(CloudError) as gone:
        other.get_job("running")
    assert (gone.value.status_code, gone.value.error.error) == (404, "ExperimentNotFound")
    client.experiments.create(other.group, other.workspace, other.experiment).result(PATIENCE)
    assert list(other.jobs()) == []
    assert running(work) == 0
    other.submit("running", work)
    poll_until("the job works", lambda: running(work) == 1)
    client.workspaces.delete(other.group, other.workspace).result(PATIENCE)
    with pytest.raises(CloudError) as gone:
        client.workspaces.get(other.group, other.workspace)
    assert (gone.value.status_code, gone.value.error.error) == (404, "WorkspaceNotFound")
    names = [one.name for one in client.workspaces.list_by_resource_group(other.group)]
    assert other.workspace not in names and yard.workspace in names
    assert running(work) == 0
    client.workspaces.create(other.group, other.workspace, LOCATION).result(PATIENCE)
    assert list(client.experiments.list_by_workspace(other.group, other.workspace)) == []
    client.workspaces.delete(other.group, other.workspace).result(PATIENCE)


def test_the_end_of_a_resource_group_takes_all_with_it(yard):
    other = Yard(yard.server, group="short-group")
    other.build(nodes=1)
    work = long_sleep()
    other.submit("running", work)
    poll_until("the job works", lambda: running(work) == 1)
    answer = yard.server.call("DELETE", other.group_path)
    assert answer.status_code in (200, 202), answer.text

    def gone():
        return yard.server.call("GET", other.group_path).status_code == 404

    poll_until("the group is gone", gone)
    assert running(work) == 0
