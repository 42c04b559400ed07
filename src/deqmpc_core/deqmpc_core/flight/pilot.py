"""The pilot: turns state estimates into plan packets with a policy. Uses torch; the commander does not."""

from dataclasses import dataclass
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch

from deqmpc_core.flight.anticipation import Anticipation, AnticipationConfig
from deqmpc_core.flight.configuration import number
from deqmpc_core.flight.estimator import Estimate
from deqmpc_core.flight.frames import (
    GRAVITY,
    Array,
    matrix_from_quaternion,
    world_from_task,
    yaw_from_quaternion,
)
from deqmpc_core.flight.live_policy import LivePolicy
from deqmpc_core.flight.trajectory import PlanPacket, Setpoint
from deqmpc_core.policies.carry import resized
from deqmpc_core.types import Observation, Plan, Spheres


@dataclass(frozen=True)
class PilotConfig(AnticipationConfig):
    """How plans are made. A cold start runs the policy's own number of rounds."""

    iterations: int = number(1, "policy rounds a tick when warm", 1, 20)


class TickTimes(NamedTuple):
    """Milliseconds of the last tick: all of it, and network and solver where the policy tells (else NaN)."""

    total: float = float("nan")
    network: float = float("nan")
    solver: float = float("nan")


class Pilot(LivePolicy):
    """Plans for a quadrotor task (state [r, MRP, body v, omega], motor commands as controls)."""

    def __init__(self, policy: Any, task: Any, config: PilotConfig | None = None) -> None:
        """policy: deqmpc_core.policies' interface; task: deqmpc_core.tasks.Task."""
        self.config = config or PilotConfig()
        self._ahead = Anticipation(self.config, np.asarray(task.origin, dtype=float), float(task.dt))
        super().__init__(policy, task)

    def reset(self) -> None:
        """Forget everything of the last flight: the next tick starts cold."""
        super().reset()
        self._ahead.reset()
        self.times = TickTimes()
        self._sequence = 0
        self.observed: Observation | None = None
        """What the policy saw at the last tick."""

    @property
    def bias(self) -> Array:
        """Correction of the acceleration feed-forward against the observed disturbance (3,), world
        [m/s^2]."""
        return self._ahead.bias

    def tick(self, estimate: Estimate, t: float) -> PlanPacket:
        """Plan from the estimate, which is for time t [s].

        The packet's knot 0 is at t; the policy plans from the state expected a knot later, so the packet
        holds T + 2 knots: the present one, and the T + 1 of self.plan.
        """
        began = perf_counter()
        now, state = self._ahead.look(estimate, t)
        plan = self._ask(torch.from_numpy(state)[None], t)
        packet = self._packet(plan, now, t, estimate.frame_number)
        self._remember(plan, packet, estimate)
        told = plan.info
        network, solver = (float(getattr(told, name, float("nan"))) for name in ("network_ms", "solver_ms"))
        self.times = TickTimes(1e3 * (perf_counter() - began), network, solver)
        return packet

    def _ask(self, x: torch.Tensor, t: float) -> Plan:
        """One call of the policy on x (1, n) at t [s]: cold on the first tick, else warm, moved on by the
        time passed."""
        if self._state is None:
            self._state, knots = self._policy.initial_state(1), 1.0
        else:
            # Times are sums of binary fractions: unrounded, one whole knot would be interpolated.
            knots = min(max(round((t - self._last_tick) / self._task.dt, 6), 0.0), float(self._task.horizon))
        seen = self._observation(x, t)
        if seen.spheres is not None:
            self._state = resized(self._state, seen.spheres.center.shape[-2])
        plan, self._state = self._policy(seen, self._state, iterations=self.config.iterations, knots=knots)
        self.observed = seen
        return plan

    def _observation(self, x: torch.Tensor, t: float) -> Observation:
        """x (1, n), the state a knot after t [s], the spheres at the plan's knots 1..T, the limits."""
        if self.obstacles is None:
            return Observation(x, None, self.limits)
        horizon = self._policy.solver.horizon
        times = t + self._task.dt * np.arange(2.0, horizon + 2.0)
        centers = torch.from_numpy(self.obstacles.at(times) - self._origin)
        radii = torch.from_numpy(self.obstacles.radii)[None]
        center = centers[None] if self.obstacles.moving else centers[0]
        return Observation(x, Spheres(center, radii), self.limits)

    def _remember(self, plan: Plan, packet: PlanPacket, estimate: Estimate) -> None:
        """Keep a usable plan; after an unusable one the next tick starts cold."""
        self.plan, self._last_tick = plan, packet.stamp
        self._sequence += 1
        if packet.fault() is None:
            self._ahead.remember(packet, _numbers(plan.x), estimate)
        else:
            self._ahead.forget()
            self._state = None

    def _packet(self, plan: Plan, now: Setpoint, t: float, frame_number: int) -> PlanPacket:
        x = _numbers(plan.x)
        position, quaternion, velocity, _ = world_from_task(x, self._origin)
        acceleration = (
            np.vstack([now.acceleration, self._acceleration(quaternion, _numbers(plan.u))]) + self.bias
        )
        yaw = np.unwrap(np.append(now.yaw, yaw_from_quaternion(quaternion)))
        position, velocity = np.vstack([now.position, position]), np.vstack([now.velocity, velocity])
        dt, status = float(self._task.dt), int(plan.status[0])
        return PlanPacket(
            t,
            dt,
            position,
            velocity,
            acceleration,
            yaw,
            status,
            frame_number,
            self._sequence,
            _violation(plan),
        )

    def _acceleration(self, quaternion: Array, u: Array) -> Array:
        """World acceleration without gravity (T+1, 3): R e3 sum(f)/m + g at each knot.

        Thrust is held over an interval: a knot gets the mean of its neighbours, so that interpolation keeps
        the impulse.
        """
        p = self._task.system.parameters
        thrust = np.sum(p["thrust_gain"] * u + p["thrust_offset"], axis=-1) / p["mass"]
        at_knots = 0.5 * (np.append(thrust[:1], thrust) + np.append(thrust, thrust[-1:]))
        upward = matrix_from_quaternion(quaternion)[..., 2]
        return upward * at_knots[:, None] - np.array([0.0, 0.0, GRAVITY])


def _numbers(values: torch.Tensor) -> Array:
    """The first sample of a batch as float64."""
    return values[0].detach().cpu().double().numpy()


def _violation(plan: Plan) -> float:
    """Largest constraint violation left in the first sample's plan; NaN where the policy does not tell."""
    told = getattr(plan.info, "violation", None)
    return float("nan") if told is None else float(told.reshape(-1)[-1])
