"""Long-horizon MPC that climbs the task's reward: what experts are made of.

A reward is no sum of squares: it counts |x|, saturates far from the goal, or wraps its angles. Each solve
therefore tracks the goal with the weights of the quadratic that touches the reward from below at the last
plan (minorise-maximise): w = -(dr/dx) / (x - goal) at every knot, the goal on that knot's branch. At the
fixed point the plan is a local maximum of the reward itself.
"""

from collections.abc import Iterator
from dataclasses import replace
from time import perf_counter
from typing import NamedTuple

import torch
from torch import Tensor

from deqmpc_core.mpc import TrackingSolver
from deqmpc_core.mpc.starts import cold_starts
from deqmpc_core.mpc.warm_start import advance
from deqmpc_core.nets import NetworkAnswer, Scene
from deqmpc_core.policies.base import Policy
from deqmpc_core.policies.config import PolicyConfig
from deqmpc_core.policies.merge import take_rows
from deqmpc_core.policies.search import searched
from deqmpc_core.policies.state import PolicyInfo, PolicyState
from deqmpc_core.tasks import Task
from deqmpc_core.types import Iterate, Observation, Plan, SolverState, Spheres

_SMALLEST = 0.02  # error [state units] below which the touching quadratic gets no narrower
_ACCEPTED = 1e-3  # violation [state units] of a plan that may still be flown
_EASED = (0.0, 0.03, 0.3)  # of the late weights, in the first solves of a cold plan
_CALM = 0.5  # weight of every rate in those
_FORBIDDEN = 1e6  # objective lost per unit of violation beyond it
_UNDER_WAY = {"first": 0.003, "shrink": 0.1}  # barrier from a plan under way, which is nearly optimal


class Candidate(NamedTuple):
    """A plan: x (B, T+1, n), u (B, T, m), status (B,), violation (B,), value (B,): its objective, less a lot
    where it breaks a constraint."""

    x: Tensor
    u: Tensor
    status: Tensor
    violation: Tensor
    value: Tensor


