"""Network: layers in a row, many lanes at once, over one flat buffer of parameters."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nnreg.arrays import Float64s, Floats, FloatType
from nnreg.kernels import add_penalty_gradient, empty_features_first
from nnreg.layers import Dense, ReLU
from nnreg.losses import softmax

LayerParameters = tuple[Floats, Floats]
"""Weights (n_inputs, n_neurons), biases (1, n_neurons)."""


class Network:
    """Dense, ReLU, Dense, ..., softmax, once a lane.

    `sizes` are features, neurons of each hidden layer, classes. `parameters` and `dparameters` (lanes, all parameters)
    are what an optimizer works on; the layers are views of them. `strengths` (lanes, layers, 4) are the lambdas in the
    order of LAMBDA_NAMES.
    """

    def __init__(self, sizes: Sequence[int], strengths: Float64s, dtype: FloatType) -> None:
        shapes = [(n_inputs + 1, n_neurons) for n_inputs, n_neurons in pairwise(sizes)]
        ends = np.cumsum([rows * columns for rows, columns in shapes])
        self.lanes = len(strengths)
        self.dtype = dtype
        self.parameters: Floats = np.zeros((self.lanes, ends[-1]), dtype=dtype)
        self.dparameters: Floats = np.zeros_like(self.parameters)
        self._l1: Floats = np.zeros_like(self.parameters)
        self._twice_l2: Floats = np.zeros_like(self.parameters)
        self.layers: list[Dense] = []
        for i, ((rows, columns), end) in enumerate(zip(shapes, ends, strict=True)):
            part, shape = slice(end - rows * columns, end), (self.lanes, rows, columns)
            weight_l1, weight_l2, bias_l1, bias_l2 = strengths[:, i].T[..., np.newaxis, np.newaxis]
            layer = Dense(
                *(rows - 1, columns),
                *(weight_l1, weight_l2, bias_l1, bias_l2),
                parameters=self.parameters[:, part].reshape(shape),
                dparameters=self.dparameters[:, part].reshape(shape),
            )
            self.layers.append(layer)
            # A strength beyond float32 is infinite there: its lane diverges at the first step, and is reported so.
            with np.errstate(over="ignore", under="ignore"):
                layer.write_strengths(self._l1[:, part].reshape(shape), self._twice_l2[:, part].reshape(shape))
        self.activations = [ReLU() for _ in self.layers[1:]]
        self._work: dict[int, _Work] = {}

    def forward(self, inputs: Floats) -> Floats:
        """Probabilities (lanes, batch, classes) from inputs with their ones, (batch, features + 1) or one such a lane.

        The result is a work array: the next call with as many rows overwrites it.
        """
        work = self._work_for(inputs.shape[-2])
        for i, activation in enumerate(self.activations):
            self.layers[i].forward_with_ones(inputs, out=work.hidden[i])
            activation.forward(work.hidden[i], out=work.hidden[i])
            inputs = work.carried[i]
        self.layers[-1].forward_with_ones(inputs, out=work.logits)
        return softmax(work.logits, out=work.logits)

    def backward(self, dlogits: Floats) -> None:
        """`dparameters`, penalties included, from the gradient by the logits of the last `forward`."""
        work = self._work_for(dlogits.shape[-2])
        self.layers[-1].backward_data(dlogits)
        dvalues = dlogits
        for i in reversed(range(len(self.activations))):
            self.layers[i + 1].backward_inputs(dvalues, out=work.dhidden[i])
            # What the layer above read is needed no more: the gradient takes its place, and the cache holds one array
            # less.
            self.activations[i].backward(work.dhidden[i], out=work.hidden[i])
            dvalues = work.hidden[i]
            self.layers[i].backward_data(dvalues)
        add_penalty_gradient(self.dparameters, self.parameters, self._l1, self._twice_l2)

    def lane_parameters(self, lane: int) -> list[LayerParameters]:
        """Copies of one lane's weights and biases, layer by layer."""
        return [(layer.weights[lane].copy(), layer.biases[lane].copy()) for layer in self.layers]

    def _work_for(self, batch: int) -> "_Work":
        if batch not in self._work:
            self._work[batch] = _Work(self, batch)
        return self._work[batch]


class _Work:
    """The arrays that a batch of so many rows passes through; all (lanes, batch, neurons), features first in memory."""

    def __init__(self, network: Network, batch: int) -> None:
        def empty(neurons: int) -> Floats:
            return empty_features_first((network.lanes, batch, neurons), network.dtype)

        widths = [layer.weights.shape[-1] for layer in network.layers]
        self.logits = empty(widths[-1])
        self.carried = [empty(width + 1) for width in widths[:-1]]
        """What the next layer reads: the hidden neurons and the column of ones."""
        for array in self.carried:
            array[..., -1] = 1
        self.hidden = [array[..., :-1] for array in self.carried]
        self.dhidden = [empty(width) for width in widths[:-1]]
