"""From a recording to episodes, through the estimator that flew.

A flight's first plan, at t_0, settles nothing before t_0 + dt: the policy plans from there on. So step k of
an episode is the interval from t_0 + (k + 1) dt on, and its action the control that the newest plan at least
a knot older has for it (as a rule the first control of the plan of t_0 + k dt), clamped to the task's limits.
The states are the estimator's at those times and one interval after the last, in the task's frame.
"""

from typing import NamedTuple

import numpy as np
import torch

from deqmpc_core.errors import DataError
from deqmpc_core.flight import Estimate
from deqmpc_core.flight.frames import task_from_world
from deqmpc_core.systems import crazyflie
from deqmpc_core.tasks import Task
from deqmpc_train.data.episodes import Array, Episode
from deqmpc_train.data.recording import Recording, Tick
from deqmpc_train.data.replay import Query, Replay

NEAR = 0.25  # of an interval: how far a plan may be off the grid that the first one sets
_OLD = 0.2  # s: how old the newest pose may be; the estimator predicts no farther


class Flight(NamedTuple):
    """An episode, why it failed (None: it did not), and the largest difference between an estimate of the
    node and ours from the same frames (m, m/s, rad/s or a quaternion's entry)."""

    episode: Episode
    failure: str | None
    difference: float


class _Draft(NamedTuple):
    """A flight before its states are known: times [s] of the knots, actions (m,) between them."""

    ticks: list[Tick]
    times: list[float]
    actions: list[Array]


def flights(recording: Recording, task: Task, source: str) -> list[Flight]:
    """Every flight of a recording, in order. Raises DataError where task and plans do not fit."""
    if task.system.states != crazyflie.states:
        raise DataError(f"task '{task.name}' is not flown by a rigid quadrotor; bags hold poses of one")
    if not recording.ticks:
        raise DataError("no plan was recorded with its estimate; nothing flew")
    _check_plans(recording.ticks, task)
    drafts = [_draft(ticks, task) for ticks in _groups(recording.ticks)]
    replay = Replay(recording)
    queries = [query for draft in drafts for query in _queries(draft, replay, task.dt)]
    answers = iter(replay.answers(queries))
    made = []
    for index, draft in enumerate(drafts):
        knots = [next(answers) for _ in draft.times]
        again = [next(answers) for _ in draft.ticks]
        episode = _episode(draft, knots, task, f"{source}#{index}")
        difference = max(_difference(a, k.estimate) for a, k in zip(again, draft.ticks, strict=True))
        made.append(Flight(episode, _failure(episode, task, _verdict(recording, drafts, index)), difference))
    return made


def _check_plans(ticks: list[Tick], task: Task) -> None:
    for tick in ticks:
        if abs(tick.dt - task.dt) > 1e-9 or tick.u.shape[1] != task.m:
            raise DataError(
                f"plan at {tick.stamp:.2f} s: expected dt {task.dt} s and {task.m} controls, "
                f"got {tick.dt} s and {tick.u.shape[1]}"
            )


def _groups(ticks: list[Tick]) -> list[list[Tick]]:
    """Ticks by flight: the policy counts its plans from 0 in each."""
    groups: list[list[Tick]] = []
    for tick in ticks:
        if not groups or tick.sequence <= groups[-1][-1].sequence:
            groups.append([])
        groups[-1].append(tick)
    return groups


def _draft(ticks: list[Tick], task: Task) -> _Draft:
    """Knots and actions up to the first interval without a plan."""
    dt, begin = task.dt, ticks[0].stamp
    usable = [k for k in ticks if len(k.u) and np.isfinite(k.u).all()]
    times, actions = [begin + dt], []
    for step in range(1, round((ticks[-1].stamp - begin) / dt) + 1):
        u = _planned(usable, begin + step * dt, dt)
        if u is None:
            break
        actions.append(task.limited(torch.from_numpy(u)).numpy())
        times.append(begin + (step + 1) * dt)
    return _Draft(ticks, times, actions)


def _planned(ticks: list[Tick], t: float, dt: float) -> Array | None:
    """The control (m,) for the interval from t on: of the newest plan that begins there or before."""
    settled = [k for k in ticks if k.stamp <= t - (1.0 - NEAR) * dt]
    if not settled:
        return None
    plan = settled[-1]
    index = max(round((t - plan.stamp) / dt) - 1, 0)
    return plan.u[index] if index < len(plan.u) else None


def _queries(draft: _Draft, replay: Replay, dt: float) -> list[Query]:
    """What is asked of the estimator: the knots, then the node's own estimates again.

    A knot knows the frames that the node knew where it planned about then, else all captured by then.
    """
    queries = []
    for t in draft.times:
        tick = min(draft.ticks, key=lambda k: abs(k.stamp - t))
        near = abs(tick.stamp - t) <= NEAR * dt
        number = tick.estimate.frame_number
        queries.append(Query(t, number if near else replay.captured_by(t, number)))
    return queries + [Query(k.stamp, k.estimate.frame_number) for k in draft.ticks]


def _episode(draft: _Draft, knots: list[Estimate | None], task: Task, source: str) -> Episode:
    """Up to the first knot whose newest pose is too old."""
    known: list[Array] = []
    for e in knots:
        if e is None or e.age > _OLD:
            break
        known.append(task_from_world(e.position, e.quaternion, e.velocity, e.omega, task.origin.numpy()))
    count = max(len(known) - 1, 0)
    states, actions = np.array(known[: count + 1]), np.array(draft.actions[:count])
    return Episode(states.reshape(-1, task.n), actions.reshape(-1, task.m), None, source)


def _difference(ours: Estimate | None, told: Estimate) -> float:
    """Infinite where the frame behind the node's estimate was not recorded."""
    if ours is None or ours.frame_number != told.frame_number:
        return float("inf")
    pairs = (
        (ours.position, told.position), (ours.quaternion, told.quaternion),
        (ours.velocity, told.velocity), (ours.omega, told.omega),
    )  # fmt: skip
    return max(float(np.max(np.abs(a - b))) for a, b in pairs)


def _verdict(recording: Recording, drafts: list[_Draft], index: int) -> str | None:
    """The referee's reason of failure, "" for none, None where nobody judged."""
    begin = drafts[index].ticks[0].received
    end = drafts[index + 1].ticks[0].received if index + 1 < len(drafts) else np.inf
    told = [reason for received, reason in recording.verdicts if begin <= received < end]
    return told[-1] if told else None


def _failure(episode: Episode, task: Task, verdict: str | None) -> str | None:
    """The referee's word; without one the task's own rule on the states."""
    if not len(episode.actions):
        return "shorter than one step"
    if verdict is not None:
        return verdict or None
    x = torch.from_numpy(episode.states)
    return next((why for why in task.failures(x[:-1], x[1:]) if why is not None), None)
