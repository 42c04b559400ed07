"""Evaluation: returns, failures, held-out errors, residuals and milliseconds, with intervals."""

from deqmpc_train.eval.evaluate import Evaluation, Plan, evaluate, evaluate_policy
from deqmpc_train.eval.flights import Starts, seeded_starts
from deqmpc_train.eval.intervals import normalised
from deqmpc_train.eval.results import Difference, PolicyResult

__all__ = [
    "Difference",
    "Evaluation",
    "Plan",
    "PolicyResult",
    "Starts",
    "evaluate",
    "evaluate_policy",
    "normalised",
    "seeded_starts",
]
