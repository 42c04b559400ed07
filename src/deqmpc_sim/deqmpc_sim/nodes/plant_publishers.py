"""What the simulator tells the graph of a robot other than the drone: motion capture, truth, referee."""

from builtin_interfaces.msg import Time
from deqmpc_interfaces.msg import EpisodeResult
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.plant_estimator import PlantSample
from deqmpc_core.systems.system import System
from deqmpc_sim.nodes import graph
from deqmpc_sim.nodes.graph import WORLD
from deqmpc_sim.nodes.publishers import BodyPublisher, pose_message, verdict_message
from deqmpc_sim.plant_world import PlantWorld


class PlantPublisher(BodyPublisher):
    """Frames with all bodies of a robot, its state, its episodes."""

    def __init__(self, node: Node, frame_id: str, system: System) -> None:
        super().__init__(node, frame_id)
        self._system = system
        self._states = node.create_publisher(JointState, graph.PLANT_STATE, graph.RELIABLE)
        self._results = node.create_publisher(EpisodeResult, graph.EPISODE_RESULT, graph.RELIABLE)

    def frame(self, sample: PlantSample, stamp: Time) -> None:
        """One frame with all bodies."""
        poses = {name: pose_message(p.position, p.quaternion) for name, p in sample.poses.items()}
        self.send(poses, sample.frame_number, stamp)

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
        self._results.publish(verdict_message(world.result(), stamp, seed, episode, finished))
