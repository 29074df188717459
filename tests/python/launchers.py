"""The MPI launchers of this machine, as jobs find them."""

import shutil
import subprocess
import sys
from pathlib import Path

from azure.mgmt.batchai import models
from conftest import leave_out


def variables(**named):
    return [models.EnvironmentVariable(name=name, value=value) for name, value in named.items()]


def which(name, package):
    return shutil.which(name) or leave_out(f"{name} is not here (install it: apt-get install {package})")


def launcher(kind, folder):
    """What a job needs in its environment for that kind of MPI, and what its library calls itself."""
    path = f"{folder}:/usr/bin:/bin"
    if kind == "Open MPI":
        choose(folder, which("mpirun.openmpi", "openmpi-bin"))
        library = next(Path("/usr/lib").glob("*/libmpi.so.40"))
        name = f"Open MPI v{version('mpirun.openmpi')}"
        return variables(PATH=path, MPI4PY_LIBMPI=str(library)), name
    if kind == "MPICH":
        choose(folder, which("mpirun.mpich", "mpich"))
        library = folder / "libmpi.so.12"
        library.symlink_to(next(Path("/usr/lib").glob("*/libmpich.so.12")))
        name = f"MPICH Version:\t{version('mpirun.mpich')}"
        return variables(PATH=path, LD_LIBRARY_PATH=str(folder), MPI4PY_LIBMPI=str(library)), name
    root = Path(sys.executable).parent.parent
    return variables(
        PATH=f"{root}/bin:/usr/bin:/bin",
        LD_LIBRARY_PATH=f"{root}/lib",
        I_MPI_ROOT=str(root),
        MPI4PY_LIBMPI=str(root / "lib/libmpi.so.12"),
    ), "Intel(R) MPI"


def choose(folder, program):
    """Makes a launcher the `mpirun` of a folder. It finds its own helpers by its path, so a link would not do."""
    script = folder / "mpirun"
    script.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
    script.chmod(0o755)


def version(program):
    """The version that a launcher says first."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return next(word for word in said.split() if word[0].isdigit())
