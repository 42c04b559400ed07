"""The commander's pre-flight list: what the graph says, and what the flight's logic makes of it."""

from dataclasses import dataclass

from deqmpc_core.flight import Commander, FlightRequest
from deqmpc_core.flight.preflight import Check, Surroundings, checklist
from deqmpc_policy_node import topics
from deqmpc_policy_node.inputs import Inputs
from deqmpc_policy_node.plan_link import PlanLink
from deqmpc_policy_node.pose_sources import PoseSubscription
from deqmpc_policy_node.robot import Link


@dataclass(frozen=True)
class Checks:
    """What the list is read from. body: the one wanted; live=False in lock-step."""

    commander: Commander
    robot: Link
    mocap: PoseSubscription
    plans: PlanLink
    inputs: Inputs
    body: str
    live: bool

    def items(self, t: float, active: bool, request: FlightRequest | None) -> list[Check]:
        """Every item at t [s], for a request or in general; active: the node's state."""
        around = Surroundings(
            missing=self.robot.missing(),
            pose_topic=self.mocap.topic,
            pose_senders=self.mocap.senders,
            policies=self.plans.listeners,
            plan_request_topic=topics.PLAN_REQUEST,
            body=self.body,
            in_view=sorted(self.inputs.in_view),
            frame=self.inputs.frames.complaint,
            live=self.live,
        )
        remedy = f"the commander is not active; ros2 lifecycle set /{topics.COMMANDER_NODE} activate"
        asleep = "" if active else remedy
        return [Check("commander", asleep), *checklist(self.commander, around, t, request)]
