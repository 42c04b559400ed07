"""How large everything is at each budget."""

from dataclasses import dataclass, field
from typing import TypeVar

from deqmpc_core.errors import UnknownNameError
from deqmpc_train.config import Overrides
from deqmpc_train.tuned import BUDGETS, GRID, Budget

T = TypeVar("T")

TASKS = ("pendulum", "cartpole", "quadrotor", "crazyflie", "qpole", "qpole_obs", "qpole_dyn_obs")
THREE_SPLITS = ("pendulum", "cartpole", "quadrotor", "crazyflie")  # on a laptop; the rest have one


@dataclass(frozen=True)
class Scale:
    """overrides: of every training. grid: learning rates tried. episodes, steps: of an evaluation (steps 0:
    the task's). data_episodes, data_steps: of a generated data set (None: the paper's). windows: held-out
    ones. flights: of table 1, in blocks of `block` of one seed each, of flight_steps policy periods (0: the
    task's). repeats: of a timing."""

    budget: Budget
    overrides: Overrides = field(default_factory=Overrides)
    grid: tuple[float, ...] = GRID
    episodes: int = 200
    steps: int = 0
    data_episodes: int | None = None
    data_steps: int | None = None
    windows: int = 1000
    flights: int = 200
    block: int = 20
    flight_steps: int = 0
    repeats: int = 20

    def pick(self, *, smoke: T, laptop: T, paper: T) -> T:
        """One of three values, by the budget."""
        return {"smoke": smoke, "laptop": laptop, "paper": paper}[self.budget]

    def splits(self, task: str) -> tuple[int, ...]:
        """Training/validation splits of a task in Figure 2 (Section 5.1 has three)."""
        laptop = (0, 1, 2) if task in THREE_SPLITS else (0,)
        return self.pick(smoke=(0, 1) if task == "pendulum" else (0,), laptop=laptop, paper=(0, 1, 2))


_SCALES: dict[str, Scale] = {
    "smoke": Scale(
        "smoke", Overrides(rounds=3), (1e-3, 3e-3), episodes=6, steps=15, data_episodes=50, data_steps=8,
        windows=60, flights=1, block=1, flight_steps=5, repeats=2,
    ),
    "laptop": Scale("laptop"),
    "paper": Scale("paper"),
}  # fmt: skip


def scale_of(budget: str) -> Scale:
    """The sizes of a budget. Raises UnknownNameError."""
    if budget not in BUDGETS:
        raise UnknownNameError("budget", budget, BUDGETS)
    return _SCALES[budget]
