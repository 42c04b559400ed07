"""The pilot of a robot that takes the plan's controls themselves: states in, controls out. Uses torch."""

from typing import Any, NamedTuple

import numpy as np
import torch

from deqmpc_core.errors import DeqmpcError
from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.live_policy import LivePolicy
from deqmpc_core.flight.pilot import PilotConfig
from deqmpc_core.policies.carry import resized
from deqmpc_core.types import Observation, Spheres


class ControlPacket(NamedTuple):
    """Controls u (T, m) held for dt [s] each from `stamp` [s] on; status: code of the solver's Status;
    frame_number: newest motion-capture frame behind them."""

    stamp: float
    dt: float
    u: Array
    status: int
    frame_number: int

    def at(self, t: float) -> Array | None:
        """The control (m,) to hold at t [s]; None past the plan's end."""
        index = max(0, int(np.floor((t - self.stamp) / self.dt + 1e-6)))
        return self.u[index] if index < len(self.u) else None


class ControlPilot(LivePolicy):
    """Plans a task's controls; a swap, other spheres and tighter limits are taken up at the next tick."""

    def __init__(self, policy: Any, task: Any, config: PilotConfig | None = None) -> None:
        """policy: deqmpc_core.policies' interface; task: deqmpc_core.tasks.Task."""
        self.config = config or PilotConfig()
        super().__init__(policy, task)

    def tick(self, x: Array, t: float, frame_number: int = 0, centers: Array | None = None) -> ControlPacket:
        """Plan from the state x (n,), which is for time t [s], amid moving spheres at centers (k, 3), world.

        Raises ValueError where the plan's controls are not finite; the next tick then starts cold.
        """
        if self._state is None:
            self._state, knots = self._policy.initial_state(1), 1.0
        else:
            passed = round((t - self._last_tick) / self._task.dt, 6)
            knots = min(max(passed, 0.0), float(self._task.horizon))
        seen = self._observation(torch.from_numpy(np.asarray(x, dtype=float))[None], t, centers)
        if seen.spheres is not None:
            self._state = resized(self._state, seen.spheres.center.shape[-2])
        plan, self._state = self._policy(seen, self._state, iterations=self.config.iterations, knots=knots)
        self.plan, self._last_tick = plan, t
        u = plan.u[0].detach().cpu().double()
        if not bool(torch.isfinite(u).all()):
            self.reset()
            raise ValueError("the plan's controls are not finite")
        return ControlPacket(
            t, float(self._task.dt), self._limited(u).numpy(), int(plan.status[0]), frame_number
        )

    def _limited(self, u: torch.Tensor) -> torch.Tensor:
        """u (T, m) within the limits that hold: a solver keeps them to its tolerance only."""
        low, high = self.limits or (self._task.u_lo, self._task.u_hi)
        return self._task.limited(torch.minimum(torch.maximum(u, low), high))

    def _observation(self, x: torch.Tensor, t: float, centers: Array | None) -> Observation:
        """x (1, n) as the batch environment has it, the spheres at the plan's knots 1..T, the limits."""
        task, horizon = self._task, self._policy.config.horizon
        x = task.system.wrapped(x, task.angle_low)
        if self.obstacles is not None:
            times = t + task.dt * np.arange(1.0, horizon + 1.0)
            places = torch.from_numpy(self.obstacles.at(times) - self._origin)
            radii = torch.from_numpy(self.obstacles.radii)[None]
            return Observation(x, Spheres(places[None] if self.obstacles.moving else places[0], radii),
                               self.limits)  # fmt: skip
        if task.fixed_layout:
            return Observation(x, None, self.limits)
        if centers is None:
            raise DeqmpcError("the spheres of the task move, and motion capture has not shown them all")
        seen = task.observe(x, torch.from_numpy(centers - self._origin)[None], horizon)
        return seen._replace(limits=self.limits)
