"""`deqmpc sim`: fly a policy on the simulated Crazyflie over ROS 2 topics, and judge it."""

import importlib.util
import os
import sys
from collections.abc import Sequence

import tyro
from rich.console import Console

from deqmpc.session.domain import take_domain
from deqmpc.session.interrupts import raise_on_terminate
from deqmpc.session.options import Sim
from deqmpc.view import page
from deqmpc_core.errors import INTERRUPTED, ConfigError, DeqmpcError

NEEDED = ("rclpy", "deqmpc_interfaces", "crazyflie_interfaces", "mocap4r2_msgs")


OPTIONS = Sim


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the verb."""
    options = tyro.cli(Sim, args=arguments, prog="deqmpc sim")
    console = Console()
    raise_on_terminate()
    try:
        return _fly(options, console)
    except KeyboardInterrupt:
        console.print("interrupted; every process has ended")
        return INTERRUPTED
    except DeqmpcError as error:
        sys.stderr.write(f"deqmpc sim: {error}\n")
        return error.status


def _fly(options: Sim, console: Console) -> int:
    """In a domain of its own; ROS and torch are imported only now, so that help and refusals are quick."""
    if options.view:
        page.viser()
    if _alone(options):
        from deqmpc.view.alone import fly_alone

        return fly_alone(options, console)
    _check(options)
    domain = take_domain(_wanted_domain(options))
    os.environ["ROS_DOMAIN_ID"] = str(domain.number)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    try:
        from deqmpc.session.flight import fly

        return fly(options, console)
    finally:
        domain.release()


def _alone(options: Sim) -> bool:
    """Whether the flight is in this process: asked for, or the view where there is no ROS 2."""
    if not options.ros and not options.view:
        raise ConfigError("--no-ros flies in this process and shows it; add --view")
    return options.view and (not options.ros or importlib.util.find_spec(NEEDED[0]) is None)


def _check(options: Sim) -> None:
    for package in NEEDED:
        if importlib.util.find_spec(package) is None:
            raise ConfigError(
                f"the ROS 2 package '{package}' is not installed; run `make build`, or source the workspace"
            )
    if options.episodes < 1 or options.seed < 0 or options.steps < 0:
        raise ConfigError(
            "--episodes must be at least 1, --seed and --steps not negative, "
            f"got {options.episodes}, {options.seed} and {options.steps}"
        )
    if options.rate != 0.0 and not 1.0 <= options.rate <= 100.0:
        raise ConfigError(f"--rate must be 0 or from 1 to 100 plans a second, got {options.rate:g}")


def _wanted_domain(options: Sim) -> int | None:
    given = os.environ.get("ROS_DOMAIN_ID", "")
    if options.domain is not None or not given:
        return options.domain
    if not given.isdigit():
        raise ConfigError(
            f"ROS_DOMAIN_ID must be a number from 0 to 101, got '{given}'; unset it to get a free domain"
        )
    return int(given)


if __name__ == "__main__":
    sys.exit(main())
