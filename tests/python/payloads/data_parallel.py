"""Data-parallel training with PyTorch over gloo: each rank has data of its own, all end with the same weights."""

import hashlib
import os
import sys

import torch
import torch.distributed as distributed

arguments = dict(word.split("=", 1) for word in sys.argv[1:])
meeting = arguments.get("init", "env://")
ranks = {name: int(arguments[name]) for name in ("rank", "world_size") if name in arguments}
distributed.init_process_group("gloo", init_method=meeting, **ranks)
rank, size = distributed.get_rank(), distributed.get_world_size()

torch.manual_seed(rank)
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
model = torch.nn.parallel.DistributedDataParallel(model)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
inputs = torch.randn(256, 8)
targets = inputs.sum(dim=1, keepdim=True)
losses = []
for step in range(100):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(model(inputs), targets)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
weights = [parameter.detach().flatten().tolist() for parameter in model.parameters()]
digest = hashlib.sha256(repr(weights).encode()).hexdigest()[:16]
where = os.environ["TRAINYARD_PLACEMENT"].split(":")[0]
print(f"rank {rank} of {size} first {losses[0]:.4f} last {losses[-1]:.4f} weights {digest} node {where}", flush=True)
distributed.destroy_process_group()
