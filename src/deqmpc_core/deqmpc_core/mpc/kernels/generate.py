"""Numba source of a robot's functions (see `sizes`) from its symbolic definition."""

from collections.abc import Sequence
from typing import Any

import sympy
from sympy.printing.pycode import PythonCodePrinter

from deqmpc_core.systems.system import System

_NOTHING = "    pass"


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


def value_source(system: System) -> str:
    """Source of `derivative`, `derivative_product`, `inequality` and `inequality_jacobian`."""
    x, u, _, xdot = system.symbolic
    h = system.symbolic_inequalities
    printer = _printer(system)
    fx, fu = sympy.Matrix(xdot).jacobian(x), sympy.Matrix(xdot).jacobian(u)
    hx = sympy.Matrix(h).jacobian(x) if h else sympy.zeros(0, system.n)
    return "\n".join([
        *_function("derivative(x, i, u, j, p, xdot)", _filled(printer, "xdot[{}]", xdot)),
        *_function(
            "derivative_product(x, i, u, j, p, base, o, reach, slope, weight, xdot, tangent, d, after, total)",
            _product_body(printer, xdot, fx, fu),
        ),
        *_function("inequality(x, i, p, h, o)", _filled(printer, "h[o + {}]", h)),
        *_function("inequality_jacobian(x, i, p, out)", _filled(printer, "out[{}]", list(hx))),
    ])  # fmt: skip


def curvature_source(system: System) -> str:
    """Source of `derivative_transposed`, `derivative_curvature` and `inequality_curvature`."""
    x, u, _, xdot = system.symbolic
    w = list(sympy.symbols(f"w0:{max(system.n, len(system.symbolic_inequalities))}", real=True))
    total = sum((a * b for a, b in zip(w, xdot, strict=False)), sympy.Integer(0))
    h = sum((a * b for a, b in zip(w, system.symbolic_inequalities, strict=False)), sympy.Integer(0))
    plain = _printer(system, {s: f"w[{k}]" for k, s in enumerate(w)})
    shifted = _printer(system, {s: f"w[o + {k}]" for k, s in enumerate(w)})
    slope = [sympy.diff(total, s) for s in x]
    return "\n".join([
        *_function("derivative_transposed(x, i, u, j, p, w, out)", _filled(plain, "out[{}]", slope)),
        *_function("derivative_curvature(x, i, u, j, p, w, out)", _hessian(plain, total, [*x, *u])),
        *_function("inequality_curvature(x, i, p, w, o, out)", _hessian(shifted, h, x)),
    ])  # fmt: skip


def _printer(system: System, more: dict[sympy.Symbol, str] | None = None) -> _Printer:
    x, u, p, _ = system.symbolic
    names = {s: f"x[i + {k}]" for k, s in enumerate(x)} | {s: f"u[j + {k}]" for k, s in enumerate(u)}
    return _Printer(names | {s: f"p[{k}]" for k, s in enumerate(p)} | (more or {}))


def _function(head: str, body: Sequence[str]) -> list[str]:
    offsets = [name for name in head.partition("(")[2].rstrip(")").split(", ") if name in ("i", "j", "o", "d")]
    lines = [f"    {name} = index({name})" for name in offsets]
    return ["@njit(**OPTIONS)", f"def {head}:", *lines, *(body or [_NOTHING]), "", ""]


def _filled(printer: _Printer, place: str, expressions: Sequence[Any]) -> list[str]:
    """Lines that write the expressions to place.format(0), place.format(1), …"""
    lines = _assignments(printer, list(expressions))
    return [*lines, *(f"    {place.format(k)} = e{k}" for k in range(len(expressions)))]


def _assignments(printer: _Printer, expressions: list[Any]) -> list[str]:
    """Lines that compute e0, e1, … as floats with common subexpressions shared."""
    if not expressions:
        return []
    shared, reduced = sympy.cse(expressions, symbols=sympy.numbered_symbols("s"), order="none")
    lines = [f"    {s.name} = {printer.doprint(e)}" for s, e in shared]
    return lines + [f"    e{k} = {printer.doprint(sympy.sympify(e).evalf(17) if e.is_Integer else e)}"
                    for k, e in enumerate(reduced)]  # fmt: skip


def _product_body(printer: _Printer, xdot: list[sympy.Expr], fx: sympy.Matrix, fu: sympy.Matrix) -> list[str]:
    """xdot, and each row of f_x D + [0 | f_u] from its non-zero entries only, as vectors of n + m."""
    n, m = fx.shape[0], fu.shape[1]
    entries = [(r, c, fx[r, c]) for r in range(n) for c in range(n) if fx[r, c] != 0]
    inputs = [(r, c, fu[r, c]) for r in range(n) for c in range(m) if fu[r, c] != 0]
    lines = _assignments(printer, [*xdot, *(e for *_, e in entries), *(e for *_, e in inputs)])
    lines += [f"    xdot[{r}] = e{r}" for r in range(n)]
    for c in range(n):
        e = c * (n + m)
        lines += [
            f"    row{c} = load(base, o + {e}, NXU) + reach * load(slope, {e}, NXU)",
            f"    store(tangent, d + {e}, row{c})",
        ]
    first = n + len(entries)
    for r in range(n):
        terms = [f"e{n + k} * row{c}" for k, (row, c, _) in enumerate(entries) if row == r]
        lines.append(f"    out = {' + '.join(terms) or 'splat(0.0, NXU)'}")
        lines += [
            f"    out = add_lane(out, {n + c}, e{first + k})" for k, (row, c, _) in enumerate(inputs) if row == r
        ]
        e = r * (n + m)
        lines += [
            f"    store(after, {e}, out)",
            f"    store(total, {e}, load(total, {e}, NXU) + weight * out)",
        ]
    return lines


def _hessian(printer: _Printer, total: Any, variables: list[sympy.Symbol]) -> list[str]:
    """Zero everywhere, then both halves of the symmetric matrix of second derivatives."""
    size = len(variables)
    gradient = [sympy.diff(total, v) for v in variables]
    entries = [
        (r, c, second)
        for r in range(size)
        for c in range(r + 1)
        if (second := sympy.diff(gradient[r], variables[c])) != 0
    ]
    lines = [f"    for e in range({size * size}):", "        out[e] = 0.0"]
    lines += _assignments(printer, [e for *_, e in entries])
    for k, (r, c, _) in enumerate(entries):
        lines += [f"    out[{r * size + c}] = e{k}", f"    out[{c * size + r}] = e{k}"]
    return lines
