"""A cluster that is resized at random while jobs run on it: real processes, on a data folder of their own."""

import concurrent.futures
import contextlib
import os
import random
import threading
import time

from commands import stored
from harness import LOOK, PATIENCE, poll_until
from ledger import parameters, processes_of, yard_on
from yards import automatic, manual

SEED = int(os.environ.get("YARD_SEED", "20180501"))  # another one replays another run
RESIZES, JOBS, NODES = 20, 30, 6
CLUSTER = "live"
STATES = ("idle", "running", "preparing", "unusable", "leaving")


class Onlooker:
    """Reads the cluster all the time, and holds every answer against what must be."""

    def __init__(self, yard, cluster):
        self.server = yard.server
        self.path = (
            f"{yard.group_path}/providers/Microsoft.BatchAI/workspaces/{yard.workspace}/clusters/{cluster}"
        )
        self.answers, self.wrong, self.states = 0, [], set()
        self.over = threading.Event()

    def look(self):
        shown = self.server.call("GET", self.path).json()["properties"]
        counts = tuple(shown["nodeStateCounts"].pop(f"{state}NodeCount") for state in STATES)
        self.answers += 1
        self.states.add(counts)
        adds_up = sum(counts) == shown["currentNodeCount"] and not shown["nodeStateCounts"]
        if not adds_up or len(shown["scaleSettings"]) != 1:
            self.wrong.append(shown | {"counts": counts})

    def watch(self):
        while not self.over.wait(LOOK / 2):
            self.look()


@contextlib.contextmanager
def onlooker(yard, cluster):
    seen = Onlooker(yard, cluster)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        watching = pool.submit(seen.watch)
        try:
            yield seen
        finally:
            seen.over.set()
        watching.result(PATIENCE)


def draw(dice):
    """Scale settings: by hand with an option that ends no job, or automatic."""
    if dice.random() < 0.35:
        most = dice.randint(1, NODES)
        return automatic(dice.randint(0, most), most)
    return manual(dice.randint(0, NODES), dice.choice(["requeue", "requeue", "waitforjobcompletion"]))


def preempt_one(yard, dice):
    """Takes some node away; it may just have left by itself. Whether it was there."""
    nodes = yard.node_ids(CLUSTER)
    if not nodes:
        return False
    path = f"/trainyard/nodes/{dice.choice(nodes)}/preempt"
    answer = yard.server.call("POST", path, version=None)
    assert answer.status_code in (200, 404), answer.text
    return answer.status_code == 200


def test_twenty_resizes_at_random_while_thirty_jobs_run(own_server, fact):
    dice = random.Random(SEED)
    yard, ledger = yard_on(own_server, 0)
    yard.make_cluster(CLUSTER, manual(2), vm_priority="lowpriority")
    names = [f"job-{number:02}" for number in range(JOBS)]
    bodies = {}
    for name in names:
        work, nodes = f"{dice.uniform(0.2, 2):.3f}", dice.choice([1, 1, 1, 2, 3])
        # Long enough for another attempt to meet it, if one were started too early.
        linger = dice.choice([0.1, 0.5, 1])
        bodies[name] = parameters(yard, name, work, linger=linger, cluster=CLUSTER, nodes=nodes)
    wishes = [(dice.uniform(0.05, 0.7), draw(dice), dice.random() < 0.3) for _ in range(RESIZES)]
    print(f"seed {SEED}: {[(wait, scale.as_dict(), preempt) for wait, scale, preempt in wishes]}")
    taken = 0
    with onlooker(yard, CLUSTER) as seen:
        half = JOBS // 2
        for name in names[:half]:
            yard.put_job(name, bodies[name])
        for number, (wait, scale, preempts) in enumerate(wishes):
            time.sleep(wait)  # the random moment itself
            yard.scale(CLUSTER, scale)
            taken += preempts and preempt_one(yard, dice)
            for name in names[half + number :: RESIZES]:
                yard.put_job(name, bodies[name])
        at_the_end = sum(job.execution_state != "succeeded" for job in yard.jobs())
        yard.scale(CLUSTER, manual(NODES))
        poll_until("all jobs are over", lambda: all_over(yard), 120)
        yard.wait_idle(CLUSTER, NODES)
    assert seen.wrong == []
    assert at_the_end > 0, "all was over before the last resize"
    assert any(counts[-1] for counts in seen.states), "no node was seen leaving"
    jobs = {job.name: job for job in yard.jobs()}
    assert sorted(jobs) == names, "jobs were lost"
    assert {name: job.execution_state for name, job in jobs.items()} == dict.fromkeys(names, "succeeded")
    again = sum(check_attempts(own_server, ledger, name) for name in names)
    assert again > 0, "no job was ever put back into the line"
    fact(
        f"{RESIZES} resizes at random and {taken} pre-emptions while {JOBS} jobs ran (seed {SEED}): the counts of "
        f"{seen.answers} answers add up, {len(seen.states)} different ones; all jobs succeeded, {again} attempts "
        "were put back into the line"
    )


def all_over(yard):
    return all(job.execution_state in ("succeeded", "failed") for job in yard.jobs())


def check_attempts(server, ledger, name):
    """What a job wrote down against what the server knows; how many times it was put back into the line."""
    lines = ledger.lines(name)
    starts = [int(line[1].rsplit("-", 1)[1]) for line in lines if line[0] == "start"]
    assert starts == sorted(set(starts)), f"{name}: an attempt started twice: {lines}"
    assert all(line[2] == "0" for line in lines), f"{name}: two attempts at once: {lines}"
    [(last, losses)] = stored(
        server.data / "trainyard.db",
        "SELECT json_extract(status, '$.is.attempt'), json_extract(status, '$.is.losses') FROM jobs WHERE name = ?",
        name,
    )
    back = events(server, "queued", name)
    # An attempt may be stopped before its script says anything; the last one was not.
    assert (last, losses) == (1 + len(back), 0), f"{name}: {lines}, {back}"
    assert events(server, "running", name) == [None] * last
    assert lines[-1][0] == "stop" and starts[-1] == last, f"{name}: {lines}"
    assert all("taken away" in why or "pre-empted" in why for why in back), back
    assert processes_of(server, name) == {}
    return len(back)


def events(server, state, job):
    """Details of the audit trail's events of a job that came into this state."""
    rows = stored(
        server.data / "trainyard.db",
        "SELECT detail FROM events WHERE action = ? AND target LIKE ? ORDER BY number",
        f"Trainyard/jobs/{state}",
        f"%/jobs/{job}",
    )
    return [detail for (detail,) in rows]
