"""Table: inputs with their column of ones, a part or a choice of the rows at a time."""

from nnreg.arrays import Floats, Ints
from nnreg.kernels import with_ones

KEPT_BYTES = 64 * 2**20
"""Inputs up to this large are copied once, with their ones, which takes 1 us instead of 6 from a gathered batch. Of
larger ones, such as a table mapped from a file, no more is copied than a part or a batch."""


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
        """[x, 1] of these rows."""
        return with_ones(self._x[rows]) if self._whole is None else self._whole[rows]

    def gather(self, rows: Ints, out: Floats) -> None:
        """[x, 1] of these rows (...) into C-ordered `out` (..., features + 1), which has its ones
        already.
        """
        if self._whole is None:
            out[..., :-1] = self._x.take(rows, axis=0)
        else:
            self._whole.take(
                rows, axis=0, out=out, mode="clip"
            )  # any other mode makes a copy first
