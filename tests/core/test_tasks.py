"""The rules of the tasks."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from deqmpc_core.errors import ConfigError, ShapeError, UnknownNameError
from deqmpc_core.flight.frames import matrix_from_quaternion, quaternion_from_mrp
from deqmpc_core.systems import pendulum as pendulum_system
from deqmpc_core.tasks import Task, load_task, task_names
from deqmpc_core.tasks.crazyflie import cos_tilt
from deqmpc_core.tasks.obstacles import segment_distance


def test_layout_and_starts_follow_the_rules() -> None:
    task = load_task("crazyflie")
    assert task.spheres is not None
    centers = task.spheres.center.numpy()
    assert centers.shape == (40, 3)
    assert np.linalg.norm(centers, axis=1).min() >= 0.35
    for episode in range(40):
        start = task.start(0, episode)
        assert (np.abs(start[:2]) <= 1.4).all() and 0.3 <= start[2] + 1.0 <= 1.7
        assert np.linalg.norm(start[:3]) >= 0.8
        assert np.linalg.norm(centers - start[:3], axis=1).min() >= 0.25
        blocked = segment_distance(centers, start[:3], np.zeros(3)).min() < 0.10
        assert blocked or episode % 2 == 0
    assert np.array_equal(task.start(3, 4), task.start(3, 4))


def test_failure_sees_the_swept_path_not_only_its_ends() -> None:
    task = load_task("crazyflie")
    assert task.spheres is not None
    center = task.spheres.center[0]
    before, after = torch.zeros(12).double(), torch.zeros(12).double()
    before[:3], after[:3] = center - torch.tensor([0.2, 0, 0]), center + torch.tensor([0.2, 0, 0])
    assert task.failure(before, after) == "sphere entered"
    after[0] = torch.nan
    assert task.failure(before, after) == "state not finite"


def test_tilt_of_a_quarter_turn() -> None:
    turned = torch.tensor([[math.tan(math.pi / 8), 0.0, 0.0], [0.0, 0.0, 0.7]], dtype=torch.float64)
    assert cos_tilt(turned).tolist() == pytest.approx([0.0, 1.0], abs=1e-12)


def test_reward_is_best_at_the_goal_and_matches_the_printed_numbers() -> None:
    task = load_task("crazyflie")
    x = torch.zeros(2, 12, dtype=torch.float64)
    x[1, 0] = 1.0
    reward = task.reward(x)
    assert reward[0] == pytest.approx(np.exp(2.0))
    assert reward[1] == pytest.approx(np.exp(2.0 - 0.25))


_PLAIN = ("cartpole", "pendulum", "qpole", "quadrotor")
_PUBLISHED = [
    ("pendulum", {"integrator": "semi_implicit", "u_max": 3.0}, "sac_pendulum.npz", -153.2, 114.9),
    ("cartpole", {}, "cgac_cartpole1l.npz", -126.9, 58.7),
    ("quadrotor", {}, "cgac_rexquadrotor.npz", 635.7, 25.1),
]


@pytest.mark.parametrize(("name", "options", "file", "mean", "spread"), _PUBLISHED)
def test_published_episodes_have_their_returns_and_end_at_success(
    name: str, options: dict, file: str, mean: float, spread: float, shared_data: Callable[[str], Path]
) -> None:
    """The state after the last action, which is not stored, comes from the plant; a quadrotor's episode
    always has 100 steps."""
    task, data = load_task(name, **options), np.load(shared_data(file))
    state, action = (torch.from_numpy(data[k]).double() for k in ("state", "action"))
    last = torch.from_numpy(data["length"]) - 1
    row = torch.arange(len(last))
    after = task.step(state[row, last], action[row, last])
    returns, before_end, at_end = [], [], []
    for s, a, end, final in zip(state, action, last, after, strict=True):
        episode = torch.cat([s[: end + 1], final[None]])
        returns.append(float(task.reward(episode[1:], a[: end + 1]).sum()))
        before_end.append(bool(task.success(episode[None, :-1])))
        at_end.append(bool(task.success(episode[None])))
    assert np.mean(returns) == pytest.approx(mean, abs=0.05)
    assert np.std(returns) == pytest.approx(spread, abs=0.1)
    if name != "quadrotor":
        assert all(at_end) and not any(before_end)


@pytest.mark.parametrize(
    ("name", "best", "off", "worse"),
    [
        ("pendulum", 0.0, {0: 2 * math.pi - 0.5}, -0.25),
        ("cartpole", 0.0, {0: 11.0, 1: 6.0}, -(2 * math.pi - 6.0 + 11.0 + 80.0)),
        ("quadrotor", math.exp(2.0), {0: 1.0, 6: 2.0}, math.exp(2.0 - 14.0 / 400.0)),
        ("qpole", math.exp(2.0), {6: -math.pi + 1.0}, math.exp(2.0 - 80.0 / 400.0)),
        ("qpole", math.exp(2.0), {0: 101.0}, -(10.0 * 101.0**2) / 200.0),
    ],
)
def test_reward_is_highest_at_the_goal(name: str, best: float, off: dict[int, float], worse: float) -> None:
    task = load_task(name, state_weight=(7.0,) * load_task(name).n)  # the MPC's weights do not count
    x = task.goal.repeat(2, 1)
    for index, value in off.items():
        x[1, index] = value
    assert task.reward(x).tolist() == pytest.approx([best, worse], abs=1e-12)


def test_control_costs_reward_only_where_the_task_says_so() -> None:
    u = torch.full((1, 4), 1e3, dtype=torch.float64)
    for name, best in (("quadrotor", math.exp(2.0 - 1e-3)), ("qpole", math.exp(2.0 - 1e-3))):
        task = load_task(name)
        assert float(task.reward(task.goal[None], u)) == pytest.approx(best, rel=1e-9)
    crazyflie = load_task("crazyflie")
    assert float(crazyflie.reward(crazyflie.goal[None], u)) == pytest.approx(math.exp(2.0))


_TURN, _RADIAN = 2 * math.pi, math.pi
_RANGES = {
    "pendulum": [(-_RADIAN, _RADIAN), (-1.0, 1.0)],
    "cartpole": [(-_RADIAN, _RADIAN), (0.0, _TURN), (-_RADIAN, _RADIAN), (-_RADIAN, _RADIAN)],
    "quadrotor": [(-5.0, 5.0)] * 3 + [(-1.0, 1.0)] * 3 + [(-0.5, 0.5)] * 3 + [(-0.25, 0.25)] * 3,
    "qpole": [(-5.0, 5.0)] * 3 + [(-1.0, 1.0)] * 3 + [(0.0, _TURN)] + [(-1.0, 1.0)] * 7,
}
_RANGES["qpole_obs"] = _RANGES["qpole_dyn_obs"] = _RANGES["qpole"]


@pytest.mark.parametrize("name", _RANGES)
def test_starts_fill_their_ranges_and_depend_on_seed_and_episode_only(name: str) -> None:
    task, again = load_task(name), load_task(name, horizon=9)
    starts = np.stack([task.start(seed, e) for seed in (0, 1) for e in range(100)])
    assert np.array_equal(starts, np.stack([again.start(s, e) for s in (0, 1) for e in range(100)]))
    assert len(np.unique(starts[:, 0])) == 200
    low, high = np.array(_RANGES[name]).T
    assert (starts >= low).all() and (starts <= high).all()
    uniform = [i for i in range(task.n) if task.system.mrp is None or i not in (3, 4, 5)]
    assert (np.ptp(starts, axis=0) > 0.9 * (high - low))[uniform].all()


@pytest.mark.parametrize(("name", "limit"), [("quadrotor", 70.0), ("qpole", 45.0)])
def test_start_attitudes_have_euler_angles_up_to_the_limit(name: str, limit: float) -> None:
    task = load_task(name)
    mrp = np.stack([task.start(3, e)[3:6] for e in range(200)])
    r = matrix_from_quaternion(quaternion_from_mrp(mrp))
    turns = (np.arctan2(r[:, 2, 1], r[:, 2, 2]), np.arcsin(-r[:, 2, 0]), np.arctan2(r[:, 1, 0], r[:, 0, 0]))
    largest = np.degrees(np.abs(turns)).max(axis=1)
    assert (largest <= limit + 1e-9).all() and (largest > 0.9 * limit).all()


@pytest.mark.parametrize("name", _PLAIN)
def test_control_limits_and_reference_are_those_of_the_facts(name: str) -> None:
    task = load_task(name)
    low, high, reference = {
        "pendulum": (-5.0, 5.0, 0.0), "cartpole": (-100.0, 100.0, 0.0),
        "quadrotor": (11.5, 18.3, 14.4984), "qpole": (-0.1545075, 0.1545075, 0.0),
    }[name]  # fmt: skip
    for value, expected in ((task.u_lo, low), (task.u_hi, high), (task.control_reference, reference)):
        assert value.tolist() == pytest.approx([expected] * task.m, abs=1e-4)
    rest = task.system.derivative(task.goal, task.control_reference)
    assert rest.abs().max() < 1e-12
    beyond = task.step(task.goal[None], 2 * task.u_hi[None])
    assert torch.equal(beyond, task.step(task.goal[None], task.u_hi[None]))


@pytest.mark.parametrize(("name", "angle"), [("pendulum", 0), ("cartpole", 1), ("qpole", 6)])
def test_step_wraps_angles_and_lets_gradients_through(name: str, angle: int) -> None:
    task = load_task(name)
    x = task.goal.repeat(2, 1)
    x[:, angle] = task.angle_low + torch.tensor([0.01, 2 * math.pi - 0.01])
    x[:, task.q + task.system.angles[0]] = torch.tensor([-1.0, 1.0])
    x.requires_grad_()
    after = task.step(x, task.control_reference.expand(2, -1))
    assert after[0, angle] > task.angle_low + 6.0 and after[1, angle] < task.angle_low + 0.1
    (gradient,) = torch.autograd.grad(after[:, angle].sum(), x)
    assert (gradient[:, angle] > 0.9).all()


def test_success_of_the_pole_tasks_needs_ten_steps_in_a_row() -> None:
    task = load_task("pendulum")
    states = torch.ones(3, 30, 2, dtype=torch.float64)
    states[0, 5:15, 0] = 0.04 - 2 * math.pi
    states[1, 5:14, 0] = 0.04
    states[2, :10, 0] = 0.04  # the start is no step
    assert task.success(states).tolist() == [True, False, False]
    assert not task.success(states[:, :5]).any()


def test_success_of_the_flying_pole_is_upright_and_near_at_the_end() -> None:
    states = torch.full((4, 3, 14), 9.0, dtype=torch.float64)
    states[:, -1] = load_task("qpole").goal
    states[1, -1, 0], states[2, -1, 0], states[3, -1, 6] = 0.6, 1.6, math.pi + 0.21
    assert load_task("qpole").success(states).tolist() == [True, False, False, False]
    assert load_task("qpole_obs").success(states).tolist() == [True, False, False, False]
    assert load_task("qpole_dyn_obs").success(states).tolist() == [True, True, False, False]
    assert load_task("qpole", goal_tolerance=1.7).success(states).tolist() == [True, True, True, False]


def test_only_numbers_are_needed_to_solve_a_task_and_its_missing_rules_are_named() -> None:
    weights = {"state_weight": (1.0, 2.0), "control_weight": 0.1}
    task = Task.of(pendulum_system, dt=0.1, u_min=-1.0, u_max=1.0, **weights)
    assert task.name == "pendulum" and task.state_weight.tolist() == [1.0, 2.0]
    with pytest.raises(ConfigError, match="'spread_start'"):
        task.start(0, 0)
    with pytest.raises(ConfigError, match="'reward'"):
        task.reward(task.goal)
    with pytest.raises(ConfigError, match="no long-horizon MPC expert"):
        task.for_expert()
    assert task.failure(task.goal, task.goal * torch.nan) == "state not finite"
    with pytest.raises(ShapeError, match="state_weight: expected one number or 2, got shape \\(3,\\)"):
        load_task("pendulum", state_weight=(1.0, 2.0, 3.0))
    with pytest.raises(ConfigError, match="integrator: expected one of rk4, semi_implicit, got 'euler'"):
        load_task("pendulum", integrator="euler")
    with pytest.raises(ConfigError, match="dt: expected a positive number"):
        load_task("cartpole", dt=0.0)
    with pytest.raises(ConfigError, match="got both"):
        load_task("qpole", velocity_weight=3.0, state_weight=(1.0,) * 14)
    assert load_task("qpole", velocity_weight=3.0).state_weight.tolist() == [10.0] * 6 + [80.0] + [3.0] * 7


def test_unknown_names_get_a_hint() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'crazyflie'"):
        load_task("crazyfly")
    with pytest.raises(
        UnknownNameError, match="'crazyflie': 'obstacle_raduis'; did you mean 'obstacle_radius'"
    ):
        load_task("crazyflie", obstacle_raduis=0.2)
    with pytest.raises(ConfigError, match="pendulum"):
        load_task("pendulum", u_max="strong")


@pytest.mark.parametrize("name", task_names())
def test_gradient_through_twenty_steps_is_that_of_finite_differences(name: str) -> None:
    """Of a random functional of the last state, along a random direction of start and controls."""
    task, random = load_task(name), torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=random)

    x0, weight = task.goal + 0.01 * draw(1, task.n), draw(task.n)
    if name == "cartpole":
        x0[:, 1] += 1.0  # its goal lies on the wrap
    amplitude = 0.002 * (task.u_hi - task.u_lo)
    u = task.control_reference + amplitude * draw(20, task.m)

    first = task.system.mrp
    turning = [*task.system.angles, *(() if first is None else range(first, first + 3))]

    def last(x: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
        for control in controls:
            before, x = x, task.step(x, control[None])
            assert (x - before)[:, turning].abs().max() < 1.0  # no wrap, no shadow switch
        return x[0] @ weight

    along_x, along_u = draw(1, task.n), amplitude * draw(20, task.m)
    h = 1e-6
    plus, minus = (last(x0 + s * h * along_x, u + s * h * along_u) for s in (1.0, -1.0))
    slopes = torch.autograd.grad(last(x0.requires_grad_(), u.requires_grad_()), (x0, u))
    slope = (slopes[0] * along_x).sum() + (slopes[1] * along_u).sum()
    assert float((plus - minus) / (2.0 * h)) == pytest.approx(float(slope), rel=1e-6, abs=1e-7)
