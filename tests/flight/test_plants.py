"""Plants from poses: the bodies tell the coordinates, the filter the rates, wrong input changes nothing."""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from deqmpc_core.errors import UnknownNameError
from deqmpc_core.flight.frames import Array, multiply, quaternion_from_rotation_vector, unit
from deqmpc_core.flight.plant_estimator import PlantEstimator, PlantEstimatorConfig, PlantSample
from deqmpc_core.flight.plants import (
    PLANTS,
    BodyPose,
    Plant,
    plant_of,
    sphere_centers,
    sphere_name,
)
from deqmpc_core.systems.plain import plain_motion
from deqmpc_core.tasks import Task, load_task

TASKS = ("pendulum", "cartpole", "quadrotor", "qpole")
DT, FRAMES = 0.01, 150
SEEDS = st.integers(0, 2**32 - 1)


def plant(task: Task) -> Plant:
    return plant_of(task.system.name, task.system.parameters, task.origin.numpy())


def some_state(task: Task, rng: np.random.Generator) -> Array:
    x = rng.uniform(-3.0, 3.0, task.n)
    if task.system.mrp is not None:
        x[3:6] *= rng.uniform(0.0, 1.0) / np.linalg.norm(x[3:6])
    return x


@pytest.mark.parametrize("name", TASKS)
@settings(max_examples=40, deadline=None)
@given(seed=SEEDS)
def test_poses_tell_the_coordinates_and_moving_adds_up(name: str, seed: int) -> None:
    task, rng = load_task(name), np.random.default_rng(seed)
    robot, x, y = plant(task), some_state(task, rng), some_state(task, rng)
    assert np.abs(robot.difference(x, robot.seen(robot.place(x)))).max() < 1e-9
    assert np.abs(robot.rates(robot.seen(robot.place(x)))).max() == 0.0
    way, gain = robot.difference(x, y), rng.uniform(-1.0, 1.0, task.q)
    moved = robot.moved(x, way, gain)
    assert np.abs(robot.difference(moved, y)).max() < 1e-9
    now = robot.rates(robot.moved(x, np.zeros(task.q), gain))
    assert np.allclose(now, robot.rates(x) + gain, atol=1e-9)


@pytest.mark.parametrize("name", TASKS)
@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_the_rates_are_the_model_s(name: str, seed: int) -> None:
    """Coordinates move by their rates: what the estimator and the task mean by a state is the same."""
    task, rng = load_task(name), np.random.default_rng(seed)
    robot, x, h = plant(task), some_state(task, rng), 1e-5
    u = task.control_reference.numpy()
    move = plain_motion(task.system, 1)
    way = robot.difference(move(x, u, -h), move(x, u, h)) / (2 * h)
    assert np.allclose(way, robot.rates(x), atol=1e-4)


class Smooth:
    """A smooth random motion in a plant's tangent coordinates, and the bound (q,) of its accelerations."""

    def __init__(self, robot: Plant, n: int, rng: np.random.Generator) -> None:
        self.robot, q = robot, len(robot.angular)
        self.size, self.speed = rng.uniform(-0.5, 0.5, (3, q)), rng.uniform(0.3, 2.0, (3, q))
        self.phase = rng.uniform(0.0, 6.0, (3, q))
        self.bound = np.abs(self.size * self.speed).sum(0)
        self.x = robot.moved(np.zeros(n), np.zeros(q), self.rate(0.0))

    def rate(self, t: float) -> Array:
        return (self.size * np.sin(self.speed * t + self.phase)).sum(0)

    def advance(self, t: float, dt: float, pieces: int = 3) -> Array:
        """By midpoints: the turn of a body is the product of small ones."""
        for k in range(pieces):
            h = dt / pieces
            middle = self.rate(t + (k + 0.5) * h)
            gain = self.rate(t + (k + 1) * h) - self.robot.rates(self.x)
            moved = self.robot.moved(self.x, h * middle, np.zeros_like(gain))
            self.x = self.robot.moved(moved, np.zeros_like(gain), gain)
        return self.x


