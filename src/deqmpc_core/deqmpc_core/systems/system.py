"""A robot from one symbolic definition: the torch function and the native source both come from it.

A robot of your own is one function and one `System`:

    def pendulum_dynamics(x, u, p):          # x, u, p: SymPy symbols; p by parameter name
        theta, rate = x
        return [rate, (u[0] + p["mass"] * p["gravity"] * p["length"] * sympy.sin(theta)) / (p["mass"] *
        p["length"] ** 2)]

    pendulum = System("pendulum", ("theta", "thetadot"), ("torque",), configuration=1,
                      parameters={"mass": 1.0, "length": 1.0, "gravity": 10.0}, dynamics=pendulum_dynamics,
                      angles=(0,))
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy
import torch
from torch import Tensor

Symbols = Sequence[sympy.Symbol]
Dynamics = Callable[[Symbols, Symbols, Mapping[str, sympy.Symbol]], Sequence[Any]]


@dataclass(frozen=True, eq=False)
class System:
    """Continuous dynamics xdot = f(x, u; p) and the layout of x (n,) and u (m,).

    configuration: q, how many leading states are coordinates rather than velocities.
    position: index of the first of three position coordinates, None if spheres make no sense here.
    mrp: index of the first of three modified Rodrigues parameters, None if there are none.
    angles: indices of plain angles, for branch handling.
    """

    name: str
    states: tuple[str, ...]
    controls: tuple[str, ...]
    configuration: int
    parameters: Mapping[str, float]
    dynamics: Dynamics = field(repr=False, compare=False)
    position: int | None = None
    mrp: int | None = None
    angles: tuple[int, ...] = ()

    @property
    def n(self) -> int:
        """Number of states."""
        return len(self.states)

    @property
    def m(self) -> int:
        """Number of controls."""
        return len(self.controls)

    @cached_property
    def symbolic(self) -> tuple[list[sympy.Symbol], list[sympy.Symbol], list[sympy.Symbol], list[sympy.Expr]]:
        """State, control and parameter symbols and the n expressions of xdot."""
        x = list(sympy.symbols(f"x0:{self.n}", real=True))
        u = list(sympy.symbols(f"u0:{self.m}", real=True))
        p = list(sympy.symbols(f"p0:{len(self.parameters)}", real=True))
        xdot = self.dynamics(x, u, dict(zip(self.parameters, p, strict=True)))
        return x, u, p, [sympy.sympify(e) for e in xdot]

    @cached_property
    def _torch_function(self) -> Callable[..., list[Tensor]]:
        x, u, p, xdot = self.symbolic
        return sympy.lambdify([x, u, p], xdot, modules="torch", cse=True)

    def derivative(
        self, x: Tensor, u: Tensor, parameters: Mapping[str, float | Tensor] | None = None
    ) -> Tensor:
        """xdot (..., n) of x (..., n) and u (..., m); differentiable, any device and dtype."""
        values = {**self.parameters, **(parameters or {})}
        numbers = [torch.as_tensor(values[k], dtype=x.dtype, device=x.device) for k in self.parameters]
        rows = self._torch_function(x.unbind(-1), u.unbind(-1), numbers)
        rows = [r if isinstance(r, Tensor) else x.new_tensor(r) for r in rows]
        return torch.stack(torch.broadcast_tensors(*rows), -1)

    def rk4(self, x: Tensor, u: Tensor, dt: float, substeps: int = 1) -> Tensor:
        """One control interval of dt [s] by `substeps` classic Runge-Kutta steps, u held."""
        h = dt / substeps
        for _ in range(substeps):
            k1 = self.derivative(x, u)
            k2 = self.derivative(x + 0.5 * h * k1, u)
            k3 = self.derivative(x + 0.5 * h * k2, u)
            k4 = self.derivative(x + h * k3, u)
            x = x + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        return x

    def to_branch(self, x: Tensor, x0: Tensor) -> Tensor:
        """x (..., n) with its attitude (MRP) and angles moved to the branch nearest to x0 (..., n)."""
        x = x.clone()
        if self.mrp is not None:
            block = slice(self.mrp, self.mrp + 3)
            p = x[..., block]
            shadow = -p / p.square().sum(-1, keepdim=True).clamp_min(1e-12)
            nearer = (shadow - x0[..., block]).norm(dim=-1) < (p - x0[..., block]).norm(dim=-1)
            x[..., block] = torch.where(nearer[..., None], shadow, p)
        for i in self.angles:
            x[..., i] -= 2 * torch.pi * torch.round((x[..., i] - x0[..., i]) / (2 * torch.pi))
        return x

    def to_short_mrp(self, x: Tensor) -> Tensor:
        """x (..., n) with the shadow set taken where |p| > 1: what a simulator does between steps."""
        if self.mrp is None:
            return x
        block = slice(self.mrp, self.mrp + 3)
        p = x[..., block]
        square = p.square().sum(-1, keepdim=True)
        p = torch.where(square > 1.0, -p / square.clamp_min(1e-12), p)
        return torch.cat([x[..., : block.start], p, x[..., block.stop :]], -1)
