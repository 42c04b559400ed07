"""What the simulator tells the graph beside the robot's own topics: motion capture, truth, referee, firmware
events."""

from collections.abc import Mapping

import numpy as np
from builtin_interfaces.msg import Time
from deqmpc_interfaces.msg import EpisodeResult
from geometry_msgs.msg import Pose
from mocap4r2_msgs.msg import RigidBodies, RigidBody
from motion_capture_tracking_interfaces.msg import NamedPose, NamedPoseArray
from nav_msgs.msg import Odometry
from rclpy.node import Node
from std_msgs.msg import Header, String

from deqmpc_core.flight.frames import Array, matrix_from_quaternion
from deqmpc_core.tasks import Task
from deqmpc_sim.mocap import Frame
from deqmpc_sim.nodes import graph
from deqmpc_sim.nodes.graph import WORLD, point, quaternion, vector
from deqmpc_sim.referee import EpisodeResult as Verdict
from deqmpc_sim.world import World


def pose_message(position: Array, attitude: Array) -> Pose:
    """position (3,) [m], attitude (4,) xyzw."""
    return Pose(position=point(position), orientation=quaternion(attitude))


class BodyPublisher:
    """RigidBodies as a driver sends them. Frame numbers go on over episodes, as a driver's counter does."""

    def __init__(self, node: Node, frame_id: str) -> None:
        self._frame_id = frame_id
        self._bodies = node.create_publisher(RigidBodies, graph.RIGID_BODIES, graph.MOCAP)
        self._offset = 0
        self.last_frame = 0

    @property
    def followers(self) -> int:
        """Subscribers matched so far."""
        return self._bodies.get_subscription_count()

    def begin_episode(self) -> None:
        """Count on from the last frame."""
        self._offset = self.last_frame

    def send(self, poses: Mapping[str, Pose], number: int, stamp: Time) -> Header:
        """One frame, the episode's `number`, with the bodies by name; its header."""
        self.last_frame = self._offset + number
        header = Header(stamp=stamp, frame_id=self._frame_id)
        bodies = [RigidBody(rigid_body_name=name, pose=pose) for name, pose in poses.items()]
        self._bodies.publish(RigidBodies(header=header, frame_number=self.last_frame, rigidbodies=bodies))
        return header


class MocapPublisher(BodyPublisher):
    """Frames with one body."""

    def __init__(self, node: Node, body: str, frame_id: str, named: bool = False) -> None:
        """named: the same poses as NamedPoseArray too, as the bridge to Crazyswarm2 would publish them."""
        super().__init__(node, frame_id)
        self._body = body
        self._named = node.create_publisher(NamedPoseArray, graph.NAMED_POSES, graph.NAMED) if named else None

    def publish(self, frame: Frame, stamp: Time) -> None:
        """One frame with one body."""
        name, pose = frame.body or self._body, pose_message(frame.position, frame.quaternion)
        header = self.send({name: pose}, frame.frame_number, stamp)
        if self._named is not None:
            self._named.publish(NamedPoseArray(header=header, poses=[NamedPose(name=name, pose=pose)]))


def verdict_message(
    verdict: Verdict, stamp: Time, seed: int, episode: int, finished: bool
) -> EpisodeResult:
    """The verdict on an episode, its distances being those of now too; the final one is told at the end
    alone."""
    return EpisodeResult(
        header=Header(stamp=stamp, frame_id=WORLD),
        seed=seed,
        episode=episode,
        finished=finished,
        return_value=float(verdict.return_),
        success=bool(verdict.success),
        failure=verdict.failure or "",
        final_distance=float(verdict.final_distance) if finished else float("nan"),
        min_obstacle_distance=float(verdict.min_obstacle_distance),
        steps=int(verdict.steps),
        distance_to_goal=float(verdict.final_distance),
        nearest_obstacle=float(verdict.min_obstacle_distance),
    )


class RecordPublisher:
    """Truth, verdicts and firmware events: for records and viewers, never for the policy."""

    def __init__(self, node: Node, body: str, task: Task) -> None:
        self._body = body
        origin = task.origin.numpy()
        self._goal = origin + task.goal[:3].numpy()
        self._centers = np.zeros((0, 3)) if task.spheres is None else origin + task.spheres.center.numpy()
        self._radius = 0.0 if task.spheres is None else np.asarray(task.spheres.radius)
        self._truth = node.create_publisher(Odometry, graph.TRUTH, graph.RELIABLE)
        self._results = node.create_publisher(EpisodeResult, graph.EPISODE_RESULT, graph.RELIABLE)
        self._events = node.create_publisher(String, graph.FIRMWARE, graph.MOCAP)

    def truth(self, world: World, stamp: Time) -> None:
        """The true state; the twist is in the body frame, as Odometry demands."""
        state = world.truth
        message = Odometry(header=Header(stamp=stamp, frame_id=WORLD), child_frame_id=self._body)
        message.pose.pose = pose_message(state.position, state.quaternion)
        message.twist.twist.linear = vector(matrix_from_quaternion(state.quaternion).T @ state.velocity)
        message.twist.twist.angular = vector(state.omega)
        self._truth.publish(message)

    def event(self, sentence: str) -> None:
        """Something the firmware did."""
        self._events.publish(String(data=sentence))

    def result(self, world: World, stamp: Time, seed: int, episode: int, finished: bool) -> None:
        """The referee's verdict so far."""
        message = verdict_message(world.result(), stamp, seed, episode, finished)
        if not finished:
            message.failure = world.referee.failure or ""
        message.distance_to_goal = float(np.linalg.norm(world.truth.position - self._goal))
        message.nearest_obstacle = self._nearest(world.truth.position)
        self._results.publish(message)

    def _nearest(self, position: Array) -> float:
        if not len(self._centers):
            return float("inf")
        return float(np.min(np.linalg.norm(self._centers - position, axis=1) - self._radius))
