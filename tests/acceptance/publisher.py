"""A process that counts: `python publisher.py FILE` publishes numbers on /count at 200 Hz, and keeps when
each went out [ns of wall time] in FILE."""

import sys
import time
from pathlib import Path

import rclpy
from std_msgs.msg import String

PERIOD = 0.005


def main(file: Path) -> None:
    rclpy.init(args=[])
    node = rclpy.create_node("publisher")
    publisher = node.create_publisher(String, "/count", 1000)
    with file.open("w", buffering=1) as log:
        number, due = 0, time.monotonic()
        while True:
            publisher.publish(String(data=f"{number}"))
            log.write(f"{time.time_ns()}\n")
            number, due = number + 1, due + PERIOD
            time.sleep(max(due - time.monotonic(), 0.0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
