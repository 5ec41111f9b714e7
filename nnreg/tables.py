"""Table: inputs with their column of ones, a slice or a choice of the rows at a time."""

from nnreg.arrays import Floats, Ints
from nnreg.kernels import with_ones

KEPT_BYTES = 64 * 2**20
"""Inputs up to this size are copied once, with their ones: 1 us instead of 6 per gathered batch.
Of larger ones, such as a table mapped from a file, one slice or batch at a time is copied."""


class Table:
    """Rows x (rows, features), in the dtype of the network."""

    def __init__(self, x: Floats) -> None:
        self._x = x
        self._whole = with_ones(x) if x.nbytes <= KEPT_BYTES else None
        self.columns = x.shape[1] + 1

    @property
    def kept(self) -> bool:
        """Whether parts are views, which cost nothing to keep."""
        return self._whole is not None

    def part(self, rows: slice) -> Floats:
        """Return [x, 1] of these rows."""
        return with_ones(self._x[rows]) if self._whole is None else self._whole[rows]

    def gather(self, rows: Ints, out: Floats) -> None:
        """Write [x, 1] of rows (...) to C-ordered `out` (..., features + 1), which has its ones."""
        if self._whole is None:
            out[..., :-1] = self._x.take(rows, axis=0)
        else:  # any other mode makes a copy first
            self._whole.take(rows, axis=0, out=out, mode="clip")
