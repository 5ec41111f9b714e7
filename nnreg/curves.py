"""Curves: what is measured at the end of every epoch."""

from dataclasses import dataclass

import numpy as np

from nnreg.arrays import Bools, Float64s, Floats, Ints
from nnreg.kernels import first_largest, swap
from nnreg.losses import WORST_LOSS, CategoricalCrossentropy, penalty_terms
from nnreg.network import Network

PENALTY_NAMES = ("penalty_weight_l1", "penalty_weight_l2", "penalty_bias_l1", "penalty_bias_l2")
"""The terms of regularization_loss, in the order in which they are added."""

CURVE_NAMES = (
    "data_loss",
    "regularization_loss",
    *PENALTY_NAMES,
    "total_loss",
    "train_accuracy",
    "val_data_loss",
    "val_accuracy",
    "balanced_val_accuracy",
    "near_zero_weights",
)
"""Every curve of a `Fit`: one number an epoch, from the parameters at its end, on whole sets of rows."""

NEAR_ZERO = 1e-3
"""A weight smaller than this in size counts as near zero."""

ROWS_AT_ONCE = 128
"""Rows measured together: enough to keep BLAS busy, few enough to stay in the cache. The same for any number of lanes,
since BLAS may round a row differently in a batch of another size."""

_LARGEST_TERM = np.finfo(np.float64).max / 8
"""A reported penalty is cut off here, so that the sum of four and the data loss is finite too."""

Measured = dict[str, Float64s]
"""Curve name -> one number a lane."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to measure on: inputs (rows, features + 1) with their ones, labels (rows,)."""

    inputs: Floats
    labels: Ints


def measure(network: Network, train: Rows, val: Rows) -> Measured:
    """Every curve's number for the parameters as they are, one a lane; not finite where a lane has diverged."""
    losses, correct = _answers(network, train)
    val_losses, val_correct = _answers(network, val)
    measured = {
        "data_loss": losses.mean(axis=-1),
        "train_accuracy": correct.mean(axis=-1),
        "val_data_loss": val_losses.mean(axis=-1),
        "val_accuracy": val_correct.mean(axis=-1),
        "balanced_val_accuracy": _mean_recall(val_correct, val.labels),
    }
    return measured | measure_parameters(network)


def worst(lanes: int) -> Measured:
    """What a diverged lane is said to have reached: no accuracy at all, and the largest loss that clipping allows."""
    nothing, most = np.zeros(lanes), np.full(lanes, WORST_LOSS)
    return {
        "data_loss": most,
        "train_accuracy": nothing,
        "val_data_loss": most,
        "val_accuracy": nothing,
        "balanced_val_accuracy": nothing,
    }


def measure_parameters(network: Network) -> Measured:
    """The penalties, summed over the layers in float64, and the share of weights near zero."""
    terms = [np.zeros(network.lanes) for _ in PENALTY_NAMES]
    small, weights = np.zeros(network.lanes, dtype=np.intp), 0
    for layer in network.layers:
        for total, term in zip(terms, penalty_terms(layer), strict=True):
            # 0 * inf, a penalty that is off for weights whose squares overflow, is 0.
            total += np.nan_to_num(term, nan=0.0)
            np.minimum(total, _LARGEST_TERM, out=total)
        small += (np.abs(layer.weights) < NEAR_ZERO).sum(axis=(-2, -1))
        weights += layer.weights[0].size
    weight_l1, weight_l2, bias_l1, bias_l2 = terms
    return {
        **dict(zip(PENALTY_NAMES, terms, strict=True)),
        "regularization_loss": weight_l1 + weight_l2 + bias_l1 + bias_l2,
        "near_zero_weights": small / weights,
    }


def _answers(network: Network, rows: Rows) -> tuple[Float64s, Bools]:
    """The loss of each row, and whether its class was found: (lanes, rows) both."""
    loss = CategoricalCrossentropy()
    losses = np.empty((network.lanes, len(rows.labels)))
    correct = np.empty(losses.shape, dtype=np.bool_)
    for start in range(0, len(rows.labels), ROWS_AT_ONCE):
        some = slice(start, start + ROWS_AT_ONCE)
        probabilities = network.forward(rows.inputs[some])
        losses[:, some] = loss.forward(probabilities, rows.labels[some])
        correct[:, some] = first_largest(swap(probabilities)) == rows.labels[some]
    return losses, correct


def _mean_recall(correct: Bools, labels: Ints) -> Float64s:
    """The mean over the classes that are there of the share of their rows that was found."""
    present, rows = np.unique(labels, return_counts=True)
    # The found rows of each class, counted by a product: whole numbers, exact in any order.
    found = correct.astype(np.float64) @ (labels[:, np.newaxis] == present).astype(np.float64)
    mean: Float64s = (found / rows).mean(axis=-1)
    return mean
