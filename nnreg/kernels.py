"""Kernels: the inner loops, arranged for how NumPy and BLAS work.

The speed tricks in NumPy live here, each with what it bought. Times are microseconds per
training step of 16 lanes of a 64-64-10 network on 128 rows in float32, where a whole step takes
about 350, of which the products take 200.

Three arrangements are used throughout:

- *A column of ones.* A layer computes [x, 1] @ [W; b]: the bias is one more row of the parameters.
  One matrix product then gives the output with its bias.
- *Features first in memory.* Activations have the shape (lanes, batch, neurons), but lie in memory
  as (lanes, neurons, batch). BLAS multiplies either way, and the ones become one contiguous row.
- *Classes first in memory.* The logits lie as (classes, lanes, batch), so that softmax works on a
  few long rows: 16 instead of 24 for (lanes, classes, batch), and 150 for the classes last.

Nothing here may depend on the number of lanes in any bit. Products run lane by lane in BLAS.
Element by element NumPy gives the same bits at any position. Sums are taken over C-ordered arrays
only: over a transposed view NumPy chooses the order of the additions by the whole shape, lanes
included.
"""

import os
from functools import cache
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from nnreg.arrays import Bools, Float64s, Floats, Ints

_BITS: dict[np.dtype[Any], tuple[Any, Any, Any]] = {
    np.dtype(np.float32): (np.int32, np.uint32, np.uint32(1 << 31)),
    np.dtype(np.float64): (np.int64, np.uint64, np.uint64(1 << 63)),
}
"""For each float: signed and unsigned integers of its width, and its sign bit."""

ROWS_TOGETHER = 128
"""A product of 128 k rows is k products of 128 rows, bit for bit, so rows may be cut there."""

_SMALL_PRODUCT = 1_000_000
_SMALL_DOT_PRODUCT = 1_200
"""With AVX-512, OpenBLAS multiplies small matrices without packing them first: up to so many
multiplications, and up to so many results if both factors lie along the axis that is summed."""

_CORES_WITH_AVX512 = ("", "skylakex", "cooperlake", "sapphirerapids")
"""The values of OPENBLAS_CORETYPE with which OpenBLAS uses AVX-512."""

_ELEMENTS_TOGETHER = 65_536
"""Elements that a chain of passes takes at once: seven such arrays fill a second-level cache."""


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Floats:
    """Return `np.zeros` that begins on a cache line.

    Bought: 9 for Adam and penalties.
    """
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    memory = np.zeros(size + 64, dtype=np.uint8)
    start = -memory.ctypes.data % 64
    array: Floats = memory[start : start + size].view(dtype).reshape(shape)
    return array


def swap(array: Floats) -> Floats:
    """Exchange the last two axes, in a view."""
    return array.swapaxes(-1, -2)


def classes_last(columns: Floats) -> Floats:
    """View (classes, lanes, batch) as (lanes, batch, classes)."""
    return columns.transpose(1, 2, 0)


def with_ones(inputs: Floats) -> Floats:
    """Return [inputs, 1], (..., batch, features + 1), a copy in C order.

    Bought: the bias for 1 instead of 19, and its gradient, as a product with the ones, for 7
    instead of 30.
    """
    result = np.ones((*inputs.shape[:-1], inputs.shape[-1] + 1), dtype=inputs.dtype)
    result[..., :-1] = inputs
    return result


