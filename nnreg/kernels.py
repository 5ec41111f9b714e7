"""Kernels: the inner loops, arranged for how NumPy and BLAS work.

All speed tricks of the package live here, each with what it bought. Times are microseconds a training step of 16 lanes
of a 64-64-10 network on 128 rows in float32, where a whole step takes about 400.

Two arrangements are used throughout:

- *A column of ones.* A layer computes [x, 1] @ [W; b]: the bias is one more row of the parameters. One matrix product
  then gives the output with its bias.
- *Features first in memory.* Activations have the shape (lanes, batch, neurons), but lie in memory as
  (lanes, neurons, batch). BLAS multiplies either way; the ones become one contiguous row, and softmax works along
  whole rows of the batch.

Nothing here may depend on the number of lanes in any bit. Products run lane by lane in BLAS. Element by element
NumPy gives the same bits at any position. Sums are taken over C-ordered arrays only: over a transposed view NumPy
picks the order of the additions from all of the shape, lanes included.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from nnreg.arrays import Bools, Floats, Ints

_UINT: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(np.float32): np.dtype(np.uint32),
    np.dtype(np.float64): np.dtype(np.uint64),
}
_SIGN_BIT: dict[np.dtype[Any], np.unsignedinteger[Any]] = {
    np.dtype(np.float32): np.uint32(1 << 31),
    np.dtype(np.float64): np.uint64(1 << 63),
}
_INT: dict[np.dtype[Any], np.dtype[Any]] = {
    np.dtype(np.float32): np.dtype(np.int32),
    np.dtype(np.float64): np.dtype(np.int64),
}


def swap(array: Floats) -> Floats:
    """The last two axes exchanged: a view, nothing is moved."""
    return np.swapaxes(array, -1, -2)


def empty_features_first(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Floats:
    """An empty array of shape (..., batch, features) that lies in memory as (..., features, batch)."""
    *lanes, batch, features = shape
    return swap(np.empty((*lanes, features, batch), dtype=dtype))


def with_ones(inputs: Floats) -> Floats:
    """[inputs, 1]: (..., batch, features) -> (..., batch, features + 1), a copy in C order.

    Bought: the bias for 1 instead of 19, and its gradient, as a product with the ones, for 7 instead of 30.
    """
    result = np.ones((*inputs.shape[:-1], inputs.shape[-1] + 1), dtype=inputs.dtype)
    result[..., :-1] = inputs
    return result


def relu(inputs: Floats, zeros: Floats, out: Floats | None = None) -> Floats:
    """max(0, inputs). `zeros` has the shape and the memory layout of one lane's inputs.

    Bought: 9 instead of 79, since `np.maximum` is vectorised for two arrays but not for an array and a scalar; one
    lane's zeros serve all lanes, and stay in the first cache.
    """
    return np.maximum(inputs, zeros, out=out)


def relu_gradient(dvalues: Floats, output: Floats, out: Floats) -> Floats:
    """`dvalues` where output > 0, else 0; `out` must not overlap `dvalues`, and may be `output` itself.

    0 - output has its sign bit set exactly where output > 0 (0 - 0.0 and 0 - -0.0 are both 0.0). Shifted over the whole
    word, that bit is a mask for a bitwise and. Bought: 13 instead of 31 for a boolean mask and its product.
    """
    integer = _INT[out.dtype]
    np.subtract(0.0, output, out=out)
    mask = out.view(integer)
    np.right_shift(mask, 8 * out.dtype.itemsize - 1, out=mask)
    np.bitwise_and(mask, dvalues.view(integer), out=mask)
    return out


def add_penalty_gradient(gradient: Floats, values: Floats, l1: Floats, twice_l2: Floats) -> None:
    """gradient += l1 * s(values) + twice_l2 * values, in place; strengths >= 0 of its dtype, of its shape or broadcast.

    s(v) is -1 where v < 0, else +1, so s(0) = s(-0.0) = +1: adding 0.0 turns -0.0 into 0.0, then the sign bit of the
    value is set on l1. Bought: 9 instead of 40 for `np.copysign`. A strength for each parameter, so that all layers
    and lanes are one call: 40 instead of 103 for a call each for weights and biases of a layer.
    """
    unsigned = _UINT[gradient.dtype]
    step = np.multiply(values, twice_l2)
    np.add(gradient, step, out=gradient)
    np.add(values, 0.0, out=step)
    bits = step.view(unsigned)
    np.bitwise_and(bits, _SIGN_BIT[gradient.dtype], out=bits)
    np.bitwise_or(bits, l1.view(unsigned), out=bits)
    np.add(gradient, step, out=gradient)


def softmax_columns(logits: Floats, out: Floats | None = None) -> Floats:
    """Softmax down the columns of C-ordered (..., classes, batch); `out` may be `logits`.

    The largest logit of a row is subtracted first, so that exp cannot overflow. Bought by having the classes on the
    middle axis: the maximum 6 instead of 90, the sum 6 instead of 32.
    """
    result: Floats = np.subtract(logits, logits.max(axis=-2, keepdims=True), out=out)
    np.exp(result, out=result)
    np.divide(result, result.sum(axis=-2, keepdims=True), out=result)
    return result


def first_largest(columns: Floats) -> Ints:
    """`columns.argmax(axis=-2)` of (..., classes, batch): the first of equals, as argmax has it.

    NumPy's argmax turns the array over first, at about 30 ns a row. Here each largest entry is marked with how many
    classes stand from it to the end, and the greatest mark is the first of them. In a column that holds NaN there is
    none; it gives the number of classes, which is nobody's class.
    """
    classes = columns.shape[-2]
    small = np.min_scalar_type(classes)
    from_end = np.arange(classes, 0, -1, dtype=small)[:, np.newaxis]
    largest: Bools = np.equal(columns, columns.max(axis=-2, keepdims=True))
    marks = np.multiply(largest.view(np.uint8), from_end, dtype=small)
    first: Ints = np.subtract(small.type(classes), marks.max(axis=-2))
    return first
