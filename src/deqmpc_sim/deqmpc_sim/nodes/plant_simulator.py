"""The simulated outside of a robot other than the drone, as nodes see it: bodies out, controls in."""

from deqmpc_interfaces.srv import ResetEpisode
from geometry_msgs.msg import Point
from rclpy.node import Node
from std_msgs.msg import Float64MultiArray

from deqmpc_core.tasks import Task
from deqmpc_sim.firmware import TruthConfig
from deqmpc_sim.nodes import graph
from deqmpc_sim.nodes.graph import NANOSECONDS, Spinner, stamp_of
from deqmpc_sim.nodes.parameters import SimulatorParameters
from deqmpc_sim.nodes.plant_clocks import PlantLockStep, PlantRealTime
from deqmpc_sim.nodes.plant_publishers import PlantPublisher
from deqmpc_sim.plant_world import PlantWorld

MAX_CONTROLS = 1000
"""A longer message is not even converted."""


class PlantSimulator:
    """Owns the episode of the moment and what is published about it; a clock moves it on."""

    def __init__(self, node: Node, parameters: SimulatorParameters, truth: TruthConfig, task: Task) -> None:
        self.node, self.parameters, self._truth, self._task = node, parameters, truth, task
        self._every = {"state": 0.02, "result": 0.1}
        self._asked: tuple[int, int] | None = None
        if parameters.autostart:
            self._asked = (parameters.seed, parameters.episode)
        self._number = (0, 0)
        self.running = False
        self.epoch = 0
        self.heard = 0
        """Controls since the last step of lock-step, sound or not."""
        self.world: PlantWorld | None = None
        self.publisher = PlantPublisher(node, parameters.mocap_frame, task.system)
        self._due: dict[str, float] = {}
        node.create_subscription(Float64MultiArray, graph.CONTROL, self._on_control, graph.RELIABLE)
        node.create_service(ResetEpisode, graph.RESET_SERVICE, self._on_reset)

    def _on_control(self, message: Float64MultiArray) -> None:
        self.heard += 1
        sound = self.running and self.world is not None and len(message.data) <= MAX_CONTROLS
        if sound and self.world is not None and not self.world.control(message.data):
            self.node.get_logger().warning(
                f"control refused: expected {self._task.m} finite numbers, got {len(message.data)}",
                throttle_duration_sec=1.0,
            )

    def _on_reset(
        self, request: ResetEpisode.Request, response: ResetEpisode.Response
    ) -> ResetEpisode.Response:
        self._asked = (int(request.seed), int(request.episode))
        nowhere = float("nan")
        response.success, response.start = True, Point(x=nowhere, y=nowhere, z=nowhere)
        return response

    @property
    def reset_asked(self) -> bool:
        """An episode has been asked for."""
        return self._asked is not None

    @property
    def attended(self) -> bool:
        """A policy is there: it hears the poses and speaks on the control topic. A commander, for which the
        parameter counts too, there is none."""
        followers = max(1, self.parameters.followers - 1)
        return self.publisher.followers >= followers and self.node.count_publishers(graph.CONTROL) > 0

    def begin_asked(self) -> None:
        """Put the robot where the episode asked for begins."""
        if self._asked is None:
            return
        self._number, self._asked = self._asked, None
        steps = self.parameters.policy_steps or None
        self.world = PlantWorld(self._task, self._truth, *self._number, steps)
        self.publisher.begin_episode()
        self.running, self.heard = True, 0
        self._due = dict.fromkeys(self._every, 0.0)

    def publish(self) -> None:
        """Everything due at the present time."""
        world = self.present
        for sample in world.take_samples():
            self.publisher.frame(sample, self._stamp(sample.stamp))
        for name, every in self._every.items():
            if world.time >= self._due[name] - 1e-6:
                self._due[name] += every
                self._publish_one(name)

    def _publish_one(self, name: str) -> None:
        world, stamp = self.present, self._stamp(self.present.time)
        if name == "state":
            self.publisher.state(world.x, world.input.at(world.time), stamp)
        else:
            self.publisher.result(world, stamp, *self._number, finished=False)

    def finish(self) -> None:
        """The episode is over: the verdict."""
        self.running = False
        self.publisher.result(self.present, self._stamp(self.present.time), *self._number, finished=True)

    @property
    def present(self) -> PlantWorld:
        """The world of the present episode."""
        if self.world is None:
            raise RuntimeError("no episode has begun")
        return self.world

    def _stamp(self, t: float) -> graph.Time:
        return stamp_of(self.epoch + round(t * NANOSECONDS))


def run_plant(
    node: Node, spinner: Spinner, parameters: SimulatorParameters, truth: TruthConfig, task: Task
) -> None:
    """Simulate until a signal."""
    simulator = PlantSimulator(node, parameters, truth, task)
    clock = PlantLockStep if parameters.speed == "max" else PlantRealTime
    motion = clock(node, spinner, simulator, task.dt)
    while not spinner.interrupted:
        motion.advance()