@lru_cache
def worst(angle: bool, acceleration: float, noise: float) -> Array:
    """The largest steady error (2,) of value and rate that accelerations and noise up to these can cause.

    With the steady gain K the error obeys e' = (I - K H)(F e + a g) - K v; so |e| is at most the sum over j
    of |M^j| (|(I - K H) g| a + |K| v) with M = (I - K H) F.
    """
    config = PlantEstimatorConfig()
    r = (config.angle_noise if angle else config.position_noise) ** 2
    q = (config.angular_agility if angle else config.agility) ** 2
    step, drive = np.array([[1.0, DT], [0.0, 1.0]]), np.array([[DT**3 / 3, DT**2 / 2], [DT**2 / 2, DT]])
    p, see = np.diag([r, 100.0]), np.array([[1.0, 0.0]])
    for _ in range(300):
        ahead = step @ p @ step.T + q * drive
        gain = ahead[:, :1] / (ahead[0, 0] + r)
        p = (np.eye(2) - gain @ see) @ ahead
    keep, total, power = np.eye(2) - gain @ see, np.zeros(2), np.eye(2)
    push = np.abs(keep @ [0.5 * DT**2, DT]) * acceleration + np.abs(gain[:, 0]) * noise
    for _ in range(1000):
        total += np.abs(power) @ push
        power = keep @ step @ power
    return total


@pytest.mark.parametrize("name", TASKS)
@settings(max_examples=3, deadline=None)
@given(seed=SEEDS)
def test_a_smooth_motion_is_followed_as_closely_as_its_accelerations_allow(name: str, seed: int) -> None:
    """No model: bodies of a random smooth motion, noise of at most 1 mm and 1 mrad an axis."""
    task, rng = load_task(name), np.random.default_rng(seed)
    robot, most = plant(task), 1e-3
    estimator, motion = PlantEstimator(robot), Smooth(robot, task.n, rng)
    for frame in range(FRAMES):
        x = motion.advance(DT * (frame - 1), DT) if frame else motion.x
        assert estimator.update(PlantSample(DT * frame, frame, noisy(robot.place(x), most, rng)))
    found = estimator.estimate(DT * (FRAMES - 1))
    assert found is not None and found.frame_number == FRAMES - 1
    errors = (robot.difference(motion.x, found.x), robot.rates(found.x) - robot.rates(motion.x))
    # Vectors turn while they are filtered: bounds hold for the length of position, attitude, and each angle.
    for group in np.split(np.arange(task.q), range(3, task.q, 3) if task.q > 3 else range(1, task.q)):
        angle, size = robot.angular[group[0]], math.sqrt(len(group))
        bound = worst(angle, float(np.linalg.norm(motion.bound[group])), 1.5 * size * most)
        for error, limit in zip(errors, bound, strict=True):
            assert np.linalg.norm(error[group]) <= limit + 1e-4


def noisy(poses: dict[str, BodyPose], most: float, rng: np.random.Generator) -> dict[str, BodyPose]:
    def shaken(pose: BodyPose) -> BodyPose:
        turn = quaternion_from_rotation_vector(rng.uniform(-most, most, 3))
        return BodyPose(pose.position + rng.uniform(-most, most, 3), unit(multiply(pose.quaternion, turn)))

    return {name: shaken(pose) for name, pose in poses.items()}


@pytest.mark.parametrize("name", TASKS)
def test_with_the_model_and_the_controls_the_estimate_is_the_state(name: str) -> None:
    """Round trip: random controls held for 50 ms each -> bodies, seen 10 ms late -> the state now. Without
    noise it is exact, angles over several turns included."""
    task, rng = load_task(name), np.random.default_rng(5)
    robot, move, rest = plant(task), plain_motion(task.system, 1), task.control_reference.numpy()
    estimator = PlantEstimator(robot, PlantEstimatorConfig(), move, rest)
    x, u, path = task.start(0, 0), rest, []
    spread = 0.2 * (task.u_hi - task.u_lo).numpy()
    for frame in range(120):
        if frame % 5 == 0:
            u = np.clip(rest + rng.uniform(-1.0, 1.0, task.m) * spread, task.u_lo.numpy(), task.u_hi.numpy())
            estimator.control(DT * frame, u)
        assert estimator.update(PlantSample(DT * frame, frame, robot.place(x))), estimator.complaint
        path.append(x)
        x = move(x, u, DT)
    seen = estimator.estimate(1.20)
    assert seen is not None and abs(seen.age - DT) < 1e-9
    assert np.abs(robot.difference(x, seen.x)).max() < 2e-4
    assert np.abs(robot.rates(x) - robot.rates(seen.x)).max() < 5e-3


