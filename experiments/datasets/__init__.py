"""The data: a bundled name or a file as a Split, with what happened to its columns."""

from dataclasses import dataclass

import numpy as np

from experiments.spec import Data
from nnreg import Split

BUNDLED = ("digits", "digits_noisy", "breast_cancer", "wine", "iris", "spiral")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """The training and validation rows as arrays. The test rows are counted and left sealed.

    `classes` are the labels in the order of their class numbers, `features` the names of the columns of x,
    `rows` the number of rows of "training", "validation" and "test", `notes` one sentence for each thing that
    was done to a column and that a person should know.
    """

    split: Split
    classes: tuple[str, ...]
    features: tuple[str, ...]
    rows: dict[str, int]
    notes: tuple[str, ...] = ()


def load(data: Data, dtype: str = "float32") -> Dataset:
    """Read the data and prepare it for training. Raises DataError with one sentence."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    shares = data.split
    rest, test = train_test_split(np.arange(len(y)), test_size=shares.test, random_state=shares.seed, stratify=y)
    val_share = shares.val / (1 - shares.test)
    training, validation = train_test_split(rest, test_size=val_share, random_state=shares.seed, stratify=y[rest])
    mean, std = x[training].mean(axis=0), x[training].std(axis=0)
    keep = std > 0
    x = ((x - mean) / np.where(keep, std, 1))[:, keep].astype(dtype)
    return Dataset(
        split=Split(x[training], y[training], x[validation], y[validation]),
        classes=tuple(str(label) for label in np.unique(y)),
        features=tuple(f"pixel_{i}" for i in np.flatnonzero(keep)),
        rows={"training": len(training), "validation": len(validation), "test": len(test)},
    )
