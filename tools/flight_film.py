"""A film of the policy's part of a recorded flight, from the truth that the simulator published.

$ deqmpc sim --policy crazyflie-deqmpc-deq --episodes 2 --seed 0 --speed max --runs-dir runs/film
$ python tools/flight_film.py runs/film/*/bag_2 docs/images/flight.gif

The second, fourth … start of a seed has a sphere in the straight way.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rosbags.highlevel import AnyReader

from deqmpc_core.flight.frames import mrp_from_quaternion
from deqmpc_core.tasks import load_task
from deqmpc_sim.envs import Rollout
from deqmpc_sim.render import render

TRUTH, PHASE = "/deqmpc/truth", "/deqmpc/flight_state"
FRAMES, WIDTH, HEIGHT = 60, 480, 400
SECONDS = 6.0  # of the policy's flight; the rest is hovering at the goal


def main(bag: Path, film: Path) -> None:
    """Write the film; what is shown begins where the policy takes over."""
    task = load_task("crazyflie")
    times, states = recorded(bag, task.origin.numpy())
    grid = times[0] + task.dt * np.arange(round(SECONDS / task.dt) + 1)
    nearest = states[np.searchsorted(times, grid).clip(max=len(times) - 1)]
    flown = torch.from_numpy(nearest)[None]
    controls = torch.zeros(1, flown.shape[1] - 1, task.m)
    render(task, Rollout(flown, controls, torch.zeros(1), [None]), film, 0, FRAMES, WIDTH, HEIGHT)


def recorded(bag: Path, origin: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times (S,) [s] and task states (S, 12) of the truth while the policy flew, in the bag's last flight."""
    times: list[float] = []
    states: list[NDArray[np.float64]] = []
    flying = False
    with AnyReader([bag]) as reader:
        wanted = [c for c in reader.connections if c.topic in (TRUTH, PHASE)]
        for connection, _, raw in reader.messages(wanted):
            message: Any = reader.deserialize(raw, connection.msgtype)
            if connection.topic == PHASE:
                begins, flying = not flying, message.phase == "POLICY"
                if flying and begins:  # a bag begins with the end of the flight before
                    times, states = [], []
            elif flying:
                times.append(message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec)
                states.append(task_state(message, origin))
    if not times:
        sys.exit(f"{bag}: no policy flew, or the truth was not recorded")
    return np.array(times), np.array(states)


def task_state(odometry: Any, origin: NDArray[np.float64]) -> NDArray[np.float64]:
    """State (12,) of a nav_msgs/Odometry whose twist is in the body frame."""
    pose, twist = odometry.pose.pose, odometry.twist.twist
    place, velocity, rate = (
        [getattr(v, axis) for axis in "xyz"] for v in (pose.position, twist.linear, twist.angular)
    )
    attitude = np.array([getattr(pose.orientation, axis) for axis in "xyzw"])
    return np.concatenate([np.array(place) - origin, mrp_from_quaternion(attitude), velocity, rate])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
