"""Node `crazyflie_server`: the simulated outside, in real time or in lock-step (speed max). For tasks of
other robots than the drone it is plant_simulator's."""

import sys

import rclpy
from deqmpc_interfaces.msg import FlightState
from deqmpc_interfaces.srv import ResetEpisode
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from deqmpc_core.errors import DeqmpcError
from deqmpc_core.flight.plants import PLANTS
from deqmpc_core.tasks import Task, load_task
from deqmpc_sim.firmware import TruthConfig
from deqmpc_sim.nodes import graph
from deqmpc_sim.nodes.episode import Episode
from deqmpc_sim.nodes.faults import FaultQueue
from deqmpc_sim.nodes.graph import LATCHED, NANOSECONDS, Spinner, point, stamp_of
from deqmpc_sim.nodes.lock_step import LockStep
from deqmpc_sim.nodes.parameters import SimulatorParameters, declare
from deqmpc_sim.nodes.plant_simulator import run_plant
from deqmpc_sim.nodes.publishers import MocapPublisher, RecordPublisher
from deqmpc_sim.nodes.real_time import RealTime
from deqmpc_sim.nodes.server import CrazyflieServer
from deqmpc_sim.radio import RadioConfig
from deqmpc_sim.world import World, warm_up


class Simulator:
    """Owns the episode of the moment and what is published about it; a clock of its own kind moves it on."""

    def __init__(
        self,
        node: Node,
        parameters: SimulatorParameters,
        truth: TruthConfig,
        radio: RadioConfig,
        task: Task,
    ) -> None:
        self.parameters, self._truth, self._radio, self._task = parameters, truth, radio, task
        self._every = {
            "pose": 1.0 / parameters.pose_rate, "status": 1.0 / parameters.status_rate,
            "truth": 0.02, "result": 0.1,
        }  # fmt: skip
        body = parameters.body or parameters.robot
        warm_up(task)  # compiles before time counts, the referee's kernels too
        self.episode = self._make(parameters.seed, parameters.episode)
        self.server = CrazyflieServer(node, parameters.robot, truth.controller_mass, self.episode.world)
        self.mocap = MocapPublisher(node, body, parameters.mocap_frame, parameters.named_poses)
        self.record = RecordPublisher(node, body, task)
        self.flight_state = FlightState()
        self.running = True
        self.epoch = 0
        self._asked: tuple[int, int] | None = None
        self._due: dict[str, float] = dict.fromkeys(self._every, 0.0)
        node.create_subscription(FlightState, graph.FLIGHT_STATE, self._on_flight_state, LATCHED)
        node.create_service(ResetEpisode, graph.RESET_SERVICE, self._on_reset)
        self._faults = FaultQueue(node)

    def _make(self, seed: int, episode: int) -> Episode:
        guarded = self.parameters.bridge_guarded
        world = World(self._task, self._truth, seed, episode, radio=self._radio, guarded=guarded)
        return Episode(world, seed, episode, self.parameters.policy_steps)

    def _on_flight_state(self, message: FlightState) -> None:
        self.flight_state = message

    def _on_reset(
        self, request: ResetEpisode.Request, response: ResetEpisode.Response
    ) -> ResetEpisode.Response:
        self._asked = (int(request.seed), int(request.episode))
        start = self._task.start(*self._asked)[:3] + self._task.origin.numpy()
        response.success, response.start = True, point(start)
        return response

    @property
    def reset_asked(self) -> bool:
        """A new episode has been asked for."""
        return self._asked is not None

    def begin_asked(self, epoch: int) -> None:
        """Begin the episode that was asked for; epoch [ns] is the stamp of its time 0."""
        if self._asked is not None:
            self.episode = self._make(*self._asked)
        self._asked = None
        self.server.begin(self.episode.world)
        self.mocap.begin_episode()
        self.flight_state = FlightState()
        self.running, self.epoch = True, epoch
        self._due = dict.fromkeys(self._every, 0.0)

    def publish(self) -> None:
        """Everything due at the present time."""
        self.take_faults()
        world, stamp = self.episode.world, self.stamp()
        self.episode.publish_poses(self.mocap, self.epoch)
        self.episode.tell_events(self.record)
        for name, every in self._every.items():
            if world.time >= self._due[name] - 1e-6:
                self._due[name] += every
                self._publish_one(name, stamp)

    def _publish_one(self, name: str, stamp: graph.Time) -> None:
        episode = self.episode
        if name == "pose":
            self.server.publish_pose(stamp)
        elif name == "status":
            self.server.publish_status(stamp)
        elif name == "truth":
            self.record.truth(episode.world, stamp)
        elif self.running:
            self.record.result(episode.world, stamp, episode.seed, episode.episode, finished=False)

    def take_faults(self) -> None:
        """Bring about the faults asked for meanwhile; not to be called from a callback."""
        self._faults.release(self.episode.world, self.server)

    def stamp(self) -> graph.Time:
        """The present time."""
        return stamp_of(self.epoch + round(self.episode.world.time * NANOSECONDS))

    def finish(self) -> None:
        """The episode is over: the verdict."""
        episode = self.episode
        episode.close()
        self.running = False
        episode.tell_events(self.record)
        self.record.result(episode.world, self.stamp(), episode.seed, episode.episode, finished=True)


DECLARED = (SimulatorParameters, TruthConfig, RadioConfig)
"""What the node takes as parameters."""


def _run(node: Node) -> None:
    parameters = declare(node, SimulatorParameters)
    truth, radio, task = declare(node, TruthConfig), declare(node, RadioConfig), load_task(parameters.task)
    spinner = Spinner(node)
    if task.system.name in PLANTS:
        run_plant(node, spinner, parameters, truth, task)
        return
    simulator = Simulator(node, parameters, truth, radio, task)
    clock = LockStep if parameters.speed == "max" else RealTime
    motion = clock(node, spinner, simulator)
    while not spinner.interrupted:
        motion.advance()


def main() -> None:
    """Entry point of the executable `simulator`."""
    rclpy.init(args=sys.argv, signal_handler_options=SignalHandlerOptions.NO)
    node = Node(graph.NODE)
    try:
        _run(node)
    except DeqmpcError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
