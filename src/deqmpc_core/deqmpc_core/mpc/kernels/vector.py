"""Fixed-width vectors of float64 as a Numba type: a row of a small matrix, or one quantity of several
samples.

LLVM maps `+ - * /` on them to whatever registers the processor has, so the kernels need no auto-vectoriser
for their matrix products. `load` and `store` move them from and to flat arrays; arithmetic with a number
acts on every lane, with a narrower vector on every stretch of its width.
"""

import math
import operator
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.core.typing import templates
from numba.core.typing.templates import AbstractTemplate, signature
from numba.extending import lower_builtin, models, register_model
from numba.np.arrayobj import make_array

# Numba gives these decorators no usable types.
intrinsic: Any = extending.intrinsic
infer_global: Any = templates.infer_global


class VectorType(types.Type):
    """`width` lanes of float64."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"Vector{width}")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: VectorType) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(ir.DoubleType(), fe_type.width))


def _lanes(context: Any, builder: Any, value: Any, kind: Any, width: int) -> Any:
    """The value as an LLVM vector; numbers are converted and repeated in every lane, narrower vectors
    side by side."""
    if isinstance(kind, VectorType):
        lanes = [i % kind.width for i in range(width)]
        return value if kind.width == width else _picked(builder, value, lanes)
    number = context.cast(builder, value, kind, types.float64)
    lane_type = ir.VectorType(ir.DoubleType(), width)
    first = builder.insert_element(
        ir.Constant(lane_type, ir.Undefined), number, ir.Constant(ir.IntType(32), 0)
    )
    return _picked(builder, first, [0] * width)


def _picked(builder: Any, value: Any, lanes: list[int], other: Any = None) -> Any:
    """A vector of the numbered lanes; those of `other` follow the value's own."""
    mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
    return builder.shuffle_vector(value, value if other is None else other, mask)


def _operation(function: Any, emit: str) -> None:
    @infer_global(function)
    class _Template(AbstractTemplate):  # pyright: ignore[reportUnusedClass]
        def generic(self, args: Any, kws: Any) -> Any:
            vectors = [a for a in args if isinstance(a, VectorType)]
            known = all(isinstance(a, VectorType | types.Float | types.Integer) for a in args)
            if len(args) != 2 or not vectors or not known:
                return None
            widest = max(vectors, key=lambda v: v.width)
            fits = all(widest.width % v.width == 0 for v in vectors)
            return signature(widest, *args) if fits else None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        width = sig.return_type.width
        left, right = (_lanes(context, builder, v, k, width) for v, k in zip(args, sig.args, strict=True))
        return getattr(builder, emit)(left, right)

    for pair in (
        (VectorType, VectorType), (VectorType, types.Float), (types.Float, VectorType),
        (VectorType, types.Integer), (types.Integer, VectorType),
    ):  # fmt: skip
        lower_builtin(function, *pair)(lower)


for _function, _emit in (
    (operator.add, "fadd"), (operator.iadd, "fadd"), (operator.sub, "fsub"), (operator.isub, "fsub"),
    (operator.mul, "fmul"), (operator.imul, "fmul"), (operator.truediv, "fdiv"), (operator.itruediv, "fdiv"),
):  # fmt: skip
    _operation(_function, _emit)


@lower_builtin(operator.neg, VectorType)
def _negate(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    zero = ir.Constant(ir.DoubleType(), -0.0)
    return builder.fsub(_lanes(context, builder, zero, types.float64, sig.return_type.width), args[0])


@infer_global(operator.neg)
class _Negation(AbstractTemplate):
    def generic(self, args: Any, kws: Any) -> Any:
        return signature(args[0], *args) if isinstance(args[0], VectorType) else None


def _lane_by_lane(function: Any) -> None:
    """The function of `math` on vectors."""

    @infer_global(function)
    class _Template(AbstractTemplate):  # pyright: ignore[reportUnusedClass]
        def generic(self, args: Any, kws: Any) -> Any:
            return signature(args[0], *args) if len(args) == 1 and isinstance(args[0], VectorType) else None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        scalar = signature(types.float64, types.float64)
        call = context.get_function(function, scalar)
        value = args[0]
        for lane in range(sig.return_type.width):
            place = ir.Constant(ir.IntType(32), lane)
            number = call(builder, (builder.extract_element(args[0], place),))
            value = builder.insert_element(value, number, place)
        return value

    lower_builtin(function, VectorType)(lower)


for _function in (
    math.sin,
    math.cos,
    math.tan,
    math.exp,
    math.log,
    math.tanh,
    math.atan,
):
    _lane_by_lane(_function)


def _instruction(function: Any, name: str) -> None:
    """The function of `math` by LLVM's own vector operation."""

    @infer_global(function)
    class _Template(AbstractTemplate):  # pyright: ignore[reportUnusedClass]
        def generic(self, args: Any, kws: Any) -> Any:
            return signature(args[0], *args) if len(args) == 1 and isinstance(args[0], VectorType) else None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        kind = args[0].type
        whole = f"{name}.v{kind.count}f64"
        declared = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), whole)
        return builder.call(declared, args)

    lower_builtin(function, VectorType)(lower)


