"""DDS discovery: a process of its own says a word, this one must hear it."""

import subprocess
import sys
import time
from dataclasses import dataclass

from deqmpc.doctor.finding import Finding, error, ok, warning

CHECK = "DDS discovery"
TOPIC, WORD = "/deqmpc_doctor", "here"
LIMIT, SLOW = 15.0, 5.0
"""s after which nobody comes any more, and after which it is slow."""


@dataclass(frozen=True)
class Heard:
    """seconds: until the word was heard, None: never. trouble: why it was not tried."""

    domain: str
    seconds: float | None
    trouble: str = ""


def gather(domain: str) -> Heard:
    """Start the speaker and listen; both in the environment's domain, and nobody else is disturbed."""
    import rclpy
    from rclpy.context import Context
    from rclpy.executors import SingleThreadedExecutor
    from std_msgs.msg import String

    from deqmpc_policy_node.qos import LATCHED

    context, heard = Context(), []
    try:
        rclpy.init(args=[], context=context)
        node = rclpy.create_node("deqmpc_doctor_ear", context=context)
    except Exception as why:
        return Heard(domain, None, f"{type(why).__name__}: {str(why).splitlines()[0]}")
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    node.create_subscription(String, TOPIC, lambda message: heard.append(message.data), LATCHED)
    speaker = subprocess.Popen(
        [sys.executable, "-m", __name__], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    began = time.monotonic()
    try:
        while WORD not in heard and time.monotonic() - began < LIMIT:
            executor.spin_once(timeout_sec=0.1)
        took = time.monotonic() - began
    finally:
        speaker.kill()
        speaker.wait()
        executor.shutdown()
        context.try_shutdown()
    return Heard(domain, took if WORD in heard else None)


def check(heard: Heard) -> list[Finding]:
    """Whether two processes of this machine find each other."""
    if heard.trouble:
        text = f"no node can be made: {heard.trouble}"
        return [error(CHECK, text, "see the lines 'ROS 2' and 'DDS settings'")]
    remedy = (
        "let UDP multicast through (firewall, VPN, container), or set ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST"
    )
    if heard.seconds is None:
        text = f"two processes on this machine do not find each other in domain {heard.domain}"
        return [error(CHECK, text, remedy)]
    words = f"two processes found each other in {heard.seconds:.1f} s, domain {heard.domain}"
    return [warning(CHECK, words, remedy) if heard.seconds > SLOW else ok(CHECK, words)]


def speak() -> None:
    """The other process: says the word until it is ended."""
    import rclpy
    from std_msgs.msg import String

    from deqmpc_policy_node.qos import LATCHED

    rclpy.init(args=[])
    node = rclpy.create_node("deqmpc_doctor_mouth")
    node.create_publisher(String, TOPIC, LATCHED).publish(String(data=WORD))
    time.sleep(2.0 * LIMIT)


if __name__ == "__main__":
    speak()
