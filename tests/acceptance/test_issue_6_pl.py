"""Acceptance of issue 6, other robots: `make accept N=6`.

What was measured is kept under runs/accept-6/<digest of src, models and config>/; remove it to start over.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from kept import FLOWN, deqmpc, kept_under, once
from rosbags.highlevel import AnyReader

from deqmpc_core import load_policy
from deqmpc_core.tasks import load_task
from deqmpc_sim.envs.episodes import episode_starts
from deqmpc_sim.envs.rollout import roll_out

pytestmark = pytest.mark.accept

EPISODES = 2
FLIGHTS = {
    "pendulum": "expert", "cartpole": "expert", "quadrotor": "expert", "qpole": "expert",
    "qpole_obs": "expert", "qpole_dyn_obs": "expert", "quadrotor-learned": "quadrotor-deqmpc-nn",
}  # fmt: skip
"""Task (before the first dash) and policy: the expert exists for every task and solves it."""

CLOSE = {"pendulum": 0.1, "cartpole": 0.1}
"""How far a return may be from the same policy's in the batch environment, as a share of it. A cost summed
over some fifty steps until success: noise may move success by a few of them, a tenth. The others collect
rewards near the goal for most of the flight, where a centimetre costs nothing: 0.03."""


@pytest.fixture(scope="session")
def kept() -> Path:
    return kept_under(6, *FLOWN)


def batch_returns(task_name: str, policy: str) -> list[float]:
    """The same policy's returns from the same starts where the state is known exactly."""
    torch.set_num_threads(1)
    task = load_task(task_name)
    starts, centers = episode_starts(task, 0, range(EPISODES))
    flight = roll_out(task, load_policy(policy, task=task), starts, task.episode_steps, centers=centers)
    return flight.returns.tolist()


def flown(kept: Path, flight: str) -> dict[str, Any]:
    """Two episodes through the nodes in lock-step, recorded: the summary and the batch environment's
    returns."""
    task, policy = flight.split("-")[0], FLIGHTS[flight]

    def fly() -> dict[str, Any]:
        file, runs = kept / f"plant-{flight}-summary.json", kept / f"plant-{flight}"
        deqmpc(
            "sim", "--task", task, "--policy", policy, "--speed", "max", "--episodes", str(EPISODES),
            "--no-baselines", "--runs-dir", str(runs), "--json", str(file),
        )  # fmt: skip
        return {**json.loads(file.read_text()), "batch": batch_returns(task, policy)}

    return once(kept / f"plant-{flight}.json", fly)


@pytest.mark.parametrize("flight", FLIGHTS)
def test_a_robot_flies_through_the_nodes_as_well_as_from_exact_states(kept: Path, flight: str) -> None:
    """Success, and a return close to the same policy's in the batch environment."""
    document, close = flown(kept, flight), CLOSE.get(flight, 0.03)
    for episode, batch in zip(document["episodes"], document["batch"], strict=True):
        assert episode["success"] and episode["failure"] is None, episode
        assert episode["return"] == pytest.approx(batch, rel=close)


@pytest.mark.parametrize("flight", FLIGHTS)
def test_the_bag_holds_bodies_plans_and_controls_within_the_limits(kept: Path, flight: str) -> None:
    document, task = flown(kept, flight), load_task(flight.split("-")[0])
    bags = sorted(path.parent for path in (kept / f"plant-{flight}").rglob("metadata.yaml"))
    assert len(bags) >= len(document["episodes"])
    with AnyReader([bags[0]]) as reader:
        found = {connection.topic for connection in reader.connections}
        controls = [
            reader.deserialize(data, connection.msgtype).data
            for connection, _, data in reader.messages()
            if connection.topic == "/deqmpc/control"
        ]
    assert {"/rigid_bodies", "/deqmpc/plan", "/deqmpc/plant_state", "/deqmpc/episode_result"} <= found
    sent = torch.tensor([list(values) for values in controls], dtype=torch.float64)
    assert bool(((sent >= task.u_lo - 1e-12) & (sent <= task.u_hi + 1e-12)).all()) and len(sent) > 20
