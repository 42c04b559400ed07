"""qpole amid 40 fixed spheres (paper A.6.3, Figure 5).

The published layout may not be copied; ours has its character: 40 centres uniform in [-4.9, 4.9]^3, at least
1.3 m from the goal. `load_task("qpole_obs", layout="obstacles40.npz")` takes the published one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deqmpc_core.tasks.obstacles import LAYOUTS, clear_of, keep_out, read_layout, uniform_layout
from deqmpc_core.tasks.qpole import DEVIATION, EXPERT, GOAL, QuadrotorPoleTask, anywhere, flying_pole
from deqmpc_core.types import Spheres

COUNT, REACH, CLEAR = 40, 4.9, 1.3  # spheres, half the layout's edge [m], distance to the goal [m]
_LAYOUT_SEED = 40


@dataclass(frozen=True, eq=False)
class QpoleObsTask(QuadrotorPoleTask):
    """qpole's rules; entering a sphere ends an episode in failure, and no start lies in one."""

    def obstacles(self, seed: int, episode: int) -> NDArray[np.float64]:
        """The centres (k, 3) of an episode: the task's own, or with layout="random" drawn for it."""
        assert self.spheres is not None
        if not self.random_layout:
            return self.spheres.center.numpy()
        return draw_layout(np.random.default_rng((seed, episode, _LAYOUT_SEED)))

    def start(self, seed: int, episode: int) -> NDArray[np.float64]:
        """qpole's start, redrawn while it lies in a sphere of this episode."""
        rng = np.random.default_rng((seed, episode))
        return self._clear(lambda: anywhere(rng), self.obstacles(seed, episode))

    def spread_start(
        self, rng: np.random.Generator, centers: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """qpole's, redrawn while it lies in a sphere of centers (k, 3), by default the task's."""
        assert self.spheres is not None
        draw = super().spread_start
        return self._clear(lambda: draw(rng), self.spheres.center.numpy() if centers is None else centers)

    def _clear(
        self, draw: Callable[[], NDArray[np.float64]], centers: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        assert self.spheres is not None
        while True:
            x = draw()
            if clear_of(centers, x[:3], float(self.spheres.radius)):
                return x


def draw_layout(rng: np.random.Generator) -> NDArray[np.float64]:
    """Centres (40, 3), uniform in the cube and clear of the goal."""
    return uniform_layout(rng, COUNT, (-REACH,) * 3, (REACH,) * 3, GOAL[:3], CLEAR)


def layout_spheres(layout: str, radius: float, margin: float) -> Spheres:
    """The spheres of "fixed", "random" (the fixed ones stand in) or an .npz file with `position` (k, 3)."""
    fixed = layout in LAYOUTS
    centers = draw_layout(np.random.default_rng(_LAYOUT_SEED)) if fixed else read_layout(layout)
    return keep_out(centers, radius, margin, np.array(GOAL[:3]))


def qpole_obs(
    *, dt: float = 0.05, horizon: int = 5, u_max: float = DEVIATION, velocity_weight: float = 1.0,
    state_weight: Sequence[float] | None = None, control_weight: Sequence[float] = (1e-8,) * 4,
    control_reference: Sequence[float] = (0.0,) * 4, goal_tolerance: float = 0.5,
    obstacle_radius: float = 0.5, safety_margin: float = 0.05, layout: str = "fixed",
) -> QpoleObsTask:  # fmt: skip
    """The task with the paper's numbers, changed by keyword; layout: "fixed", "random" (one an episode) or an
    .npz file with centres `position` (k, 3).
    """
    return flying_pole(
        QpoleObsTask, name="qpole_obs", dt=dt, horizon=horizon, u_max=u_max,
        velocity_weight=velocity_weight, state_weight=state_weight, control_weight=control_weight,
        control_reference=control_reference, goal_tolerance=goal_tolerance, safety_margin=safety_margin,
        spheres=layout_spheres(layout, obstacle_radius, safety_margin), random_layout=layout == "random",
        expert_numbers=EXPERT._replace(starts=4),
    )  # fmt: skip
