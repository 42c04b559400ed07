"""A robot, a task and a policy of your own in one file: a planar drone with two thrusters learns to fly home.

Defined as equations, solved by the MPC solver, flown by an expert, imitated for a minute by DEQ-MPC, judged.
Run: python examples/planar_drone.py            # a few minutes; --help lists what can be changed
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sympy
import torch
import tyro
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.systems import System
from deqmpc_core.tasks import ExpertNumbers, Task, load_task, register_task
from deqmpc_core.types import Solution, Status
from deqmpc_train.config import Overrides
from deqmpc_train.data import DataConfig, generate
from deqmpc_train.eval import Evaluation, Plan, evaluate
from deqmpc_train.train import Places, train
from deqmpc_train.tuned import tuned

NAME, VARIANT = "planar_drone", "deqmpc-nn"
PARAMETERS = {"mass": 0.5, "inertia": 0.004, "arm": 0.15, "gravity": 9.81}  # kg, kg m^2, m, m/s^2
DT, MAX_THRUST, HOVER = 0.05, 5.0, 0.5 * 0.5 * 9.81  # s, N, N of each thruster
SPREAD = np.array([2.0, 2.0, 1.0, 1.0, 1.0, 1.0])  # starts: m, rad, m/s, rad/s either way
AWAY = (2.0, -1.0, 0.8, 0.0, 0.0, 0.0)  # where the solver's own plan starts
HOME = 0.1  # m: near enough at the end
COST = (1.0, 1.0, 0.1, 0.1, 0.1, 0.01)  # of a step, by state, on its squared error
EPISODES, STEPS, JUDGED = 150, 600, 100  # flights of the expert, steps of training, flights of the judges


def motion(x: Sequence[Any], u: Sequence[Any], p: Mapping[str, Any]) -> list[Any]:
    """xdot of [x, z, pitch, vx, vz, rate] under [left, right] thrust; z up, pitch counter-clockwise."""
    _, _, pitch, vx, vz, rate = x
    lift, turn = (u[0] + u[1]) / p["mass"], p["arm"] * (u[1] - u[0]) / p["inertia"]
    return [vx, vz, rate, -lift * sympy.sin(pitch), lift * sympy.cos(pitch) - p["gravity"], turn]


drone = System(
    NAME, ("x", "z", "pitch", "vx", "vz", "rate"), ("left", "right"), 3, PARAMETERS, motion, angles=(2,)
)
EXPERT = ExpertNumbers(40, (1e-3,) * 6, (0.01,) * 2, method="interior_point", last_weight=(20.0,) * 6)


@dataclass(frozen=True, eq=False)
class PlanarDroneTask(Task):
    """Where episodes start, what a step is worth, when one has done its task."""

    def spread_start(self, rng: np.random.Generator) -> NDArray[np.float64]:
        """Anywhere within SPREAD of home."""
        return rng.uniform(-SPREAD, SPREAD)

    def reward(self, x: Tensor, u: Tensor | None = None) -> Tensor:
        """A cost, at most 0: the squared error weighted by COST."""
        return -(self.error(x).square() * x.new_tensor(COST)).sum(-1)

    def success(self, states: Tensor) -> Tensor:
        """Within HOME of the goal at the end."""
        return self.error(states[:, -1])[:, :2].norm(dim=-1) < HOME


def planar_drone(*, u_max: float = MAX_THRUST, horizon: int = 5) -> PlanarDroneTask:
    """The task; its keywords are what `--option` may change."""
    return PlanarDroneTask.of(
        drone, dt=DT, horizon=horizon, episode_steps=80, u_min=0.0, u_max=u_max, control_reference=HOVER,
        state_weight=(10.0, 10.0, 1.0, 1.0, 1.0, 0.1), control_weight=0.05, expert_numbers=EXPERT,
    )  # fmt: skip


register_task(NAME, planar_drone)


def solve() -> Solution:
    """The expert's horizon of MPC from AWAY: 2 s with home as every waypoint."""
    task = load_task(NAME).for_expert()
    solver = TrackingSolver(task, method="interior_point")
    home = task.goal.expand(1, task.horizon, task.n)
    weight = task.state_weight.new_tensor(COST)
    return solver(torch.tensor([AWAY], dtype=torch.float64), home, state_weight=weight)


def learn(folder: Path, episodes: int, steps: int) -> Path:
    """The bundle of a policy that imitates the expert; data, run and bundle lie in `folder`."""
    places = Places(folder / "data", folder / f"{NAME}-{VARIANT}", folder / "run")
    generate(DataConfig(NAME, episodes=episodes), places.data)
    train(tuned(NAME, VARIANT, overrides=Overrides(steps=steps)), places)
    return places.out


def judge(bundle: Path, episodes: int) -> Evaluation:
    """The policy and an MPC without network, from the same starts."""
    return evaluate([str(bundle), "goal-mpc"], load_task(NAME), Plan(episodes))


def main(
    out: Path = Path("runs") / NAME, episodes: int = EPISODES, steps: int = STEPS, judged: int = JUDGED
) -> None:
    """Define, solve, learn, judge. out: a folder that is not there yet."""
    solution = solve()
    print(f"{list(Status)[int(solution.status)].value}; after 2 s at {solution.x[0, -1, :2].tolist()} m")
    for row in judge(learn(out, episodes, steps), judged).results:
        share, rate = row.flight.normalised_return, row.flight.success_rate
        print(f"{row.policy}: {share:.3f} of the expert's return, success {rate:.0%}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    tyro.cli(main)
