"""Held-out errors of single windows, by augmented-Lagrangian iteration too (Figure 10). W windows, K = N m
iterations of a cold tick."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.policies import Policy
from deqmpc_core.types import Solution, SolverState, Spheres
from deqmpc_train.config import TrainConfig
from deqmpc_train.data import Window
from deqmpc_train.loss import View, view

Array = NDArray[np.float64]
_BATCH = 200


class WindowErrors(NamedTuple):
    """Mean over knots of |x - x_expert|_1 [state units]: cold (W,) after the cold tick's last round, warm
    (W,) mean over the streamed ticks, iterations (K, W) after each AL iteration of the cold tick (one row for
    a network without a solver)."""

    cold: Array
    warm: Array
    iterations: Array

    @property
    def error(self) -> Array:
        """(W,): mean of cold and streamed, as a validation has it."""
        return 0.5 * (self.cold + self.warm)


class StepByStep:
    """A solver that runs every AL iteration in a call of its own and keeps the states after each; its answers
    are those of the solver itself, whose state carries all from call to call."""

    def __init__(self, solver: TrackingSolver) -> None:
        self._solver = solver
        self.states: list[Tensor] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._solver, name)

    def __call__(
        self, x0: Tensor, reference: Tensor, warm: SolverState | None, al_iterations: int,
        spheres: Spheres | None = None, **options: Any,
    ) -> Solution:  # fmt: skip
        """As the solver's own."""
        solution = None
        for _ in range(al_iterations):
            solution = self._solver(x0, reference, warm, 1, spheres, **options)
            warm = solution.state
            self.states.append(solution.x)
        assert solution is not None
        return solution


def window_errors(policy: Policy, windows: Window, config: TrainConfig) -> WindowErrors:
    """Errors of all windows given, without gradients."""
    count = len(windows.x)
    parts = [_errors(policy, _rows(windows, slice(i, i + _BATCH)), config) for i in range(0, count, _BATCH)]
    return WindowErrors(*(np.concatenate(values, axis=-1) for values in zip(*parts, strict=True)))


def _errors(policy: Policy, window: Window, config: TrainConfig) -> WindowErrors:
    stepped = StepByStep(policy.solver)
    watched: Any = type(policy)(policy.task, stepped, policy.config, policy.network)  # type: ignore[arg-type]
    state, ticks, iterations = watched.initial_state(len(window.x)), [], []
    with torch.inference_mode():
        for tick in range(config.stream_steps + 1):
            seen = view(policy.task, window, tick, config.policy.horizon)
            plan, state = watched.unroll(seen.seen, state, config.stream_rounds)
            ticks.append(_l1(plan.rounds[-1].x, seen))
            if tick == 0:
                iterations = [_l1(x, seen) for x in stepped.states] or [ticks[0]]
    warm = np.mean(ticks[1:], axis=0) if len(ticks) > 1 else ticks[0]
    return WindowErrors(ticks[0], warm, np.stack(iterations))


def _rows(windows: Window, rows: slice) -> Window:
    centers = None if windows.centers is None else windows.centers[rows]
    return Window(windows.x[rows], windows.mask[rows], None, centers)


def _l1(x: Tensor, seen: View) -> Array:
    """(W,): mean over valid knots 1..T of |x - target|_1; 0 where none is valid."""
    errors = ((x[:, 1:] - seen.target).abs().sum(-1) * seen.mask).sum(1)
    return (errors / seen.mask.sum(1).clamp_min(1)).numpy()
