"""Workers that fit a line by stochastic gradients, each on data of its own, through a parameter server.

It speaks over the addresses that TF_CONFIG and the arguments give, as TensorFlow would, with nothing but sockets.
"""

import argparse
import json
import os
import random
import socketserver
import socket
import threading

arguments = argparse.ArgumentParser()
for name in ("job_name", "ps_hosts", "worker_hosts", "task_index"):
    arguments.add_argument(f"--{name}", required=True)
asked = arguments.parse_args()
config = json.loads(os.environ["TF_CONFIG"])
assert config["cluster"] == {"ps": asked.ps_hosts.split(","), "worker": asked.worker_hosts.split(",")}
assert config["task"]["index"] == int(asked.task_index) == int(os.environ["AZ_BATCHAI_TASK_INDEX"])
assert config["task"]["type"] == {"ps": "ps", "0": "master"}.get(
    "ps" if asked.job_name == "ps" else asked.task_index, "worker"
)
STEPS, RATE = 400, 0.05


def address(host):
    name, port = host.rsplit(":", 1)
    return name, int(port)


def serve():
    weights, lock, peers = [0.0, 0.0], threading.Lock(), set()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            peers.add(self.client_address[0])
            for line in self.rfile:
                gradient = json.loads(line)
                with lock:
                    for at, slope in enumerate(gradient):
                        weights[at] -= RATE * slope
                    answer = {"weights": weights, "peers": sorted(peers)}
                self.wfile.write(json.dumps(answer).encode() + b"\n")

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(address(asked.ps_hosts), Handler) as server:
        print("serving at", asked.ps_hosts, flush=True)
        server.serve_forever()


def work():
    own = address(asked.worker_hosts.split(",")[int(asked.task_index)])
    listener = socket.create_server(own)  # the port is this worker's alone
    dice = random.Random(int(asked.task_index))
    while True:
        try:
            server = socket.create_connection(address(asked.ps_hosts), source_address=(own[0], 0))
            break
        except ConnectionRefusedError:
            threading.Event().wait(0.02)
    with server, listener, server.makefile("rw") as stream:
        slope, offset, peers = 0.0, 0.0, []
        for step in range(STEPS):
            x = dice.uniform(-1, 1)
            error = slope * x + offset - (3 * x + 1)
            print(json.dumps([error * x, error]), file=stream, flush=True)
            answer = json.loads(stream.readline())
            (slope, offset), peers = answer["weights"], answer["peers"]
        # Both workers' addresses have been seen by then.
        while len(peers) < len(asked.worker_hosts.split(",")):
            print("[0, 0]", file=stream, flush=True)
            peers = json.loads(stream.readline())["peers"]
    print(f"worker {asked.task_index} at {own[0]} slope {slope:.2f} offset {offset:.2f} with {','.join(peers)}")


serve() if asked.job_name == "ps" else work()
