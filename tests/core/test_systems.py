"""The plants against published data, conserved energy and independent kinematics."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from deqmpc_core.flight.frames import matrix_from_quaternion, quaternion_from_mrp
from deqmpc_core.systems import System, cartpole, crazyflie, pendulum, quadrotor, quadrotor_pole

_PUBLISHED: list[tuple[str, System, Callable[..., Tensor], float]] = [
    ("cgac_cartpole1l.npz", cartpole, cartpole.rk4, 1e-5),
    ("cgac_rexquadrotor.npz", quadrotor, quadrotor.rk4, 1e-5),
    ("sac_pendulum.npz", pendulum, pendulum.semi_implicit, 2e-6),
]


@pytest.mark.parametrize(("file", "system", "step", "tolerance"), _PUBLISHED, ids=lambda v: str(v)[:12])
def test_published_successors_are_reproduced(
    file: str, system: System, step: Callable[..., Tensor], tolerance: float,
    shared_data: Callable[[str], Path],
) -> None:  # fmt: skip
    data = np.load(shared_data(file))
    state, action = (torch.from_numpy(data[k]).double() for k in ("state", "action"))
    before = torch.arange(state.shape[1] - 1) < torch.from_numpy(data["length"])[:, None] - 1
    successor = step(state[:, :-1][before], action[:, :-1][before], 0.05)
    assert successor.shape[0] > 10_000
    assert system.wrapped(successor - state[:, 1:][before]).abs().max() < tolerance


def _pendulum_energy(x: Tensor) -> Tensor:
    return 0.5 * x[:, 1] ** 2 + 10.0 * torch.cos(x[:, 0])


def _cartpole_energy(x: Tensor) -> Tensor:
    """Of two bodies: the cart, and the pole whose centre is at (x - sin theta, cos theta)."""
    _, theta, cart, rate = x.unbind(-1)
    pole = (cart - torch.cos(theta) * rate) ** 2 + (torch.sin(theta) * rate) ** 2
    return 0.5 * (10.0 * cart**2 + pole + rate**2) + 9.81 * torch.cos(theta)


@pytest.mark.parametrize(("system", "energy"), [(pendulum, _pendulum_energy), (cartpole, _cartpole_energy)])
def test_energy_is_conserved_without_control(system: System, energy: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(20, system.n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    before = energy(x)
    after = energy(system.rk4(x, torch.zeros(20, 1, dtype=torch.float64), 1.0, substeps=200))
    assert (after - before).abs().max() < 1e-6
    pushed = energy(system.rk4(x, torch.ones(20, 1, dtype=torch.float64), 1.0, substeps=200))
    assert (pushed - before).abs().min() > 1e-6


def _flying_pole(samples: int = 50) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    x = torch.randn(samples, 14, dtype=torch.float64, generator=random)
    return x, 0.1 * torch.randn(samples, 4, dtype=torch.float64, generator=random)


def test_under_its_pole_flies_the_quadrotor_with_the_same_numbers() -> None:
    x, u = _flying_pole()
    numbers = {k: v for k, v in quadrotor_pole.parameters.items() if k in quadrotor.parameters}
    body = [i for i in range(14) if i not in (6, 13)]
    rigid = quadrotor.derivative(x[:, body], u, numbers)
    assert (quadrotor_pole.derivative(x, u)[:, body] - rigid).abs().max() < 1e-12


def test_pole_is_driven_by_the_derivative_of_the_world_velocity() -> None:
    """With body rates of about 1 rad/s the omega x v term, were it dropped, would show at once."""
    x, u = _flying_pole()

    def world_velocity(t: float) -> np.ndarray:
        later = quadrotor_pole.rk4(x, u, t).numpy()
        rotation = matrix_from_quaternion(quaternion_from_mrp(later[:, 3:6]))
        return (rotation @ later[:, 7:10, None])[:, 0, 0]

    h = 1e-4
    pull = torch.from_numpy((world_velocity(h) - world_velocity(-h)) / (2 * h))
    theta = x[:, 6]
    expected = (-9.81 * torch.sin(theta) + pull * torch.cos(theta)) / 0.5
    assert (quadrotor_pole.derivative(x, u)[:, 13] - expected).abs().max() < 1e-5


@given(angle=st.floats(-1e3, 1e3), low=st.sampled_from([0.0, -math.pi]))
@example(angle=-1e-17, low=0.0)
@example(angle=math.nextafter(math.pi, 0.0), low=-math.pi)
@example(angle=math.pi, low=-math.pi)
@example(angle=math.nextafter(-math.pi, -4.0), low=-math.pi)
def test_wrapped_angles_lie_in_the_range_whole_turns_away(angle: float, low: float) -> None:
    x = torch.tensor([angle, 7.0], dtype=torch.float64, requires_grad=True)
    wrapped = pendulum.wrapped(x, low)
    inside, other = wrapped.tolist()
    assert low <= inside < low + 2 * math.pi
    turns = (angle - inside) / (2 * math.pi)
    assert abs(turns - round(turns)) < 1e-12 * max(1.0, abs(turns))
    assert inside == angle or not low <= angle < low + 2 * math.pi
    assert other == 7.0
    assert torch.autograd.grad(wrapped.sum(), x)[0].tolist() == [1.0, 1.0]


def test_hover_is_an_equilibrium() -> None:
    x = torch.zeros(12, dtype=torch.float64)
    u = torch.full((4,), 0.032 * 9.81 / 4, dtype=torch.float64)
    assert crazyflie.derivative(x, u).abs().max() < 1e-12


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_more_thrust_on_the_left_rolls_right(sign: float) -> None:
    """Motors 1 and 4 stand at +y (left); their surplus turns the body about +x."""
    u = 0.0785 + sign * torch.tensor([0.01, 0.0, 0.0, 0.01], dtype=torch.float64)
    rate = crazyflie.derivative(torch.zeros(12, dtype=torch.float64), u)[9]
    assert rate * sign > 0


def test_shadow_set_is_the_same_attitude_and_near_branch_is_chosen() -> None:
    torch.manual_seed(0)
    x = torch.randn(200, 12, dtype=torch.float64)
    short = crazyflie.to_short_mrp(x)
    assert (short[:, 3:6].norm(dim=-1) <= 1.0 + 1e-12).all()
    u = torch.full((200, 4), 0.08, dtype=torch.float64)
    for names in (slice(0, 3), slice(6, 12)):  # rdot, vdot, omegadot do not depend on the chart
        assert (crazyflie.derivative(x, u) - crazyflie.derivative(short, u))[:, names].abs().max() < 1e-8
    shadow = x.clone()
    shadow[:, 3:6] = -x[:, 3:6] / x[:, 3:6].square().sum(-1, keepdim=True)
    assert (crazyflie.to_branch(shadow, x) - x).abs().max() < 1e-9