SPOILED: dict[str, Callable[[float], BodyPose]] = {
    "nan": lambda value: BodyPose(np.array([math.nan, 0.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0])),
    "far": lambda value: BodyPose(np.array([200.0 + abs(value), 0.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0])),
    "long": lambda value: BodyPose(np.zeros(3), np.full(4, 2.0 + abs(value))),
    "jump": lambda value: BodyPose(np.array([5.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.0, 1.0])),
}


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([*SPOILED, "missing", "old", "stamp", "frozen"]), st.floats(-1e307, 1e307))
def test_wrong_samples_are_refused_and_change_nothing(what: str, value: float) -> None:
    task = load_task("cartpole")
    robot, estimator = plant(task), PlantEstimator(plant(task))
    for frame in range(20):
        x = np.array([0.1 * DT * frame, 4.0 * DT * frame, 0.1, 4.0])
        estimator.update(PlantSample(DT * frame, frame, robot.place(x)))
    before, poses = estimator.estimate(0.2), robot.place(np.array([0.02, 0.8, 0.1, 4.0]))
    if what == "missing":
        poses.pop("pole")
    elif what == "frozen":
        poses = robot.place(np.array([0.1 * DT * 19, 4.0 * DT * 19, 0.1, 4.0]))
    elif what in SPOILED:
        poses["cart"] = SPOILED[what](value)
    stamp = {"old": 0.1, "stamp": math.nan}.get(what, 0.2)
    assert not estimator.update(PlantSample(stamp, 20, poses)) and estimator.complaint
    after = estimator.estimate(0.2)
    assert before is not None and after is not None and (before.x == after.x).all()


def test_a_silence_starts_over_and_an_estimate_does_not_run_away() -> None:
    robot = plant(load_task("pendulum"))
    estimator = PlantEstimator(robot)
    assert estimator.estimate(0.0) is None
    for frame in range(50):
        estimator.update(PlantSample(DT * frame, frame, robot.place(np.array([0.05 * frame, 5.0]))))
    near, late = estimator.estimate(0.69), estimator.estimate(60.0)
    assert near is not None and late is not None and estimator.began == 0.0
    assert np.allclose(near.x, late.x, atol=1e-6) and late.age > 59.0
    assert estimator.update(PlantSample(2.0, 60, robot.place(np.array([1.0, 0.0]))))
    fresh = estimator.estimate(2.0)
    assert fresh is not None and np.allclose(fresh.x, [1.0, 0.0]) and estimator.began == 2.0


def test_moving_spheres_count_only_when_all_are_in_view() -> None:
    poses = {sphere_name(k): BodyPose(np.full(3, float(k)), np.zeros(4)) for k in range(3)}
    found = sphere_centers(poses, 3)
    assert found is not None and found[:, 0].tolist() == [0.0, 1.0, 2.0]
    assert sphere_centers(poses, 4) is None and sphere_centers(poses, 0) is None


def test_every_task_is_a_plant_or_the_drone_and_the_plain_motion_is_the_task_s() -> None:
    with pytest.raises(UnknownNameError, match="crazyflie"):
        plant_of("crazyflie", {}, np.zeros(3))
    for name in TASKS:
        task = load_task(name)
        assert task.system.name in PLANTS
        x, u = task.start(1, 0), task.u_hi.numpy()
        told = task.step(*(v[None] for v in map(_tensor, (x, u))))[0].numpy()
        here = plain_motion(task.system, 1)(x, u, task.dt)
        assert np.allclose(task.system.wrapped(_tensor(here), task.angle_low).numpy(), told, atol=1e-12)


def _tensor(values: Array) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values))
