"""The plants against published data and against an independent integrator."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from deqmpc_core.systems import crazyflie, quadrotor


def test_quadrotor_reproduces_published_successors(shared_data: Callable[[str], Path]) -> None:
    data = np.load(shared_data("cgac_rexquadrotor.npz"))
    state, action = (torch.from_numpy(data[k]).double() for k in ("state", "action"))
    for s, a, length in zip(state, action, data["length"], strict=True):
        end = int(length)
        successor = quadrotor.rk4(s[: end - 1], a[: end - 1], 0.05)
        assert (successor - s[1:end]).abs().max() < 1e-5


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
