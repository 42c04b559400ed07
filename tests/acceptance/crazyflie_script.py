"""A script as Crazyswarm2's users write them, for the robot of the simulator beside it: takes off, streams
cmdFullState, lands; prints heights [m] as JSON."""

import json

import numpy as np
from crazyflie_py import Crazyswarm  # pyright: ignore[reportMissingImports]

RATE, HEIGHT, RISE = 30.0, 0.5, 0.3


def main() -> None:
    swarm = Crazyswarm()
    helper, robot = swarm.timeHelper, swarm.allcfs.crazyflies[0]
    heights = {"ground": float(robot.get_position()[2])}
    robot.takeoff(targetHeight=HEIGHT, duration=2.0)
    helper.sleep(3.0)
    begin = np.array(robot.get_position())
    heights["taken off"] = float(begin[2])
    zero = np.zeros(3)
    for k in range(int(3.0 * RATE)):
        share = min(k / RATE / 2.0, 1.0)
        up = np.array([0.0, 0.0, RISE * share])
        speed = np.array([0.0, 0.0, RISE / 2.0 if share < 1.0 else 0.0])
        robot.cmdFullState(begin + up, speed, zero, 0.0, zero)
        helper.sleepForRate(RATE)
    heights["streamed to"] = float(robot.get_position()[2])
    robot.notifySetpointsStop()
    robot.land(targetHeight=0.03, duration=2.0)
    helper.sleep(3.5)
    heights["landed"] = float(robot.get_position()[2])
    print(json.dumps(heights))


if __name__ == "__main__":
    main()
