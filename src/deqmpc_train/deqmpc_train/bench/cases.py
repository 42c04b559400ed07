"""The problem set of the benchmark."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deqmpc_core.testing import Answers, Problems, ipopt_answers, random_problems, warm_set

SEED = 3
_FEW, _LONG = 20, 10  # distinct problems of a set; of one with a long horizon


class Settings(NamedTuple):
    """quick: the short set. threads: CPU threads of every peer. tolerance: of every solver. folder: where
    IPOPT's answers are kept. budget: seconds of timed calls of a peer in a cell. limit: seconds after which
    no new cell is begun."""

    quick: bool = False
    threads: int = 1
    tolerance: float = 5e-5
    folder: Path = Path("runs/bench/ipopt")
    budget: float = 0.5
    limit: float = 280.0


class ProblemSet(NamedTuple):
    """A task, horizon T, k spheres, cold or warm, and the (batch, mode) pairs it is run with."""

    kind: str
    horizon: int
    obstacles: int
    warm: bool
    cells: tuple[tuple[int, str], ...]

    @property
    def name(self) -> str:
        """As rows name it."""
        spheres = f"{self.obstacles} obstacles" if self.obstacles else "box"
        return f"{self.kind} T={self.horizon} {spheres} {'warm' if self.warm else 'cold'}"

    @property
    def family(self) -> tuple[str, int, bool]:
        """What sets of other horizons share with this one."""
        return self.kind, self.obstacles, self.warm

    def problems(self, folder: Path) -> tuple[Problems, Answers]:
        """Distinct problems and IPOPT's answers to them."""
        count = _FEW if self.horizon <= 20 else _LONG
        of = (self.kind, self.horizon, count, SEED, self.obstacles)
        problems = warm_set(*of, folder) if self.warm else random_problems(*of)
        return problems, ipopt_answers(problems, folder)


def problem_sets(quick: bool) -> Iterator[ProblemSet]:
    """quadrotor T = 5, 20, 50, box and 40 obstacles, cold and warm; cartpole and pendulum."""
    if quick:
        for obstacles in (0, 40):
            yield ProblemSet("quadrotor", 5, obstacles, False, ((1, "forward"), (200, "forward")))
        yield ProblemSet("quadrotor", 5, 0, True, ((1, "forward"),))
        yield ProblemSet("pendulum", 5, 0, False, ((200, "gauss_newton"),))
        return
    for horizon in (5, 20, 50):
        for obstacles in (0, 40):
            yield ProblemSet("quadrotor", horizon, obstacles, False, _cells(horizon))
            yield ProblemSet("quadrotor", horizon, obstacles, True, ((1, "forward"), (200, "forward")))
        if horizon == 20:
            for kind in ("cartpole", "pendulum"):
                cells = (1, "forward"), (200, "forward"), (200, "gauss_newton")
                yield ProblemSet(kind, horizon, 0, False, cells)


def _cells(horizon: int) -> tuple[tuple[int, str], ...]:
    if horizon == 5:
        batches, modes = (1, 200, 2000), ("forward", "gauss_newton", "exact")
        return tuple((batch, mode) for batch in batches for mode in modes)
    return (1, "forward"), (200, "forward"), (200, "gauss_newton"), (200, "exact")
