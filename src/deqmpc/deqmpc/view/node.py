"""Node `deqmpc_view`: what the graph says into the page, what the reader wants into the graph."""

import sys
import time
from dataclasses import MISSING, dataclass
from typing import Any

import numpy as np
from deqmpc_interfaces.msg import EpisodeResult, Estimate, FlightState, Obstacles, Plan, SolveInfo
from deqmpc_interfaces.srv import LoadPolicy
from geometry_msgs.msg import Point
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import QoSProfile
from visualization_msgs.msg import MarkerArray

from deqmpc.view.choice import choices
from deqmpc.view.page import Fly, Move, Page
from deqmpc.view.picture import Picture
from deqmpc_core.errors import ConfigError
from deqmpc_core.tasks import load_task
from deqmpc_policy_node import topics
from deqmpc_policy_node.convert import array
from deqmpc_policy_node.parameters import declare, option
from deqmpc_policy_node.process import Spinner, run
from deqmpc_policy_node.qos import LATCHED, LATEST

NAME = "deqmpc_view"
PERIOD = 0.05
"""s between two looks at the picture: what browsers get."""


@dataclass(frozen=True)
class ViewParameters:
    """Parameters of `deqmpc_view`."""

    policy: str = option(MISSING, "the policy that flies first")
    task: str = option("crazyflie", "the task it flies")
    port: int = option(8080, "of the page; the next free one where it is taken", (1, 65535))


class ViewNode:
    """Listens best effort where it may: nobody waits for a viewer."""

    def __init__(self, node: Node, parameters: ViewParameters) -> None:
        self.node, self._picture, self._next = node, Picture(), 0.0
        task = load_task(parameters.task)
        goal = task.origin.numpy() + task.goal[:3].numpy()
        names = choices(parameters.task, parameters.policy)
        self._page = Page(parameters.port, goal, names, parameters.policy, task.dt)
        self._obstacles = node.create_publisher(Obstacles, topics.SET_OBSTACLES, 1)
        self._load = node.create_client(LoadPolicy, topics.LOAD_SERVICE)
        self._connect()
        node.get_logger().info(f"view at {self._page.url}")

    def _connect(self) -> None:
        picture = self._picture
        self._listen(Odometry, topics.TRUTH, LATEST, lambda m: picture.saw_truth(*_pose(m.pose.pose)))
        self._listen(Estimate, topics.ESTIMATE, LATEST, lambda m: picture.saw_estimate(*_pose(m.pose)))
        self._listen(Plan, topics.PLAN, LATEST, self._on_plan)
        self._listen(MarkerArray, topics.ROUNDS, LATEST, lambda m: picture.saw_rounds(_lines(m)))
        self._listen(SolveInfo, topics.SOLVE_INFO, LATEST, lambda m: picture.saw_solve(m.sentence))
        self._listen(Obstacles, topics.OBSTACLE_SET, LATCHED, self._on_obstacles)
        self._listen(
            FlightState, topics.FLIGHT_STATE, LATCHED, lambda m: picture.saw_phase(m.phase, m.reason)
        )
        self._listen(
            EpisodeResult, topics.EPISODE_RESULT, LATEST,
            lambda m: picture.saw_progress(m.distance_to_goal, m.nearest_obstacle),
        )  # fmt: skip

    def _listen(self, kind: Any, topic: str, qos: QoSProfile, callback: Any) -> None:
        self.node.create_subscription(kind, topic, callback, qos)

    def decide(self) -> None:
        """Twenty times a second at most: draw, and do what the reader asked for."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + PERIOD
        for wish in self._page.wishes():
            self._fly(wish.policy) if isinstance(wish, Fly) else self._move(wish)
        self._page.show(self._picture)

    def close(self) -> None:
        """End the server."""
        self._page.close()

    def _on_plan(self, message: Plan) -> None:
        plan, waypoints = (_rows(points) for points in (message.position, message.waypoints))
        self._picture.saw_plan(plan, waypoints, message.policy, float(message.tick_ms))

    def _on_obstacles(self, message: Obstacles) -> None:
        self._picture.saw_obstacles(_rows(message.centers), np.array(message.radii, dtype=float))

    def _move(self, wish: Move) -> None:
        try:
            moved = self._picture.obstacles.moved(wish.index, wish.place)
        except ConfigError as why:
            self._picture.say(str(why))
            return
        centers = [Point(x=float(x), y=float(y), z=float(z)) for x, y, z in moved.centers]
        self._obstacles.publish(Obstacles(centers=centers, radii=[float(r) for r in moved.radii]))
        if wish.done:
            self._picture.say(f"obstacle {wish.index} moved")
            self.node.get_logger().info(f"obstacle {wish.index} moved to {np.round(wish.place, 3).tolist()}")

    def _fly(self, policy: str) -> None:
        if not self._load.service_is_ready():
            self._picture.say(f"nobody offers {topics.LOAD_SERVICE}: '{policy}' cannot be loaded")
            return
        self._picture.say(f"'{policy}' is being checked")
        answer = self._load.call_async(LoadPolicy.Request(name=policy))
        answer.add_done_callback(lambda done: self._picture.say(done.result().message))


def _pose(pose: Any) -> tuple[np.ndarray, np.ndarray]:
    return array(pose.position), array(pose.orientation)


def _rows(points: Any) -> np.ndarray:
    return np.array([array(point) for point in points], dtype=float).reshape(-1, 3)


def _lines(message: MarkerArray) -> list[np.ndarray]:
    return [_rows(marker.points) for marker in message.markers if marker.points]


def _build(node: Node, spinner: Spinner) -> ViewNode:
    del spinner
    return ViewNode(node, declare(node, ViewParameters))


def main() -> None:
    """Entry point: `python -m deqmpc.view.node --ros-args -p policy:=…`."""
    sys.exit(run(NAME, _build))


if __name__ == "__main__":
    main()
