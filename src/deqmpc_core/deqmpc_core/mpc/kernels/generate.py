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


def stage_source(system: System, block: bool) -> str:
    """Source of the stage functions and NE, the number of non-zero entries of (f_x, f_u).

    block: a lane is a sample with parameters of its own, and products are of a few columns at once.
    """
    xdot, lanes, entries = system.symbolic[3], _lane_printer(system, block), _entries(system)
    derivatives = [e for *_, e in entries]
    lines = [
        f"NE = {len(entries)}",
        *_function("stage_values(x, u, p, k)", _stored(lanes, [("k", xdot)])),
        *_function("stage_entries(x, u, p, k, E, e)", _stored(lanes, [("k", xdot), ("E", derivatives)])),
    ]
    if block:
        head = "_product(E, e, base, reach, slope, weight, after, total)"
        lines += _function("state" + head, _columns(system, entries, "STATES", controls=False))
        lines += _function("control" + head, _columns(system, entries, "CONTROLS", controls=True))
        lines += _function("entry_rows(E, out)", _placed(system, entries))
    else:
        head = "stage_product(E, e, base, reach, slope, weight, tangent, d, after, total)"
        lines += _function(head, _product(system, entries))
    return "\n".join(lines)


def inequality_source(system: System) -> str:
    """Source of `inequality` and `inequality_jacobian`."""
    x, h, printer = system.symbolic[0], system.symbolic_inequalities, _printer(system)
    hx = sympy.Matrix(h).jacobian(x) if h else sympy.zeros(0, system.n)
    return "\n".join([
        *_function("inequality(x, i, p, h, o)", _filled(printer, "h[o + {}]", h)),
        *_function("inequality_jacobian(x, i, p, out)", _filled(printer, "out[{}]", list(hx))),
    ])  # fmt: skip


def _entries(system: System) -> list[tuple[int, int, sympy.Expr]]:
    """(row, column, expression) of the non-zero entries of (f_x, f_u)."""
    x, u, _, xdot = system.symbolic
    both = sympy.Matrix(xdot).jacobian([*x, *u])
    return [(r, c, both[r, c]) for r in range(both.shape[0]) for c in range(both.shape[1]) if both[r, c] != 0]


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
    offsets = [
        name for name in head.partition("(")[2].rstrip(")").split(", ") if name in ("i", "j", "o", "d", "e")
    ]
    lines = [f"    {name} = index({name})" for name in offsets]
    return ["@njit(**OPTIONS)", f"def {head}:", *lines, *(body or [_NOTHING]), "", ""]


def _filled(printer: _Printer, place: str, expressions: Sequence[Any]) -> list[str]:
    """Lines that write the expressions to place.format(0), place.format(1) and so on."""
    lines = _assignments(printer, list(expressions))
    return [*lines, *(f"    {place.format(k)} = e{k}" for k in range(len(expressions)))]


def _assignments(printer: _Printer, expressions: list[Any]) -> list[str]:
    """Lines that compute e0, e1, … as floats with common subexpressions shared."""
    if not expressions:
        return []
    shared, reduced = sympy.cse(expressions, symbols=sympy.numbered_symbols("s"), order="none")
    lines = [f"    {s.name} = {printer.doprint(e)}" for s, e in shared]
    return lines + [f"    e{k} = {printer.doprint(_as_float(e))}" for k, e in enumerate(reduced)]


def _lane_printer(system: System, block: bool) -> _Printer:
    """States and controls are vectors, one lane a knot; in a block one lane a sample, parameters too."""
    x, u, p, _ = system.symbolic
    names = {s: f"load(x, {k} * LANES, LANES)" for k, s in enumerate(x)}
    names |= {s: f"load(u, {k} * LANES, LANES)" for k, s in enumerate(u)}
    place = "load(p, {} * LANES, LANES)" if block else "p[{}]"
    return _Printer(names | {s: place.format(k) for k, s in enumerate(p)})


def _stored(printer: _Printer, parts: list[tuple[str, list[sympy.Expr]]]) -> list[str]:
    """Lines that store each part's expressions as rows of LANES; E begins at e."""
    lines = _assignments(printer, [e for _, expressions in parts for e in expressions])
    number = 0
    for place, expressions in parts:
        start = "e + " if place == "E" else ""
        for r in range(len(expressions)):
            lines.append(f"    store({place}, {start}{r} * LANES, splat(e{number}, LANES))")
            number += 1
    return lines


def _product(system: System, entries: list[tuple[int, int, sympy.Expr]]) -> list[str]:
    """after = f_x (base + reach slope) + [0 | f_u] by the non-zero entries, total += weight after."""
    n, width = system.n, system.n + system.m
    lines = []
    for c in range(n):
        lines += [
            f"    row{c} = load(base, {c * width}, NXU) + reach * load(slope, {c * width}, NXU)",
            f"    store(tangent, d + {c * width}, row{c})",
        ]
    for r in range(n):
        here = [(k, c) for k, (row, c, _) in enumerate(entries) if row == r]
        terms = [f"E[e + {k} * LANES] * row{c}" for k, c in here if c < n]
        lines.append(f"    out = {' + '.join(terms) or 'splat(0.0, NXU)'}")
        lines += [f"    out = add_lane(out, {c}, E[e + {k} * LANES])" for k, c in here if c >= n]
        lines += [
            f"    store(after, {r * width}, out)",
            f"    store(total, {r * width}, load(total, {r * width}, NXU) + weight * out)",
        ]
    return lines


def _columns(
    system: System, entries: list[tuple[int, int, sympy.Expr]], width: str, controls: bool
) -> list[str]:
    """The same for a few columns of LANES samples: of x_t, or those of u_t, which have f_u besides."""
    n = system.n
    lines = [f"    row{c} = load(base, {c} * {width}, {width})" for c in range(n)]
    lines += [f"    row{c} += reach * load(slope, {c} * {width}, {width})" for c in range(n)]
    for r in range(n):
        here = [(f"load(E, e + {k} * LANES, LANES)", c) for k, (row, c, _) in enumerate(entries) if row == r]
        terms = [f"{entry} * row{c}" for entry, c in here if c < n]
        lines.append(f"    out = {' + '.join(terms) or f'splat(0.0, {width})'}")
        lines += [f"    out = add_lane(out, {c - n}, {entry})" for entry, c in here if c >= n and controls]
        lines += [
            f"    store(after, {r} * {width}, out)",
            f"    store(total, {r} * {width}, load(total, {r} * {width}, {width}) + weight * out)",
        ]
    return lines


def _placed(system: System, entries: list[tuple[int, int, sympy.Expr]]) -> list[str]:
    """Rows of zeros, then every entry in its place."""
    lines = [f"    store(out, {r} * ROW, splat(0.0, ROW))" for r in range(system.n)]
    copy = "    store(out, {} * ROW + {} * LANES, load(E, {} * LANES, LANES))"
    return lines + [copy.format(r, c, k) for k, (r, c, _) in enumerate(entries)]


def _as_float(expression: Any) -> Any:
    """A whole number as a float, so that compiled rows have one type."""
    return expression.evalf(17) if expression.is_Integer else expression


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
