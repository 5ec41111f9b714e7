"""The bundled data: scikit-learn's small sets, the spiral, and the noise of digits_noisy."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from experiments.data_section import Spiral
from experiments.datasets.files import RawTable
from experiments.datasets.splitting import stratified

if TYPE_CHECKING:
    import pandas as pd

BUNDLED = ("digits", "digits_noisy", "breast_cancer", "wine", "iris", "spiral")
NOISY_ROWS = 300  # of digits_noisy, to train on
TARGET = "target"


def table(name: str, options: Spiral) -> RawTable:
    """The rows of a bundled set."""
    frame = _spiral(options) if name == "spiral" else _scikit_learn(name.removesuffix("_noisy"))
    return RawTable(where=name, frame=frame, target=TARGET)


def _scikit_learn(name: str) -> "pd.DataFrame":
    from sklearn import datasets

    bunch: Any = getattr(datasets, f"load_{name}")(as_frame=True)
    frame: pd.DataFrame = bunch.data
    labels = [str(bunch.target_names[number]) for number in bunch.target]  # "setosa", or digits "0"
    return frame.assign(**{TARGET: labels})


def _spiral(options: Spiral) -> "pd.DataFrame":
    """The generator of Stanford's CS231n, with `noise` times a normal draw added to the angle."""
    import pandas as pd

    rng = np.random.default_rng(options.seed)
    radius = np.linspace(0.0, 1.0, options.points)
    arms = [np.linspace(arm * 4, (arm + 1) * 4, options.points) for arm in range(options.classes)]
    angles = [angle + rng.standard_normal(options.points) * options.noise for angle in arms]
    x = np.concatenate([radius * np.sin(angle) for angle in angles])
    y = np.concatenate([radius * np.cos(angle) for angle in angles])
    labels = np.repeat(np.arange(options.classes), options.points)
    return pd.DataFrame({"x": x, "y": y, TARGET: labels})


def make_noisy(
    rows: NDArray[np.int64], y: NDArray[np.int64], classes: tuple[str, ...], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return at most 300 of the training rows, stratified, and their labels, half of them wrong."""
    if len(rows) > NOISY_ROWS:
        share = NOISY_ROWS / len(rows)
        _, kept = stratified(y, (1 - share, share), seed, classes, "digits_noisy")
        rows, y = rows[kept], y[kept]
    # A stream of its own: the noise must not follow the draws that divided the rows.
    rng = np.random.default_rng([seed, NOISY_ROWS])
    wrong = rng.permutation(len(y))[: len(y) // 2]
    y = y.copy()
    y[wrong] = (y[wrong] + rng.integers(1, len(classes), size=len(wrong))) % len(classes)
    return rows, y
