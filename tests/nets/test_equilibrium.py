"""Fixed points and phantom gradients against torchdeq; no sample depends on its batch."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from deqmpc_core.nets import (
    AndersonConfig,
    EquilibriumNetwork,
    FeedForwardNetwork,
    NetworkShape,
    WaypointNetwork,
    anderson,
)
from deqmpc_core.nets.evaluator import Evaluator
from deqmpc_core.nets.single import SingleSearch

SHAPE = NetworkShape(n=6, q=3, horizon=5, hidden=16, dt=0.1)
TIGHT = AndersonConfig(evaluations=200, tolerance=1e-11)


def network(config: AndersonConfig = TIGHT) -> EquilibriumNetwork:
    torch.manual_seed(0)
    net = EquilibriumNetwork(SHAPE, config, phantom_steps=3).double()
    torch.nn.init.normal_(net.outlet.weight, std=0.3)
    return net


def data(batch: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x0 = torch.randn(batch, 6, dtype=torch.float64, generator=generator)
    return x0, x0[:, None] + 0.3 * torch.randn(batch, 5, 6, dtype=torch.float64, generator=generator)


def test_fixed_point_and_phantom_gradient_equal_torchdeq() -> None:
    reason = "torchdeq is the oracle: pip install -r requirements-dev.txt"
    backward_factory = pytest.importorskip("torchdeq.grad", reason=reason).backward_factory
    get_solver = pytest.importorskip("torchdeq.solver", reason=reason).get_solver
    net = network()
    x0, plan = data(4)
    injection = net.embed(x0, plan)

    def cell(z: Tensor, tau: float = 1.0) -> Tensor:
        return tau * net.cell(z, injection) + (1 - tau) * z

    with torch.no_grad():
        ours = anderson(Evaluator(net.cell, injection), net.latent(4), net.config)
        theirs, _, _ = get_solver("anderson")(
            cell, net.latent(4), max_iter=300, tol=1e-10, stop_mode="rel", lam=1e-9
        )
    torch.testing.assert_close(ours.z, theirs, rtol=1e-7, atol=1e-8)

    answer = net(x0, plan, net.latent(4))
    steps: Any = 3
    phantom = backward_factory(grad_type=steps, tau=1.0)(None, cell, theirs)[-1]
    expected = net.decode(x0, net.head(phantom))
    weights = list(net.parameters())
    seed = torch.randn_like(expected)
    got = torch.autograd.grad(answer.theta, weights, seed, retain_graph=True, allow_unused=True)
    want = torch.autograd.grad(expected, weights, seed, allow_unused=True)
    for a, b in zip(got, want, strict=True):
        assert a is not None and b is not None
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("make", [network, lambda: FeedForwardNetwork(SHAPE).double()])
def test_a_sample_is_the_same_alone_and_in_a_batch(make) -> None:
    net: WaypointNetwork = make()
    if isinstance(net, EquilibriumNetwork):
        net.config = AndersonConfig(evaluations=12, tolerance=1e-3)
    x0, plan = data(9)
    plan[3] = x0[3]  # an easy one, that stops early
    together = net(x0, plan, net.latent(9))
    for i in range(9):
        alone = net(x0[i : i + 1], plan[i : i + 1], net.latent(1))
        torch.testing.assert_close(alone.theta[0], together.theta[i], rtol=0, atol=1e-11)
        torch.testing.assert_close(alone.z[0], together.z[i], rtol=0, atol=1e-11)


@given(st.integers(0, 2**31), st.integers(1, 12), st.sampled_from([1e-2, 1e-6]))
@settings(max_examples=25, deadline=None)
def test_a_lone_samples_search_is_andersons(seed: int, evaluations: int, tolerance: float) -> None:
    net = network(AndersonConfig(evaluations=evaluations, tolerance=tolerance))
    generator = torch.Generator().manual_seed(seed)
    injection, start = torch.randn(2, 1, 5, SHAPE.hidden, dtype=torch.float64, generator=generator)
    with torch.no_grad():
        evaluate, single = Evaluator(net.cell, injection), SingleSearch(net.cell, injection)
        ours, theirs = single.solve(start, net.config), anderson(evaluate, start, net.config)
        torch.testing.assert_close(ours.z, theirs.z, rtol=1e-7, atol=1e-8)
        torch.testing.assert_close(ours.residual, theirs.residual, rtol=1e-5, atol=1e-9)
        torch.testing.assert_close(single.iterate(start, 2), evaluate(evaluate(start)), rtol=0, atol=1e-11)
    assert ours.evaluations == theirs.evaluations


def test_a_lone_sample_is_as_in_a_batch_and_nan_ends_its_search() -> None:
    net = network(AndersonConfig(evaluations=12, tolerance=1e-3))
    x0, plan = data(4)
    with torch.inference_mode():
        together, alone = net(x0, plan, net.latent(4)), net(x0[2:3], plan[2:3], net.latent(1))
        poisoned = net(x0[2:3] * torch.nan, plan[2:3], net.latent(1))
    torch.testing.assert_close(alone.theta[0], together.theta[2], rtol=0, atol=1e-9)
    torch.testing.assert_close(alone.z[0], together.z[2], rtol=0, atol=1e-9)
    assert not poisoned.theta.isfinite().any()


def test_samples_stop_on_their_own_and_the_best_iterate_is_kept() -> None:
    rates = torch.tensor([[0.01], [0.9], [0.999]], dtype=torch.float64)
    turned = torch.tensor([[1.0], [-1.0], [1.0]], dtype=torch.float64)

    def cell(z: Tensor, rows: Tensor | None) -> Tensor:
        take = slice(None) if rows is None else rows
        return turned[take] * rates[take] * torch.sin(z) + 1.0

    found = anderson(
        cell, torch.zeros(3, 4, dtype=torch.float64), AndersonConfig(evaluations=8, tolerance=1e-4)
    )
    assert found.evaluations[0] < found.evaluations[2] <= 8
    assert found.residual[0] < 1e-4

    image = cell(found.z, None)
    assert ((image - found.z).norm(dim=1) <= found.residual * image.norm(dim=1) * 1.5).all()


def test_a_poisoned_sample_leaves_the_others_alone() -> None:
    net = network(AndersonConfig(evaluations=10, tolerance=1e-6))
    x0, plan = data(3)
    clean = net(x0, plan, net.latent(3))
    x0[1, 0] = torch.nan
    dirty = net(x0, plan, net.latent(3))
    torch.testing.assert_close(dirty.theta[[0, 2]], clean.theta[[0, 2]], rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", [EquilibriumNetwork, FeedForwardNetwork])
def test_an_untrained_network_proposes_to_stay(kind: type[WaypointNetwork]) -> None:
    net = kind(SHAPE)
    x0, plan = data(2)
    theta = net(x0, plan, net.latent(2)).theta
    torch.testing.assert_close(theta[..., :3], x0[:, None, :3].expand(2, 5, 3))
    assert theta.dtype == torch.float64 and not theta[..., 3:].any()
