r"""A data set from simulated flights: `deqmpc sim` records them, `deqmpc data from-bags` makes episodes.

    ros2 launch deqmpc collect.launch.py policy:=goal-mpc episodes:=20 seed:=1000000 out:=data/flown

Flights run in lock-step, as fast as the machine can. The bag stays in runs/collect-<UTC time>; flights that
failed are dropped from the data set and counted. Give a seed that no evaluation uses.
"""

import sys
from datetime import UTC, datetime

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, RegisterEventHandler, Shutdown
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration

DEQMPC = [sys.executable, "-m", "deqmpc"]


def generate_launch_description() -> LaunchDescription:
    """Return the flights, and behind them the import; the graph ends with either's failure."""
    runs = f"runs/collect-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    policy, episodes, seed = (LaunchConfiguration(name) for name in ("policy", "episodes", "seed"))
    flown = ["--policy", policy, "--episodes", episodes, "--seed", seed, "--speed", "max"]
    fly = ExecuteProcess(
        cmd=[*DEQMPC, "sim", *flown, "--record", "--no-baselines", "--runs-dir", runs], output="screen"
    )
    keep = ExecuteProcess(
        cmd=[*DEQMPC, "data", "from-bags", runs, "--out", LaunchConfiguration("out")], output="screen"
    )

    def after_flights(event: ProcessExited, context: LaunchContext) -> list[ExecuteProcess | Shutdown]:
        del context
        if event.returncode:
            return [Shutdown(reason=f"deqmpc sim ended with status {event.returncode}: nothing to import")]
        return [keep]

    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "policy",
                default_value="crazyflie-deqmpc-deq",
                description="path or name of a policy bundle, or goal-mpc",
            ),
            DeclareLaunchArgument("episodes", default_value="20", description="number of flights"),
            DeclareLaunchArgument(
                "seed", default_value="1000000", description="seed of starts and noise; evaluations use 0"
            ),
            DeclareLaunchArgument(
                "out", default_value="data/flown", description="directory of the data set; must not exist yet"
            ),
            RegisterEventHandler(OnProcessExit(target_action=fly, on_exit=after_flights)),
            fly,
        ]
    )
