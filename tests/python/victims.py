"""Jobs whose processes are killed one by one, and what the machine shows of them then."""

from pathlib import Path

from harness import nodes_among, poll_until, processes
from yards import codes

RANKS = 2


class Victim:
    """A job of two nodes whose preparation waits for a gate and whose two ranks, one a node, then work.

    Its `parameters` have YARD_TEST_JOB=`tag` among the environment variables, and its ranks' command is `word`.
    """

    def __init__(self, yard, name, word, **parameters):
        self.yard, self.name, self.word = yard, name, word
        self.tag = tag_of(yard, name)
        yard.submit(name, nodes=RANKS, **parameters)

    def open(self):
        """Lets the preparation end; returns when both ranks work."""
        self.yard.open_gate(self.name)
        poll_until("both ranks work", lambda: len(self.find(self.word)) == RANKS)

    def end_well(self):
        """Lets the ranks end."""
        self.yard.open_gate(f"{self.name}-end")

    def rank(self, index):
        """Its process as the machine counts it: its own number for itself is another one on an isolated node."""
        sought = f"OMPI_COMM_WORLD_RANK={index}".encode()
        [found] = [pid for pid in self.find(self.word) if sought in environment(pid)]
        return found

    def ranks(self):
        return [self.rank(index) for index in range(RANKS)]

    def find(self, word, node=None):
        """The processes of the job whose command begins with this word, on one node if its folder is named."""
        commands = processes(f"YARD_TEST_JOB={self.tag}")
        begins = [pid for pid, command in commands.items() if Path(command.split(" ")[0]).name == word]
        return [pid for pid in begins if node is None or folder_of(pid) == node]

    def folder_of_rank(self, index):
        """The folder of the node that it runs on."""
        return folder_of(self.rank(index))

    def check_nothing_is_left(self):
        """The machine is looked at: no process of the job."""
        assert processes(f"YARD_TEST_JOB={self.tag}") == {}

    def ended(self):
        job = self.yard.wait_job(self.name)
        self.check_nothing_is_left()
        return job.execution_state, job.execution_info.exit_code, codes(job)


def tag_of(yard, name):
    return f"{name}@{yard.server.data}"


def node_processes(folder):
    """The processes that are the node of this folder, by number."""
    return processes(f"node --folder {folder}".replace(" ", "\0"))


def node_of(folder):
    """The process that is this node, within if it is isolated."""
    found = nodes_among(node_processes(folder))
    assert len(found) == 1, found
    return next(iter(found))


def environment(pid):
    return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")


def folder_of(pid):
    name = b"TRAINYARD_PLACEMENT="
    marks = [entry[len(name) :].decode() for entry in environment(pid) if entry.startswith(name)]
    return marks[0].rsplit(":", 1)[0]
