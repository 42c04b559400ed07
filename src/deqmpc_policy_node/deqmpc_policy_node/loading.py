"""A policy that may fly: found, made for the task, equal to its golden outputs, warmed up."""

import gc
import hashlib
from pathlib import Path

import numpy as np
import torch

from deqmpc_core.bundle import find_bundle, load_policy, read_config, verify_bundle
from deqmpc_core.errors import BundleError
from deqmpc_core.flight import Estimate
from deqmpc_core.flight.control_pilot import ControlPilot
from deqmpc_core.flight.pilot import Pilot, PilotConfig
from deqmpc_core.flight.plants import PLANTS
from deqmpc_core.mpc.residuals import residuals
from deqmpc_core.policies import UNLEARNED, Policy
from deqmpc_core.tasks import Task

_FILES = ("policy.json", "model.safetensors", "golden.safetensors")
_SAME = 1e-9


def directory_of(name: str, task: str) -> Path | None:
    """The bundle meant by a name, None for a policy that needs none. Raises BundleError when there is none
    of that name."""
    try:
        return find_bundle(name, task)
    except BundleError:
        if name in UNLEARNED:
            return None
        raise


def check_task(directory: Path, task: str) -> None:
    """Read policy.json. Raises BundleError when it cannot be read or names another task."""
    config = read_config(directory)
    if config.task != task:
        raise BundleError(f"bundle '{directory}' is for task '{config.task}', the node flies '{task}'")


def digest(directory: Path | None) -> str:
    """SHA-256 over a bundle's files, empty for None: what was verified is what is loaded."""
    if directory is None:
        return ""
    total = hashlib.sha256()
    for name in _FILES:
        file = directory / name
        total.update(file.read_bytes() if file.is_file() else b"")
    return total.hexdigest()


def load_fitting(name: str, task: Task) -> Policy:
    """The policy, made for the task: same name, states, controls, knot spacing and origin; horizons may
    differ. Raises BundleError saying what does not fit."""
    policy = load_policy(name, task=task.name)
    own = policy.task
    for what, has, wants in (
        ("states", own.n, task.n),
        ("controls", own.m, task.m),
        ("s between knots", own.dt, task.dt),
        ("m, the origin", own.origin.tolist(), task.origin.tolist()),
    ):
        if not np.allclose(has, wants, rtol=0.0, atol=_SAME):
            raise BundleError(
                f"policy '{name}' does not fit task '{task.name}': it has {has} {what}, the task {wants}"
            )
    return policy


def warm_up(policy: Policy, task: Task, config: PilotConfig | None = None) -> None:
    """Compile and touch everything a tick uses, cold and warm. Raises BundleError when a plan from the
    task's first start cannot be flown."""
    if task.system.name in PLANTS:
        _warm_up_controls(policy, task, config)
        return
    pilot, start = Pilot(policy, task, config), task.start(0, 0)
    level, zero = np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(3)
    for t in (0.0, task.dt, 1.5 * task.dt):
        seen = Estimate(t, 0, start[:3] + task.origin.numpy(), level, zero, zero, zero, 0.0)
        fault = pilot.tick(seen, t).fault()
        if fault is not None:
            raise BundleError(f"its plan from the task's first start cannot be flown: {fault}")
    if pilot.plan is not None:
        with torch.inference_mode():
            residuals(policy.solver, pilot.plan.x, pilot.plan.u)


def _warm_up_controls(policy: Policy, task: Task, config: PilotConfig | None) -> None:
    """The same for a robot that takes the controls themselves."""
    pilot, start, centers = ControlPilot(policy, task, config), task.start(0, 0), task.obstacles(0, 0)
    world = None if centers is None else centers + task.origin.numpy()
    for t in (0.0, task.dt, 1.5 * task.dt):
        try:
            pilot.tick(start, t, centers=world)
        except ValueError as error:
            raise BundleError(f"its plan from the task's first start cannot be flown: {error}") from error


def sound_policy(name: str, task: Task, config: PilotConfig | None = None) -> Policy:
    """The policy after every check: files, task, dimensions, golden outputs, plans. Raises BundleError."""
    directory = directory_of(name, task.name)
    if directory is not None:
        check_task(directory, task.name)
        verify_bundle(directory)
    policy = load_fitting(name, task)
    warm_up(policy, task, config)
    return policy


def settle_memory() -> None:
    """Collect garbage once and leave what lives now out of later collections, which would make ticks late."""
    gc.collect()
    gc.freeze()
