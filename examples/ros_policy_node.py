"""A ROS 2 node of your own around a policy: joint states in, efforts out, once every 50 ms.

What a motor behind ros2_control offers: sensor_msgs/JointState with the joint `theta`, and an effort
controller that takes std_msgs/Float64MultiArray. Without a state, or with an old one, no effort goes out.
Run: python examples/ros_policy_node.py         # in an environment with rclpy
"""

import rclpy
import torch
from rclpy.node import Node
from sensor_msgs.msg import JointState
from std_msgs.msg import Float64MultiArray

from deqmpc_core import Observation, load_policy

POLICY = "pendulum-deqmpc-deq"  # a bundle's name or path
JOINTS = ("theta",)  # as the task's states begin; their rates follow in the same order
STATES, EFFORTS = "joint_states", "effort_controller/commands"
OLDEST = 0.1  # s: the oldest state that is acted on


class PolicyNode(Node):
    """The callback stores, the timer decides."""

    def __init__(self, policy: str = POLICY) -> None:
        super().__init__("my_policy")
        self.policy = load_policy(policy)
        self.memory = self.policy.initial_state(1)
        self.policy(Observation(self.policy.task.goal[None]), self.memory)  # compiles now, not in a tick
        self.heard: JointState | None = None
        self.arrived = self.get_clock().now()
        self.efforts = self.create_publisher(Float64MultiArray, EFFORTS, 1)
        self.create_subscription(JointState, STATES, self.hear, 1)
        self.create_timer(self.policy.task.dt, self.tick)

    def hear(self, message: JointState) -> None:
        """Keep the newest state."""
        self.heard, self.arrived = message, self.get_clock().now()

    def tick(self) -> None:
        """One round of the policy, warm from the tick before; its first control goes out."""
        age = (self.get_clock().now() - self.arrived).nanoseconds * 1e-9
        if self.heard is None or age > OLDEST:
            self.memory = self.policy.initial_state(1)  # begin anew when states come again
            return
        place = [list(self.heard.name).index(joint) for joint in JOINTS]
        x = [values[i] for values in (self.heard.position, self.heard.velocity) for i in place]
        plan, self.memory = self.policy(Observation(torch.tensor([x], dtype=torch.float64)), self.memory)
        effort = self.policy.task.limited(plan.u[0, 0])  # a solve keeps limits to its tolerance only
        self.efforts.publish(Float64MultiArray(data=effort.tolist()))


if __name__ == "__main__":
    torch.set_num_threads(1)
    rclpy.init()
    rclpy.spin(PolicyNode())
