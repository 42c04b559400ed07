"""The learned expert's network: from the state to the control."""

import torch
from torch import Tensor, nn

from deqmpc_core.policies.features import Features
from deqmpc_core.tasks import Task
from deqmpc_core.types import Spheres


def perceptron(inputs: int, hidden: int) -> nn.Sequential:
    """Two hidden layers, Linear-LayerNorm-ELU each."""
    widths = ((inputs, hidden), (hidden, hidden))
    layers = [m for a, b in widths for m in (nn.Linear(a, b), nn.LayerNorm(b), nn.ELU())]
    return nn.Sequential(*layers)


class Actor(nn.Module):
    """The control (B, m) for a state: tanh of a Gaussian, scaled to the task's limits; float32 inside.

    hidden: width of its two layers. The spread is learned and the same in every state.
    """

    def __init__(self, task: Task, hidden: int) -> None:
        super().__init__()
        self.task = task
        self.features = Features(task)
        self.body = perceptron(self.features.width, hidden)
        self.outlet = nn.Linear(hidden, task.m)
        self.log_std = nn.Parameter(torch.zeros(task.m))
        nn.init.normal_(self.outlet.weight, std=0.01)
        nn.init.zeros_(self.outlet.bias)

    def forward(self, x: Tensor, spheres: Spheres | None = None, noise: Tensor | None = None) -> Tensor:
        """u (B, m) of x (B, n) in x's dtype, within the limits; noise (B, m): standard normal, none for the
        mean."""
        drive = self.outlet(self.body(self.features(x, spheres).to(self.outlet.weight.dtype)))
        if noise is not None:
            drive = drive + self.log_std.exp() * noise.to(drive)
        lo, hi = self.task.u_lo.to(x), self.task.u_hi.to(x)
        return 0.5 * (hi + lo) + 0.5 * (hi - lo) * torch.tanh(drive).to(x)