def small_products(a: Floats, b: Floats, out: Floats) -> tuple[Floats, Floats, Floats]:
    """Return views of `a`, `b`, `out` for `np.matmul` that cut a product into small ones for BLAS.

    Bought: with 256 neurons 300 instead of 377 for the first layer and 293 instead of 484 for its
    gradient; with 784 features a third of the first layer. The cuts depend on the shapes of one
    lane alone. Without OpenBLAS's kernels for small matrices they would cost 7 to 18 %.
    """
    dots = a.strides[-1] == b.strides[-2] == out.itemsize
    rows, columns = _cuts(a.shape[-2], a.shape[-1], b.shape[-1], dots)
    if rows == columns == 1:
        return a, b, out
    height, width = a.shape[-2] // rows, b.shape[-1] // columns
    # (..., row blocks, 1, height, inner) @ (..., 1, column blocks, inner, width)
    #   -> (..., row blocks, column blocks, height, width)
    return (
        a.reshape(*a.shape[:-2], rows, 1, height, a.shape[-1]),
        b.reshape(*b.shape[:-2], 1, b.shape[-2], columns, width).swapaxes(-2, -3),
        out.reshape(*out.shape[:-2], rows, height, columns, width).swapaxes(-2, -3),
    )


@cache
def _cuts(rows: int, inner: int, columns: int, dots: bool) -> tuple[int, int]:
    """Return into how many equal blocks to cut rows and columns; (1, 1) if no cut is small."""
    together = rows // ROWS_TOGETHER if rows % ROWS_TOGETHER == 0 else 1
    rows //= together
    if not _has_small_kernels():
        return together, 1

    def small(height: int, width: int) -> bool:
        return height * width * inner <= _SMALL_PRODUCT and (
            not dots or height * width <= _SMALL_DOT_PRODUCT
        )

    def cuts(length: int) -> list[int]:
        # Blocks narrower than a vector, or that fill their last vector in part, waste more than a
        # cut gains.
        return [1, *(n for n in range(2, length // 16 + 1) if length % (16 * n) == 0)]

    # The fewest blocks, and of these the squarest: 237 instead of 186 GFLOP/s.
    m, n = min(
        ((m, n) for m in cuts(rows) for n in cuts(columns) if small(rows // m, columns // n)),
        key=lambda cut: (cut[0] * cut[1], -min(rows // cut[0], columns // cut[1]), cut),
        default=(1, 1),
    )
    return together * m, n


def cpu_features() -> list[str]:
    """Return the instruction sets by which NumPy chose its loops, such as X86_V3 and X86_V4."""
    about: Any = np.show_config(mode="dicts")
    found: list[str] = about["SIMD Extensions"].get("found", [])  # the key is left out for none
    return found


def _has_small_kernels() -> bool:
    """Return whether NumPy's BLAS is an OpenBLAS that uses AVX-512."""
    about: Any = np.show_config(mode="dicts")
    core = os.environ.get("OPENBLAS_CORETYPE", "").lower()
    return (
        "openblas" in about["Build Dependencies"]["blas"]["name"]
        and not {"X86_V4", "AVX512_SKX"}.isdisjoint(cpu_features())
        and core in _CORES_WITH_AVX512
    )


def relu(inputs: Floats, zeros: Floats, out: Floats | None = None) -> Floats:
    """Return max(0, inputs). `zeros` has the shape and the memory layout of one lane's inputs.

    Bought: 8 instead of 79, since `np.maximum` is not vectorised for an array and a scalar.
    """
    return np.maximum(inputs, zeros, out=out)


def relu_gradient(dvalues: Floats, output: Floats, out: Floats) -> Floats:
    """Return `dvalues` where output > 0, else 0; `out` may be `output`, and not `dvalues`.

    0 - output has its sign bit set exactly where output > 0 (0 - 0.0 and 0 - -0.0 are both 0.0).
    Shifted over the whole word, that bit is a mask for a bitwise and. Bought: 18 instead of 31.
    """
    signed, _, _ = _BITS[out.dtype]
    np.subtract(0.0, output, out=out)
    mask = out.view(signed)
    np.right_shift(mask, 8 * out.dtype.itemsize - 1, out=mask)
    np.bitwise_and(mask, dvalues.view(signed), out=mask)
    return out


def blocks(*arrays: Floats, lanes: int = 1) -> list[tuple[Floats, ...]]:
    """Cut C-ordered arrays of one shape into views (lanes, ...) that stay in the cache; arrays in
    another order are one block.

    Bought nothing for 64 neurons, whose parameters are one block; a sixth of Adam for 784 features,
    10 times as much.
    """
    if not all(array.flags.c_contiguous for array in arrays):
        return [arrays]
    shaped = [array.reshape(lanes, -1) for array in arrays]
    width = shaped[0].shape[1]
    step = -(-width // max(1, round(lanes * width / _ELEMENTS_TOGETHER)))
    step += -step % 16
    return [
        tuple([array[:, start : start + step] for array in shaped])
        for start in range(0, width, step)
    ]


def add_penalty_gradient(
    gradient: Floats, values: Floats, l1: Floats, twice_l2: Floats, work: Floats
) -> None:
    """Add l1 * s(values) + twice_l2 * values to `gradient`, for strengths >= 0.

    All arrays have one shape and dtype; `work` is overwritten. s(v) is -1 where v < 0, else +1: the
    sign bit of the value set on l1. So `values` must not hold -0.0; `values + 0.0` does not, and no
    step of an optimizer gives one (x - x is 0.0). Bought: 7 instead of 40 for `np.copysign`, and,
    since all layers and lanes are one call, 30 instead of 103.
    """
    _, unsigned, sign_bit = _BITS[gradient.dtype]
    np.multiply(values, twice_l2, work)
    np.add(gradient, work, gradient)
    bits = work.view(unsigned)
    np.bitwise_and(values.view(unsigned), sign_bit, bits)
    np.bitwise_or(bits, l1.view(unsigned), bits)
    np.add(gradient, work, gradient)


def softmax_columns(logits: Floats, out: Floats | None = None) -> Floats:
    """Return the softmax down the columns of C-ordered (classes, ...); `out` may be `logits`.

    The largest logit of a row is subtracted first, so that exp cannot overflow.
    """
    result: Floats = np.subtract(logits, np.maximum.reduce(logits, axis=0), out=out)
    np.exp(result, result)
    np.divide(result, _column_sums(result), result)
    return result


def _column_sums(columns: Floats) -> Floats:
    """Return the sums down C-ordered (classes, ...), added from the first class to the last."""
    flat = columns.reshape(len(columns), -1)
    sums: Floats = np.add.reduce(flat, axis=0)
    if flat.shape[1] == 1:  # of which NumPy adds the elements in another order
        sums = np.add.accumulate(flat, axis=0)[-1]
    return sums.reshape(columns.shape[1:])


def cross_entropies_and_hits(logits: Floats, labels: Ints, places: Ints) -> tuple[Floats, Bools]:
    """Return -log softmax of the true class, and whether it is the first of the largest.

    `logits` (classes, lanes, batch), C-ordered, are overwritten. `labels` are (batch,); `places`
    (lanes, batch) are the flat positions of the true classes' logits. Both results are
    (lanes, batch). The loss is log sum exp of the shifted logits minus the one picked. Bought: 22
    instead of 66 for softmax, a product with one-hot rows, and argmax.
    """
    np.subtract(logits, np.maximum.reduce(logits, axis=0), logits)
    picked = logits.reshape(-1).take(places)
    # A hit is a shifted logit of 0. A row may have several; then the first counts, but argmax takes
    # 30 ns per row. If all that are picked are finite, each row has at least one 0.
    largest = np.equal(logits, 0.0)
    hits: Bools = np.equal(picked, 0.0)
    if np.count_nonzero(largest) != picked.size or not np.isfinite(picked).all():
        hits &= largest.argmax(axis=0) == labels
    np.exp(logits, logits)
    losses: Floats = np.log(_column_sums(logits))
    np.subtract(losses, picked, losses)
    return losses, hits


def sums(values: Float64s) -> Float64s:
    """Return sums along the last axis of C-ordered float64. Bought: 3 instead of 12."""
    total: Float64s = np.vecdot(values, np.ones(values.shape[-1]))
    return total
