"""Data-parallel training: processes that share one run, started by torchrun.

Every process takes its slice of the same global batch and adds its part of every sum, so that the run is the
one a single process makes, up to rounding. The gradients are added once a step and not by
DistributedDataParallel, whose hooks expect one forward per backward: here the network is asked once a round.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

from deqmpc_core.errors import ConfigError

_PATIENCE = timedelta(minutes=30)  # the slowest thing others wait for is a validation


@dataclass(frozen=True)
class Group:
    """Process number `rank` of `size`; the first one leads: it alone writes files and shows progress."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def share(self, count: int) -> slice:
        """This process's part of `count` things in order."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def total(self, values: Tensor) -> Tensor:
        """The sum of every process's values, the same bits in all of them."""
        if self.size == 1:
            return values
        values = values.detach().clone()
        distributed.all_reduce(values)
        return values

    def add_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace every gradient by its sum over the processes, in one message."""
        if self.size == 1:
            return
        found = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in found])
        distributed.all_reduce(flat)
        for gradient, part in zip(found, flat.split([g.numel() for g in found]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """The group torchrun describes in the environment (gloo, on GPUs NCCL); one process without it."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Group()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield Group(distributed.get_rank(), size)
    finally:
        distributed.destroy_process_group()


def chosen_device(name: str) -> torch.device:
    """The device by name; plain "cuda" is the GPU of this process's local rank. Raises ConfigError."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"--device: expected cpu, cuda or cuda:N, got '{name}'") from error
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    known = {"cpu": 1, "cuda": torch.cuda.device_count()}
    if (device.index or 0) >= known.get(device.type, 0):
        raise ConfigError(f"--device {name}: this machine has no such device; use --device cpu")
    return device
