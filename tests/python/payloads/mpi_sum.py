"""Every rank tells where it is; all of them sum their ranks, so that each needs all the others."""

import os
import sys

from mpi4py import MPI

world = MPI.COMM_WORLD
total = world.allreduce(world.rank + 1)
where = os.environ["TRAINYARD_PLACEMENT"].split(":")[0]
told = world.gather((world.rank, where, os.environ["AZ_BATCHAI_JOB_TEMP"], os.environ.get("WORD")))
if world.rank == 0:
    print(MPI.Get_library_version().split(",")[0].split(" Library")[0])
    for rank, node, folder, word in told:
        print("rank", rank, "total", total, "node", node, "folder", folder, "word", word)
if len(sys.argv) > 1 and world.rank == world.size - 1:
    sys.exit(int(sys.argv[1]))