class RewardMpcPolicy(Policy):
    """Cold: the best of several first guesses, each solved `rounds` times. Warm: one solve a tick (or
    `iterations`); a sample whose plan then breaks a constraint starts cold again, and keeps its old plan
    where that fails too."""

    def __init__(self, task: Task, solver: TrackingSolver, config: PolicyConfig) -> None:
        super().__init__(task, solver, config)
        self.numbers = task.expert
        self._last = task.goal.new_tensor(self.numbers.last_weight or (0.0,) * task.n)

    def memory(self, x0: Tensor) -> Tensor:
        """Nothing: (B, 0)."""
        return x0.new_zeros(x0.shape[0], 0)

    def propose(self, x0: Tensor, plan: Tensor, z: Tensor, scene: Scene | None = None) -> NetworkAnswer:
        """The goal at every knot, its angles on the branch of the plan's."""
        return NetworkAnswer(goal_near(self.task, plan), z, x0.new_zeros(x0.shape[0]))

    def objective(self, x: Tensor, u: Tensor) -> Tensor:
        """What a plan x (..., T+1, n), u (..., T, m) is worth (...): the reward less the tracking terms."""
        return self.worth(x, u)[..., -1]

    def arrival(self, x: Tensor, u: Tensor, price: Tensor) -> Tensor:
        """What a plan x (B, C, ..., T+1, n) is worth (B, C, ..., T) that is at the goal from knot 1..T on, if
        it may jump there; price (C, …): of the jump, in units of last_weight."""
        error = x[..., 1:, :] - goal_near(self.task, x[..., 1:, :])
        jump = 0.5 * price * (error.square() * self._last).sum(-1)
        left = torch.arange(x.shape[-2] - 2, -1, -1, dtype=x.dtype)
        best = self.numbers.reward_weight * self.task.reward(self.task.goal)
        return self.worth(x, u) + left * best - jump

    def worth(self, x: Tensor, u: Tensor) -> Tensor:
        """What the plan's part up to knot 1..T is worth (..., T): see `objective`."""
        error = x[..., 1:, :] - goal_near(self.task, x[..., 1:, :])
        effort = ((u - self.task.control_reference).square() * self.task.control_weight).sum(-1)
        cost = (error.square() * self.task.state_weight).sum(-1) + effort
        each = self.numbers.reward_weight * self.task.reward(x[..., 1:, :], u) - 0.5 * cost
        return each.cumsum(-1) - 0.5 * (error.square() * self._last).sum(-1)

    def _cold(
        self, observation: Observation, state: PolicyState, through: bool
    ) -> tuple[Plan, PolicyState]:
        begun = perf_counter()
        return self._answer(observation, self._found(observation), begun)

    def _warm(
        self, observation: Observation, state: PolicyState, iterations: int, knots: float, through: bool
    ) -> tuple[Plan, PolicyState]:
        begun = perf_counter()
        kept = x, u = moved(self.task, state.solver, observation.x, knots)
        best = self._solved(observation, x, u, under_way=True)
        for _ in range(iterations - 1):
            best = self._solved(observation, best.x, best.u, under_way=True)
        lost = ~(best.violation <= _ACCEPTED)
        if lost.any():
            best = self._recovered(observation, kept, best, lost.nonzero()[:, 0])
        return self._answer(observation, best, begun)

    def _found(self, observation: Observation) -> Candidate:
        """The best of all first guesses after `rounds` solves each."""
        best: Candidate | None = None
        for x, u in self._guesses(observation):
            for ease in (*(_EASED[1:] if self.numbers.late else ()), *(1.0,) * self.numbers.rounds):
                candidate = self._solved(observation, x, u, ease)
                x, u = candidate.x, candidate.u
            best = candidate if best is None else better(best, candidate)
        assert best is not None
        return best

    def _guesses(self, observation: Observation) -> Iterator[tuple[Tensor, Tensor]]:
        """First plans: of random searches, and the solver's own cold solves from its several starts."""
        if self.numbers.searches:
            yield from searched(self.task, observation.x, self.numbers.searches, self.arrival)
        solver, x0 = self.solver, observation.x
        hold = x0[:, None].expand(-1, solver.horizon + 1, -1)
        ease = _EASED[0] if self.numbers.late else 1.0
        problem = solver.problem(x0, *self._target(observation, hold, ease), limits=observation.limits)
        barrier = solver.barrier(problem.radius.shape[1], False)
        for guess in cold_starts(self.task.system, problem, barrier.first, self.numbers.starts):
            state, _, _ = solver.backend.solve_interior(problem, guess, barrier)
            yield state.x, state.u

    def _solved(
        self, observation: Observation, x: Tensor, u: Tensor, ease: float = 1.0, under_way: bool = False
    ) -> Candidate:
        """One solve from the plan x, u with the weights that touch the reward there; ease: `_target`."""
        goal, spheres, weight = self._target(observation, x, ease)
        problem = self.solver.problem(
            observation.x, goal, spheres, state_weight=weight, limits=observation.limits
        )
        barrier = self.solver.barrier(problem.radius.shape[1], True)
        start = self.solver.initial_state(observation.x, 1, spheres)._replace(x=x, u=u)
        state, status, numbers = self.solver.backend.solve_interior(
            problem, start, replace(barrier, **_UNDER_WAY) if under_way else barrier
        )
        violation, value = numbers[:, 0], self.objective(state.x, state.u)
        value = torch.nan_to_num(value - _FORBIDDEN * (violation - _ACCEPTED).clamp_min(0.0), nan=-torch.inf)
        return Candidate(state.x, state.u, status, violation, value)

    def _target(
        self, observation: Observation, x: Tensor, ease: float = 1.0
    ) -> tuple[Tensor, Spheres | None, Tensor]:
        """Waypoints (B, T, n), spheres and weights (B, T, n) for a solve from the plan x (B, T+1, n); ease:
        the part of the late weights that counts."""
        weight = self.numbers.reward_weight * touching_weight(self.task, x[:, 1:]) + self.task.state_weight
        weight[:, -1] += self._last
        if ease < 1.0:
            weight[..., self.task.q :] += _CALM
            weight[..., list(self.numbers.late)] *= ease
        return goal_near(self.task, x[:, 1:]), self._spheres(observation.spheres, x), weight

    def _spheres(self, seen: Spheres | None, x: Tensor) -> Spheres | None:
        """The spheres at knots 1..T; moving ones as they answer to the plan x (B, T+1, n)."""
        seen = self.obstacles(seen)
        if seen is None or seen.center.ndim < 4:
            return seen
        centers = [seen.center[:, 0]]
        for t in range(1, x.shape[1] - 1):
            centers.append(self.task.moved(centers[-1], x[:, t]))
        return Spheres(torch.stack(centers, 1), seen.radius)

    def _recovered(
        self, observation: Observation, kept: tuple[Tensor, Tensor], best: Candidate, rows: Tensor
    ) -> Candidate:
        """`best` with the samples in `rows` planned anew, or as they were where no plan is sound."""
        again = better(Candidate(*(v[rows] for v in best)), self._found(take_rows(observation, rows)))
        sound = (again.violation <= _ACCEPTED)[:, None, None]
        x = torch.where(sound, again.x, kept[0][rows])
        again = again._replace(x=x, u=torch.where(sound, again.u, kept[1][rows]))
        mended = Candidate(*(v.clone() for v in best))
        for whole, part in zip(mended, again, strict=True):
            whole[rows] = part
        return mended

    def _answer(self, observation: Observation, best: Candidate, begun: float) -> tuple[Plan, PolicyState]:
        x, u, x0 = best.x, best.u, observation.x
        theta = goal_near(self.task, x[:, 1:])
        info = PolicyInfo(
            0.0, 1e3 * (perf_counter() - begun), torch.zeros_like(best.value)[None], best.violation[None]
        )
        solver = self.solver.initial_state(x0, 1, observation.spheres)._replace(x=x, u=u)
        state = PolicyState(solver, self.memory(x0), torch.ones_like(best.value, dtype=torch.bool))
        return Plan(x, u, theta, (Iterate(x, u, theta),), best.status, info), state


