"""The alternation: schedules, memory, batches, gradients."""

import pytest
import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError, ShapeError, UnknownNameError
from deqmpc_core.policies import LEARNED, VARIANTS, Policy, PolicyConfig, make_policy
from deqmpc_core.tasks import load_task
from deqmpc_core.types import Observation

TASK = load_task("crazyflie")


def policy(variant: str, **options: float) -> Policy:
    torch.manual_seed(0)
    config = PolicyConfig("crazyflie", variant, **{"hidden": 16, "rounds": 3, **options})  # type: ignore[arg-type]
    made = make_policy(config, TASK)
    if made.network is not None:
        made.network.double()
        torch.nn.init.normal_(made.network.outlet.weight, std=0.05)
    return made


def starts(batch: int) -> Tensor:
    return torch.stack([torch.from_numpy(TASK.start(0, i)) for i in range(batch)])


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_cold_tick_then_warm_ones(variant: str) -> None:
    pilot, x = policy(variant), starts(3)
    state = pilot.initial_state(3)
    for tick in range(3):
        plan, state = pilot(Observation(x), state)
        horizon = pilot.config.horizon
        assert plan.x.shape == (3, horizon + 1, 12) and plan.u.shape == (3, horizon, 4)
        assert torch.equal(plan.x[:, 0], x) and torch.isfinite(plan.u).all() and state.warm.all()
        expected = (3 if tick == 0 else 1) if pilot.asks_every_round else 1
        assert len(plan.rounds) == expected
        x = plan.x[:, 1].clone()


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_tick_is_a_function_of_its_arguments(variant: str) -> None:
    pilot, x = policy(variant), starts(2)
    _, state = pilot(Observation(x), pilot.initial_state(2))
    first, _ = pilot(Observation(x), state)
    pilot(Observation(-x), state)
    again, _ = pilot(Observation(x), state)
    assert torch.equal(first.u, again.u)


@pytest.mark.parametrize("variant", LEARNED)
def test_a_sample_is_the_same_alone_and_beside_cold_and_warm_ones(variant: str) -> None:
    pilot, x = policy(variant, tolerance=1e-3), starts(4)
    _, warm = pilot(Observation(x), pilot.initial_state(4))
    flags = torch.tensor([True, False, True, False])
    together, after = pilot(Observation(x), warm._replace(warm=flags))
    for i in range(4):
        single = x[i : i + 1]
        _, state = pilot(Observation(single), pilot.initial_state(1))
        alone, _ = pilot(Observation(single), state if flags[i] else pilot.initial_state(1))
        torch.testing.assert_close(alone.u[0], together.u[i], rtol=0, atol=1e-8)
    assert after.warm.all()


def test_loss_gradient_equals_a_finite_difference_where_the_adjoint_is_exact() -> None:
    """With the penalty small in every round, x follows theta and the Gauss-Newton adjoint is nearly exact."""
    pilot = policy("deqmpc-nn", rounds=2, al_iterations=1, mu_max=1e-6)
    assert pilot.network is not None
    x, weight = starts(3), pilot.network.outlet.weight

    def loss() -> Tensor:
        plan, _ = pilot.unroll(Observation(x), pilot.initial_state(3))
        return torch.stack([r.x[:, 1:].square().sum() for r in plan.rounds]).sum()

    (gradient,) = torch.autograd.grad(loss(), weight)
    direction = gradient / gradient.norm()
    step = 1e-5
    with torch.no_grad():
        weight += step * direction
        above = loss()
        weight -= 2 * step * direction
        below = loss()
    assert float((above - below) / (2 * step)) == pytest.approx(float(gradient.norm()), rel=1e-3)


def test_gradients_may_be_cut_between_rounds() -> None:
    pilot = policy("deqmpc-nn")
    assert pilot.network is not None
    parameters = list(pilot.network.parameters())
    norms = []
    for through in (True, False):
        plan, _ = pilot.unroll(Observation(starts(2)), pilot.initial_state(2), through=through)
        grads = torch.autograd.grad(plan.rounds[-1].x.square().sum(), parameters, allow_unused=True)
        norms.append([0.0 if g is None else float(g.norm()) for g in grads])
    assert norms[0] != norms[1] and all(sum(n) > 0 for n in norms)


def test_hover_stays_and_the_straight_line_leads_to_the_goal() -> None:
    x = starts(2)
    hover, line = policy("hover"), policy("straight-line")
    plan, state = hover(Observation(x), hover.initial_state(2))
    plan, _ = hover(Observation(plan.x[:, 1].clone()), state)
    torch.testing.assert_close(plan.theta[:, -1, :3], x[:, :3])
    state = line.initial_state(2)
    for _ in range(60):
        plan, state = line(Observation(x), state)
        x = TASK.step(x, plan.u[:, 0].clone())
    assert x[:, :3].norm(dim=1).max() < 0.05


def test_trouble_is_named() -> None:
    pilot = policy("goal-mpc")
    with pytest.raises(ShapeError, match=r"expected observation.x of shape \(B, 12\), got \(2, 11\)"):
        pilot(Observation(torch.zeros(2, 11)), pilot.initial_state(2))
    with pytest.raises(ShapeError, match="initial_state"):
        pilot(Observation(starts(2)), pilot.initial_state(3))
    with pytest.raises(ConfigError, match="iterations"):
        pilot(Observation(starts(2)), pilot.initial_state(2), iterations=0)
    with pytest.raises(UnknownNameError, match="did you mean 'deqmpc-nn'"):
        PolicyConfig("crazyflie", "deqmpc-nm")
