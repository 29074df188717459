"""Setup tasks: what they see, what they leave, and what becomes of nodes whose setup task fails."""

import pytest
from azure.mgmt.batchai import models
from harness import poll_until
from yards import ROOT, manual, volumes

SECRET = "a secret of the setup task"


@pytest.fixture
def cluster(yard):
    """Makes clusters of this test's own with a setup task, and deletes them after it."""
    made = []

    def make(name, command, nodes=2, **more):
        made.append(name)
        setup = models.NodeSetup(
            setup_task=models.SetupTask(
                command_line=command,
                std_out_err_path_prefix=ROOT,
                environment_variables=[models.EnvironmentVariable(name="WHO", value="setup")],
                secrets=[models.EnvironmentVariableWithSecretValue(name="HUSH", value=SECRET)],
            ),
            mount_volumes=volumes(),
            **more,
        )
        return yard.make_cluster(name, manual(nodes), node_setup=setup)

    yield make
    for name in made:
        yard.delete_cluster(name)


def logs(yard, cluster):
    """The folder of a cluster's setup task files."""
    suffix = yard.get_cluster(cluster).node_setup.setup_task.std_out_err_path_suffix
    return yard.share / suffix


def wait_unusable(yard, name, nodes):
    def unusable():
        cluster = yard.get_cluster(name)
        counts = (cluster.current_node_count, cluster.node_state_counts.unusable_node_count)
        return cluster if counts == (nodes, nodes) and cluster.allocation_state == "steady" else None

    return poll_until(f"{nodes} nodes of {name} are unusable", unusable)


def test_a_setup_task_sees_its_volumes_and_variables_and_leaves_its_files(yard, cluster):
    (yard.share / "for-setup").write_text("here before\n")
    made = cluster(
        "with-setup",
        f'cat {ROOT}/for-setup; echo "$WHO $HUSH"; echo careful >&2; echo once >> {ROOT}/setup-runs',
    )
    task = made.node_setup.setup_task
    assert (task.environment_variables[0].value, task.secrets[0].name) == ("setup", "HUSH")
    assert task.secrets[0].value is None, "a secret was returned"
    parts = task.std_out_err_path_suffix.split("/")
    assert parts[:6] == [
        yard.subscription, yard.group.lower(), "workspaces", yard.workspace, "clusters", "with-setup",
    ]
    assert len(parts) == 7
    yard.wait_idle("with-setup", 2)
    nodes, folder = yard.node_ids("with-setup"), logs(yard, "with-setup")
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        name for node in nodes for name in (f"stdout-{node}.txt", f"stderr-{node}.txt", f"execution-{node}.log")
    )
    for node in nodes:
        assert (folder / f"stdout-{node}.txt").read_text() == f"here before\nsetup {SECRET}\n"
        assert (folder / f"stderr-{node}.txt").read_text() == "careful\n"
        steps = (folder / f"execution-{node}.log").read_text()
        assert steps.index("1 volumes mounted") < steps.index("setup task ended with exit code 0")
    # Jobs do not bring it back, and do not see its variables.
    job = yard.run("after-setup", 'echo "[$WHO$HUSH]"', cluster="with-setup", nodes=2)
    assert job.execution_state == "succeeded"
    assert yard.read("after-setup", "stdout.txt") == "[]\n"
    assert (yard.share / "setup-runs").read_text().split() == ["once", "once"]


def test_a_failing_setup_task_makes_nodes_unusable_until_the_cluster_was_at_zero(yard, cluster):
    cluster("cured", f'test -e {ROOT}/flag || {{ echo "no flag" >&2; exit 4; }}')
    shown = wait_unusable(yard, "cured", 2)
    nodes = yard.node_ids("cured")
    for error in shown.errors:
        assert error.code == "SetupTaskFailed"
        assert "setup task failed" in error.message and "down and up" in error.message
    details = [{detail.name: detail.value for detail in error.details} for error in shown.errors]
    assert sorted(detail["nodeId"] for detail in details) == sorted(nodes)
    assert [detail["exitCode"] for detail in details] == ["4", "4"]
    for node in nodes:
        assert (logs(yard, "cured") / f"stderr-{node}.txt").read_text() == "no flag\n"
    yard.submit("waits-for-cure", "echo cured", cluster="cured")
    # What they failed for is there now; they stay as they are all the same, and so they do at half the size.
    (yard.share / "flag").touch()
    yard.scale("cured", manual(1))
    assert len(wait_unusable(yard, "cured", 1).errors) == 1
    assert yard.get_job("waits-for-cure").execution_state == "queued"
    yard.scale("cured", manual(0))
    assert not yard.wait_idle("cured", 0).errors
    yard.scale("cured", manual(2))
    assert yard.wait_job("waits-for-cure").execution_state == "succeeded"
    shown = yard.wait_idle("cured", 2)
    assert not shown.errors
    assert not set(yard.node_ids("cured")) & set(nodes)


def test_a_cluster_is_scaled_to_zero_while_its_nodes_prepare(yard, cluster):
    cluster("hasty", f"touch {ROOT}/hasty-begun; until [ -e {ROOT}/hasty-gate ]; do sleep 0.02; done")
    poll_until("a setup task runs", (yard.share / "hasty-begun").exists)
    shown = yard.get_cluster("hasty")
    assert (shown.node_state_counts.preparing_node_count, shown.allocation_state) == (2, "steady")
    yard.scale("hasty", manual(0))
    yard.wait_idle("hasty", 0)
    (yard.share / "hasty-gate").touch()
    yard.scale("hasty", manual(1))
    yard.wait_idle("hasty", 1)


def test_where_counters_would_go_is_kept_and_returned_without_the_key(yard, cluster):
    component = f"{yard.group_path}/providers/microsoft.insights/components/counters"
    reference = models.AppInsightsReference(
        component=models.ResourceId(id=component), instrumentation_key="00000000-1111-2222-3333-444444444444"
    )
    cluster(
        "counted",
        "true",
        nodes=1,
        performance_counters_settings=models.PerformanceCountersSettings(app_insights_reference=reference),
    )
    yard.wait_idle("counted", 1)
    shown = yard.get_cluster("counted").node_setup.performance_counters_settings.app_insights_reference
    assert shown.component.id == component
    assert shown.instrumentation_key is None and shown.instrumentation_key_secret_reference is None
