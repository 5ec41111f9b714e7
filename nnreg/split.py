"""Split: the rows to train on, the rows to validate on."""

from dataclasses import dataclass, fields

import numpy as np

from nnreg.arrays import Floats, Ints


@dataclass(frozen=True, eq=False)
class Split:
    """x: (rows, features) of finite numbers; y: (rows,) of class numbers 0, 1, 2, ...

    The arrays are kept, never changed. Raises TypeError for a wrong kind of element, ValueError
    for a wrong shape or value.
    """

    x_train: Floats
    y_train: Ints
    x_val: Floats
    y_val: Ints

    def __post_init__(self) -> None:
        for field in fields(self):
            check = _features if field.name.startswith("x") else _labels
            object.__setattr__(self, field.name, check(field.name, getattr(self, field.name)))
        for part, x, y in (("train", self.x_train, self.y_train), ("val", self.x_val, self.y_val)):
            if len(x) != len(y):
                raise ValueError(
                    f"x_{part} has {len(x)} rows and y_{part} has {len(y)}; each row needs one"
                    " label. Give both the same length."
                )
        if self.x_train.shape[1] != self.x_val.shape[1]:
            raise ValueError(
                f"x_train has {self.x_train.shape[1]} features and x_val has {self.x_val.shape[1]};"
                " one network reads both. Give both the same columns."
            )

    @property
    def classes(self) -> int:
        """The number of classes: one more than the largest class number in either part."""
        return int(max(self.y_train.max(), self.y_val.max())) + 1

    def merged(self) -> "Split":
        """Return the split that trains on the validation rows too, after the others."""
        x = np.concatenate([self.x_train, self.x_val])
        return Split(x, np.concatenate([self.y_train, self.y_val]), self.x_val, self.y_val)


@dataclass(frozen=True, eq=False)
class Splits:
    """The folds of a cross-validation, or one split; `whole` are the rows of all of them, to train
    a last network on, where that is not the merged split.
    """

    folds: tuple[Split, ...]
    whole: Split | None = None

    @property
    def all_rows(self) -> Split:
        """The split that trains on all rows."""
        return self.folds[0].merged() if self.whole is None else self.whole


def _features(name: str, values: object) -> Floats:
    x = np.asarray(values)
    if x.dtype.kind not in "fiub":
        raise TypeError(
            f"{name} holds {x.dtype}; it must hold real numbers. Encode text and categories as"
            " numbers first."
        )
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(
            f"{name} has the shape {x.shape}; it must be (rows, features), at least one of each."
            f" For one feature, use {name}.reshape(-1, 1)."
        )
    if x.dtype.kind != "f":
        x = x.astype(np.float64)
    if not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise ValueError(
            f"{name}[{row}, {column}] is {x[row, column]}; every value must be finite. Fill in or"
            " drop missing values first."
        )
    return x


def _labels(name: str, values: object) -> Ints:
    y = np.asarray(values)
    if y.dtype.kind not in "iu":
        raise TypeError(
            f"{name} holds {y.dtype}; it must hold class numbers 0, 1, 2, ... Use"
            f" {name}.astype(int) if it does."
        )
    if y.ndim != 1 or len(y) == 0:
        raise ValueError(
            f"{name} has the shape {y.shape}; it must be (rows,), at least one. For one-hot rows,"
            f" use {name}.argmax(axis=1)."
        )
    if y.min() < 0:
        raise ValueError(
            f"{name} holds {y.min()}; class numbers start at 0. Number the classes 0, 1, 2, ..."
        )
    return y
