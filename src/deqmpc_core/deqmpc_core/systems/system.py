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

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import sympy
import torch
from torch import Tensor

from deqmpc_core.errors import UnknownNameError
from deqmpc_core.systems import runge_kutta
from deqmpc_core.systems.lambdified import SparseMatrix, stacked, weighted_hessian

Symbols = Sequence[sympy.Symbol]
Dynamics = Callable[[Symbols, Symbols, Mapping[str, sympy.Symbol]], Sequence[Any]]
Inequalities = Callable[[Symbols, Mapping[str, sympy.Symbol]], Sequence[Any]]
Parameters = Mapping[str, float | Tensor]
_TURN = 2.0 * math.pi


@dataclass(frozen=True, eq=False)
class System:
    """Continuous dynamics xdot = f(x, u; p) and the layout of x (n,) and u (m,).

    configuration: q, how many leading states are coordinates rather than velocities.
    position: index of the first of three position coordinates, None if spheres make no sense here.
    mrp: index of the first of three modified Rodrigues parameters, None if there are none.
    angles: indices of plain angles, for branch handling.
    inequalities: h(x; p), smooth expressions that a plan keeps at or below zero at knots 1..T.
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
    inequalities: Inequalities | None = field(default=None, repr=False, compare=False)

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
    def symbolic_inequalities(self) -> list[sympy.Expr]:
        """The g expressions of h(x; p), over the symbols of `symbolic`."""
        if self.inequalities is None:
            return []
        x, _, p, _ = self.symbolic
        return [sympy.sympify(e) for e in self.inequalities(x, dict(zip(self.parameters, p, strict=True)))]

    def constrained(self, inequalities: Inequalities, **parameters: float) -> "System":
        """The robot with more inequalities h(x; p) <= 0, and the parameters they bring."""
        before = self.inequalities

        def both(x: Symbols, p: Mapping[str, sympy.Symbol]) -> list[Any]:
            return [*(before(x, p) if before else ()), *inequalities(x, p)]

        return replace(self, parameters={**self.parameters, **parameters}, inequalities=both)

    def bounded(self, **bounds: tuple[float, float]) -> "System":
        """The robot with state bounds by name, vx=(-1.0, 1.0); they become parameters vx_min and vx_max.

        Raises UnknownNameError for a state that the robot does not have.
        """
        for name in bounds:
            if name not in self.states:
                raise UnknownNameError("state", name, self.states)
        limits = {
            f"{k}_{end}": v for k, pair in bounds.items() for end, v in zip(("min", "max"), pair, strict=True)
        }
        place = {name: self.states.index(name) for name in bounds}

        def box(x: Symbols, p: Mapping[str, sympy.Symbol]) -> list[Any]:
            return [e for k, i in place.items() for e in (p[f"{k}_min"] - x[i], x[i] - p[f"{k}_max"])]

        return self.constrained(box, **limits)

    @cached_property
    def symbolic_jacobian(self) -> sympy.Matrix:
        """Derivatives (n, n+m) of xdot to x and u."""
        x, u, _, xdot = self.symbolic
        return sympy.Matrix(xdot).jacobian([*x, *u])

    @cached_property
    def _torch_function(self) -> Callable[..., list[Tensor]]:
        x, u, p, xdot = self.symbolic
        return sympy.lambdify([x, u, p], xdot, modules="torch", cse=True)

    @cached_property
    def _torch_inequalities(self) -> Callable[..., list[Tensor]]:
        x, _, p, _ = self.symbolic
        return sympy.lambdify([x, p], self.symbolic_inequalities, modules="torch", cse=True)

    @cached_property
    def _torch_jacobian(self) -> SparseMatrix:
        x, u, p, _ = self.symbolic
        return SparseMatrix((x, u, p), self.symbolic_jacobian)

    @cached_property
    def _torch_curvature(self) -> SparseMatrix:
        x, u, p, _ = self.symbolic
        return weighted_hessian((x, u, p), [*x, *u], self.symbolic_jacobian)

    @cached_property
    def _torch_inequality_jacobian(self) -> SparseMatrix:
        x, _, p, _ = self.symbolic
        return SparseMatrix((x, p), sympy.Matrix(self.symbolic_inequalities).jacobian(x))

    @cached_property
    def _torch_inequality_curvature(self) -> SparseMatrix:
        x, _, p, _ = self.symbolic
        return weighted_hessian((x, p), x, sympy.Matrix(self.symbolic_inequalities).jacobian(x))

    def _numbers(self, x: Tensor, parameters: Parameters | None) -> list[Tensor]:
        """Parameter values in the order of `parameters`; each a number or of a shape that broadcasts with
        x[..., 0]."""
        values = {**self.parameters, **(parameters or {})}
        return [torch.as_tensor(values[k], dtype=x.dtype, device=x.device) for k in self.parameters]

    def derivative(self, x: Tensor, u: Tensor, parameters: Parameters | None = None) -> Tensor:
        """xdot (..., n) of x (..., n) and u (..., m); differentiable, any device and dtype."""
        return stacked(self._torch_function(x.unbind(-1), u.unbind(-1), self._numbers(x, parameters)), x)

    def inequality(self, x: Tensor, parameters: Parameters | None = None) -> Tensor:
        """h (..., g) of x (..., n)."""
        if self.inequalities is None:
            return x.new_zeros(*x.shape[:-1], 0)
        return stacked(self._torch_inequalities(x.unbind(-1), self._numbers(x, parameters)), x)

    def jacobian(self, x: Tensor, u: Tensor, parameters: Parameters | None = None) -> tuple[Tensor, Tensor]:
        """f_x (..., n, n) and f_u (..., n, m) of the continuous dynamics, from their symbolic derivatives."""
        numbers = self._numbers(x, parameters)
        both = self._torch_jacobian(x, x.unbind(-1), u.unbind(-1), numbers)
        return both[..., : self.n], both[..., self.n :]

    def curvature(self, x: Tensor, u: Tensor, weight: Tensor, parameters: Parameters | None = None) -> Tensor:
        """sum_i weight_i d2f_i (..., n+m, n+m) over (x, u), weight (..., n)."""
        numbers = self._numbers(x, parameters)
        return self._torch_curvature(x, x.unbind(-1), u.unbind(-1), numbers, weight.unbind(-1))

    def inequality_jacobian(self, x: Tensor, parameters: Parameters | None = None) -> Tensor:
        """h_x (..., g, n)."""
        if self.inequalities is None:
            return x.new_zeros(*x.shape[:-1], 0, self.n)
        return self._torch_inequality_jacobian(x, x.unbind(-1), self._numbers(x, parameters))

    def inequality_curvature(self, x: Tensor, weight: Tensor, parameters: Parameters | None = None) -> Tensor:
        """sum_i weight_i d2h_i (..., n, n), weight (..., g)."""
        if self.inequalities is None:
            return x.new_zeros(*x.shape, self.n)
        numbers = self._numbers(x, parameters)
        return self._torch_inequality_curvature(x, x.unbind(-1), numbers, weight.unbind(-1))

    def rk4(
        self, x: Tensor, u: Tensor, dt: float, substeps: int = 1, parameters: Parameters | None = None
    ) -> Tensor:
        """x (..., n) one control interval of dt [s] later by `substeps` classic Runge-Kutta steps, u (..., m)
        held."""
        h = dt / substeps
        for _ in range(substeps):
            k1 = self.derivative(x, u, parameters)
            k2 = self.derivative(x + 0.5 * h * k1, u, parameters)
            k3 = self.derivative(x + 0.5 * h * k2, u, parameters)
            k4 = self.derivative(x + h * k3, u, parameters)
            x = x + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
        return x

    def rk4_jacobian(
        self, x: Tensor, u: Tensor, dt: float, substeps: int = 1, parameters: Parameters | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """rk4's successor (..., n) and its Jacobians A (..., n, n) and B (..., n, m); differentiable."""
        successor, both, _ = runge_kutta.stages(self, x, u, dt, substeps, parameters)
        return successor, both[..., : self.n], both[..., self.n :]

    def rk4_curvature(
        self, x: Tensor, u: Tensor, weight: Tensor, dt: float, substeps: int = 1,
        parameters: Parameters | None = None,
    ) -> Tensor:  # fmt: skip
        """sum_i weight_i d2F_i (..., n+m, n+m) of rk4's successor F over (x, u), weight (..., n)."""
        return runge_kutta.curvature(self, x, u, weight, dt, substeps, parameters)

    def semi_implicit(
        self, x: Tensor, u: Tensor, dt: float, substeps: int = 1, parameters: Parameters | None = None
    ) -> Tensor:
        """x (..., n) one control interval later by `substeps` semi-implicit Euler steps, u (..., m) held:
        velocities first, then coordinates by the new velocities.
        """
        h, q = dt / substeps, self.configuration
        for _ in range(substeps):
            velocity = x[..., q:] + h * self.derivative(x, u, parameters)[..., q:]
            moved = torch.cat([x[..., :q], velocity], -1)
            x = torch.cat([x[..., :q] + h * self.derivative(moved, u, parameters)[..., :q], velocity], -1)
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

    def wrapped(self, x: Tensor, low: float = -math.pi) -> Tensor:
        """x (..., n) with its angles in [low, low + 2 pi); an angle that is there already keeps its bits."""
        columns = list(x.unbind(-1))
        for i in self.angles:
            angle = columns[i] - _TURN * torch.floor((columns[i].detach() - low) / _TURN)
            angle = angle + _TURN * (angle.detach() < low).to(x)  # rounding may have put it past either end
            columns[i] = angle - _TURN * (angle.detach() >= low + _TURN).to(x)
        return torch.stack(columns, -1) if self.angles else x

    def to_short_mrp(self, x: Tensor) -> Tensor:
        """x (..., n) with the shadow set taken where |p| > 1: what a simulator does between steps."""
        if self.mrp is None:
            return x
        block = slice(self.mrp, self.mrp + 3)
        p = x[..., block]
        square = p.square().sum(-1, keepdim=True)
        p = torch.where(square > 1.0, -p / square.clamp_min(1e-12), p)
        return torch.cat([x[..., : block.start], p, x[..., block.stop :]], -1)
