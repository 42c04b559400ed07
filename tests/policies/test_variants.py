"""Bare networks, and policies that see or predict spheres."""

import pytest
import torch
from torch import Tensor

from deqmpc_core.errors import ConfigError, ShapeError
from deqmpc_core.mpc import Spheres
from deqmpc_core.policies import LEARNED, Policy, PolicyConfig, make_policy, obstacle_mode
from deqmpc_core.tasks import load_task
from deqmpc_core.types import Observation

TASK = load_task("crazyflie")


def policy(variant: str, **options: object) -> Policy:
    torch.manual_seed(0)
    config = PolicyConfig("crazyflie", variant, **{"hidden": 16, "rounds": 2, **options})  # type: ignore[arg-type]
    made = make_policy(config, TASK)
    assert made.network is not None
    for name, value in made.network.double().named_parameters():
        if "outlet" in name:
            torch.nn.init.normal_(value, std=0.1)
    return made


def starts(batch: int) -> Tensor:
    return torch.stack([torch.from_numpy(TASK.start(0, i)) for i in range(batch)])


def amid(x: Tensor) -> Observation:
    """Moving spheres that differ by sample, predicted by a rule (B, T, k, 3)."""
    generator = torch.Generator().manual_seed(2)
    center = x[:, None, None, :3] + 0.4 * torch.randn(len(x), 5, 3, 3, generator=generator, dtype=x.dtype)
    return Observation(x, Spheres(center, 0.1))


@pytest.mark.parametrize("variant", ["deq", "nn"])
def test_a_bare_network_learns_without_the_solver_and_acts_with_it(
    variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pilot, x = policy(variant), starts(3)
    begin = pilot.initial_state(3)
    acted, after = pilot(Observation(x), begin)
    other = policy(f"diffmpc-{variant}")  # the same weights, by the same seed
    expected, _ = other(Observation(x), other.initial_state(3))
    assert torch.equal(acted.u, expected.u) and torch.equal(acted.x, expected.x)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("training ran the solver")

    monkeypatch.setattr(type(pilot.solver), "__call__", refuse)
    plan, state = pilot.unroll(Observation(x), begin)
    (learned,), (shown,) = plan.rounds, acted.rounds
    torch.testing.assert_close(learned.x, shown.x, rtol=0, atol=1e-12)
    assert torch.equal(learned.x[:, 0], x) and torch.equal(learned.x[:, 1:], plan.theta)
    learned.x.abs().sum().backward()
    assert pilot.network is not None
    assert all(v.grad is not None for v in pilot.network.parameters())
    torch.testing.assert_close(state.z, after.z, rtol=0, atol=1e-12)
    mixed = state._replace(warm=torch.tensor([True, False, True]))
    again, _ = pilot.unroll(Observation(x), mixed)
    torch.testing.assert_close(again.x[1], plan.x[1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("variant", LEARNED)
@pytest.mark.parametrize("mode", ["seen", "predicted"])
def test_samples_amid_spheres_of_their_own_are_the_same_alone(variant: str, mode: str) -> None:
    pilot, x = policy(variant, obstacles=mode, tolerance=1e-3), starts(3)
    seen = amid(x)
    assert seen.spheres is not None
    _, state = pilot(seen, pilot.initial_state(3))
    flags = torch.tensor([True, False, True])
    together, _ = pilot(seen, state._replace(warm=flags))
    for i in range(3):
        only = Observation(x[i : i + 1], Spheres(seen.spheres.center[i : i + 1], 0.1))
        _, first = pilot(only, pilot.initial_state(1))
        alone, _ = pilot(only, first if flags[i] else pilot.initial_state(1))
        torch.testing.assert_close(alone.u[0], together.u[i], rtol=0, atol=1e-7)
        centers = together.rounds[-1].centers
        assert (centers is None) == (mode == "seen")


def test_what_is_predicted_is_what_the_solver_keeps_clear_of() -> None:
    pilot, x = policy("deqmpc-nn", obstacles="predicted"), starts(2)
    asked = []
    solve = pilot.solver.__call__

    class Spy:
        def __getattr__(self, name: str) -> object:
            return getattr(pilot_solver, name)

        def __call__(self, *args: object, **options: object) -> object:
            asked.append(args[4])
            return solve(*args, **options)  # type: ignore[arg-type]

    pilot_solver, pilot.solver = pilot.solver, Spy()  # type: ignore[assignment]
    plan, state = pilot(amid(x), pilot.initial_state(2))
    assert len(asked) == 2
    for spheres, iterate in zip(asked, plan.rounds, strict=True):
        assert iterate.centers is not None and torch.equal(spheres.center, iterate.centers)
    assert torch.equal(plan.rounds[-1].centers, state.centers)  # type: ignore[arg-type]
    fewer = Observation(x, Spheres(torch.zeros(2, 2, 3, dtype=torch.float64), 0.1))
    with pytest.raises(ShapeError, match="2 spheres, the tick before had 3"):
        pilot(fewer, state)


def test_modes_by_task_and_options_that_do_not_fit() -> None:
    modes = {name: obstacle_mode(load_task(name)) for name in ("crazyflie", "pendulum", "qpole_dyn_obs")}
    assert modes == {"crazyflie": "unseen", "pendulum": "unseen", "qpole_dyn_obs": "predicted"}
    assert obstacle_mode(load_task("qpole_obs", layout="random")) == "seen"
    for key, value in {"obstacles": "felt", "adjoint": "none", "predicts": ("waypoints", "mass")}.items():
        with pytest.raises(ConfigError, match=f"{key}: expected one of"):
            PolicyConfig("crazyflie", "deqmpc-nn", **{key: value})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no solver would train"):
        PolicyConfig("crazyflie", "nn", predicts=("waypoints", "velocity_weights"))
    with pytest.raises(ConfigError, match="'pendulum' has no spheres"):
        make_policy(PolicyConfig("pendulum", "nn", obstacles="seen"))
    config = PolicyConfig("crazyflie", "deqmpc-nn", predicts=("waypoints", "velocity_weights"))
    assert PolicyConfig.from_json({**config.to_json(), "predicts": list(config.predicts)}) == config
