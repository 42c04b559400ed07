"""What a network sees of keep-out spheres, and the obstacle TCN that predicts where they go (Appendix A.8).

Shapes: B batch, T knots, n state, k spheres, w width of the obstacle network. Positions in the task's frame
[m].
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from deqmpc_core.nets.layers import GROUPS, ConvBlock, NodeEncoder

_REACH = 1.0  # m; the gap to a sphere at which its nearness is one half
_BLOCKS = 2


class Scene(NamedTuple):
    """The spheres around the robot: seen (B, k, 3), their centres at knot `since` (0: now, 1: the next one);
    estimate (B, T, k, 3), the centres at knots 1..T as far as known; radius (B, k)."""

    seen: Tensor
    since: int
    estimate: Tensor
    radius: Tensor


class ObstacleShape(NamedTuple):
    """Sizes: n state, position: index of its first coordinate of place, horizon T, width w; dt knot spacing
    [s]; speed: unit of the spheres' motion [m/s]; predicts: whether their motion is predicted; iterates:
    whether the estimates of the last round are inputs (the DEQ case)."""

    n: int
    position: int
    horizon: int
    width: int
    dt: float
    speed: float
    predicts: bool
    iterates: bool


class Surroundings(NamedTuple):
    """hidden (B, T, w): features of all spheres, pooled; centers (B, T, k, 3) predicted, or None."""

    hidden: Tensor
    centers: Tensor | None


def obstacle_width(hidden: int) -> int:
    """w = h / 4, in whole groups of the group norm."""
    return max(GROUPS, hidden // 4 // GROUPS * GROUPS)


class ObstacleNetwork(nn.Module):
    """A temporal convolution network over each sphere's knots, the same for all of them; the largest feature
    of any sphere is what the agent's network sees, so their order and number do not matter.

    It feeds forward: in the DEQ case its equilibrium is the alternation's, which hands it back its own last
    prediction and the solver's plan.
    """

    def __init__(self, shape: ObstacleShape) -> None:
        super().__init__()
        self.shape = shape
        self.agent_encoder = NodeEncoder(shape.n, shape.width)
        self.encoder = NodeEncoder(11 if shape.iterates else 4, shape.width)
        self.time_embedding = nn.Parameter(0.1 * torch.randn(shape.horizon, shape.width))
        self.blocks = nn.Sequential(
            *(ConvBlock(shape.width, shape.width, residual=True) for _ in range(_BLOCKS))
        )
        if shape.predicts:
            self.outlet = nn.Linear(shape.width, 3)
            nn.init.zeros_(self.outlet.weight)
            nn.init.zeros_(self.outlet.bias)

    def forward(self, start: Tensor, x0: Tensor, plan: Tensor, scene: Scene) -> Surroundings:
        """start (B, n): x0 in the network's units; x0 (B, n), plan (B, T, n) of knots 1..T as they are."""
        batch, count, horizon, width = *scene.seen.shape[:2], plan.shape[1], self.shape.width
        if count == 0:
            return Surroundings(start.new_zeros(batch, horizon, width), scene.estimate)
        # Adding embeddings is concatenating them before a linear layer, in a third of the memory.
        nodes = self.encoder(self._inputs(x0, plan, scene).to(start.dtype))
        nodes = nodes + self.agent_encoder(start)[:, None, None] + self.time_embedding
        hidden = self.blocks(nodes.flatten(0, 1)).unflatten(0, (batch, count))
        return Surroundings(hidden.amax(1), self._centers(hidden, scene) if self.shape.predicts else None)

    def _inputs(self, x0: Tensor, plan: Tensor, scene: Scene) -> Tensor:
        """(B, k, T, 4 or 11): the sphere as seen from x_0; of the estimates its drift [knots of unit speed]
        and how it lies to the plan."""
        place = slice(self.shape.position, self.shape.position + 3)
        now = bearing(scene.seen - x0[:, None, place], scene.radius)
        now = now[:, :, None].expand(-1, -1, plan.shape[1], -1)
        if not self.shape.iterates:
            return now
        estimate, radius = scene.estimate.transpose(1, 2), scene.radius[..., None]
        drift = (estimate - scene.seen[:, :, None]) / (self.shape.speed * self.shape.dt)
        return torch.cat((now, drift, bearing(estimate - plan[:, None, :, place], radius)), -1)

    def _centers(self, hidden: Tensor, scene: Scene) -> Tensor:
        """Where the spheres have gone from where they were seen, at mean velocities of `speed` each unit."""
        knots = torch.arange(1, hidden.shape[2] + 1, dtype=scene.seen.dtype, device=scene.seen.device)
        reach = self.shape.speed * self.shape.dt * (knots - scene.since)
        drift = self.outlet(hidden).to(scene.seen) * reach[:, None]
        return (scene.seen[:, :, None] + drift).transpose(1, 2)


def bearing(way: Tensor, radius: Tensor) -> Tensor:
    """Direction and nearness (..., 4) of spheres at way (..., 3) [m] with radius (...): the nearness is 1 at
    the surface and falls to 0 far away."""
    length = way.square().sum(-1, keepdim=True).clamp_min(1e-12).sqrt()
    gap = (length - radius[..., None]).clamp_min(-0.5 * _REACH)
    return torch.cat((way / length, _REACH / (_REACH + gap)), -1)
