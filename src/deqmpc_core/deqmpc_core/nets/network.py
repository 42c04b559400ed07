"""What both architectures share: scaled inputs relative to x_0, embeddings, and waypoints relative to x_0."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from deqmpc_core.errors import ShapeError
from deqmpc_core.nets.layers import ConvBlock, NodeEncoder
from deqmpc_core.nets.obstacles import ObstacleNetwork, Scene, Surroundings

_FACTOR_LIMIT = 3.0  # a predicted rate weight lies between e^-3 and e^3 times the task's


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
    """theta (B, T, n) for knots 1..T, latent z (B, ...) for the next call, fixed-point residual (B,); where
    the network predicts them, the spheres' centres (B, T, k, 3) and positive factors (B, T, n - q) on the
    weights of the rates."""

    theta: Tensor
    z: Tensor
    residual: Tensor
    centers: Tensor | None = None
    rate_factor: Tensor | None = None


class WaypointNetwork(nn.Module, ABC):
    """theta = NN(x_0, o, tau) (Eq. 9): float64 states at the border, the parameters' own dtype inside.

    obstacles: the network that sees spheres, None for one that sees none. weighs: whether theta also holds
    the weights of the rates, per knot (Section 3.1). What training fits to the data: state_mean, state_scale,
    delta_scale and output_scale, each (n,); step (n,): dt for coordinates, 1 for rates.
    """

    state_mean: Tensor
    state_scale: Tensor
    delta_scale: Tensor
    output_scale: Tensor
    step: Tensor

    def __init__(
        self, shape: NetworkShape, obstacles: ObstacleNetwork | None = None, weighs: bool = False
    ) -> None:
        super().__init__()
        self.shape, self.obstacles = shape, obstacles
        time_width = max(shape.hidden // 4, 1)
        self.plan_encoder = NodeEncoder(shape.n, shape.hidden)
        self.start_encoder = NodeEncoder(shape.n, shape.hidden)
        self.time_embedding = nn.Parameter(0.1 * torch.randn(shape.horizon, time_width))
        seen = obstacles.shape.width if obstacles else 0
        self.inlet = ConvBlock(2 * shape.hidden + time_width + seen, shape.hidden)
        self.outlet = nn.Linear(shape.hidden, shape.n)
        nn.init.zeros_(self.outlet.weight)
        nn.init.zeros_(self.outlet.bias)
        self.weight_outlet = nn.Linear(shape.hidden, shape.n - shape.q) if weighs else None
        if self.weight_outlet is not None:
            nn.init.zeros_(self.weight_outlet.weight)
            nn.init.zeros_(self.weight_outlet.bias)
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
    def forward(self, x0: Tensor, plan: Tensor, z: Tensor, scene: Scene | None = None) -> NetworkAnswer:
        """x0 (B, n), the solver's states plan (B, T, n) for knots 1..T, latent z of the last round, what is
        seen of spheres -> answer."""

    def set_scaling(self, scaling: Scaling) -> None:
        """Fix the units of inputs and outputs; they travel with the weights."""
        for name, value in scaling._asdict().items():
            getattr(self, name).copy_(value)

    def look(self, x0: Tensor, plan: Tensor, scene: Scene | None) -> Surroundings | None:
        """What the obstacle network makes of the spheres, seen from x0 (B, n) and the plan (B, T, n); None
        for a network that sees none."""
        if self.obstacles is None:
            return None
        if scene is None:
            raise ShapeError("expected spheres, as this network was trained with; got an observation of none")
        return self.obstacles(self._start(x0), x0, plan, scene)

    def embed(self, x0: Tensor, plan: Tensor, around: Surroundings | None = None) -> Tensor:
        """Node embeddings of the plan relative to x_0, of x_0 itself, of time and of the spheres, mixed by
        one block: (B, T, h)."""
        batch, horizon = plan.shape[:2]
        if horizon != self.shape.horizon:
            raise ShapeError(f"expected a plan of {self.shape.horizon} knots, got {tuple(plan.shape)}")
        delta = ((plan - x0[:, None]) / self.delta_scale).to(self.outlet.weight.dtype)
        nodes = self.plan_encoder(delta)
        origin = self.start_encoder(self._start(x0))[:, None].expand_as(nodes)
        parts = [nodes, origin, self.time_embedding.expand(batch, -1, -1)]
        return self.inlet(torch.cat(parts if around is None else [*parts, around.hidden], -1))

    def decode(self, x0: Tensor, features: Tensor) -> Tensor:
        """Features (B, T, h) -> waypoints: configuration x_0 + dt * out, velocities out; all out in scaled
        units."""
        change = (self.outlet(features) * (self.output_scale * self.step)).to(x0.dtype)
        q = self.shape.q
        return torch.cat((x0[:, None, :q] + change[..., :q], change[..., q:]), -1)

    def answer(
        self, x0: Tensor, features: Tensor, z: Tensor, residual: Tensor, around: Surroundings | None
    ) -> NetworkAnswer:
        """All that is predicted from the features (B, T, h) and the surroundings."""
        factor = None
        if self.weight_outlet is not None:
            size = torch.tanh(self.weight_outlet(features).to(x0.dtype) / _FACTOR_LIMIT)
            factor = torch.exp(_FACTOR_LIMIT * size)
        centers = None if around is None else around.centers
        return NetworkAnswer(self.decode(x0, features), z, residual, centers, factor)

    def _start(self, x0: Tensor) -> Tensor:
        """x_0 (B, n) in the units and the dtype of the network."""
        return ((x0 - self.state_mean) / self.state_scale).to(self.outlet.weight.dtype)
