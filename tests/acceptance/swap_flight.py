"""A flight in real time over the whole graph, with other policies asked for while it goes on."""

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rclpy
import yaml
from deqmpc_interfaces.msg import SolveInfo
from deqmpc_interfaces.srv import LoadPolicy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from deqmpc.session.domain import take_domain
from deqmpc.session.run import Run
from deqmpc.session.settings import RunSettings, new_run_directory, shipped_config, write_parameters
from deqmpc.session.track import Track
from deqmpc_core.bundle import list_bundles, read_config
from deqmpc_core.policies import UNLEARNED
from deqmpc_policy_node import topics

EMPTY = "hover"
"""The empty controller: it holds a place, and nothing is ever swapped."""

PAUSE = 4.0
"""s between the answer to one request and the next request: some two thousand ticks at 50 Hz."""

LONGEST = 3000


def variants() -> list[str]:
    """Every policy there is for the Crazyflie: bundles, and those that need none."""
    bundles = [p.name for p in list_bundles() if read_config(p).task == "crazyflie"]
    return [*bundles, *(name for name in UNLEARNED if not name.startswith("expert"))]


@dataclass
class Seen:
    """What the flight showed: ticks, late ones, bad solves; worst times [ms]; ticks by policy; late ones by
    policy and whether another was being prepared; answers."""

    ticks: int = 0
    late: int = 0
    failed: int = 0
    tick_ms: float = 0.0
    behind_ms: float = 0.0
    flew: Counter[str] = field(default_factory=Counter)
    late_while: Counter[str] = field(default_factory=Counter)
    answers: list[tuple[str, bool, str, float]] = field(default_factory=list)


class Passenger:
    """Looks on at SolveInfo and asks for `names`, one after the other's answer; then for the landing."""

    def __init__(self, names: list[str], most_ticks: int) -> None:
        self.seen, self._names, self._most = Seen(), list(names), most_ticks
        self._context = Context()
        rclpy.init(args=[], context=self._context)
        self._node = Node("passenger", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._node.create_subscription(SolveInfo, topics.SOLVE_INFO, self._on_info, 1000)
        self._load = self._node.create_client(LoadPolicy, topics.LOAD_SERVICE)
        self._stop = self._node.create_client(Trigger, topics.STOP_SERVICE)
        self._asked: tuple[str, Any, float] | None = None
        self._next = 0.0
        self._stopping = False

    def _on_info(self, message: SolveInfo) -> None:
        seen = self.seen
        seen.ticks, seen.late = seen.ticks + 1, seen.late + bool(message.late)
        seen.failed += not message.sentence.startswith(("budget", "converged"))
        seen.tick_ms, seen.behind_ms = (
            max(seen.tick_ms, message.tick_ms),
            max(seen.behind_ms, message.behind_ms),
        )
        seen.flew[message.policy] += 1
        if message.late:
            busy = ", another one being prepared" if self._asked else ""
            seen.late_while[f"{message.policy}{busy}"] += 1

    def look(self, track: Track) -> None:
        """Called while the flight goes on."""
        for _ in range(20):
            self._executor.spin_once(timeout_sec=0.0)
        if track.phase != "POLICY" or track.flown < 5:
            return
        self._follow_up()
        done = not self._names and self._asked is None and time.monotonic() > self._next
        if (done if self._most == 0 else self.seen.ticks >= self._most) and not self._stopping:
            self._stopping = True
            self._stop.call_async(Trigger.Request())

    def _follow_up(self) -> None:
        now = time.monotonic()
        if self._asked is not None and self._asked[1].done():
            name, future, began = self._asked
            answer = future.result()
            self.seen.answers.append((name, bool(answer.success), str(answer.message), round(now - began, 2)))
            self._asked, self._next = None, now + PAUSE
        elif self._asked is None and self._names and now > self._next:
            name = self._names.pop(0)
            self._asked = (name, self._load.call_async(LoadPolicy.Request(name=name)), now)

    def close(self) -> None:
        self._executor.shutdown()
        self._context.try_shutdown()


def fly(
    rate: float,
    first: str,
    names: list[str],
    runs: Path,
    preload: list[str],
    ticks: int = 0,
    speed: str = "realtime",
) -> dict[str, Any]:
    """The figures of one flight that begins with the policy `first`; it ends after `names`, or after so many
    ticks."""
    domain = take_domain(None)
    os.environ["ROS_DOMAIN_ID"] = str(domain.number)
    settings = RunSettings(first, "crazyflie", 3, 1, speed, LONGEST, 0.1, False, (), rate=rate)
    directory = new_run_directory(runs)
    more = directory / "more.yaml"
    more.write_text(yaml.safe_dump({topics.POLICY_NODE: {"ros__parameters": {"preload": preload or [""]}}}))
    files = [*shipped_config(), write_parameters(settings, directory), more]
    passenger = Passenger(names, ticks)
    try:
        with Run(settings, files, directory, passenger.look) as run:
            track = run.fly(0)
            deaths = [str(death) for death in run.deaths]
    finally:
        passenger.close()
        domain.release()
    seen = passenger.seen
    return {
        "rate": rate, "load": os.getloadavg()[0], "ticks": seen.ticks, "late": seen.late,
        "failed": seen.failed,
        "tick_ms": seen.tick_ms, "behind_ms": seen.behind_ms, "flew": dict(seen.flew),
        "late_while": dict(seen.late_while),
        "answers": seen.answers, "ended": track.report()[-3:], "deaths": deaths,
    }  # fmt: skip
