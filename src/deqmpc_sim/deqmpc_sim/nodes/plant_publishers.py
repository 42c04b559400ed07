"""What the simulator tells the graph of a robot other than the drone: motion capture, truth, referee."""

from builtin_interfaces.msg import Time
from deqmpc_interfaces.msg import EpisodeResult
from geometry_msgs.msg import Pose
from mocap4r2_msgs.msg import RigidBodies, RigidBody
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.plant_estimator import PlantSample
from deqmpc_core.systems.system import System
from deqmpc_sim.nodes import graph
from deqmpc_sim.nodes.graph import WORLD, point, quaternion
from deqmpc_sim.plant_world import PlantWorld


class PlantPublisher:
    """Frame numbers go on over episodes, as a driver's counter does."""

    def __init__(self, node: Node, frame_id: str, system: System) -> None:
        self._frame_id, self._system = frame_id, system
        self._bodies = node.create_publisher(RigidBodies, graph.RIGID_BODIES, graph.MOCAP)
        self._states = node.create_publisher(JointState, graph.PLANT_STATE, graph.RELIABLE)
        self._results = node.create_publisher(EpisodeResult, graph.EPISODE_RESULT, graph.RELIABLE)
        self._offset = 0
        self.last_frame = 0

    @property
    def followers(self) -> int:
        """Subscribers of the poses matched so far."""
        return self._bodies.get_subscription_count()

    def begin_episode(self) -> None:
        """Count on from the last frame."""
        self._offset = self.last_frame

    def frame(self, sample: PlantSample, stamp: Time) -> None:
        """One frame with all bodies."""
        self.last_frame = self._offset + sample.frame_number
        bodies = [
            RigidBody(
                rigid_body_name=name,
                pose=Pose(position=point(pose.position), orientation=quaternion(pose.quaternion)),
            )
            for name, pose in sample.poses.items()
        ]
        header = Header(stamp=stamp, frame_id=self._frame_id)
        self._bodies.publish(RigidBodies(header=header, frame_number=self.last_frame, rigidbodies=bodies))

    def state(self, x: Array, u: Array, stamp: Time) -> None:
        """The truth: every state by name in `position`, the control that acts in `effort`; for records and
        viewers, never for the policy."""
        message = JointState(header=Header(stamp=stamp, frame_id=WORLD))
        message.name = [*self._system.states, *self._system.controls]
        message.position = [*(float(value) for value in x), *([float("nan")] * len(u))]
        message.effort = [*([float("nan")] * len(x)), *(float(value) for value in u)]
        self._states.publish(message)

    def result(self, world: PlantWorld, stamp: Time, seed: int, episode: int, finished: bool) -> None:
        """The referee's verdict so far."""
        verdict = world.result()
        self._results.publish(
            EpisodeResult(
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
        )
