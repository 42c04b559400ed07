"""The alternation of network and solver (Eqs. 9-10), shared by every policy.

A policy maps (observation, state) to (plan, state) and keeps nothing: what the next tick needs is in the
state.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError, ShapeError
from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.nets import NetworkAnswer, Scene, WaypointNetwork
from deqmpc_core.policies.actor import Actor
from deqmpc_core.policies.config import PolicyConfig
from deqmpc_core.policies.merge import merge_plans, merge_states, take_rows
from deqmpc_core.policies.state import PolicyState, Tally, later
from deqmpc_core.tasks import Task
from deqmpc_core.types import Iterate, Observation, Plan, Spheres


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
    def propose(self, x0: Tensor, plan: Tensor, z: Tensor, scene: Scene | None = None) -> NetworkAnswer:
        """Waypoints from x0 (B, n), the solver's states (B, T, n), the memory z and what is seen of spheres
        (Eq. 9)."""

    @abstractmethod
    def memory(self, x0: Tensor) -> Tensor:
        """The memory z (B, ...) with which an episode starts at x0 (B, n)."""

    def obstacles(self, seen: Spheres | None) -> Spheres | None:
        """What the solver keeps clear of: the spheres the observation brings, centres (B, k, 3) or
        (B, T, k, 3); None for the task's own."""
        return seen

    def scene(self, observation: Observation, estimate: Tensor | None) -> Scene | None:
        """What `propose` sees of the spheres; estimate (B, T, k, 3): predicted before. None: nothing."""
        return None

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
        """Act, without gradients: cold samples run N rounds, warm ones `iterations` of them.

        knots: how many intervals have passed since the tick that `state` comes from.
        """
        with torch.inference_mode():
            return self._tick(observation, state, iterations, knots)

    def unroll(
        self,
        observation: Observation,
        state: PolicyState,
        iterations: int = 1,
        knots: float = 1.0,
        through: bool = True,
    ) -> tuple[Plan, PolicyState]:
        """What training supervises, with gradients to the network: the same tick, but of a bare network its
        prediction alone. through=False cuts the gradients between rounds. plan.x (B, T+1, n) and plan.u
        (B, T, m); each of plan.rounds has its own."""
        return self._tick(observation, state, iterations, knots, through)

    def _tick(
        self,
        observation: Observation,
        state: PolicyState,
        iterations: int = 1,
        knots: float = 1.0,
        through: bool = True,
    ) -> tuple[Plan, PolicyState]:
        self._check(observation, state, iterations)
        observation, warm = observation._replace(x=observation.x.to(torch.float64)), state.warm
        if warm.all():
            return self._warm(observation, state, iterations, knots, through)
        if not warm.any():
            return self._cold(observation, state, through)
        return self._mixed(observation, state, iterations, knots, through)

    @property
    def _cold_iterations(self) -> int:
        return self.config.rounds * self.config.al_iterations

    def _cold(
        self, observation: Observation, state: PolicyState, through: bool
    ) -> tuple[Plan, PolicyState]:
        spheres = self.obstacles(observation.spheres)
        solver = self.solver.initial_state(observation.x, self._cold_iterations, spheres)
        begin = PolicyState(solver, self.memory(observation.x), state.warm)
        return self._alternate(observation, begin, self.config.rounds, through)

    def _warm(
        self, observation: Observation, state: PolicyState, iterations: int, knots: float, through: bool
    ) -> tuple[Plan, PolicyState]:
        total = self.config.al_iterations * iterations
        solver = self.solver.shift(state.solver, observation.x, knots=knots, al_iterations=total)
        begin = PolicyState(solver, state.z, state.warm, later(state.centers, knots))
        return self._alternate(observation, begin, iterations, through)

    def _mixed(
        self, observation: Observation, state: PolicyState, iterations: int, knots: float, through: bool
    ) -> tuple[Plan, PolicyState]:
        """Cold and warm samples each run their own schedule; the last common rounds are reported."""
        groups = ((~state.warm).nonzero()[:, 0], state.warm.nonzero()[:, 0])
        parts = [
            self._tick(take_rows(observation, rows), take_rows(state, rows), iterations, knots, through)
            for rows in groups
        ]
        order = torch.argsort(torch.cat(groups))
        return merge_plans([plan for plan, _ in parts], order), merge_states([s for _, s in parts], order)

    def _alternate(
        self, observation: Observation, begin: PolicyState, rounds: int, through: bool
    ) -> tuple[Plan, PolicyState]:
        """Eqs. 9 and 10 from `begin` on: tau^0, z and the spheres' predicted centres of an earlier tick."""
        x0, spheres, m = observation.x, self.obstacles(observation.spheres), self.config.al_iterations
        calls, each = (rounds, m) if self.asks_every_round else (1, m * rounds)
        solver, z, scene = begin.solver, begin.z, self.scene(observation, begin.centers)
        plan, tally, iterates, solution = solver.x[:, 1:], Tally(), [], None
        for _ in range(calls):
            tally.start()
            answer = self.propose(x0, plan, z, scene)
            z, weight = answer.z, self._state_weight(answer)
            if scene is not None and answer.centers is not None:
                spheres = Spheres(answer.centers, scene.radius)
                scene = scene._replace(estimate=answer.centers if through else answer.centers.detach())
            tally.network_done(answer.residual)
            solution = self.solver(
                x0, answer.theta, solver, each, spheres, limits=observation.limits, state_weight=weight
            )
            tally.solver_done(solution.info.violation)
            solver = solution.state
            plan = solution.x[:, 1:] if through else solution.x[:, 1:].detach()
            iterates.append(Iterate(solution.x, solution.u, answer.theta, answer.centers, weight))
        assert solution is not None
        last = iterates[-1]
        result = Plan(last.x, last.u, last.theta, tuple(iterates), solution.status, tally.info())
        centers = None if last.centers is None else last.centers.detach()
        return result, PolicyState(solver, z, torch.ones_like(begin.warm), centers)

    def _state_weight(self, answer: NetworkAnswer) -> Tensor | None:
        """The task's state weights (B, T, n) with the rates' scaled as the network asks; None: as they
        are."""
        if answer.rate_factor is None:
            return None
        q, own = self.task.q, self.task.state_weight.to(answer.theta)
        rates = own[q:] * answer.rate_factor
        return torch.cat((own[:q].expand(*rates.shape[:2], q), rates), -1)

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
