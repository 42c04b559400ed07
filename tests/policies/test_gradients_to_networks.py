"""The gradient of a loss over all rounds to every weight of the network, against finite differences.

Every round's solve converges (the exact adjoint is the derivative of a converged solution; hence a penalty
that is large from the first round on), the fixed points too, with enough phantom steps that their gradient is
that of the implicit function theorem.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from deqmpc_core.policies import Policy, PolicyConfig, make_policy
from deqmpc_core.tasks import load_task
from deqmpc_core.types import Observation, Plan, Spheres

TASK = load_task("crazyflie")
TIGHT = PolicyConfig(
    "crazyflie", "deqmpc-nn", hidden=8, rounds=2, al_iterations=30, newton_steps=40, gamma=1.0, mu_max=1e6,
    evaluations=200, tolerance=1e-13, phantom_steps=60, adjoint="exact",
)  # fmt: skip
BATCH = 2


def policy(variant: str, **changes: object) -> Policy:
    torch.manual_seed(3)
    made = make_policy(replace(TIGHT, variant=variant, **changes), TASK)  # type: ignore[arg-type]
    assert made.network is not None
    made.network.double()
    for name, value in made.network.named_parameters():
        if "outlet" in name:
            torch.nn.init.normal_(value, std=0.2)
    return made


def amid(center: Tensor | None) -> Observation:
    """Level flight at some speed; spheres (k, 3) ahead, or none that matter."""
    x = torch.zeros(BATCH, TASK.n, dtype=torch.float64)
    x[:, 6:8] = torch.tensor([[0.4, 0.0], [0.5, 0.1]])
    far = torch.full((1, 3), 50.0, dtype=torch.float64)
    return Observation(x, Spheres(far if center is None else center, 0.1))


def loss(plan: Plan) -> Tensor:
    """A loss of every round's states and controls."""
    ahead = torch.linspace(0.5, 1.5, plan.x[:, 1:].numel(), dtype=torch.float64).view_as(plan.x[:, 1:])
    return torch.stack([(ahead * r.x[:, 1:]).sum() + 5.0 * r.u.square().sum() for r in plan.rounds]).sum()


def check(pilot: Policy, seen: Observation, chosen: Callable[[str], bool], step: float = 1e-5) -> Plan:
    """The derivative along a random direction of the chosen weights, by autograd and by differences."""
    assert pilot.network is not None
    weights = [v for k, v in pilot.network.named_parameters() if chosen(k)]
    generator = torch.Generator().manual_seed(7)
    ways = [torch.randn(v.shape, generator=generator, dtype=torch.float64) for v in weights]

    def run() -> Plan:
        return pilot.unroll(seen, pilot.initial_state(BATCH))[0]

    plan = run()
    gradients = torch.autograd.grad(loss(plan), weights)
    expected = float(sum((g * d).sum() for g, d in zip(gradients, ways, strict=True)))
    values = []
    with torch.no_grad():
        for sign in (1.0, -2.0):
            for value, way in zip(weights, ways, strict=True):
                value += sign * step * way
            values.append(float(loss(run())))
    assert abs(expected) > 1e-3
    assert (values[0] - values[1]) / (2.0 * step) == pytest.approx(expected, rel=1e-5)
    return plan


@pytest.mark.parametrize("variant", ["deqmpc-deq", "deqmpc-nn", "diffmpc-nn"])
def test_to_all_weights_through_all_rounds(variant: str) -> None:
    plan = check(policy(variant), amid(None), lambda name: True)
    assert len(plan.rounds) == (2 if variant.startswith("deqmpc") else 1)
    assert plan.info.violation.max() < 1e-8


def test_to_predicted_weights_of_the_rates() -> None:
    pilot = policy("deqmpc-nn", predicts=("waypoints", "velocity_weights"))
    plan = check(pilot, amid(None), lambda name: name.startswith("weight_outlet"))
    weight = plan.rounds[-1].state_weight
    assert weight is not None and (weight > 0.0).all() and weight[0].std(0)[6:].min() > 0.0
    torch.testing.assert_close(weight[..., :6], TASK.state_weight[:6].expand_as(weight[..., :6]))


def test_to_the_obstacle_network_through_predicted_centres() -> None:
    pilot = policy("deqmpc-deq", obstacles="predicted")
    center = torch.tensor([[0.22, 0.03, 0.01], [0.3, -0.2, 0.0], [0.0, 0.4, 0.3]], dtype=torch.float64)
    plan = check(pilot, amid(center), lambda name: name.startswith("obstacles.outlet"))
    centers = plan.rounds[-1].centers
    assert centers is not None and (centers[:, -1] - center).norm(dim=-1).min() > 1e-4
    gap = (plan.x[:, 1:, None, :3] - centers).norm(dim=-1) - 0.1 - pilot.solver.margin
    assert -1e-6 < gap.min() < 1e-6  # a sphere holds the plan, so that its centre matters
