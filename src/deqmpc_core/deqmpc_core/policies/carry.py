"""A plan handed from one policy to another, or to the same one amid other spheres."""

from typing import Any

import torch
from torch import Tensor

from deqmpc_core.policies.base import Policy
from deqmpc_core.policies.state import PolicyState
from deqmpc_core.types import Plan


def carried(policy: Policy, plan: Plan) -> PolicyState:
    """The warm state with which `policy` goes on from another's plan (B samples).

    Of a longer plan the beginning is taken; a shorter one is thought to end at rest, where it ends.
    """
    horizon, missing = policy.solver.horizon, policy.solver.horizon - plan.u.shape[1]
    x, u = plan.x, plan.u
    if missing > 0:
        rest = policy.task.control_reference.to(u).expand(u.shape[0], missing, -1)
        x, u = torch.cat([x, _at_rest(policy, x).expand(-1, missing, -1)], 1), torch.cat([u, rest], 1)
    return policy.initial_state(x.shape[0], plan._replace(x=x[:, : horizon + 1], u=u[:, :horizon]))


def _at_rest(policy: Policy, x: Tensor) -> Tensor:
    """The last knot (B, 1, n) of x (B, L, n) with every rate at zero, and level where it has an attitude."""
    rest, mrp = x[:, -1:].clone(), policy.task.system.mrp
    rest[..., policy.task.q :] = 0.0
    if mrp is not None:
        rest[..., mrp : mrp + 3] = 0.0
    return rest


def resized(state: Any, count: int) -> Any:
    """The state with room for `count` spheres: what was known of them is dropped, the plan stays."""
    if not isinstance(state, PolicyState) or state.solver.sphere.shape[2] == count:
        return state
    batch, steps, _ = state.solver.sphere.shape
    return state._replace(
        solver=state.solver._replace(sphere=state.solver.sphere.new_zeros(batch, steps, count)), centers=None
    )
