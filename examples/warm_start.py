"""Warm starts: how many iterations a solve takes from nothing, and from the plan of the tick before.

A Crazyflie flies home among its 40 spheres, replanning 0.5 s ahead every 0.1 s, each tick solved both ways.
Run: python examples/warm_start.py
"""

import torch

from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.tasks import load_task
from deqmpc_core.types import SolverState, Status

TICKS = 30
SEED, EPISODE = 0, 1


def fly() -> list[tuple[int, int]]:
    """Gauss-Newton steps of each tick, cold and warm; the first tick has nothing to be warm from."""
    task = load_task("crazyflie")
    solver = TrackingSolver(task)  # to tolerance by the augmented Lagrangian
    x = torch.from_numpy(task.start(SEED, EPISODE))[None]
    home = torch.zeros(1, task.horizon, task.n, dtype=torch.float64)
    state: SolverState | None = None
    counts = []
    for _ in range(TICKS):
        cold = solver(x, home)
        warm = cold if state is None else solver(x, home, warm=solver.shift(state, x))
        assert warm.status == Status.CONVERGED.code, "a tick that did not converge is no tick to count"
        counts.append((int(cold.info.iterations), int(warm.info.iterations)))
        x, state = task.step(x, warm.u[:, 0]), warm.state
    return counts


if __name__ == "__main__":
    counts = fly()
    for tick, (cold, warm) in enumerate(counts):
        print(f"tick {tick:2d}   cold {cold:3d}   warm {warm:3d}")
    later = counts[1:]
    cold, warm = (sum(pair[i] for pair in later) / len(later) for i in (0, 1))
    print(f"mean after the first: cold {cold:.1f}, warm {warm:.1f}")
