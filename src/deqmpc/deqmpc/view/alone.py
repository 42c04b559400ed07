"""`deqmpc sim --view` without ROS 2: the flight in this process, at the pace of the clock."""

import time
from typing import Any

import numpy as np
from rich.console import Console

from deqmpc.session.options import Sim
from deqmpc.view.browser import show
from deqmpc.view.choice import choices
from deqmpc.view.page import Fly, Move, Page
from deqmpc.view.picture import Picture
from deqmpc_core import load_policy, load_task
from deqmpc_core.errors import ConfigError, DeqmpcError
from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.obstacle_set import ObstacleSet
from deqmpc_core.flight.pilot import Pilot
from deqmpc_core.flight.plants import PLANTS
from deqmpc_core.tasks import Task
from deqmpc_core.types import Status
from deqmpc_policy_node.loading import warm_up
from deqmpc_sim.in_process import Cockpit, fly_episode
from deqmpc_sim.world import World

PERIOD = 0.05


class Alone:
    """Flies episode after episode; `page` may be looked at from other threads."""

    def __init__(self, options: Sim, pace: float = 1.0) -> None:
        """pace: times as fast as the clock. Raises an error of ours when the policy cannot fly here."""
        self._options, self._pace, self.task = options, pace, load_task(options.task)
        if self.task.system.name in PLANTS:
            raise ConfigError(f"--no-ros flies the drone only; drop it to see task '{options.task}'")
        self._policy, self._name = load_policy(options.policy, self.task), options.policy
        goal = self.task.origin.numpy() + self.task.goal[:3].numpy()
        self.page = Page(
            options.port, goal, choices(options.task, options.policy), options.policy, self.task.dt
        )
        self.picture = Picture()
        self._moved: ObstacleSet | None = None
        self.picture.saw_obstacles(*_spheres(self.task))
        warm_up(self._policy, self.task)

    def fly(self, episode: int) -> str:
        """One episode; how it ended."""
        self._began, self._next, self._last = time.monotonic(), 0.0, -1
        steps = self._options.steps or None
        world = World(self.task, seed=self._options.seed, episode=episode)
        flight = fly_episode(self.task, self._policy, world=world, steps=steps, watch=self._watch)
        self.page.show(self.picture)
        return flight.result.failure or ("success" if flight.result.success else "goal not held")

    def _watch(self, cockpit: Cockpit) -> None:
        """Between two ticks of the commander: look, do what the reader asked for, wait for the clock."""
        pilot = cockpit.pilot
        if pilot.obstacles is None and self._moved is not None:
            pilot.obstacles = self._moved
        self._see(cockpit)
        now = time.monotonic() - self._began
        if now >= self._next:
            self._next = now + PERIOD
            for wish in self.page.wishes():
                self._fly(wish.policy, pilot) if isinstance(wish, Fly) else self._move(wish, pilot)
            self.page.show(self.picture)
        ahead = cockpit.world.time / self._pace - (time.monotonic() - self._began)
        if ahead > 0.0:
            time.sleep(ahead)

    def _see(self, cockpit: Cockpit) -> None:
        picture, truth, packet, plan = self.picture, cockpit.world.truth, cockpit.packet, cockpit.pilot.plan
        picture.saw_truth(np.array(truth.position), np.array(truth.quaternion))
        phase, reason = cockpit.phase
        picture.saw_phase(phase.name, reason)
        if packet is None or plan is None or packet.sequence == self._last:
            return
        self._last, origin = packet.sequence, self.task.origin.numpy()
        waypoints = plan.theta[0, :, :3].double().numpy() + origin
        picture.saw_plan(packet.x_world, waypoints, self._name, cockpit.pilot.times.total)
        picture.saw_solve(list(Status)[int(plan.status[0])].value)
        picture.saw_rounds([r.x[0, :, :3].double().numpy() + origin for r in plan.rounds])

    def _move(self, wish: Move, pilot: Pilot) -> None:
        try:
            moved = self.picture.obstacles.moved(wish.index, wish.place)
        except ConfigError as why:
            self.picture.say(str(why))
            return
        still = np.zeros_like(moved.centers)
        self._moved = pilot.obstacles = ObstacleSet.checked(moved.centers, still, moved.radii, 0.0)
        self.picture.saw_obstacles(moved.centers, moved.radii)
        if wish.done:
            self.picture.say(f"obstacle {wish.index} moved")

    def _fly(self, name: str, pilot: Pilot) -> None:
        """Loaded and warmed up here: the clock stands still meanwhile."""
        paused = time.monotonic()
        try:
            policy = load_policy(name, self.task)
            warm_up(policy, self.task)
        except DeqmpcError as why:
            self.picture.say(f"'{name}' was not taken: {why}")
        else:
            warm = pilot.take_over(policy)
            self._policy, self._name = policy, name
            self.picture.say(f"'{name}' flies, {'from the plan under way' if warm else 'from a cold start'}")
        self._began += time.monotonic() - paused


def _spheres(task: Task) -> tuple[Array, Array]:
    """Centres (k, 3), world [m], and radii (k,)."""
    if task.spheres is None:
        return np.zeros((0, 3)), np.zeros(0)
    center: Any = task.spheres.center.numpy() + task.origin.numpy()
    return center, np.broadcast_to(np.asarray(task.spheres.radius, dtype=float), len(center)).copy()


def fly_alone(options: Sim, console: Console) -> int:
    """All episodes of `deqmpc sim --view --no-ros`."""
    with Console(stderr=True).status("loading the policy and its kernels"):
        alone = Alone(options)
    show(console, alone.page.url)
    try:
        for episode in range(options.episodes):
            console.print(f"episode {episode}: {alone.fly(episode)}", highlight=False)
    finally:
        alone.page.close()
    return 0
