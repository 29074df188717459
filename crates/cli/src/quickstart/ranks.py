"""Two or more ranks sum the squares of 1..100000 together, over their nodes' addresses.

Each rank takes its share of the numbers; the others send theirs to rank 0, which adds up and tells all.
Plain Python, nothing to install.
"""

import json
import os
import socket
import sys
import time
from urllib.parse import urlsplit

LAST = 100_000
PATIENCE = 30.0  # seconds, for every wait


def main():
    rank = int(os.environ["AZ_BATCHAI_TASK_INDEX"])
    hosts = os.environ["AZ_BATCH_HOST_LIST"].split(",")
    meeting = urlsplit(os.environ["AZ_BATCHAI_PYTORCH_INIT_METHOD"])
    part = sum(n * n for n in range(1 + rank, LAST + 1, len(hosts)))
    print(f"rank {rank} of {len(hosts)} on {hosts[rank]}: my part is {part}", flush=True)
    if rank == 0:
        total = lead(part, len(hosts), (meeting.hostname, meeting.port))
    else:
        total = follow(rank, part, hosts[rank], (meeting.hostname, meeting.port))
    expected = LAST * (LAST + 1) * (2 * LAST + 1) // 6
    print(f"rank {rank}: together {total}, which is {'right' if total == expected else 'WRONG'}", flush=True)
    return 0 if total == expected else 1


def lead(part, ranks, address):
    total, peers = part, []
    with socket.create_server(address) as server:
        server.settimeout(PATIENCE)
        while len(peers) < ranks - 1:
            connection, (host, _) = server.accept()
            connection.settimeout(PATIENCE)
            stream = connection.makefile("rw")
            said = json.loads(stream.readline())
            print(f"rank 0: rank {said['rank']} sent {said['part']} from {host}", flush=True)
            total += said["part"]
            peers.append((connection, stream))
    for connection, stream in peers:
        print(json.dumps(total), file=stream, flush=True)
        stream.close()
        connection.close()
    return total


def follow(rank, part, own_host, address):
    with connect(own_host, address) as connection, connection.makefile("rw") as stream:
        print(json.dumps({"rank": rank, "part": part}), file=stream, flush=True)
        return json.loads(stream.readline())


def connect(own_host, address):
    """Rank 0 may start later than we do: try again for a while."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection(address, timeout=PATIENCE, source_address=(own_host, 0))
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
