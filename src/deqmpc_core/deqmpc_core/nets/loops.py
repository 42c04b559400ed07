"""Compiled loops of the fixed-point layer and of Anderson's search, for one sample.

Shapes: T knots, h hidden, s slots of the search's memory. Sums run in float64 whatever the arrays are.
"""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from deqmpc_core.jit import compiled

EPSILON = 1e-5  # torch's, of a group norm
TINY = 1e-19  # lengths below count as this; its square is still a float32

Array = NDArray[Any]

# Sums may be reordered, so that they become vectors; NaN and infinity keep their meaning.
_loop = partial(compiled, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")


class Memory(NamedTuple):
    """Of the search: residuals at unit length and the points they vote for (s, T, h), one over their lengths
    (s,), products of the units (s, s), the best image (T, h) and its relative residual (1,)."""

    units: Array
    votes: Array
    inverses: Array
    gram: Array
    best: Array
    residual: Array


def new_memory(start: Array, slots: int) -> Memory:
    """An empty one around a start (T, h)."""
    shape = (slots, *start.shape)
    return Memory(
        np.empty(shape, start.dtype), np.empty(shape, start.dtype), np.empty(slots), np.empty((slots, slots)),
        start.copy(), np.full(1, np.inf),
    )  # fmt: skip


@_loop
def gather(z: Array, near: Array) -> None:
    """z (T, h) -> near (T, 3 h): each knot's predecessor, itself, its successor; beyond the ends near keeps
    its zeros."""
    knots, hidden = z.shape
    for t in range(knots):
        for c in range(hidden):
            value = z[t, c]
            near[t, hidden + c] = value
            if t + 1 < knots:
                near[t + 1, c] = value
            if t > 0:
                near[t - 1, 2 * hidden + c] = value


@_loop
def normalise(x: Array, groups: int, weight: Array, shift: Array) -> None:
    """Group norm of x (T, c) in place, statistics over all knots and the channels of a group."""
    knots, width = x.shape[0], x.shape[1] // groups
    for group in range(groups):
        low, high = group * width, (group + 1) * width
        total, square = 0.0, 0.0
        for t in range(knots):
            for c in range(low, high):
                total += x[t, c]
        mean = total / (knots * width)
        for t in range(knots):
            for c in range(low, high):
                square += (x[t, c] - mean) ** 2
        scale = 1.0 / np.sqrt(square / (knots * width) + EPSILON)
        for t in range(knots):
            for c in range(low, high):
                x[t, c] = (x[t, c] - mean) * scale * weight[c] + shift[c]


@_loop
def bend(wide: Array, bias: Array, groups: int, weight: Array, shift: Array) -> None:
    """The layer's wide half in place: bias, ReLU, group norm of wide (T, 4 h)."""
    for t in range(wide.shape[0]):
        for c in range(wide.shape[1]):
            value = wide[t, c] + bias[c]
            wide[t, c] = 0.0 if value < 0.0 else value  # NaN stays
    normalise(wide, groups, weight, shift)


@_loop
def close(
    parts: Array, offset: Array, z: Array, groups: int, inner_weight: Array, inner_shift: Array,
    outer_weight: Array, outer_shift: Array, image: Array,
) -> None:  # fmt: skip
    """The layer's end: products parts (T, 3 h) summed at the neighbours they belong to, injection and bias
    (offset), group norm, z added, ReLU, group norm -> image (T, h)."""
    knots, hidden = z.shape
    for t in range(knots):
        for c in range(hidden):
            value = offset[t, c] + parts[t, hidden + c]
            if t + 1 < knots:
                value += parts[t + 1, c]
            if t > 0:
                value += parts[t - 1, 2 * hidden + c]
            image[t, c] = value
    normalise(image, groups, inner_weight, inner_shift)
    for t in range(knots):
        for c in range(hidden):
            value = image[t, c] + z[t, c]
            image[t, c] = 0.0 if value < 0.0 else value
    normalise(image, groups, outer_weight, outer_shift)


@_loop
def record(turn: int, image: Array, z: Array, memory: Memory, beta: float) -> float:
    """Keep the evaluation image = d(z), both (T, h); its relative residual."""
    slot, length, size = turn % memory.units.shape[0], 0.0, 0.0
    knots, hidden = z.shape
    for t in range(knots):
        for c in range(hidden):
            length += (image[t, c] - z[t, c]) ** 2
            size += image[t, c] ** 2
    length, size = np.sqrt(length), np.sqrt(size)
    inverse = 1.0 / max(length, TINY)
    unit, vote = memory.units[slot], memory.votes[slot]
    for t in range(knots):
        for c in range(hidden):
            gap = image[t, c] - z[t, c]
            unit[t, c] = gap * inverse
            vote[t, c] = image[t, c] + (beta - 1.0) * gap
    memory.inverses[slot] = inverse
    residual = length / max(size, TINY)
    if residual < memory.residual[0]:
        memory.residual[0] = residual
        memory.best[:] = image
    return residual


@_loop
def mix(turn: int, memory: Memory, damping: float, z: Array) -> None:
    """The next point z (T, h): the votes of the last evaluations, weighted to the least linearised
    residual."""
    slots, (knots, hidden) = memory.units.shape[0], z.shape
    slot, known = turn % slots, min(turn + 1, slots)
    for other in range(known):
        total = 0.0
        for t in range(knots):
            for c in range(hidden):
                total += memory.units[slot, t, c] * memory.units[other, t, c]
        memory.gram[slot, other] = memory.gram[other, slot] = total
    weights = _weights(memory, known, damping)
    for t in range(knots):
        for c in range(hidden):
            z[t, c] = 0.0
        for other in range(known):
            for c in range(hidden):
                z[t, c] += weights[other] * memory.votes[other, t, c]


@_loop
def _weights(memory: Memory, known: int, damping: float) -> Array:
    """Weights (known,) of sum 1; the damped Gram matrix is positive, so elimination needs no pivots."""
    matrix, inverses = memory.gram[:known, :known].copy(), memory.inverses[:known]
    scale = inverses / inverses.max()
    found = scale.copy()
    for i in range(known):
        matrix[i, i] += damping
    for i in range(known):
        for j in range(i + 1, known):
            factor = matrix[j, i] / matrix[i, i]
            matrix[j, i:] -= factor * matrix[i, i:]
            found[j] -= factor * found[i]
    for i in range(known - 1, -1, -1):
        for j in range(i + 1, known):
            found[i] -= matrix[i, j] * found[j]
        found[i] /= matrix[i, i]
    found *= scale
    return found / found.sum()
