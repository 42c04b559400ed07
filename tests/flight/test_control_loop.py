"""From poses to controls: whatever the policy and motion capture do, each control is finite and within the
limits, and comes from where the rules say."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deqmpc_core import load_policy
from deqmpc_core.errors import DeqmpcError
from deqmpc_core.flight.control_loop import ControlLoop, Source
from deqmpc_core.flight.control_pilot import ControlPacket, ControlPilot
from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.limits import tightened
from deqmpc_core.flight.plant_estimator import PlantSample
from deqmpc_core.flight.plants import LEVEL, BodyPose, plant_of, sphere_name
from deqmpc_core.tasks import Task, load_task

TASK = load_task("cartpole")
PLANT = plant_of(TASK.system.name, TASK.system.parameters, TASK.origin.numpy())
T, DT = TASK.horizon, TASK.dt
STRANGE = {"nan": math.nan, "infinite": math.inf}
KINDS = ("plan", "raise", *STRANGE, "huge")


class Scripted(ControlPilot):
    """Plans as a script says: tick k plans controls k, k + 0.1, k + 0.2, ..., or fails."""

    def __init__(self, script: list[str]) -> None:
        self.inner = _ScriptedPolicy(script)
        super().__init__(self.inner, TASK)


class _ScriptedPolicy:
    def __init__(self, script: list[str]) -> None:
        self.script, self.count = script, -1
        self.config = load_policy("goal-mpc", task=TASK).config

    def initial_state(self, batch: int) -> object:
        return object()

    def __call__(self, observation: Any, state: Any, iterations: int, knots: float) -> tuple[Any, Any]:
        self.count += 1
        kind = self.script[self.count]
        if kind == "raise":
            raise RuntimeError("a policy's surprise")
        u = self.count + 0.1 * torch.arange(T, dtype=torch.float64)[None, :, None]
        if kind in STRANGE:
            u[0, 1, 0] = STRANGE[kind]
        return _Plan(1e6 * u if kind == "huge" else u), state


class _Plan:
    def __init__(self, u: torch.Tensor) -> None:
        self.u, self.status = u, torch.zeros(1, dtype=torch.int64)


def feed(loop: ControlLoop, begin: float, end: float) -> None:
    """Poses of a resting cart-pole in [begin, end), never twice the same."""
    for frame in range(round(begin * 100), round(end * 100)):
        x = np.array([1e-5 * math.sin(frame), 0.1, 0.0, 0.0])
        loop.see(PlantSample(frame / 100, frame, PLANT.place(x)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.booleans()), min_size=1, max_size=25))
def test_each_tick_s_control_comes_from_where_the_rules_say(ticks: list[tuple[str, bool]]) -> None:
    """ticks: how the policy would answer, and whether poses come before the tick."""
    loop = ControlLoop(Scripted([kind for kind, _ in ticks]), TASK)
    feed(loop, 0.0, 0.4)
    begun, planned, heard, since, t = 0.0, None, 0.39, 0.0, 0.4
    for kind, seen in ticks:
        if seen and t > 0.4:
            if t - DT - heard > loop.estimator.config.max_gap - 1e-9:
                since = t - DT
            feed(loop, t - DT, t)
            heard = t - 0.01
        calls = loop.pilot.policy.count
        u = loop.tick(t)
        ready = t - since >= 0.3 - 1e-6 and t - heard <= 0.3 + 1e-9
        asked = ready and t - heard <= 0.1 + 1e-9
        assert (loop.pilot.policy.count > calls) == asked
        answer = ticks[loop.pilot.policy.count][0] if asked else ""
        good = answer in ("plan", "huge")
        if good:
            planned, begun = (loop.pilot.policy.count, answer == "huge"), t
        left = planned is not None and round((t - begun) / DT) < T
        expected = (
            Source.PLAN if good else (Source.BEFORE if left else (Source.REST if ready else Source.NONE))
        )
        assert loop.source is expected
        if expected is Source.NONE:
            assert u is None
        else:
            assert u is not None and u.shape == (1,) and abs(u[0]) <= 100.0
        if u is not None and left and planned is not None:
            value = planned[0] + 0.1 * round((t - begun) / DT)
            assert u[0] == pytest.approx(min(1e6 * value, 100.0) if planned[1] else value)
        elif u is not None:
            assert u[0] == 0.0
        t = round(t + DT, 6)
        del kind


def test_nothing_is_sent_before_the_velocities_are_known_and_a_reset_forgets() -> None:
    loop = ControlLoop(Scripted(["plan"] * 9), TASK)
    assert loop.tick(0.0) is None and loop.source is Source.NONE
    feed(loop, 0.0, 0.2)
    assert loop.tick(0.2) is None
    feed(loop, 0.2, 0.31)
    assert loop.tick(0.31) is not None and loop.source is Source.PLAN
    loop.reset()
    assert loop.tick(0.36) is None


def test_a_hovering_robot_rests_in_hover() -> None:
    task = load_task("quadrotor")
    loop = ControlLoop(ControlPilot(load_policy("goal-mpc", task=task), task), task)
    p = task.system.parameters
    lift = float(np.sum(p["thrust_gain"] * loop.rest + p["thrust_offset"]))
    assert lift == pytest.approx(p["mass"] * p["gravity"])


def test_a_packet_holds_each_control_for_a_knot_and_ends() -> None:
    packet = ControlPacket(2.0, 0.05, np.array([[1.0], [2.0]]), 0, 0)
    found = [packet.at(t) for t in (1.99, 2.0, 2.0499, 2.05, 2.0999, 2.1)]
    assert [None if u is None else float(u[0]) for u in found] == [1.0, 1.0, 1.0, 2.0, 2.0, None]


def test_another_policy_goes_on_from_the_plan_and_limits_hold_from_the_next_tick() -> None:
    task = load_task("quadrotor")
    pilot, x = ControlPilot(load_policy("goal-mpc", task=task), task), task.start(0, 0)
    assert not pilot.take_over(load_policy("hover", task=task))
    pilot.tick(x, 0.0)
    assert pilot.plan is not None
    assert pilot.take_over(load_policy("goal-mpc", task=task))
    pilot.tick(pilot.plan.x[0, 1].numpy(), task.dt)
    pilot.limits = tightened(task, 16.0)
    packet = pilot.tick(pilot.plan.x[0, 1].numpy(), 2 * task.dt)
    assert float(packet.u.max()) <= 16.0


def moving(task: Task, centers: Array, frame: int) -> PlantSample:
    """The robot, and spheres that were in `centers` (k, 3)."""
    robot = plant_of(task.system.name, task.system.parameters, task.origin.numpy())
    x = task.start(0, 0)
    x[:3] += 1e-5 * frame
    poses = robot.place(x) | {sphere_name(k): BodyPose(c, LEVEL) for k, c in enumerate(centers)}
    return PlantSample(frame / 100, frame, poses)


def test_the_policy_sees_moving_spheres_where_motion_capture_shows_them() -> None:
    task = load_task("qpole_dyn_obs")
    assert task.spheres is not None
    pilot = ControlPilot(load_policy("goal-mpc", task=task), task)
    seen: list[torch.Tensor] = []
    ask = pilot._policy

    class Spy:
        config, solver = ask.config, ask.solver
        initial_state = staticmethod(ask.initial_state)

        def __call__(self, observation: Any, state: Any, iterations: int, knots: float) -> Any:
            seen.append(observation.spheres.center)
            return ask(observation, state, iterations=iterations, knots=knots)

    pilot.take_over(Spy())
    loop, centers = ControlLoop(pilot, task), task.spheres.center.numpy() + [0.3, 0.0, 0.0]
    for frame in range(31):
        loop.see(moving(task, centers, frame))
    assert loop.tick(0.3) is not None and loop.source is Source.PLAN
    assert seen[0].shape == (1, task.horizon, len(centers), 3)
    assert float((seen[0][0, 0] - torch.from_numpy(centers)).norm(dim=-1).max()) < 0.1 * task.dt + 1e-9
    with pytest.raises(DeqmpcError, match="spheres"):
        pilot.tick(task.start(0, 0), 0.4)
