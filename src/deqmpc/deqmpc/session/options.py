"""What a user can say to `deqmpc sim`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Sim:
    """Fly a policy on the simulated Crazyflie, or another robot, over ROS 2 topics.

    Simulator, policy, commander (the Crazyflie's) and recorder run as processes of their own in a free ROS
    domain. Results go to RUNS_DIR/<UTC time>/: summary.json, flight.png (the Crazyflie's), bag/, log/.
    """

    policy: str = "deqmpc-deq"
    """Path or name of a bundle, a variant, or goal-mpc, hover, straight-line."""
    task: str = "crazyflie"
    """Task the policy must be made for: crazyflie, or pendulum, cartpole, quadrotor, qpole and its kin, which
    docs/plants.md is about."""
    episodes: int = 1
    """Number of flights; their starts depend on the seed and their number alone."""
    seed: int = 0
    """Seed of starts and noise."""
    speed: Literal["realtime", "max"] | None = None
    """max: lock-step as fast as the machine can; the same seed gives the same flight. By default realtime;
    with faults max where the fault allows."""
    faults: str = ""
    """Faults in mid-flight, separated by commas, or all: one flight each, and a table of the answers; the
    status is 0 only if each is the one demanded. docs/simulator.md lists them."""
    record: bool = True
    """Write an MCAP bag."""
    baselines: bool = True
    """Fly hover, straight_line and goal_mpc (other robots: goal_mpc) on the same starts too."""
    json: Path | None = None
    """Write the summary here as well."""
    runs_dir: Path = Path("runs")
    """Where runs are kept."""
    steps: int = 0
    """Policy periods an episode; 0: the task's, with faults 60."""
    rate: float = 0.0
    """Plans a second, up to 100; 0: one a policy period of the task."""
    view: bool = False
    """Show the flight in the browser, with obstacles to drag and policies to choose from (docs/view.md)."""
    port: int = 8080
    """Of the view; the next free one where it is taken."""
    ros: bool = True
    """--no-ros, with --view: fly in this process, without ROS 2, recorder and figures."""
    domain: int | None = None
    """ROS domain to use; by default $ROS_DOMAIN_ID, else a free one."""
