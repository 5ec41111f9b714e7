"""Cases: the networks and the data that every side trains on."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

Arrays = tuple[Any, Any, Any, Any]
"""x_train, y_train, x_val, y_val; x is float32."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A network, its data, and how many trials of it are trained at once."""

    name: str
    data: str = "digits"
    hidden: int = 64
    lanes: int = 16
    epochs: int = 30
    batch_size: int = 128
    rows: int = 1078
    val_rows: int = 360

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def made_tiny(self) -> "Case":
        """The same in a second or two: what it measures means nothing."""
        return replace(
            self,
            lanes=min(self.lanes, 2),
            epochs=1,
            rows=min(self.rows, 200),
            val_rows=min(self.val_rows, 50),
        )


def load(case: Case) -> Arrays:
    """The case's rows: digits as they are, or made ones of MNIST's shape."""
    rng = np.random.default_rng(0)
    if case.data == "digits":
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        order = rng.permutation(len(y))
        x, y = (x[order] / 16).astype(np.float32), y[order]
    else:
        total = case.rows + case.val_rows
        y = rng.integers(0, 10, size=total)
        # As MNIST: most pixels are zero, and a class lights up some of them.
        lit = rng.random((10, 784)) < 0.2
        x = (lit[y] * rng.random((total, 784), dtype=np.float32)).astype(np.float32)
    return (
        x[: case.rows],
        y[: case.rows],
        x[case.rows :][: case.val_rows],
        y[case.rows :][: case.val_rows],
    )


def strengths(case: Case) -> list[tuple[float, float, float, float]]:
    """A penalty for each trial, all four on: weight_l1, weight_l2, bias_l1, bias_l2."""
    return [(1e-5 * (i + 1), 1e-4, 1e-5, 1e-5) for i in range(case.lanes)]
