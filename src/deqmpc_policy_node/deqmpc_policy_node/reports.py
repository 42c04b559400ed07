"""What the policy node tells of its work: how a plan came about, the spheres it keeps clear of."""

from typing import NamedTuple

import numpy as np
import torch
from deqmpc_interfaces.msg import Obstacles, SolveInfo

from deqmpc_core.errors import ConfigError
from deqmpc_core.flight import PlanPacket
from deqmpc_core.flight.frames import Array
from deqmpc_core.flight.obstacle_set import NOTHING, ObstacleSet
from deqmpc_core.flight.pilot import Pilot
from deqmpc_core.mpc.residuals import residuals
from deqmpc_core.tasks import Task
from deqmpc_core.types import Plan, Status
from deqmpc_policy_node.clock import TimeBase, nanoseconds
from deqmpc_policy_node.convert import WORLD, PlanDetails, array, header, point, vector

_USUAL = (Status.CONVERGED.code, Status.BUDGET_SPENT.code)


class TickStory(NamedTuple):
    """What only the node knows of a tick; see SolveInfo.msg. late counts ticks that fell due meanwhile."""

    policy: str
    warm: bool
    tick_ms: float
    behind_ms: float
    pose_age_ms: float
    compute_ms: float
    late: bool


def failed(packet: PlanPacket) -> bool:
    """Whether the plan cannot be flown or the solver gave up."""
    return packet.fault() is not None or packet.status not in _USUAL


def plan_details(pilot: Pilot, task: Task, policy: str, warm: bool, tick_ms: float) -> PlanDetails:
    """What Plan.msg tells of the pilot's last tick beside the packet; policy: name of who made it."""
    plan, times = pilot.plan, pilot.times
    if plan is None:
        raise RuntimeError("a packet without a plan")
    return PlanDetails(
        policy=policy,
        x=plan.x[0].double().numpy(),
        u=plan.u[0].double().numpy(),
        waypoints=plan.theta[0, :, :3].double().numpy() + task.origin.numpy(),
        warm=warm,
        violation=_last(getattr(plan.info, "violation", None)),
        network_ms=times.network,
        solver_ms=times.solver,
        tick_ms=tick_ms,
    )


def round_plans(pilot: Pilot, task: Task) -> list[Array]:
    """The positions (T+1, 3), world [m], planned in each round of the pilot's last tick."""
    plan, origin = pilot.plan, task.origin.numpy()
    return [] if plan is None else [r.x[0, :, :3].double().numpy() + origin for r in plan.rounds]


def solve_info(
    pilot: Pilot, packet: PlanPacket, spheres: ObstacleSet, story: TickStory, base: TimeBase
) -> SolveInfo:
    """The message on the pilot's last tick."""
    plan, times = pilot.plan, pilot.times
    if plan is None:
        raise RuntimeError("a packet without a plan")
    knots: Array = packet.stamp + packet.dt * np.arange(float(len(packet.x_world)))
    return SolveInfo(
        header=header(base, packet.stamp),
        sequence=int(packet.sequence),
        policy=story.policy,
        warm=bool(story.warm),
        status=int(packet.status),
        sentence=packet.fault() or list(Status)[packet.status].value,
        rounds=len(plan.rounds),
        dynamics=_dynamics(pilot, plan),
        violation=_last(getattr(plan.info, "violation", None)),
        clearance=float(spheres.clearance(packet.x_world, knots)),
        fixed_point=_last(getattr(plan.info, "residual", None)),
        step=_step(plan),
        network_ms=float(times.network),
        solver_ms=float(times.solver),
        tick_ms=float(story.tick_ms),
        behind_ms=float(story.behind_ms),
        pose_age_ms=float(story.pose_age_ms),
        compute_ms=float(story.compute_ms),
        late=bool(story.late),
    )


def _dynamics(pilot: Pilot, plan: Plan) -> float:
    seen = pilot.observed
    if seen is None:
        return float("nan")
    with torch.inference_mode():
        left = residuals(pilot.policy.solver, plan.x, plan.u, seen.spheres, seen.limits)
    return float("nan") if left is None else float(left.dynamics[0])


def _last(values: torch.Tensor | None) -> float:
    return float("nan") if values is None else float(values.reshape(-1)[-1])


def _step(plan: Plan) -> float:
    if len(plan.rounds) < 2:
        return float("nan")
    return float((plan.rounds[-1].theta - plan.rounds[-2].theta).abs().max())


def task_spheres(task: Task) -> ObstacleSet:
    """The task's own spheres in the world frame, at rest; none where it has none."""
    if task.spheres is None:
        return NOTHING
    centers = task.spheres.center.numpy() + task.origin.numpy()
    radii = np.broadcast_to(np.asarray(task.spheres.radius, dtype=float), (len(centers),)).copy()
    return ObstacleSet(centers, np.zeros_like(centers), radii, 0.0)


def obstacle_set(message: Obstacles, base: TimeBase, now: float) -> ObstacleSet:
    """The set in a message that came at `now` [s]. Raises ConfigError saying what is wrong with it."""
    if message.header.frame_id not in ("", WORLD):
        raise ConfigError(f"expected frame '{WORLD}', got '{message.header.frame_id}'")
    stamped = nanoseconds(message.header.stamp) != 0
    stamp = base.seconds(message.header.stamp) if stamped else now
    centers, velocities = (_rows([array(m) for m in part]) for part in (message.centers, message.velocities))
    radii = np.array(message.radii, dtype=float)
    if len(centers) == 0 and len(velocities) == 0:
        radii = np.zeros(0)
    return ObstacleSet.checked(centers, velocities, radii, stamp)


def obstacles_message(spheres: ObstacleSet, base: TimeBase) -> Obstacles:
    """The message of a set; obstacle_set's inverse."""
    return Obstacles(
        header=header(base, spheres.stamp),
        centers=[point(c) for c in spheres.centers],
        velocities=[vector(v) for v in spheres.velocities] if spheres.moving else [],
        radii=[float(r) for r in spheres.radii],
    )


def _rows(rows: list[Array]) -> Array:
    return np.array(rows, dtype=float).reshape(-1, 3)
