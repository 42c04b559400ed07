r"""The whole graph over the simulated Crazyflie, in real time.

    ros2 launch deqmpc sim.launch.py policy:=crazyflie-deqmpc-deq robot:=cf1 record:=true

The commander waits on the ground. A flight is two calls; the first answers with the start the second needs:

    ros2 service call /crazyflie_server/reset deqmpc_interfaces/srv/ResetEpisode "{seed: 0, episode: 0}"
    ros2 service call /deqmpc_commander/start deqmpc_interfaces/srv/StartFlight \
        "{start: {x: 0.0, y: 0.0, z: 1.0}, policy_steps: 200, policy_period: 0.1}"

`deqmpc sim` runs the same nodes with the same config/sim.yaml, makes the calls, and judges the flights.
"""

from datetime import UTC, datetime

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, Shutdown
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    """Return simulator, policy, commander and recorder; the graph ends with the simulator."""
    config = PathJoinSubstitution([FindPackageShare("deqmpc"), "config", "sim.yaml"])
    robot = {"robot": ParameterValue(LaunchConfiguration("robot"), value_type=str)}
    policy = {"policy": ParameterValue(LaunchConfiguration("policy"), value_type=str)}
    bag = {"directory": f"runs/{datetime.now(UTC):%Y%m%dT%H%M%SZ}/bag"}
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "policy",
                default_value="crazyflie-deqmpc-deq",
                description="path or name of a policy bundle, or goal-mpc",
            ),
            DeclareLaunchArgument(
                "robot", default_value="cf1", description="name of the robot: prefix of its topics"
            ),
            DeclareLaunchArgument(
                "record", default_value="true", description="write an MCAP bag to runs/<UTC time>/bag"
            ),
            Node(
                package="deqmpc_sim",
                executable="simulator",
                name="crazyflie_server",
                parameters=[config, robot],
                output="screen",
                on_exit=Shutdown(reason="the simulator has ended"),
            ),
            Node(
                package="deqmpc_policy_node",
                executable="policy",
                name="deqmpc_policy",
                parameters=[config, robot, policy],
                output="screen",
            ),
            Node(
                package="deqmpc_policy_node",
                executable="commander",
                name="deqmpc_commander",
                parameters=[config, robot],
                output="screen",
            ),
            Node(
                package="deqmpc_policy_node",
                executable="recorder",
                name="deqmpc_recorder",
                parameters=[config, bag],
                output="screen",
                condition=IfCondition(LaunchConfiguration("record")),
            ),
        ]
    )