_instruction(math.sqrt, "llvm.sqrt")
_instruction(math.fabs, "llvm.fabs")


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any, width: int) -> Any:
    data = make_array(array_type)(context, builder, array).data
    place = builder.gep(data, [index])
    return builder.bitcast(place, ir.VectorType(ir.DoubleType(), width).as_pointer())


@intrinsic(prefer_literal=True)
def load(typingctx: Any, array: Any, index: Any, width: Any) -> Any:
    """array[index : index + width] as a vector; width is a literal or a module constant."""
    if not (isinstance(width, types.IntegerLiteral) and isinstance(array, types.Array)):
        return None
    vector = VectorType(width.literal_value)

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        position = context.cast(builder, args[1], sig.args[1], types.intp)
        place = _address(context, builder, sig.args[0], args[0], position, vector.width)
        return builder.load(place, align=8)

    return vector(array, types.intp, width), codegen


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> Any:
    """array[index : index + width] = value."""
    if not (isinstance(value, VectorType) and isinstance(array, types.Array)):
        return None

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        place = _address(context, builder, sig.args[0], args[0], args[1], value.width)
        builder.store(args[2], place, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), codegen


@intrinsic(prefer_literal=True)
def splat(typingctx: Any, number: Any, width: Any) -> Any:
    """A vector with the number in each of `width` lanes; a vector stays as it is."""
    if not isinstance(width, types.IntegerLiteral):
        return None
    vector = VectorType(width.literal_value)
    kind = number if isinstance(number, VectorType) else types.float64

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _lanes(context, builder, args[0], sig.args[0], vector.width)

    return vector(kind, width), codegen


@intrinsic
def index(typingctx: Any, value: Any) -> Any:
    """The same number, known not to be negative: spares Numba's test whether an index counts from the end."""
    if not isinstance(value, types.Integer):
        return None

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        number = context.cast(builder, args[0], sig.args[0], types.intp)
        return builder.and_(number, context.get_constant(types.intp, 0x7FFFFFFF))

    return types.intp(value), codegen


@intrinsic(prefer_literal=True)
def add_lane(typingctx: Any, vector: Any, lane: Any, number: Any) -> Any:
    """The vector with the number added in one lane (a literal), or a narrower vector in that stretch."""
    if not (isinstance(vector, VectorType) and isinstance(lane, types.IntegerLiteral)):
        return None
    place = lane.literal_value

    def at_lane(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        spot = ir.Constant(ir.IntType(32), place)
        total = builder.fadd(builder.extract_element(args[0], spot), args[2])
        return builder.insert_element(args[0], total, spot)

    def at_stretch(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        width, first = number.width, place * number.width
        total = builder.fadd(_picked(builder, args[0], list(range(first, first + width))), args[2])
        total = _picked(builder, total, [i % width for i in range(vector.width)])
        own = range(vector.width)
        mixed = [i + vector.width if first <= i < first + width else i for i in own]
        return _picked(builder, args[0], mixed, total)

    if isinstance(number, VectorType):
        return vector(vector, lane, number), at_stretch
    return vector(vector, lane, types.float64), at_lane


@intrinsic
def larger(typingctx: Any, a: Any, b: Any) -> Any:
    """Lane by lane the larger of two vectors; the second where a lane is not a number."""
    return _chosen(a, b, ">")


@intrinsic
def smaller(typingctx: Any, a: Any, b: Any) -> Any:
    """Lane by lane the smaller of two vectors; the second where a lane is not a number."""
    return _chosen(a, b, "<")


def _chosen(a: Any, b: Any, relation: str) -> Any:
    if not (isinstance(a, VectorType) and a == b):
        return None

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(relation, *args), *args)

    return a(a, b), codegen


@intrinsic
def lane_sum(typingctx: Any, value: Any) -> Any:
    """Sum of the lanes, first to last."""
    if not isinstance(value, VectorType):
        return None

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        total = ir.Constant(ir.DoubleType(), 0.0)
        for lane in range(value.width):
            total = builder.fadd(total, builder.extract_element(args[0], ir.Constant(ir.IntType(32), lane)))
        return total

    return types.float64(value), codegen


__all__ = ["VectorType", "add_lane", "index", "lane_sum", "larger", "load", "smaller", "splat", "store"]
