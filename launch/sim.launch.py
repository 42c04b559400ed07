r"""The whole graph over the simulated robot, in real time.

    ros2 launch deqmpc sim.launch.py policy:=crazyflie-deqmpc-deq robot:=cf1 record:=true

The commander waits on the ground. A flight is two calls; the first answers with the start the second needs:

    ros2 service call /crazyflie_server/reset deqmpc_interfaces/srv/ResetEpisode "{seed: 0, episode: 0}"
    ros2 service call /deqmpc_commander/start deqmpc_interfaces/srv/StartFlight \
        "{start: {x: 0.0, y: 0.0, z: 1.0}, policy_steps: 200, policy_period: 0.1}"

Other robots have no commander and no take-off: `task:=cartpole policy:=...` flies its first episode at once
and the next one after the reset call. docs/plants.md is about them.

The arguments are those of bringup_hw.launch.py (`--show-args` tells them). `deqmpc sim` runs the same nodes
with the same config/sim.yaml, makes the calls, and judges the flights.
"""

from launch import LaunchDescription
from launch.actions import Shutdown
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration

from deqmpc.bringup import SERVER_NODE, arguments, node, stack


def generate_launch_description() -> LaunchDescription:
    """Return simulator, policy, commander and recorder; the graph ends with the simulator."""
    simulator = node(
        "deqmpc_sim",
        "simulator",
        SERVER_NODE,
        on_exit=Shutdown(reason="the simulator has ended"),
        condition=IfCondition(LaunchConfiguration("server")),
    )
    return LaunchDescription([*arguments("sim.yaml", bridge="false"), simulator, *stack()])
