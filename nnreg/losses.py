"""Losses: the mean error on the data, and the penalty for large parameters.

The formulas come from the book "Neural Networks from Scratch". Shapes are written (batch, classes);
leading axes of lanes may stand before them, and each lane then has its own number.
"""

import numpy as np

from nnreg.arrays import Float64s, Floats, FloatType, Ints
from nnreg.kernels import softmax_columns, sums, swap
from nnreg.layers import Dense

CLIP = 1e-7
"""Probabilities are clipped to [1e-7, 1 - 1e-7], so the loss of a row is at most 16.1."""

BEST_LOSS, WORST_LOSS = float(-np.log(1 - CLIP)), float(-np.log(CLIP))
"""The smallest and the largest loss of one row."""


def penalty_terms(layer: Dense) -> tuple[Float64s, Float64s, Float64s, Float64s]:
    """Return l1w*sum|w|, l2w*sum w^2, l1b*sum|b|, l2b*sum b^2 of one layer (order: LAMBDA_NAMES).

    Each has the shape of the lanes, () for a layer of 2-D arrays, and is summed in float64 even if
    the network is float32.
    """
    weight_l1, weight_l2, bias_l1, bias_l2 = size_sums(_sizes(layer.weights), _sizes(layer.biases))
    return (
        _per_lane(layer.weight_regularizer_l1) * weight_l1,
        _per_lane(layer.weight_regularizer_l2) * weight_l2,
        _per_lane(layer.bias_regularizer_l1) * bias_l1,
        _per_lane(layer.bias_regularizer_l2) * bias_l2,
    )


def size_sums(weights: Float64s, biases: Float64s) -> tuple[Float64s, Float64s, Float64s, Float64s]:
    """Return sum|w|, sum w^2, sum|b|, sum b^2 from the sizes |w| and |b|, (..., parameters)."""
    return sums(weights), np.vecdot(weights, weights), sums(biases), np.vecdot(biases, biases)


def _sizes(values: Floats) -> Float64s:
    flat: Float64s = values.astype(np.float64, order="C").reshape(*values.shape[:-2], -1)
    return np.abs(flat, out=flat)


def _per_lane(strength: float | Floats) -> Float64s:
    """A strength shaped (lanes, 1, 1) as (lanes,); a number stays one."""
    array = np.asarray(strength, dtype=np.float64)
    return array.reshape(array.shape[:-2])


def softmax(logits: Floats) -> Floats:
    """Return probabilities (..., batch, classes); each row adds up to 1."""
    return np.moveaxis(softmax_columns(np.array(np.moveaxis(logits, -1, 0), order="C")), 0, -1)


def one_hot(labels: Ints, classes: int, dtype: FloatType) -> Floats:
    """Return (..., batch, classes) of zeros and ones from class numbers (..., batch).

    The classes come before the batch in memory.
    """
    return swap(
        np.equal(labels[..., np.newaxis, :], np.arange(classes)[:, np.newaxis]).astype(dtype)
    )


class Loss:
    """What every loss has: the penalty."""

    def regularization_loss(self, layer: Dense) -> Float64s:
        """Return the penalty of one layer: its four terms, added in the order of LAMBDA_NAMES."""
        weight_l1, weight_l2, bias_l1, bias_l2 = penalty_terms(layer)
        return weight_l1 + weight_l2 + bias_l1 + bias_l2


class CategoricalCrossentropy(Loss):
    """-log of the probability of the true class.

    `y` is (batch,) class numbers, or one-hot (..., batch, classes).
    """

    dinputs: Floats

    def forward(self, output: Floats, y: Ints | Floats) -> Float64s:
        """Return the loss of each row, (..., batch), from probabilities (..., batch, classes).

        They are clipped to [1e-7, 1 - 1e-7], and the logarithm is taken in float64.
        """
        # All products of a row but one are 0: the sum is exact, and ten times as fast as an index.
        products = np.ascontiguousarray(swap(output * _truth(output, y)))
        picked = products.sum(axis=-2).astype(np.float64, copy=False)
        losses: Float64s = -np.log(np.clip(picked, CLIP, 1 - CLIP))
        return losses

    def calculate(self, output: Floats, y: Ints | Floats) -> Float64s:
        """Return the data loss: the mean over the batch, one number per lane."""
        mean: Float64s = self.forward(output, y).mean(axis=-1)
        return mean

    def backward(self, output: Floats, y: Ints | Floats, out: Floats | None = None) -> None:
        """Compute `.dinputs`, the gradient of the mean loss by the inputs of the softmax.

        It is (output - one_hot) / batch, from the unclipped output. `out` may be `output`.
        """
        self.dinputs = np.subtract(output, _truth(output, y), out=out)
        np.divide(self.dinputs, output.shape[-2], out=self.dinputs)


def _truth(output: Floats, y: Ints | Floats) -> Floats:
    """`y` as one-hot rows, in either form."""
    if y.ndim == 1:
        return one_hot(np.asarray(y, dtype=np.intp), output.shape[-1], output.dtype)
    return y.astype(output.dtype, copy=False)
