"""The pilot: turns state estimates into plan packets with a policy. Uses torch; the commander does not."""

from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight.estimator import Estimate
from deqmpc_core.flight.frames import (
    GRAVITY,
    Array,
    matrix_from_quaternion,
    task_from_world,
    world_from_task,
    yaw_from_quaternion,
)
from deqmpc_core.flight.trajectory import PlanPacket
from deqmpc_core.types import Observation, Plan


@dataclass(frozen=True)
class PilotConfig:
    """How plans are made.

    iterations: policy rounds a tick when warm (a cold start runs the policy's own number). disturbance_gain:
    share of the acceleration error seen over the last tick that corrects the feed-forward, 0 switches the
    observer off; disturbance_limit [m/s^2]: bound of the correction on each axis.
    """

    iterations: int = 1
    disturbance_gain: float = 0.1
    disturbance_limit: float = 2.0

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ConfigError(f"iterations must be at least 1, got {self.iterations}")
        if not 0.0 <= self.disturbance_gain <= 1.0 or not 0.0 <= self.disturbance_limit <= 5.0:
            raise ConfigError(
                "disturbance_gain must be in [0, 1] and disturbance_limit in [0, 5] m/s^2, "
                f"got {self.disturbance_gain} and {self.disturbance_limit}"
            )


class TickTimes(NamedTuple):
    """Milliseconds of the last tick: all of it, and network and solver where the policy tells (else NaN)."""

    total: float = float("nan")
    network: float = float("nan")
    solver: float = float("nan")


class Pilot:
    """Plans for a quadrotor task (state [r, MRP, body v, omega], motor thrusts as controls)."""

    def __init__(self, policy: Any, task: Any, config: PilotConfig | None = None) -> None:
        """policy: deqmpc_core.policies' interface; task: deqmpc_core.tasks.Task."""
        self.config = config or PilotConfig()
        self._policy, self._task = policy, task
        self._origin = np.asarray(task.origin, dtype=float)
        self.reset()

    def reset(self) -> None:
        """Forget the last plan: the next tick starts cold."""
        self.times = TickTimes()
        self.plan: Plan | None = None
        self.bias: Array = np.zeros(3)
        self._state: Any = None
        self._last: PlanPacket | None = None
        self._asked: PlanPacket | None = None
        self._velocity: Array | None = None
        self._sequence = 0

    def tick(self, estimate: Estimate, t: float) -> PlanPacket:
        """Plan from the estimate, which is for time t [s]; knot 0 of the packet is at t."""
        began = perf_counter()
        state = task_from_world(
            estimate.position, estimate.quaternion, estimate.velocity, estimate.omega, self._origin
        )
        self._observe_disturbance(t, estimate.velocity)
        plan = self._ask(torch.from_numpy(state)[None], t)
        packet = self._packet(plan, t, estimate.frame_number)
        self._remember(plan, packet)
        told = plan.info
        network, solver = (float(getattr(told, name, float("nan"))) for name in ("network_ms", "solver_ms"))
        self.times = TickTimes(1e3 * (perf_counter() - began), network, solver)
        return packet

    def _ask(self, x: torch.Tensor, t: float) -> Plan:
        """One call of the policy on x (1, n) at t [s]: cold on the first tick, else warm, moved on by the
        time passed.
        """
        knots = 1.0
        if self._state is None:
            self._state = self._policy.initial_state(1)
        elif self._last is not None:
            # Stamps are sums of binary fractions: without rounding one whole knot would be interpolated.
            knots = min(
                max(round((t - self._last.stamp) / self._last.dt, 6), 0.0), float(len(self._last.yaw) - 1)
            )
        plan, self._state = self._policy(
            Observation(x), self._state, iterations=self.config.iterations, knots=knots
        )
        return plan

    def _remember(self, plan: Plan, packet: PlanPacket) -> None:
        """Keep a usable plan; after an unusable one the next tick starts cold."""
        self.plan, self._sequence = plan, self._sequence + 1
        if packet.fault() is None:
            self._last = packet
        else:
            self._last, self._state = None, None

    def _packet(self, plan: Plan, t: float, frame_number: int) -> PlanPacket:
        x, u = plan.x[0].double().cpu().numpy(), plan.u[0].double().cpu().numpy()
        position, quaternion, velocity, _ = world_from_task(x, self._origin)
        acceleration = self._acceleration(quaternion, u) + self.bias
        yaw = np.unwrap(yaw_from_quaternion(quaternion))
        status = int(plan.status[0])
        return PlanPacket(
            t,
            float(self._task.dt),
            position,
            velocity,
            acceleration,
            yaw,
            status,
            frame_number,
            self._sequence,
        )

    def _acceleration(self, quaternion: Array, u: Array) -> Array:
        """World acceleration without gravity (T+1, 3): R e3 sum(f)/m + g at each knot; the last knot keeps
        the last thrust."""
        p = self._task.system.parameters
        thrust = np.sum(p["thrust_gain"] * u + p["thrust_offset"], axis=-1) / p["mass"]
        upward = matrix_from_quaternion(quaternion)[..., 2]
        return upward * np.append(thrust, thrust[-1])[:, None] - np.array([0.0, 0.0, GRAVITY])

    def _observe_disturbance(self, t: float, velocity: Array) -> None:
        """Low-pass the acceleration that was measured over the last tick but not asked for, and ask for its opposite.

        Plans start at the measured state, so nothing else in the loop remembers a wrong mass, thrust or drag. What was
        asked for is read from the plan before the last: the robot takes about a period to tilt as it is told.
        """
        before, self._velocity = self._velocity, velocity
        asked, self._asked = self._asked, self._last
        gain, limit = self.config.disturbance_gain, self.config.disturbance_limit
        if before is None or asked is None or self._last is None or not t > self._last.stamp:
            return
        since = self._last.stamp
        wanted = 0.5 * (asked.sample(since).acceleration + asked.sample(t).acceleration)
        unasked = (velocity - before) / (t - since) - wanted
        self.bias = np.clip(self.bias - gain * (unasked + self.bias), -limit, limit)
