"""What both architectures share: scaled inputs relative to x_0, embeddings, and waypoints relative to x_0."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from deqmpc_core.errors import ShapeError
from deqmpc_core.nets.layers import ConvBlock, NodeEncoder


class NetworkShape(NamedTuple):
    """Sizes: n state, q configuration, horizon T, hidden h; dt knot spacing [s]."""

    n: int
    q: int
    horizon: int
    hidden: int
    dt: float


class Scaling(NamedTuple):
    """Fixed units of a task's data, each (n,): state mean and spread, spread of x_t - x_0 along a plan, and
    the size of one unit of network output (a rate for configurations, a velocity for the rest)."""

    state_mean: Tensor
    state_scale: Tensor
    delta_scale: Tensor
    output_scale: Tensor


class NetworkAnswer(NamedTuple):
    """theta (B, T, n) for knots 1..T, latent z (B, ...) for the next call, fixed-point residual (B,)."""

    theta: Tensor
    z: Tensor
    residual: Tensor


class WaypointNetwork(nn.Module, ABC):
    """theta = NN(x_0, tau) (Eq. 9): float64 states at the border, the parameters' own dtype inside."""

    state_mean: Tensor
    state_scale: Tensor
    delta_scale: Tensor
    output_scale: Tensor
    step: Tensor

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        time_width = max(shape.hidden // 4, 1)
        self.plan_encoder = NodeEncoder(shape.n, shape.hidden)
        self.start_encoder = NodeEncoder(shape.n, shape.hidden)
        self.time_embedding = nn.Parameter(0.1 * torch.randn(shape.horizon, time_width))
        self.inlet = ConvBlock(2 * shape.hidden + time_width, shape.hidden)
        self.outlet = nn.Linear(shape.hidden, shape.n)
        nn.init.zeros_(self.outlet.weight)
        nn.init.zeros_(self.outlet.bias)
        for name in Scaling._fields:
            value = torch.zeros(shape.n) if name == "state_mean" else torch.ones(shape.n)
            self.register_buffer(name, value)
        rate = torch.ones(shape.n)
        rate[: shape.q] = shape.dt
        self.register_buffer("step", rate, persistent=False)

    @abstractmethod
    def latent(self, batch: int) -> Tensor:
        """The latent z of a cold start, (B, ...)."""

    @abstractmethod
    def forward(self, x0: Tensor, plan: Tensor, z: Tensor) -> NetworkAnswer:
        """x0 (B, n), the solver's states plan (B, T, n) for knots 1..T, latent z of the last round ->
        answer."""

    def set_scaling(self, scaling: Scaling) -> None:
        """Fix the units of inputs and outputs; they travel with the weights."""
        for name, value in scaling._asdict().items():
            getattr(self, name).copy_(value)

    def embed(self, x0: Tensor, plan: Tensor) -> Tensor:
        """Node embeddings of the plan relative to x_0, of x_0 itself and of time, mixed by one block: (B, T,
        h)."""
        batch, horizon = plan.shape[:2]
        if horizon != self.shape.horizon:
            raise ShapeError(f"expected a plan of {self.shape.horizon} knots, got {tuple(plan.shape)}")
        dtype = self.outlet.weight.dtype
        delta = ((plan - x0[:, None]) / self.delta_scale).to(dtype)
        start = ((x0 - self.state_mean) / self.state_scale).to(dtype)
        nodes = self.plan_encoder(delta)
        origin = self.start_encoder(start)[:, None].expand_as(nodes)
        time = self.time_embedding.expand(batch, -1, -1)
        return self.inlet(torch.cat((nodes, origin, time), -1))

    def decode(self, x0: Tensor, features: Tensor) -> Tensor:
        """Features (B, T, h) -> waypoints: configuration x_0 + dt * out, velocities out; all out in scaled
        units."""
        change = (self.outlet(features) * (self.output_scale * self.step)).to(x0.dtype)
        q = self.shape.q
        return torch.cat((x0[:, None, :q] + change[..., :q], change[..., q:]), -1)
