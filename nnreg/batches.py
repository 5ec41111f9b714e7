"""Batches: the table of inputs, the rows of it that each step of training reads, and the random
streams of a seed.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from nnreg.arrays import Floats, Ints
from nnreg.kernels import with_ones
from nnreg.network import Network, Pass
from nnreg.passes import Targets

WEIGHTS_STREAM, ORDER_STREAM = 0, 1
"""Each seed gives two independent streams: the initial weights, and the order of rows."""

KEPT_BYTES = 64 * 2**20
"""Inputs up to this size are copied once, with their ones: 1 us instead of 6 per gathered batch.
Of larger ones, such as a table mapped from a file, one slice or batch at a time is copied."""


def random_stream(seed: int, stream: int) -> np.random.Generator:
    """Return the generator of one of a seed's streams."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream,)))


class Table:
    """Rows with their labels, of equally many rows per lane.

    `parts` are x (rows, features), in the dtype of the network, and y (rows,). `which` is the part
    of each lane, (lanes,), where there are several.
    """

    def __init__(self, parts: Sequence[tuple[Floats, Ints]], which: Sequence[int] = ()) -> None:
        x, labels = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
        self.parts, self.which, self.rows = parts, np.array(which), len(parts[0][1])
        self._x, self._labels = x, labels
        self._whole = with_ones(x) if x.nbytes <= KEPT_BYTES else None
        self._starts = None if len(parts) == 1 else self.which[:, np.newaxis] * self.rows
        self.columns = x.shape[1] + 1
        copies = 1 if self._starts is None else len(which)
        self.kept = self.rows * self.columns * x.itemsize * copies <= KEPT_BYTES
        """Whether inputs are kept, once they are made."""

    def places(self, rows: Ints) -> Ints:
        """Return where rows of each lane's part (..., rows) are: (lanes, rows) if parts differ."""
        return rows if self._starts is None else self._starts + rows

    def labels(self, places: Ints) -> Ints:
        """Return the labels of these places."""
        return self._labels[places]

    def inputs(self, rows: slice) -> Floats:
        """Return [x, 1] of some rows of the parts: (rows, features + 1), or one per lane."""
        if self._starts is None:
            return with_ones(self._x[rows]) if self._whole is None else self._whole[rows]
        places = self.places(np.arange(self.rows)[rows])
        out = np.ones((*places.shape, self.columns), dtype=self._x.dtype)
        self.gather(places, out)
        return out

    def gather(self, rows: Ints, out: Floats) -> None:
        """Write [x, 1] of places (...) to `out` (..., features + 1), C-ordered, with its ones."""
        if self._whole is None:
            out[..., :-1] = self._x.take(rows, axis=0)
        else:  # any other mode makes a copy first
            self._whole.take(rows, axis=0, out=out, mode="clip")


class Batches:
    """An iteration is one epoch: for each step a pass with its inputs, and its targets."""

    def __init__(
        self,
        table: Table,
        network: Network,
        batch_size: int | None,
        seeds: Sequence[int],
    ) -> None:
        self._table, self._network = table, network
        self._size = min(batch_size or table.rows, table.rows)
        self._seeds = seeds
        self._generators = {seed: random_stream(seed, ORDER_STREAM) for seed in set(seeds)}
        self._passes: dict[int, tuple[Floats, Pass]] = {}
        """By the number of rows: inputs to write into, and the pass that reads them."""

    def __iter__(self) -> Iterator[tuple[Pass, Targets]]:
        table, rows, passes = self._table, self._table.rows, self._network.passes
        if self._size == rows:
            if not self._passes:
                inputs = table.inputs(slice(None))
                self._passes[rows] = inputs, Pass(self._network, inputs)
            labels = table.labels(table.places(np.arange(rows)))
            yield self._passes[rows][1], passes.targets(labels)
            return
        order = table.places(self._order())
        targets = passes.targets(table.labels(order))
        for start in range(0, rows, self._size):
            some = slice(start, start + self._size)
            yield self._pass(order[..., some]), targets[..., some]

    def _pass(self, chosen: Ints) -> Pass:
        rows = chosen.shape[-1]
        if rows not in self._passes:
            inputs = np.ones((*chosen.shape, self._table.columns), dtype=self._network.dtype)
            self._passes[rows] = inputs, Pass(self._network, inputs)
        inputs, one = self._passes[rows]
        self._table.gather(chosen, out=inputs)
        return one

    def _order(self) -> Ints:
        """Return (rows,) if all lanes have one seed, else (lanes, rows)."""
        rows = self._table.rows
        orders = {seed: stream.permutation(rows) for seed, stream in self._generators.items()}
        if len(orders) == 1:
            return orders[self._seeds[0]]
        return np.stack([orders[seed] for seed in self._seeds])
