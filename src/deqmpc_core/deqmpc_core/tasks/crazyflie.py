"""The hardware task: a Crazyflie 2.1 goes to a hover point amid 40 virtual spheres (paper A.7).

The task's frame has its origin at the goal, 1 m above the middle of the floor of a room x, y in [-1.5, 1.5]
m, z in [0, 2] m. Layout, starts, failure and success: see `obstacles`, `start`, `broken` and `success`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.systems import crazyflie as crazyflie_system
from deqmpc_core.tasks.obstacles import LAYOUTS, read_layout, segment_distance, uniform_layout
from deqmpc_core.tasks.task import ExpertNumbers, Task
from deqmpc_core.types import Spheres

ORIGIN = (0.0, 0.0, 1.0)
ROOM_LO, ROOM_HI = np.array([-1.5, -1.5, 0.0]), np.array([1.5, 1.5, 2.0])
ROOM_MARGIN = 0.3  # m beyond the room before it counts as failure
MAX_TILT = math.radians(80.0)
GOAL_TOLERANCE = 0.15  # m, mean distance over the last GOAL_WINDOW seconds
GOAL_WINDOW = 5.0  # s
_REWARD_WEIGHT = (100.0,) * 3 + (10.0,) * 3 + (1.0,) * 3 + (0.1,) * 3
_LAYOUT_SEED = 7
_EXPERT = ExpertNumbers(
    20, (10.0,) * 3 + (1500.0, 1500.0, 100.0) + (10.0,) * 3 + (3.0,) * 3, (3000.0,) * 4, 0.08, 2
)


@dataclass(frozen=True, eq=False)
class CrazyflieTask(Task):
    """The task's rules; numbers in `Task`."""

    def obstacles(self, seed: int, episode: int) -> NDArray[np.float64]:
        """The centres (40, 3) of an episode in the task's frame: the task's own, or drawn for it."""
        assert self.spheres is not None
        if not self.random_layout:
            return self.spheres.center.numpy()
        return _room_layout(np.random.default_rng((seed, episode, _LAYOUT_SEED))) - ORIGIN

    def start(self, seed: int, episode: int) -> NDArray[np.float64]:
        """Hovering, yaw 0; odd episodes start where the straight way to the goal enters a sphere."""
        rng = np.random.default_rng((seed, episode))
        assert self.spheres is not None
        centers, radius = self.obstacles(seed, episode) + ORIGIN, float(self.spheres.radius)
        while True:
            place = rng.uniform((-1.4, -1.4, 0.3), (1.4, 1.4, 1.7))
            if np.linalg.norm(place - ORIGIN) < 0.8 or np.linalg.norm(centers - place, axis=1).min() < 0.25:
                continue
            blocked = segment_distance(centers, place, np.array(ORIGIN)).min() < radius
            if episode % 2 == 0 or blocked:
                return np.concatenate([place - ORIGIN, np.zeros(self.n - 3)])

    def spread_start(
        self, rng: np.random.Generator, centers: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Anywhere 0.2 m clear of centers (k, 3), by default the task's own; moving at up to about 1 m/s,
        tilted and turning."""
        assert self.spheres is not None
        centers = self.spheres.center.numpy() if centers is None else centers
        reach = rng.choice((0.3, 1.0))  # a part of the starts lies around the goal
        while True:
            place = rng.uniform(ROOM_LO + 0.1, ROOM_HI - 0.1) - ORIGIN
            place = place * reach
            if np.linalg.norm(centers - place, axis=1).min() > 0.2:
                break
        attitude = rng.normal(0.0, (0.04, 0.04, 0.01))
        return np.concatenate([place, attitude, rng.normal(0.0, 0.35 * reach, 3), rng.normal(0.0, 0.8, 3)])

    def reward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """exp(2 - c/2), c = (100 |r|^2 + 10 |p|^2 + |v|^2 + 0.1 |omega|^2) / 200; no control term."""
        cost = (x.square() * x.new_tensor(_REWARD_WEIGHT)).sum(-1) / 200.0
        return torch.exp(2.0 - 0.5 * cost)

    def success(self, states: Tensor) -> Tensor:
        """A mean distance to the goal of at most 0.15 m over the last 5 s."""
        last = states[:, -round(GOAL_WINDOW / self.dt) :, :3]
        return (last - self.goal[:3]).norm(dim=-1).mean(1) <= self.goal_tolerance

    def path(self, before: Tensor, after: Tensor) -> Tensor:
        """The chord (B, 2, 3), which the committed figures were made by; the referee sees the way itself."""
        return torch.stack((before[:, :3], after[:, :3]), 1)

    def broken(self, before: Tensor, after: Tensor, centers: Tensor | None = None) -> dict[str, Tensor]:
        """Non-finite, a sphere entered, out of the room by 0.3 m, floor contact, tilt above 80 degrees."""
        world = after[:, :3] + self.origin.to(after)
        low, high = (torch.from_numpy(v).to(after) for v in (ROOM_LO - ROOM_MARGIN, ROOM_HI + ROOM_MARGIN))
        return super().broken(before, after, centers) | {
            "left the room": ((world < low) | (world > high)).any(-1),
            "floor contact": world[:, 2] <= 0.0,
            "tilt above 80 degrees": cos_tilt(after[:, 3:6]) < math.cos(MAX_TILT),
        }


def cos_tilt(mrp: Tensor) -> Tensor:
    """Cosine (...) of the angle between body z and world z for an MRP (..., 3)."""
    return 1.0 - 8.0 * mrp[..., :2].square().sum(-1) / (1.0 + mrp.square().sum(-1)).square()


def _room_layout(rng: np.random.Generator) -> NDArray[np.float64]:
    """Sphere centres (40, 3) in the world, uniform in the room, at least 0.35 m from the goal."""
    return uniform_layout(rng, 40, (-1.5, -1.5, 0.2), (1.5, 1.5, 1.8), ORIGIN, 0.35)


def crazyflie(
    *, dt: float = 0.1, substeps: int = 2, horizon: int = 5, obstacle_radius: float = 0.10,
    safety_margin: float = 0.06, layout: str = "fixed",
    state_weight: Sequence[float] = (40.0,) * 3 + (500.0, 500.0, 100.0) + (10.0,) * 3 + (1.0,) * 3,
    control_weight: Sequence[float] = (1000.0,) * 4, control_reference: Sequence[float] | None = None,
    u_max: float = 0.14,
) -> CrazyflieTask:  # fmt: skip
    """The task with the numbers of the hardware experiment, changed by keyword (SI units).

    layout: "fixed", "random" (one an episode, for policies that see obstacles) or an .npz file with centres
    `position` (k, 3) in the task's frame.
    """
    hover = crazyflie_system.parameters["mass"] * crazyflie_system.parameters["gravity"] / 4.0
    fixed = _room_layout(np.random.default_rng(_LAYOUT_SEED)) - ORIGIN
    centers = torch.from_numpy(fixed if layout in LAYOUTS else read_layout(layout))
    real = torch.float64
    return CrazyflieTask(
        name="crazyflie", system=crazyflie_system, dt=dt, substeps=substeps, horizon=horizon,
        episode_steps=200, goal=torch.zeros(12, dtype=real), origin=torch.tensor(ORIGIN, dtype=real),
        u_lo=torch.zeros(4, dtype=real), u_hi=torch.full((4,), u_max, dtype=real),
        control_reference=torch.tensor(control_reference or (hover,) * 4, dtype=real),
        state_weight=torch.tensor(state_weight, dtype=real),
        control_weight=torch.tensor(control_weight, dtype=real),
        spheres=Spheres(centers, obstacle_radius), safety_margin=safety_margin,
        random_layout=layout == "random", goal_tolerance=GOAL_TOLERANCE, expert_numbers=_EXPERT,
    )  # fmt: skip
