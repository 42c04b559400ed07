"""The judge of a robot other than the drone: the task's own reward, failures and success, knot by knot."""

import math

import numpy as np
import torch

from deqmpc_core.flight.frames import Array
from deqmpc_core.tasks import Task
from deqmpc_core.tasks.task import HOLD
from deqmpc_sim.referee import EpisodeResult


class PlantReferee:
    """observe() the true state at every knot; the rules are those of the batch environment."""

    def __init__(
        self, task: Task, start: Array, centers: Array | None = None, steps: int | None = None
    ) -> None:
        """start (n,); centers (k, 3): the episode's spheres at its start, task frame; steps: the last knot,
        by default the task's."""
        self._task, self._steps = task, steps or task.episode_steps
        self.states, self.controls = [start], []
        """True states at the knots, the start first, and the controls (m,) between them."""
        self.rewards: list[float] = []
        self.failure: str | None = None
        self._near = 0
        self._clearance = math.inf
        moves = centers is not None and not task.fixed_layout
        self._centers = torch.from_numpy(centers)[None] if moves else None

    @property
    def over(self) -> bool:
        """By failure, by success where that ends an episode, or by the last step."""
        held = self._task.ends_at_success and self._near >= HOLD
        return self.failure is not None or held or len(self.controls) >= self._steps

    def observe(self, x: Array, u: Array) -> None:
        """A step has led to x (n,) under u (m,)."""
        task = self._task
        before, after = (torch.from_numpy(v)[None] for v in (self.states[-1], x))
        self.failure = task.failures(before, after, self._centers)[0]
        if np.isfinite(x).all():
            passed = task.clearance(before, after, self._centers)[0].tolist()
            self._clearance = min([self._clearance, *passed])
            self.states.append(x.copy())
        self.controls.append(u.copy())
        if self.failure is None:
            self.rewards.append(float(task.reward(after[0], torch.from_numpy(u))))
        self._near = self._near + 1 if bool(task.near(after)[0]) else 0
        if self._centers is not None:
            self._centers = task.moved(self._centers, before)

    def end(self, reason: str) -> None:
        """Nobody flies any more: a failure, unless the episode is over."""
        if not self.over:
            self.failure = reason

    def centers_at(self, share: float) -> Array:
        """Centres (k, 3) world [m] of spheres that move, `share` of the way to the next knot; none where they
        rest."""
        if self._centers is None or not self._task.moving:
            return np.zeros((0, 3))
        following = self._task.moved(self._centers, torch.from_numpy(self.states[-1])[None])
        return (torch.lerp(self._centers, following, share)[0] + self._task.origin).numpy()

    @property
    def distance(self) -> float:
        """Distance of the robot from the goal now [m]; NaN for one that stays where it is."""
        error, system = self._task.error(torch.from_numpy(self.states[-1])), self._task.system
        first = system.position
        places = [i for i in range(system.configuration) if i not in system.angles]
        places = places if first is None else [first, first + 1, first + 2]
        return float(error[places].norm()) if places else math.nan

    @property
    def clearance(self) -> float:
        """Smallest distance so far to a sphere's surface [m], infinite without spheres."""
        return self._clearance

    def result(self) -> EpisodeResult:
        """The verdict so far."""
        states = torch.from_numpy(np.array(self.states))[None]
        done = self.over and self.failure is None
        return EpisodeResult(
            return_=math.fsum(self.rewards),
            success=done and bool(self._task.success(states)[0]),
            failure=self.failure,
            final_distance=self.distance,
            mean_distance=math.nan,
            min_obstacle_distance=self._clearance,
            steps=len(self.rewards),
        )
