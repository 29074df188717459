"""What containers of jobs may leave on the machine and in its nodes."""

import subprocess
from pathlib import Path

from victims import node_of


def mount_points(pid="self"):
    lines = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    return sorted(line.split()[4] for line in lines)


def node_folders(server):
    """Of the nodes that are there."""
    folders = (server.data / "engine/nodes").iterdir()
    return sorted(folder for folder in folders if folder.name.isdigit())


def of_node(folder):
    """What is there of the containers of a node between two jobs, by kind: nothing should be."""
    own = folder / "container"
    storage = own / "podman"
    left = {
        "orders": [name for name in ("inside", "order.json", "begun.json", "login") if (own / name).exists()],
        "storage": names(storage / "overlay-containers", folders=True) + layers(storage / "overlay"),
        # podman mounts its own folder of layers, and leaves it.
        "mounts": [p for p in mount_points(node_of(folder)) if str(own) in p and p != f"{storage}/overlay"],
        "cgroups": cgroups(folder),
        "podman": listed(folder),
    }
    return {kind: found for kind, found in left.items() if found}


def names(folder, folders=False):
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if path.is_dir() or not folders)


def layers(folder):
    """Of containers; `l` holds short names of layers that images have too."""
    return [name for name in names(folder, folders=True) if name != "l"]


def listed(folder):
    """What podman itself lists of the containers of a node."""
    short = Path("/run/trainyard") / f"{fnv(bytes(folder)):016x}"
    assert short.is_dir(), "podman keeps nothing for this node"
    environment = {"CONTAINERS_CONF": str(short / "containers.conf"), "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    state = ["--root", folder / "container/podman", "--runroot", short / "r", "--tmpdir", short / "t"]
    asked = ["podman", *state, "ps", "--all", "--format", "{{.ID}} {{.Names}} {{.Status}}"]
    said = subprocess.run(asked, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return said.stdout.splitlines()


def fnv(content):
    """The number by which podman's folder of a node is named."""
    number = 0xCBF29CE484222325
    for byte in content:
        number = (number ^ byte) * 0x100000001B3 % (1 << 64)
    return number


def cgroups(folder):
    """Directories of a node's containers in the cgroup trees."""
    trees = Path("/sys/fs/cgroup")
    found = [*trees.glob(f"trainyard/*/{folder.name}"), *trees.glob(f"*/trainyard/*/{folder.name}")]
    return [str(path) for own in found for path in own.glob("job/container")]
