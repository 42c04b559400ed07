"""What a network makes of spheres: their order, number and place in space; predictions."""

import pytest
import torch
from torch import Tensor

from deqmpc_core.errors import ShapeError
from deqmpc_core.nets import (
    AndersonConfig,
    EquilibriumNetwork,
    FeedForwardNetwork,
    NetworkShape,
    ObstacleNetwork,
    ObstacleShape,
    Scene,
    WaypointNetwork,
    obstacle_width,
)
from deqmpc_core.nets.evaluator import Evaluator
from deqmpc_core.policies.features import NEAREST, nearest
from deqmpc_core.types import Spheres

SHAPE = NetworkShape(n=6, q=3, horizon=5, hidden=16, dt=0.1)
TIGHT = AndersonConfig(evaluations=60, tolerance=1e-12)


def network(iterates: bool, predicts: bool = True) -> WaypointNetwork:
    torch.manual_seed(0)
    shape = ObstacleShape(6, 0, 5, obstacle_width(16), 0.1, 0.2, predicts, iterates)
    obstacles = ObstacleNetwork(shape)
    equilibrium = EquilibriumNetwork(SHAPE, TIGHT, 2, obstacles)
    made = equilibrium if iterates else FeedForwardNetwork(SHAPE, obstacles)
    for name, value in made.double().named_parameters():
        if "outlet" in name:
            torch.nn.init.normal_(value, std=0.3)
    return made


def scene(since: int = 0) -> tuple[Tensor, Tensor, Scene]:
    generator = torch.Generator().manual_seed(1)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    x0, seen = draw(2, 6), draw(2, 7, 3)
    estimate = seen[:, None] + 0.02 * draw(2, 5, 7, 3)
    radius = torch.full((2, 7), 0.3, dtype=torch.float64)
    return x0, x0[:, None] + 0.3 * draw(2, 5, 6), Scene(seen, since, estimate, radius)


@pytest.mark.parametrize("iterates", [False, True])
def test_the_order_of_spheres_does_not_matter(iterates: bool) -> None:
    net, (x0, plan, seen) = network(iterates), scene()
    order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
    turned = Scene(seen.seen[:, order], 0, seen.estimate[:, :, order], seen.radius[:, order])
    answer, other = (net(x0, plan, net.latent(2), s) for s in (seen, turned))
    torch.testing.assert_close(other.theta, answer.theta, rtol=0, atol=1e-9)
    torch.testing.assert_close(other.centers, answer.centers[:, :, order], rtol=0, atol=1e-9)


@pytest.mark.parametrize("iterates", [False, True])
def test_only_the_place_relative_to_the_robot_matters(iterates: bool) -> None:
    net, (x0, plan, seen) = network(iterates), scene()
    way = torch.tensor([1.5, -2.0, 0.5], dtype=torch.float64)
    whole = torch.cat((way, torch.zeros(3, dtype=torch.float64)))
    assert net.obstacles is not None
    start = net._start(x0)
    here = net.obstacles(start, x0, plan, seen)
    there = seen._replace(seen=seen.seen + way, estimate=seen.estimate + way)
    moved = net.obstacles(start, x0 + whole, plan + whole, there)
    torch.testing.assert_close(moved.hidden, here.hidden, rtol=0, atol=1e-10)
    torch.testing.assert_close(moved.centers, here.centers + way, rtol=0, atol=1e-10)


def test_a_sphere_is_where_it_was_seen_and_no_faster_than_its_unit_allows() -> None:
    net = network(False)
    assert net.obstacles is not None
    torch.nn.init.zeros_(net.obstacles.outlet.weight)
    torch.nn.init.ones_(net.obstacles.outlet.bias)
    for since in (0, 1):
        x0, plan, seen = scene(since)
        drift = net(x0, plan, net.latent(2), seen).centers - seen.seen[:, None]
        knots = torch.arange(1, 6, dtype=torch.float64) - since
        expected = 0.2 * 0.1 * knots[:, None, None].expand(5, 7, 3)
        torch.testing.assert_close(drift, expected.expand_as(drift), rtol=0, atol=1e-12)


def test_no_spheres_and_no_sight_of_them() -> None:
    net, (x0, plan, seen) = network(False), scene()
    none = Scene(seen.seen[:, :0], 0, seen.estimate[:, :, :0], seen.radius[:, :0])
    answer = net(x0, plan, net.latent(2), none)
    assert answer.centers.shape == (2, 5, 0, 3) and torch.isfinite(answer.theta).all()
    assert network(False, predicts=False)(x0, plan, net.latent(2), seen).centers is None
    with pytest.raises(ShapeError, match="expected spheres"):
        net(x0, plan, net.latent(2))


@pytest.mark.parametrize("batch", [1, 7])
def test_evaluations_without_autograd_equal_the_layer(batch: int) -> None:
    net = network(True)
    assert isinstance(net, EquilibriumNetwork)
    z, injection = (torch.randn(batch, 5, 16, dtype=torch.float64) for _ in range(2))
    with torch.no_grad():
        evaluate = Evaluator(net.cell, injection)
        for _ in range(2):
            expected, z = net.cell(z, injection), evaluate(z)
            torch.testing.assert_close(z, expected, rtol=0, atol=1e-12)
        net.cell.widen.weight.mul_(0.5)  # a kept copy of the weights must not outlive them
        again = Evaluator(net.cell, injection)
        torch.testing.assert_close(again(z), net.cell(z, injection), rtol=0, atol=1e-12)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_features_of_fewer_spheres_than_a_network_sees(count: int) -> None:
    """As many numbers as ever: those in sight as before, the rest out of reach."""
    place, few = torch.zeros(2, 3), torch.tensor([[0.5, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.5]])[:count]
    found = nearest(place, Spheres(few, torch.full((1, count), 0.1)))
    far = torch.cat([few, torch.full((NEAREST - count, 3), 50.0)])
    padded = nearest(place, Spheres(far, torch.full((1, NEAREST), 0.1)))
    assert found.shape == padded.shape and torch.isfinite(found).all()
    torch.testing.assert_close(found[:, : 4 * count], padded[:, : 4 * count])
    torch.testing.assert_close(found[:, 3::4], padded[:, 3::4])
