"""The matrix products of nnreg.train alone: no other operation, in the memory orders and blocks
that are fastest.
"""

from typing import Any

import numpy as np

from benchmarks.cases import Case, load
from benchmarks.sides import Prepared
from nnreg.kernels import small_products, swap


def prepare(case: Case) -> Prepared:
    x, y, x_val, _ = load(case)
    lanes, hidden, features, classes = case.lanes, case.hidden, x.shape[1], int(y.max()) + 1
    rng = np.random.default_rng(0)

    def made(*shape: int) -> Any:
        return (0.1 * rng.standard_normal(shape)).astype(np.float32)

    first, second = made(lanes, features, hidden), made(lanes, hidden, classes)
    dfirst, dsecond = np.empty_like(first), np.empty_like(second)

    def step(rows: Any, backward: bool) -> list[tuple[Any, Any, Any]]:
        n = len(rows)
        h, o, dh = (swap(made(lanes, width, n)) for width in (hidden, classes, hidden))
        products = [(rows, first, h), (h, second, o)]
        if backward:
            products += [(swap(h), o, dsecond), (o, swap(second), dh), (swap(rows), dh, dfirst)]
        return [small_products(*each) for each in products]

    size = min(case.batch_size, len(x))
    steps = {n: step(np.ascontiguousarray(x[:n]), True) for n in {size, len(x) % size} - {0}}
    epoch = [steps[min(size, len(x) - at)] for at in range(0, len(x), size)]
    epoch += [
        step(part[at : at + 128], False) for part in (x, x_val) for at in range(0, len(part), 128)
    ]

    def once() -> None:
        for _ in range(case.epochs):
            for products in epoch:
                for a, b, out in products:
                    np.matmul(a, b, out=out)

    return once, lanes, ""
