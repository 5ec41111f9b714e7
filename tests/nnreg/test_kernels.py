"""Kernels: what the tests of their callers do not reach."""

from typing import Any

import numpy as np
import pytest

from nnreg.kernels import ROWS_TOGETHER, blocks, small_products, swap, zeros


def made(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).normal(size=shape)


@pytest.mark.parametrize("features_first", [False, True])
@pytest.mark.parametrize(
    ("rows", "inner", "columns"),
    [(128, 65, 256), (784, 128, 128), (127, 300, 77), (1, 9, 1), (512, 7, 10)],
)
def test_a_product_in_parts_is_the_product(
    rows: int, inner: int, columns: int, features_first: bool
) -> None:
    a, b, out = made(2, rows, inner), made(2, inner, columns), np.full((2, rows, columns), np.nan)
    if features_first:
        a, out = swap(np.ascontiguousarray(swap(a))), swap(np.full((2, columns, rows), np.nan))
    parts = small_products(a, b, out)
    np.matmul(parts[0], parts[1], out=parts[2])
    # Sums of up to 300 products of size 1, in another order.
    assert np.allclose(out, a @ b, rtol=0, atol=1e-12)


def test_many_rows_are_the_same_as_few_at_a_time() -> None:
    a, b = made(3 * ROWS_TOGETHER, 20).astype(np.float32), made(20, 33).astype(np.float32)
    whole = np.empty((len(a), 33), dtype=np.float32)
    parts = small_products(a, b, whole)
    np.matmul(parts[0], parts[1], out=parts[2])
    for start in range(0, len(a), ROWS_TOGETHER):
        part = np.empty((ROWS_TOGETHER, 33), dtype=np.float32)
        few = small_products(a[start : start + ROWS_TOGETHER], b, part)
        np.matmul(few[0], few[1], out=few[2])
        assert np.array_equal(whole[start : start + ROWS_TOGETHER], part)


def test_blocks_hold_every_element_once() -> None:
    for size in (1, 100_000, 65_537 * 3):
        counts, other = zeros((size,), np.float32), zeros((size,), np.float64)
        for one, two in blocks(counts, other):
            one += 1
            two += 2
        assert np.all(counts == 1)
        assert np.all(other == 2)
        assert counts.ctypes.data % 64 == 0
