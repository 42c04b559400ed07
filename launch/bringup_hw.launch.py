r"""The nodes for a real Crazyflie: policy, commander and recorder.

    ros2 launch deqmpc bringup_hw.launch.py policy:=crazyflie-deqmpc-deq robot:=cf231 record:=true

Beside it run Crazyswarm2's server (`ros2 launch crazyflie launch.py mocap:=False`), a MOCAP4ROS2 driver that
publishes /rigid_bodies, and a bridge from there to /poses, the server's input. config/hw.yaml names the rigid
body. The commander waits on the ground until it is told to fly:

    ros2 service call /deqmpc_commander/start deqmpc_interfaces/srv/StartFlight \
        "{start: {x: 0.0, y: 0.0, z: 1.0}, policy_steps: 200, policy_period: 0.1}"

and lands on

    ros2 service call /deqmpc_commander/stop std_srvs/srv/Trigger

No node is restarted in flight: when `policy` dies the commander lands by itself.
"""

from datetime import UTC, datetime

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare


def generate_launch_description() -> LaunchDescription:
    """Return policy, commander and recorder."""
    config = PathJoinSubstitution([FindPackageShare("deqmpc"), "config", "hw.yaml"])
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
                "robot", default_value="cf231", description="name of the robot in crazyflies.yaml"
            ),
            DeclareLaunchArgument(
                "record", default_value="true", description="write an MCAP bag to runs/<UTC time>/bag"
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
