"""Measuring: the curves' numbers at the end of every epoch."""

from collections.abc import Iterator

import numpy as np

from nnreg.arrays import Float64s, Ints
from nnreg.batches import Table
from nnreg.kernels import ROWS_TOGETHER, sums
from nnreg.losses import BEST_LOSS, WORST_LOSS, size_sums
from nnreg.network import Network, Pass

PENALTY_NAMES = ("penalty_weight_l1", "penalty_weight_l2", "penalty_bias_l1", "penalty_bias_l2")
"""The terms of regularization_loss, in the order in which they are added."""

SIGNS = {"val_accuracy": 1, "balanced_val_accuracy": 1, "val_data_loss": -1}
"""The curves by which an epoch may be kept; times its sign more of each is better."""

_HIDDEN_AT_ONCE = 16 * 64 * 128
"""Outputs of the widest layer, over all lanes, that are computed together: they fit the cache."""

_LARGEST_TERM = np.finfo(np.float64).max / 8
"""A reported penalty is cut off here, so that the sum of four and the data loss is finite too."""

DIVERGED = {
    "data_loss": WORST_LOSS,
    "train_accuracy": 0.0,
    "val_data_loss": WORST_LOSS,
    "val_accuracy": 0.0,
    "balanced_val_accuracy": 0.0,
}
"""The numbers of a diverged lane: no accuracy, and the largest loss that clipping allows."""

Measured = dict[str, Float64s]
"""Curve name -> one number per lane."""


class Rows:
    """Rows to measure a network on."""

    def __init__(self, table: Table, network: Network) -> None:
        self._table, self._network, self.count = table, network, table.rows
        self._parts = row_parts(table.rows, network)
        labels = table.labels(table.places(np.arange(table.rows)))
        self._truth = [network.passes.truth(labels[..., part]) for part in self._parts]
        self._passes = list(self._new_passes()) if table.kept else None
        self._shares = [_shares(y) for _, y in table.parts]

    def losses_and_hits(self) -> tuple[Float64s, Float64s]:
        """Return each row's loss, and 1 if its class was found, else 0; (lanes, rows) both."""
        losses, hits = np.empty((2, self._network.lanes, self.count))
        passes = self._new_passes() if self._passes is None else self._passes
        for part, truth, one in zip(self._parts, self._truth, passes, strict=True):
            self._network.passes.losses_and_hits(
                one.forward(), truth, losses[:, part], hits[:, part]
            )
        # Probabilities are clipped to [1e-7, 1 - 1e-7].
        return np.clip(losses, BEST_LOSS, WORST_LOSS, out=losses), hits

    def mean_recall(self, hits: Float64s) -> Float64s:
        """Return the mean over the classes present of the share of their rows that was found."""
        if len(self._shares) == 1:
            return _mean_recall(hits, self._shares[0])
        mean = np.empty(len(hits))
        for number, shares in enumerate(self._shares):
            lanes = self._table.which == number
            mean[lanes] = _mean_recall(hits[lanes], shares)
        return mean

    def _new_passes(self) -> Iterator[Pass]:
        return (Pass(self._network, self._table.inputs(part)) for part in self._parts)


def _shares(labels: Ints) -> Float64s:
    """Return what a row counts in the recall of its class, (rows, classes present)."""
    classes, counts = np.unique(labels, return_counts=True)
    shares: Float64s = (labels[:, np.newaxis] == classes) / counts
    return shares


def _mean_recall(hits: Float64s, shares: Float64s) -> Float64s:
    mean: Float64s = (hits[:, np.newaxis, :] @ shares)[:, 0].mean(axis=-1)
    return mean


def row_parts(rows: int, network: Network) -> list[slice]:
    """Cut rows into parts for which the network's outputs stay in the cache."""
    widest = max(layer.weights.shape[-1] for layer in network.layers)
    # Parts of any size give the same bits, if they are cut at multiples of ROWS_TOGETHER.
    size = ROWS_TOGETHER * max(1, _HIDDEN_AT_ONCE // (network.lanes * widest * ROWS_TOGETHER))
    whole = rows - rows % ROWS_TOGETHER
    ends = sorted([*range(size, whole, size), *{whole, rows} - {0}])
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def measure(network: Network, train: Rows, val: Rows) -> Measured:
    """Return every curve but total_loss, for parameters that may not be finite."""
    losses, hits = train.losses_and_hits()
    val_losses, val_hits = val.losses_and_hits()
    measured = {
        "data_loss": np.add.reduce(losses, axis=-1) / train.count,
        "train_accuracy": sums(hits) / train.count,
        "val_data_loss": np.add.reduce(val_losses, axis=-1) / val.count,
        "val_accuracy": sums(val_hits) / val.count,
        "balanced_val_accuracy": val.mean_recall(val_hits),
    }
    return measured | measure_parameters(network)


def measure_parameters(network: Network) -> Measured:
    """Return the penalties, summed over the layers in float64, and the share of small weights."""
    terms = np.zeros((len(PENALTY_NAMES), network.lanes))
    sizes, small = network.passes.sizes()
    found, weights = [], 0
    for layer in network.cut(sizes):
        own = layer.reshape(network.lanes, -1)
        count = own.shape[1] - layer.shape[-1]
        found.append(size_sums(own[:, :count], own[:, count:]))
        weights += count
    # (layers, 4, lanes). 0 * inf, a penalty that is off for weights whose squares overflow, is 0.
    by_layer = np.array(found) * network.strengths.transpose(1, 2, 0)
    np.copyto(by_layer, 0.0, where=np.isnan(by_layer))
    for more in by_layer:
        terms += more
        np.minimum(terms, _LARGEST_TERM, out=terms)
    weight_l1, weight_l2, bias_l1, bias_l2 = terms
    return {
        **dict(zip(PENALTY_NAMES, terms, strict=True)),
        "regularization_loss": weight_l1 + weight_l2 + bias_l1 + bias_l2,
        "near_zero_weights": small / weights,
    }
