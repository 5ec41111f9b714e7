"""Losses: the mean error on the data, and the penalty for large parameters.

The formulas come from the book "Neural Networks from Scratch". Shapes are written (batch, classes);
leading axes of lanes may stand before them, and each lane then has its own number.
"""

from typing import Protocol

import numpy as np

from nnreg.arrays import Float64s, Floats, FloatType, Ints
from nnreg.kernels import softmax_columns, sums, sums_of_squares, swap

CLIP = 1e-7
"""A probability counts as at least this and at most 1 - this, so the loss of one row is at most -log(1e-7) = 16.1."""

BEST_LOSS, WORST_LOSS = float(-np.log(1 - CLIP)), float(-np.log(CLIP))
"""The least and the largest loss of one row."""


class Penalised(Protocol):
    """What a penalty is computed from: the attributes of a `Dense`."""

    weight_regularizer_l1: float | Floats
    weight_regularizer_l2: float | Floats
    bias_regularizer_l1: float | Floats
    bias_regularizer_l2: float | Floats

    @property
    def weights(self) -> Floats: ...
    @property
    def biases(self) -> Floats: ...


def penalty_terms(
    layer: Penalised, sizes: tuple[Float64s, Float64s] | None = None
) -> tuple[Float64s, Float64s, Float64s, Float64s]:
    """l1w*sum|w|, l2w*sum w^2, l1b*sum|b|, l2b*sum b^2 of one layer, in the order of LAMBDA_NAMES.

    Each has the shape of the lanes, () for a layer of 2-D arrays. Summed in float64 also where the
    network is float32. `sizes` are |w| and |b| in float64, (..., all of them), where the caller has
    them already.
    """
    weights, biases = (_sizes(layer.weights), _sizes(layer.biases)) if sizes is None else sizes
    return (
        _per_lane(layer.weight_regularizer_l1) * sums(weights),
        _per_lane(layer.weight_regularizer_l2) * sums_of_squares(weights),
        _per_lane(layer.bias_regularizer_l1) * sums(biases),
        _per_lane(layer.bias_regularizer_l2) * sums_of_squares(biases),
    )


def _sizes(values: Floats) -> Float64s:
    flat: Float64s = values.astype(np.float64, order="C").reshape(*values.shape[:-2], -1)
    return np.abs(flat, out=flat)


def _per_lane(strength: float | Floats) -> Float64s:
    """A strength shaped (lanes, 1, 1) as (lanes,); a number stays one."""
    array = np.asarray(strength, dtype=np.float64)
    return array.reshape(array.shape[:-2])


def softmax(logits: Floats) -> Floats:
    """Probabilities (..., batch, classes), each row adding up to 1."""
    return np.moveaxis(softmax_columns(np.array(np.moveaxis(logits, -1, 0), order="C")), 0, -1)


def one_hot(labels: Ints, classes: int, dtype: FloatType) -> Floats:
    """Class numbers (..., batch) as (..., batch, classes) of zeros and ones, features first in
    memory.
    """
    return swap(
        np.equal(labels[..., np.newaxis, :], np.arange(classes)[:, np.newaxis]).astype(dtype)
    )


class Loss:
    """What is to be made small: `forward` gives the loss of each row."""

    def forward(self, output: Floats, y: Ints | Floats) -> Float64s:
        """The loss of each row, (..., batch)."""
        raise NotImplementedError

    def calculate(self, output: Floats, y: Ints | Floats) -> Float64s:
        """The data loss: the mean over the batch, one number (one a lane)."""
        mean: Float64s = self.forward(output, y).mean(axis=-1)
        return mean

    def regularization_loss(self, layer: Penalised) -> Float64s:
        """The penalty of one layer, one number (one a lane): its four terms, added in the order of
        LAMBDA_NAMES.
        """
        weight_l1, weight_l2, bias_l1, bias_l2 = penalty_terms(layer)
        return weight_l1 + weight_l2 + bias_l1 + bias_l2


class CategoricalCrossentropy(Loss):
    """-log of the probability that the true class was given.

    `y` is (batch,) class numbers, or one-hot (..., batch, classes).
    """

    def __init__(self) -> None:
        self.dinputs: Floats

    def forward(self, output: Floats, y: Ints | Floats) -> Float64s:
        """The loss of each row, (..., batch) in float64, from probabilities (..., batch, classes).

        They are clipped to [1e-7, 1 - 1e-7], and the logarithm is taken, in float64.
        """
        truth = _truth(output, y)
        # All but one product of a row are zeros, so this sum is exact; picking by index costs ten
        # times as much.
        picked = (
            np.ascontiguousarray(swap(output * truth)).sum(axis=-2).astype(np.float64, copy=False)
        )
        losses: Float64s = -np.log(np.clip(picked, CLIP, 1 - CLIP))
        return losses

    def backward(self, output: Floats, y: Ints | Floats, out: Floats | None = None) -> None:
        """`.dinputs`: the gradient of the mean loss by what went into the softmax, (output -
        one_hot) / batch.

        Softmax and cross-entropy together, from the softmax's output as it is, not clipped. `out`
        may be `output`.
        """
        self.dinputs = np.subtract(output, _truth(output, y), out=out)
        np.divide(self.dinputs, output.shape[-2], out=self.dinputs)


def _truth(output: Floats, y: Ints | Floats) -> Floats:
    """`y` as one-hot, whichever way it came."""
    if y.ndim == 1:
        return one_hot(np.asarray(y, dtype=np.intp), output.shape[-1], output.dtype)
    return y.astype(output.dtype, copy=False)
