"""What tests and benchmarks of a tracking solver need: problems by seed, IPOPT as the oracle, differences."""

from deqmpc_core.testing.differences import finite_difference
from deqmpc_core.testing.oracle import Answers, IpoptOracle
from deqmpc_core.testing.problems import Guess, Problems, cold_guess, random_problems, warm_problems
from deqmpc_core.testing.shares import (
    Solved,
    cost_and_violation,
    ipopt_answers,
    solved,
    solved_share,
    warm_set,
)

__all__ = [
    "Answers", "Guess", "IpoptOracle", "Problems", "Solved", "cold_guess", "cost_and_violation",
    "finite_difference", "ipopt_answers", "random_problems", "solved", "solved_share", "warm_problems",
    "warm_set",
]  # fmt: skip
