"""qpole_obs with spheres that pursue the robot (paper A.6.3)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError
from deqmpc_core.tasks.obstacles import pursued
from deqmpc_core.tasks.qpole import DEVIATION, EXPERT, flying_pole
from deqmpc_core.tasks.qpole_obs import QpoleObsTask, layout_spheres

LOOK_AHEAD = 5  # steps by which the robot's position is extrapolated to where the spheres head


@dataclass(frozen=True, eq=False)
class QpoleDynObsTask(QpoleObsTask):
    """obstacle_speed [m/s]: every sphere goes at it towards the robot's linearly extrapolated position 5
    steps ahead.
    """

    moving: ClassVar[bool] = True
    obstacle_speed: float = 0.1

    def moved(self, centers: Tensor, x: Tensor) -> Tensor:
        """Centres (B, k, 3) one interval after centers (B, k, 3), the robot now being in x (B, n)."""
        return self.predicted(centers, x, 1)[:, 0]

    def predicted(self, centers: Tensor, x: Tensor, horizon: int) -> Tensor:
        """Centres (B, horizon, k, 3) at knots 1..horizon if the robot keeps its velocity of x (B, n); the
        first are exact.
        """
        place, step = self.position(x), self.dt * self.velocity(x)
        knots = []
        for knot in range(horizon):
            centers = pursued(centers, place + (LOOK_AHEAD + knot) * step, self.obstacle_speed * self.dt)
            knots.append(centers)
        return torch.stack(knots, 1)


def qpole_dyn_obs(
    *, dt: float = 0.05, horizon: int = 5, u_max: float = DEVIATION, velocity_weight: float = 1.0,
    state_weight: Sequence[float] | None = None, control_weight: Sequence[float] = (1e-8,) * 4,
    control_reference: Sequence[float] = (0.0,) * 4, goal_tolerance: float = 1.5,
    obstacle_radius: float = 0.5, obstacle_speed: float = 0.1, safety_margin: float = 0.05,
    layout: str = "fixed",
) -> QpoleDynObsTask:  # fmt: skip
    """The task with the paper's numbers, changed by keyword; layout as in `qpole_obs`: where the spheres
    start. obstacle_speed [m/s]: 0.05 easy, 0.5 so hard that nobody stays at the goal.
    """
    if not 0.0 <= obstacle_speed < math.inf:
        raise ConfigError(f"obstacle_speed: expected a number of m/s from 0, got {obstacle_speed}")
    return flying_pole(
        QpoleDynObsTask, name="qpole_dyn_obs", dt=dt, horizon=horizon, u_max=u_max,
        velocity_weight=velocity_weight, state_weight=state_weight, control_weight=control_weight,
        control_reference=control_reference, goal_tolerance=goal_tolerance, safety_margin=safety_margin,
        spheres=layout_spheres(layout, obstacle_radius, safety_margin), random_layout=layout == "random",
        expert_numbers=EXPERT._replace(starts=4),
        obstacle_speed=obstacle_speed,
    )  # fmt: skip
