r"""A training run on a data set: `deqmpc train`, its policy written to models/<task>-<variant>.

    ros2 launch deqmpc train.launch.py data:=data/crazyflie variant:=deqmpc-deq budget:=laptop

Checkpoints and TensorBoard logs go to runs/train/<task>-<variant>; `resume:=true` goes on from the last one.
"""

import sys

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.conditions import IfCondition, UnlessCondition
from launch.substitutions import LaunchConfiguration

OPTIONS = ("task", "variant", "data", "budget", "out", "run-dir")


def generate_launch_description() -> LaunchDescription:
    """Return the run, fresh or resumed."""
    command = [sys.executable, "-m", "deqmpc", "train"]
    for name in OPTIONS:
        command += [f"--{name}", LaunchConfiguration(name.replace("-", "_"))]
    resume = LaunchConfiguration("resume")
    title = [LaunchConfiguration("task"), "-", LaunchConfiguration("variant")]
    return LaunchDescription(
        [
            DeclareLaunchArgument("task", default_value="crazyflie", description="name of the task"),
            DeclareLaunchArgument(
                "variant",
                default_value="deqmpc-deq",
                description="deqmpc-deq, deqmpc-nn, diffmpc-deq, diffmpc-nn, deq or nn",
            ),
            DeclareLaunchArgument(
                "data",
                default_value=["data/", LaunchConfiguration("task")],
                description="directory of the data set",
            ),
            DeclareLaunchArgument(
                "budget", default_value="laptop", description="size of the run: smoke, laptop or paper"
            ),
            DeclareLaunchArgument(
                "out", default_value=["models/", *title], description="where the policy is written to"
            ),
            DeclareLaunchArgument(
                "run_dir", default_value=["runs/train/", *title], description="checkpoints and logs"
            ),
            DeclareLaunchArgument(
                "resume", default_value="false", description="go on from the last checkpoint of run_dir"
            ),
            ExecuteProcess(cmd=command, output="screen", condition=UnlessCondition(resume)),
            ExecuteProcess(cmd=[*command, "--resume"], output="screen", condition=IfCondition(resume)),
        ]
    )
