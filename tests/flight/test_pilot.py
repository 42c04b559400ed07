"""The pilot with a policy that rolls out what it is told: frames, feed-forward, anticipation, disturbances,
bad plans."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import Estimate, PlanPacket
from deqmpc_core.flight.frames import quaternion_from_rotation_vector, world_from_task
from deqmpc_core.flight.pilot import Pilot, PilotConfig
from deqmpc_core.tasks import load_task
from deqmpc_core.types import Observation, Plan

TASK = load_task("crazyflie")
HOVER = TASK.control_reference
LEVEL = np.array([0.0, 0.0, 0.0, 1.0])


class RollOut:
    """Plans what the task's dynamics do under fixed thrusts u (T, m); counts cold starts and remembers what
    it saw."""

    def __init__(self, u: torch.Tensor) -> None:
        self.u, self.cold, self.seen, self.knots = u, 0, [], []

    def initial_state(self, batch: int, plan: Plan | None = None) -> int:
        self.cold += 1
        return 0

    def __call__(
        self, seen: Observation, state: int, iterations: int = 1, knots: float = 1.0
    ) -> tuple[Plan, int]:
        self.seen.append(seen.x[0].numpy().copy())
        self.knots.append(knots)
        x = [seen.x]
        for u in self.u:
            x.append(TASK.step(x[-1], u[None]))
        states, u = torch.stack(x, 1), self.u[None]
        return Plan(states, u, states[:, 1:], (), torch.zeros(1, dtype=torch.long)), state


def tilting(scale: float = 1.0) -> torch.Tensor:
    """Thrusts (5, 4) that climb and tilt within half a second."""
    push = torch.tensor(
        [[1.0, 1.0, -1.0, -1.0], [-2.0, -2.0, 2.0, 2.0], [1.0, 0.9, -1.0, -0.9], [0.0] * 4, [0.0] * 4]
    )
    return HOVER + scale * (4e-4 * push.double() + 0.003)


def at(t: float, packet: PlanPacket | None = None, **change: np.ndarray) -> Estimate:
    """A hover at the origin, or the state that follows the packet exactly."""
    zero = np.zeros(3)
    estimate = Estimate(t, 5, np.array([0.1, 0.2, 1.3]), LEVEL, zero, zero, zero, 0.01)
    if packet is not None:
        setpoint = packet.sample(t)
        estimate = replace(estimate, position=setpoint.position, velocity=setpoint.velocity)
    return replace(estimate, **change)


def test_a_packet_is_the_plan_in_the_world() -> None:
    policy = RollOut(tilting())
    pilot = Pilot(policy, TASK)
    turned = quaternion_from_rotation_vector(np.array([0.2, -0.1, 0.9]))
    seen = at(2.0, quaternion=turned, velocity=np.array([0.5, -0.3, 0.1]), omega=np.array([0.1, 0.2, -0.3]))
    packet = pilot.tick(seen, 2.0)
    assert (
        packet.fault() is None and packet.stamp == 2.0 and packet.frame_number == 5 and len(packet.yaw) == 7
    )
    assert np.allclose(packet.x_world[0], seen.position) and np.allclose(
        packet.velocity_world[0], seen.velocity
    )
    plan = pilot.plan
    assert plan is not None
    position, _, velocity, _ = world_from_task(plan.x[0].numpy(), TASK.origin.numpy())
    assert np.array_equal(packet.x_world[1:], position) and np.allclose(packet.velocity_world[1:], velocity)
    assert np.allclose(packet.x_world[1], seen.position + 0.1 * seen.velocity), "the plan begins a knot ahead"


def test_feedforward_explains_the_velocities() -> None:
    """Between knots the mean acceleration is what the velocities say; in hover it is zero."""
    packet = Pilot(RollOut(tilting()), TASK).tick(at(0.0), 0.0)
    mean = 0.5 * (packet.acceleration_world[1:-1] + packet.acceleration_world[2:])
    change = np.diff(packet.velocity_world[1:], axis=0) / 0.1
    assert np.abs(change).max() > 0.3
    assert np.allclose(mean, change, atol=0.1)
    hover = Pilot(RollOut(HOVER.repeat(5, 1)), TASK).tick(at(0.0), 0.0)
    assert np.allclose(hover.acceleration_world, 0.0, atol=1e-9)


def test_plans_on_from_its_own_plan_when_the_robot_follows_it() -> None:
    policy = RollOut(tilting(0.2))
    pilot = Pilot(policy, TASK)
    first = pilot.tick(at(0.0), 0.0)
    expected = pilot.plan.x[0, 1].numpy()  # type: ignore[union-attr]
    pilot.tick(at(0.1, first), 0.1)
    assert np.allclose(policy.seen[1], expected, atol=1e-9)
    assert np.allclose(pilot.bias, 0.0, atol=1e-12)
    assert policy.cold == 1 and policy.knots == [1.0, 1.0]
    pilot.tick(at(0.15, first), 0.15)
    assert policy.knots[2] == 0.5, "half a knot passed"


def test_takes_over_its_share_of_a_deviation_and_all_when_lost() -> None:
    policy = RollOut(HOVER.repeat(5, 1))
    pilot = Pilot(policy, TASK, PilotConfig(trust=0.5, disturbance_gain=0.0))
    rest = at(0.0)
    pilot.tick(rest, 0.0)
    pilot.tick(at(0.1, position=rest.position + [0.1, 0.0, 0.0]), 0.1)
    assert np.allclose(policy.seen[1][:3] - policy.seen[0][:3], [0.05, 0.0, 0.0])
    over = quaternion_from_rotation_vector(np.array([1.0, 0.0, 0.0]))
    away = replace(at(0.1), position=rest.position + [1.0, 0.0, 0.0])
    for lost, tilt in ((away, 0.0), (replace(at(0.1), quaternion=over), np.tan(0.25))):
        pilot.reset()
        pilot.tick(rest, 0.0)
        assert np.allclose(pilot.tick(lost, 0.1).x_world[0], lost.position)
        assert np.allclose(policy.seen[-1][3:6], [tilt, 0.0, 0.0])


@pytest.mark.parametrize("gain", [0.0, 0.2])
def test_learns_a_constant_disturbance(gain: float) -> None:
    """A robot that does as asked and 0.8 m/s^2 down: the feed-forward comes to ask for 0.8 up."""
    pilot = Pilot(RollOut(HOVER.repeat(5, 1)), TASK, PilotConfig(trust=1.0, disturbance_gain=gain))
    disturbance, seen = np.array([0.1, 0.0, -0.8]), at(0.0)
    for k in range(30):
        packet = pilot.tick(seen, k / 10)
        pushed = seen.velocity + 0.1 * (packet.sample(k / 10 + 0.05).acceleration + disturbance)
        moved = seen.position + 0.05 * (seen.velocity + pushed)
        seen = at((k + 1) / 10, position=moved, velocity=pushed)
    assert np.allclose(pilot.bias, -disturbance if gain else 0.0, atol=2e-3)


@pytest.mark.parametrize("limit", [0.0, 0.5])
def test_the_correction_is_bounded(limit: float) -> None:
    pilot = Pilot(
        RollOut(HOVER.repeat(5, 1)), TASK, PilotConfig(disturbance_gain=1.0, disturbance_limit=limit)
    )
    for k in range(3):
        pilot.tick(at(k / 10, velocity=np.array([0.0, 0.0, -0.9 * k])), k / 10)
    assert pilot.bias[2] == limit


def test_an_unusable_plan_is_told_and_followed_by_a_cold_start() -> None:
    policy = RollOut(torch.full((5, 4), float("nan"), dtype=torch.float64))
    pilot = Pilot(policy, TASK)
    assert pilot.tick(at(0.0), 0.0).fault() == "it holds NaN or infinity"
    policy.u = HOVER.repeat(5, 1)
    assert pilot.tick(at(0.1), 0.1).fault() is None
    assert policy.cold == 2


def test_configuration_names_what_is_out_of_range() -> None:
    with pytest.raises(ConfigError, match="trust"):
        PilotConfig(trust=1.5)
    with pytest.raises(ConfigError, match="iterations"):
        PilotConfig(iterations=0)


def test_the_commander_does_not_import_torch() -> None:
    code = "import sys, deqmpc_core.flight.commander; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
