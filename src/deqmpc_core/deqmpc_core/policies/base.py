"""The alternation of network and solver (Eqs. 9-10), shared by every policy.

A policy maps (observation, state) to (plan, state) and keeps nothing: what the next tick needs is in the
state.
"""

from abc import ABC, abstractmethod
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError, ShapeError
from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.nets import NetworkAnswer, WaypointNetwork
from deqmpc_core.policies.actor import Actor
from deqmpc_core.policies.config import PolicyConfig
from deqmpc_core.policies.merge import merge_plans, merge_states, take_rows
from deqmpc_core.tasks import Task
from deqmpc_core.types import Iterate, Observation, Plan, SolverState, Spheres


class PolicyState(NamedTuple):
    """The last tick's solver state, the policy's memory z (B, ...), and warm (B,): False means start cold."""

    solver: SolverState
    z: Tensor
    warm: Tensor


class PolicyInfo(NamedTuple):
    """Wall time of the call in network and solver [ms]; per sample and round the fixed-point residual of the
    network and the largest constraint violation, each (rounds, B)."""

    network_ms: float
    solver_ms: float
    residual: Tensor
    violation: Tensor


class Policy(ABC):
    """Base of all policies; a subclass says what theta is and whether it is asked every round."""

    asks_every_round = False

    def __init__(
        self,
        task: Task,
        solver: TrackingSolver,
        config: PolicyConfig,
        network: WaypointNetwork | Actor | None = None,
    ) -> None:
        self.task, self.solver, self.config, self.network = task, solver, config, network

    @abstractmethod
    def propose(self, x0: Tensor, plan: Tensor, z: Tensor) -> NetworkAnswer:
        """Waypoints from x0 (B, n), the solver's states (B, T, n) and the memory z (Eq. 9)."""

    @abstractmethod
    def memory(self, x0: Tensor) -> Tensor:
        """The memory z (B, ...) with which an episode starts at x0 (B, n)."""

    def obstacles(self, seen: Spheres | None) -> Spheres | None:
        """What the solver keeps clear of: the spheres the observation brings, None for the task's own."""
        return seen

    def initial_state(self, batch: int, plan: Plan | None = None) -> PolicyState:
        """A cold state for `batch` samples, or a warm one around a plan of knots 0..T already under way."""
        x0 = self.task.goal.expand(batch, -1) if plan is None else plan.x[:, 0]
        solver = self.solver.initial_state(x0, self._cold_iterations, self.obstacles(None))
        if plan is not None:
            solver = solver._replace(x=plan.x, u=plan.u)
        warm = torch.full((batch,), plan is not None, dtype=torch.bool, device=x0.device)
        return PolicyState(solver, self.memory(x0), warm)

    def __call__(
        self, observation: Observation, state: PolicyState, iterations: int = 1, knots: float = 1.0
    ) -> tuple[Plan, PolicyState]:
        """One tick without gradients: cold samples run N rounds, warm ones `iterations` of them.

        knots: how many intervals have passed since the tick that `state` comes from.
        """
        with torch.inference_mode():
            return self.unroll(observation, state, iterations, knots)

    def unroll(
        self,
        observation: Observation,
        state: PolicyState,
        iterations: int = 1,
        knots: float = 1.0,
        through: bool = True,
    ) -> tuple[Plan, PolicyState]:
        """The same with gradients to the network; through=False cuts them between rounds."""
        self._check(observation, state, iterations)
        observation, warm = observation._replace(x=observation.x.to(torch.float64)), state.warm
        if warm.all():
            return self._warm(observation, state, iterations, knots, through)
        if not warm.any():
            return self._cold(observation, through)
        return self._mixed(observation, state, iterations, knots, through)

    @property
    def _cold_iterations(self) -> int:
        return self.config.rounds * self.config.al_iterations

    def _cold(self, observation: Observation, through: bool) -> tuple[Plan, PolicyState]:
        spheres = self.obstacles(observation.spheres)
        solver = self.solver.initial_state(observation.x, self._cold_iterations, spheres)
        return self._alternate(observation, solver, self.memory(observation.x), self.config.rounds, through)

    def _warm(
        self, observation: Observation, state: PolicyState, iterations: int, knots: float, through: bool
    ) -> tuple[Plan, PolicyState]:
        total = self.config.al_iterations * iterations
        solver = self.solver.shift(state.solver, observation.x, knots=knots, al_iterations=total)
        return self._alternate(observation, solver, state.z, iterations, through)

    def _mixed(
        self, observation: Observation, state: PolicyState, iterations: int, knots: float, through: bool
    ) -> tuple[Plan, PolicyState]:
        """Cold and warm samples each run their own schedule; the last common rounds are reported."""
        groups = ((~state.warm).nonzero()[:, 0], state.warm.nonzero()[:, 0])
        parts = [
            self.unroll(take_rows(observation, rows), take_rows(state, rows), iterations, knots, through)
            for rows in groups
        ]
        order = torch.argsort(torch.cat(groups))
        return merge_plans([plan for plan, _ in parts], order), merge_states([s for _, s in parts], order)

    def _alternate(
        self, observation: Observation, solver: SolverState, z: Tensor, rounds: int, through: bool
    ) -> tuple[Plan, PolicyState]:
        x0, spheres, m = observation.x, self.obstacles(observation.spheres), self.config.al_iterations
        calls, each = (rounds, m) if self.asks_every_round else (1, m * rounds)
        plan, tally, iterates = solver.x[:, 1:], _Tally(), []
        solution = None
        for _ in range(calls):
            tally.start()
            theta, z, residual = self.propose(x0, plan, z)
            tally.network_done(residual)
            solution = self.solver(x0, theta, solver, each, spheres, limits=observation.limits)
            tally.solver_done(solution.info.violation)
            solver = solution.state
            plan = solution.x[:, 1:] if through else solution.x[:, 1:].detach()
            iterates.append(Iterate(solution.x, solution.u, theta))
        assert solution is not None
        warm = torch.ones(x0.shape[0], dtype=torch.bool, device=x0.device)
        last = iterates[-1]
        result = Plan(last.x, last.u, last.theta, tuple(iterates), solution.status, tally.info())
        return result, PolicyState(solver, z, warm)

    def _check(self, observation: Observation, state: PolicyState, iterations: int) -> None:
        x = observation.x
        if x.ndim != 2 or x.shape[1] != self.task.n:
            raise ShapeError(f"expected observation.x of shape (B, {self.task.n}), got {tuple(x.shape)}")
        if state.warm.shape[0] != x.shape[0]:
            raise ShapeError(
                f"observation has {x.shape[0]} samples, the state {state.warm.shape[0]}; "
                "use initial_state(batch)"
            )
        if iterations < 1:
            raise ConfigError(f"iterations must be at least 1, got {iterations}")


class _Tally:
    """Times and residuals of a call's rounds."""

    def __init__(self) -> None:
        self.network = self.solver = self.mark = 0.0
        self.residuals: list[Tensor] = []
        self.violations: list[Tensor] = []

    def start(self) -> None:
        self.mark = perf_counter()

    def network_done(self, residual: Tensor) -> None:
        now = perf_counter()
        self.network, self.mark = self.network + now - self.mark, now
        self.residuals.append(residual)

    def solver_done(self, violation: Tensor) -> None:
        self.solver += perf_counter() - self.mark
        self.violations.append(violation)

    def info(self) -> PolicyInfo:
        return PolicyInfo(
            1e3 * self.network, 1e3 * self.solver, torch.stack(self.residuals), torch.stack(self.violations)
        )
