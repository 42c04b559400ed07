"""What a task knows of its keep-out spheres: where they are, go and will be, and which steps entered one."""

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.errors import ConfigError
from deqmpc_core.systems.system import System
from deqmpc_core.tasks.obstacles import curved_path, swept_distance, world_velocity
from deqmpc_core.types import Observation, Spheres


class KeepOut:
    """The part of `Task` about spheres and failure; its defaults are those of a fixed layout.

    moving: the spheres move, so an episode's centres are handed on from step to step; a task that sets it
    overrides `moved` and `predicted`. random_layout: each episode has a layout of its own. B batch, k
    spheres, n state; positions [m] in the task's frame.
    """

    moving: ClassVar[bool] = False
    name: str
    system: System
    dt: float
    horizon: int
    spheres: Spheres | None
    random_layout: bool

    @property
    def fixed_layout(self) -> bool:
        """Whether the spheres are the task's own in every episode, so that nobody needs to hand them on."""
        return not (self.moving or self.random_layout)

    def obstacles(self, seed: int, episode: int) -> NDArray[np.float64] | None:
        """Sphere centres (k, 3) at the start of an episode, None without spheres; by default the task's
        own."""
        return None if self.spheres is None else self.spheres.center.numpy()

    def moved(self, centers: Tensor, x: Tensor) -> Tensor:
        """Centres (B, k, 3) one interval after centers (B, k, 3), the robot now being in x (B, n)."""
        return centers

    def predicted(self, centers: Tensor, x: Tensor, horizon: int) -> Tensor:
        """Centres (B, horizon, k, 3) at knots 1..horizon if the robot keeps its velocity of x (B, n)."""
        return centers[:, None].expand(-1, horizon, -1, -1)

    def observe(self, x: Tensor, centers: Tensor | None = None, horizon: int | None = None) -> Observation:
        """What a policy sees in x (B, n) amid centers (B, k, 3): where spheres move, their predicted centres
        (B, T, k, 3) over `horizon` (by default the task's). Without centers the task's own spheres stand.

        Raises ConfigError where centers are missing and the layout is not fixed.
        """
        if centers is None:
            self._own_centers(x)
            return Observation(x)
        seen = self.predicted(centers, x, horizon or self.horizon) if self.moving else centers
        return Observation(x, Spheres(seen, 0.0 if self.spheres is None else self.spheres.radius))

    def velocity(self, x: Tensor) -> Tensor:
        """Velocity (..., 3) [m/s] of the robot's position in x (..., n), task frame."""
        first, mrp = (self.system.position or 0) + self.system.configuration, self.system.mrp
        rate = x[..., first : first + 3]
        return rate if mrp is None else world_velocity(x[..., mrp : mrp + 3], rate)

    def position(self, x: Tensor) -> Tensor:
        """Position (..., 3) [m] in x (..., n), task frame."""
        first = self.system.position or 0
        return x[..., first : first + 3]

    def path(self, before: Tensor, after: Tensor) -> Tensor:
        """Positions (B, S+1, 3) on the way between knots before and after, (B, n), at most 10 ms apart."""
        a, b = self.position(before), self.position(after)
        return curved_path(a, self.velocity(before), b, self.velocity(after), self.dt)

    def clearance(self, before: Tensor, after: Tensor, centers: Tensor | None = None) -> Tensor:
        """Smallest distance (B, k) [m] to each sphere's surface on the swept path before -> after, (B, n);
        centers (B, k, 3) are those at `before`; negative inside.
        """
        centers = self._own_centers(before) if centers is None else centers
        if self.spheres is None or centers is None:
            return before.new_zeros(before.shape[0], 0)
        distance = swept_distance(self.path(before, after), centers, self.moved(centers, before))
        return distance - torch.as_tensor(self.spheres.radius, dtype=distance.dtype)

    def broken(self, before: Tensor, after: Tensor, centers: Tensor | None = None) -> dict[str, Tensor]:
        """By rule, in the order they are named in, whether each swept step broke it: bool (B,)."""
        rules = {"state not finite": ~torch.isfinite(after).all(-1)}
        if self.spheres is not None and self.system.position is not None:
            rules["sphere entered"] = (self.clearance(before, after, centers) < 0.0).any(-1)
        return rules

    def failures(self, before: Tensor, after: Tensor, centers: Tensor | None = None) -> list[str | None]:
        """Why each swept step before -> after, both (B, n), ends its episode; None where it does not.

        centers (B, k, 3): the spheres at `before`, by default the task's own.
        """
        reasons: list[str | None] = [None] * before.shape[0]
        with torch.no_grad():
            for reason, which in self.broken(before, after, centers).items():
                for b in which.nonzero()[:, 0].tolist():
                    reasons[b] = reasons[b] or reason
        return reasons

    def failure(self, before: Tensor, after: Tensor, centers: Tensor | None = None) -> str | None:
        """`failures` of one sample: before, after (n,), centers (k, 3)."""
        return self.failures(before[None], after[None], None if centers is None else centers[None])[0]

    def _own_centers(self, x: Tensor) -> Tensor | None:
        """The task's own centres (B, k, 3) for x (B, n); ConfigError where each episode has others."""
        if not self.fixed_layout:
            raise ConfigError(f"task '{self.name}': its spheres differ by episode, pass centers (B, k, 3)")
        return None if self.spheres is None else self.spheres.center.to(x).expand(x.shape[0], -1, 3)
