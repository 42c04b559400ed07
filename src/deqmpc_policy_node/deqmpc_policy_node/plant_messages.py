"""Messages of robots that take controls themselves, to and from plain values."""

from deqmpc_interfaces.msg import Plan as PlanMessage
from std_msgs.msg import Float64MultiArray, MultiArrayDimension, MultiArrayLayout

from deqmpc_core.flight.control_pilot import ControlPacket
from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.plant_estimator import PlantSample
from deqmpc_core.flight.plants import BodyPose
from deqmpc_core.types import Plan
from deqmpc_policy_node.clock import TimeBase
from deqmpc_policy_node.convert import array, header
from deqmpc_policy_node.pose_sources import PoseFrame


def plant_sample(frame: PoseFrame, wanted: frozenset[str]) -> PlantSample:
    """The poses of the bodies that matter; what else is in view is left out."""
    poses = {
        name: BodyPose(array(pose.position), array(pose.orientation))
        for name, pose in frame.bodies
        if name in wanted
    }
    return PlantSample(frame.stamp, frame.frame_number, poses)


def control_message(u: Array, name: str) -> Float64MultiArray:
    """A control (m,); name: what its entries are, for who reads the bag."""
    dimension = MultiArrayDimension(label=name, size=len(u), stride=len(u))
    return Float64MultiArray(layout=MultiArrayLayout(dim=[dimension]), data=[float(value) for value in u])


def plant_plan_message(
    packet: ControlPacket, plan: Plan, policy: str, warm: bool, tick_ms: float, base: TimeBase
) -> PlanMessage:
    """A plan of controls: n, m, x and u as they are, from header.stamp on; no setpoints for a commander."""
    x, u = (v[0].detach().cpu().double().numpy() for v in (plan.x, plan.u))
    violation = getattr(plan.info, "violation", None)
    return PlanMessage(
        header=header(base, packet.stamp),
        dt=float(packet.dt),
        horizon=len(u),
        frame_number=int(packet.frame_number),
        n=int(x.shape[-1]),
        m=int(u.shape[-1]),
        x=[float(value) for value in x.ravel()],
        u=[float(value) for value in u.ravel()],
        policy=policy,
        status=int(packet.status),
        warm=bool(warm),
        violation=float("nan") if violation is None else float(violation.reshape(-1)[-1]),
        network_ms=float(getattr(plan.info, "network_ms", float("nan"))),
        solver_ms=float(getattr(plan.info, "solver_ms", float("nan"))),
        tick_ms=float(tick_ms),
    )
