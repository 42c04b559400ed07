"""Fixed-size work arrays on the stack of a compiled function: no allocation in the control loop."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array


@intrinsic(prefer_literal=True)
def stack_array(typingctx: Any, *sizes: Any) -> Any:
    """A flat float64 array with room for the product of `sizes` (literals or module constants).

    Not initialised; alive until the calling function returns, so never return or store it.
    """
    if not all(isinstance(size, types.IntegerLiteral) for size in sizes):
        return None
    total = 1
    for size in sizes:
        total *= size.literal_value
    array_type = types.Array(types.float64, 1, "C")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        block = cgutils.alloca_once(builder, ir.ArrayType(ir.DoubleType(), max(total, 1)))
        block.align = 64  # a vector load then never straddles two cache lines
        array = make_array(array_type)(context, builder)
        length, stride = (context.get_constant(types.intp, v) for v in (total, 8))
        populate_array(
            array, data=builder.bitcast(block, array.data.type), shape=[length], strides=[stride],
            itemsize=stride, meminfo=None,
        )  # fmt: skip
        return array._getvalue()

    return array_type(types.StarArgTuple(sizes)), codegen
