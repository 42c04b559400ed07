r"""The nodes for a real Crazyflie: motion-capture bridge, policy, commander, recorder, viewers.

    ros2 launch deqmpc bringup_hw.launch.py robot:=cf1 policy:=crazyflie-deqmpc-deq record:=true

Beside it run a MOCAP4ROS2 driver that publishes /rigid_bodies, and Crazyswarm2's server, which server:=true
starts too, with config/crazyflies.yaml. docs/hardware.md leads from the box to the first flight. The
commander waits on the ground until it is told to fly:

    ros2 service call /deqmpc_commander/start deqmpc_interfaces/srv/StartFlight \
        "{start: {x: 0.0, y: 0.0, z: 1.0}, policy_steps: 200, policy_period: 0.1}"

and lands on

    ros2 service call /deqmpc_commander/stop std_srvs/srv/Trigger

No node is restarted in flight: when `policy` dies the commander lands by itself.

Land before Ctrl-C: it ends all processes at once. With server:=true the radio goes with them, and the
commander's last landing may not get out.
"""

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from deqmpc.bringup import SHARE, arguments, stack


def generate_launch_description() -> LaunchDescription:
    """Return the nodes; with server:=true Crazyswarm2's server without its own motion capture."""
    launch_file = PathJoinSubstitution([FindPackageShare("crazyflie"), "launch", "launch.py"])
    crazyflies = PathJoinSubstitution([SHARE, "config", "crazyflies.yaml"])
    words = {"crazyflies_yaml_file": crazyflies, "mocap": "False", "teleop": "False"}
    server = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(launch_file),
        launch_arguments=words.items(),
        condition=IfCondition(LaunchConfiguration("server")),
    )
    return LaunchDescription([*arguments("hw.yaml", server="false"), server, *stack()])
