"""The sealed rows: the test set, which is counted and recognised without being looked at, and
opened once it is asked for.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.data_section import Data
from experiments.datasets.parts import divide
from experiments.datasets.preparation import Preparation


@dataclass(frozen=True, kw_only=True)
class TestRows:
    """The opened rows: x `(rows, features)`, class numbers, and groups where rows have them."""

    __test__ = False  # pytest would take the name for a test's

    x: NDArray[np.floating[Any]]
    y: NDArray[np.int64]
    groups: NDArray[np.int64] | None


class Sealed:
    """The test rows of the data, read again from their file."""

    def __init__(self, data: Data) -> None:
        self._part, self._data = divide(data).test, data

    @property
    def digest(self) -> str:
        """SHA-256 of the rows as they stand in the source, all columns, whatever their order:
        experiments that treat them differently have the same test set.
        """
        import pandas as pd

        frame = self._part.table.frame
        rows = frame[sorted(frame.columns)].iloc[self._part.rows]
        hashes = pd.util.hash_pandas_object(rows, index=False).to_numpy(dtype="<u8")
        return hashlib.sha256(np.sort(hashes).tobytes()).hexdigest()

    def open(self, preparation: Preparation, dtype: str) -> TestRows:
        """The rows as a network reads them."""
        part = self._part
        x = preparation.apply(part.table.frame, dtype, rows=part.rows, where=part.table.where)
        return TestRows(x=x, y=part.y, groups=part.group_numbers(self._data))
