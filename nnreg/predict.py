"""Predictions of trained networks, and the penalties that their layers pay."""

from collections.abc import Sequence

import numpy as np

from nnreg.arrays import Bools, Float64s, Floats, FloatType, Ints
from nnreg.batches import Table
from nnreg.kernels import classes_last, softmax_columns
from nnreg.lambdas import LAMBDA_NAMES, Lambdas
from nnreg.layers import Dense
from nnreg.losses import penalty_terms
from nnreg.measuring import Rows, row_parts
from nnreg.network import LayerParameters, Network, Pass
from nnreg.passes import NEAR_ZERO


def losses_and_hits(
    x: Floats, y: Ints, networks: Sequence[Sequence[LayerParameters]]
) -> tuple[Float64s, Bools]:
    """Return the loss of each row and whether its class was found, (networks, rows) both.

    Their means are the curves of `train`. x: (rows, features) finite; y: (rows,) class numbers.
    All networks have one shape and dtype.
    """
    network, table = _loaded(networks, x, y, networks[0][0][0].dtype)
    with np.errstate(all="ignore"):  # weights may be so large that a softmax underflows
        losses, hits = Rows(table, network).losses_and_hits()
    return losses, hits > 0


def probabilities(x: Floats, parameters: Sequence[LayerParameters]) -> Float64s:
    """Return one network's probability of each class, (rows, classes) float64.

    x: (rows, features) finite. Each row adds up to 1. A float32 network is computed in float64 too:
    in float32 the rows beside a row change its seventh digit.
    """
    unknown = np.zeros(len(x), np.intp)
    network, table = _loaded([parameters], x, unknown, np.dtype(np.float64))
    result = np.empty((len(x), parameters[-1][0].shape[1]))
    with np.errstate(all="ignore"):  # as above
        for part in row_parts(len(x), network):
            logits = Pass(network, table.inputs(part)).forward().logits
            result[part] = classes_last(softmax_columns(logits, out=logits))[0]
    return result


def _loaded(
    networks: Sequence[Sequence[LayerParameters]], x: Floats, y: Ints, dtype: FloatType
) -> tuple[Network, Table]:
    """Return one network whose lanes are the given ones, and the rows for it to read."""
    first = networks[0]
    sizes = (len(first[0][0]), *(weights.shape[1] for weights, _ in first))
    network = Network(sizes, np.zeros((len(networks), len(first), len(LAMBDA_NAMES))), dtype)
    for lane, parameters in enumerate(networks):
        for layer, (weights, biases) in zip(network.layers, parameters, strict=True):
            layer.weights[lane], layer.biases[lane] = weights, biases
    return network, Table([(np.ascontiguousarray(x, dtype=dtype), y)])


def penalties_by_layer(
    parameters: Sequence[LayerParameters], lambdas: Sequence[Lambdas]
) -> list[tuple[tuple[float, ...], float]]:
    """Return each layer's four penalties (order: LAMBDA_NAMES) and its share of near-zero weights.

    `lambdas` has one `Lambdas` per layer.
    """
    measured: list[tuple[tuple[float, ...], float]] = []
    for (weights, biases), strengths in zip(parameters, lambdas, strict=True):
        n_inputs, n_neurons = weights.shape
        both = np.concatenate([weights, biases])
        layer = Dense(n_inputs, n_neurons, *strengths.as_tuple(), parameters=both)
        near_zero = float(np.mean(np.abs(weights) < weights.dtype.type(NEAR_ZERO)))
        measured.append((tuple(float(term) for term in penalty_terms(layer)), near_zero))
    return measured