def goal_near(task: Task, x: Tensor) -> Tensor:
    """The goal, its angles on the branch of each x (..., n)."""
    return task.system.to_branch(task.goal.to(x).expand_as(x), x)


def touching_weight(task: Task, x: Tensor) -> Tensor:
    """Weights w (..., n) >= 0 such that -1/2 |. - goal|^2_w touches the reward at x (..., n)."""
    goal = goal_near(task, x)
    error = x - goal
    error = torch.where(error.abs() < _SMALLEST, _SMALLEST, error)
    with torch.inference_mode(False), torch.enable_grad():
        place = (goal + error).clone().requires_grad_()
        (slope,) = torch.autograd.grad(task.reward(place).sum(), place)
    return (-slope / error).clamp_min(0.0)


def moved(task: Task, state: SolverState, x0: Tensor, knots: float) -> tuple[Tensor, Tensor]:
    """The plan `knots` intervals on, on the branch of x0 (B, n): plain angles turned as a whole, because a
    long plan may go round; its end continued by the model."""
    x, u = advance(state.x, knots), advance(state.u, knots)
    near = x0[:, None].expand_as(x).clone()
    for i in task.system.angles:
        x[..., i] -= 2.0 * torch.pi * torch.round((x[:, :1, i] - x0[:, None, i]) / (2.0 * torch.pi))
        near[..., i] = x[..., i]
    x = task.system.to_branch(x, near)
    x[:, -1] = task.system.rk4(x[:, -2], u[:, -1], task.dt, task.substeps)
    return x, u


def better(a: Candidate, b: Candidate) -> Candidate:
    """Sample by sample the one of higher value."""
    second = b.value > a.value
    return Candidate(
        *(torch.where(second.reshape(-1, *[1] * (x.ndim - 1)), y, x) for x, y in zip(a, b, strict=True))
    )
