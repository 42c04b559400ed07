"""Numba source of a robot's dynamics and Jacobians from its symbolic definition."""

from typing import Any

import sympy
from sympy.printing.pycode import PythonCodePrinter

from deqmpc_core.systems.system import System


class _Printer(PythonCodePrinter):
    """Plain Python with `math.` functions, symbols mapped to array entries, integer powers multiplied out."""

    def __init__(self, names: dict[sympy.Symbol, str]) -> None:
        super().__init__({"fully_qualified_modules": True})
        self._names = names

    def _print_Symbol(self, expr: sympy.Symbol) -> str:  # noqa: N802
        return self._names.get(expr, expr.name)

    def _print_Pow(self, expr: sympy.Pow, rational: bool = False) -> str:  # noqa: N802
        base, exponent = expr.as_base_exp()
        if exponent.is_Integer and 2 <= abs(int(exponent)) <= 4:
            product = "*".join([self.parenthesize(base, 1000)] * abs(int(exponent)))
            return f"({product})" if exponent > 0 else f"(1.0/({product}))"
        return super()._print_Pow(expr, rational=rational)


def dynamics_source(system: System) -> str:
    """Source of `derivative` and `derivative_product` (see `sizes`) for the system."""
    x, u, p, xdot = system.symbolic
    names = {s: f"x[i + {k}]" for k, s in enumerate(x)} | {s: f"u[j + {k}]" for k, s in enumerate(u)}
    printer = _Printer(names | {s: f"p[{k}]" for k, s in enumerate(p)})
    fx, fu = sympy.Matrix(xdot).jacobian(x), sympy.Matrix(xdot).jacobian(u)
    return "\n".join([
        "@njit(**OPTIONS)\ndef derivative(x, i, u, j, p, xdot):",
        *_assignments(printer, xdot),
        *(f"    xdot[{r}] = e{r}" for r in range(system.n)),
        "\n\n@njit(**OPTIONS)\ndef derivative_product(x, i, u, j, p, D, xdot, out):",
        *_product_body(printer, xdot, fx, fu),
        "",
    ])  # fmt: skip


def _assignments(printer: _Printer, expressions: list[Any]) -> list[str]:
    """Lines that compute e0, e1, … with common subexpressions shared."""
    shared, reduced = sympy.cse(expressions, symbols=sympy.numbered_symbols("s"), order="none")
    lines = [f"    {s.name} = {printer.doprint(e)}" for s, e in shared]
    return lines + [f"    e{k} = {printer.doprint(e)}" for k, e in enumerate(reduced)]


def _product_body(printer: _Printer, xdot: list[sympy.Expr], fx: sympy.Matrix, fu: sympy.Matrix) -> list[str]:
    """xdot, and each row of f_x D + [0 | f_u] from its non-zero entries only."""
    n, m = fx.shape[0], fu.shape[1]
    entries = [(r, c, fx[r, c]) for r in range(n) for c in range(n) if fx[r, c] != 0]
    inputs = [(r, c, fu[r, c]) for r in range(n) for c in range(m) if fu[r, c] != 0]
    lines = _assignments(printer, [*xdot, *(e for *_, e in entries), *(e for *_, e in inputs)])
    lines += [f"    xdot[{r}] = e{r}" for r in range(n)]
    for r in range(n):
        terms = [f"e{n + k} * D[{c * (n + m)} + c]" for k, (row, c, _) in enumerate(entries) if row == r]
        lines += [
            f"    for c in range({n + m}):",
            f"        out[{r * (n + m)} + c] = {' + '.join(terms) or '0.0'}",
        ]
    first = n + len(entries)
    return lines + [f"    out[{r * (n + m) + n + c}] += e{first + k}" for k, (r, c, _) in enumerate(inputs)]
