"""Network: layers in a row, many lanes at once, over one flat buffer of parameters."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nnreg.arrays import Float64s, Floats, FloatType
from nnreg.kernels import add_penalty_gradient, swap, zeros
from nnreg.layers import Dense, ReLU

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
        whole = (self.lanes, int(ends[-1]))
        self.parameters, self.dparameters = zeros(whole, dtype), zeros(whole, dtype)
        self._l1, self._twice_l2, self._penalty_work = zeros(whole, dtype), zeros(whole, dtype), zeros(whole, dtype)
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
        self._sizes: Float64s = np.zeros(whole)
        self._layer_sizes: list[tuple[Float64s, Float64s]] = [
            (self._sizes[:, end - rows * columns : end - columns], self._sizes[:, end - columns : end])
            for (rows, columns), end in zip(shapes, ends, strict=True)
        ]
        self.activations = [ReLU() for _ in self.layers[1:]]
        self._work: dict[int, _Work] = {}

    def forward(self, inputs: Floats) -> Floats:
        """Logits (classes, lanes, batch) from inputs with their ones, (batch, features + 1) or one such a lane.

        The result is a work array: the next call with as many rows overwrites it.
        """
        work = self._work_for(inputs.shape[-2])
        for layer, activation, hidden, carried in zip(self.layers, self.activations, work.hidden, work.carried, strict=False):
            layer.forward_with_ones(inputs, out=hidden)
            activation.forward(carried, out=carried)  # the ones too, which stay ones
            inputs = carried
        self.layers[-1].forward_with_ones(inputs, out=classes_last(work.logits))
        return work.logits

    def backward(self, dlogits: Floats) -> None:
        """`dparameters`, penalties included, from the gradient by the logits of the last `forward`."""
        work = self._work_for(dlogits.shape[-1])
        dvalues = classes_last(dlogits)
        self.layers[-1].backward_data(dvalues)
        for i in reversed(range(len(self.activations))):
            self.layers[i + 1].backward_inputs(dvalues, out=work.dhidden[i])
            # What the layer above read is needed no more: the gradient takes its place, and the cache holds one array
            # less. So for a moment there are no ones.
            self.activations[i].backward(work.dcarried[i], out=work.carried[i])
            dvalues = work.hidden[i]
            self.layers[i].backward_data(dvalues)
            work.carried[i][..., -1] = 1
        add_penalty_gradient(self.dparameters, self.parameters, self._l1, self._twice_l2, self._penalty_work)

    def parameter_sizes(self) -> list[tuple[Float64s, Float64s]]:
        """|w| and |b| of each layer in float64, (lanes, all weights) and (lanes, all biases): work arrays."""
        np.copyto(self._sizes, self.parameters)
        np.abs(self._sizes, out=self._sizes)
        return self._layer_sizes

    def lane_parameters(self, lane: int) -> list[LayerParameters]:
        """Copies of one lane's weights and biases, layer by layer."""
        return [(layer.weights[lane].copy(), layer.biases[lane].copy()) for layer in self.layers]

    def _work_for(self, batch: int) -> "_Work":
        if batch not in self._work:
            self._work[batch] = _Work(self, batch)
        return self._work[batch]


def classes_last(columns: Floats) -> Floats:
    """(classes, lanes, batch) as (lanes, batch, classes): a view."""
    return columns.transpose(1, 2, 0)


class _Work:
    """The arrays that a batch of so many rows passes through."""

    def __init__(self, network: Network, batch: int) -> None:
        widths = [layer.weights.shape[-1] for layer in network.layers]
        # One lane lies as it would beside another, since BLAS and NumPy take other kernels where rows join up.
        self.logits = zeros((widths[-1], max(network.lanes, 2), batch), network.dtype)[:, : network.lanes]
        self.carried = [swap(zeros((network.lanes, width + 1, batch), network.dtype)) for width in widths[:-1]]
        """What the next layer reads: the hidden neurons and the column of ones, features first in memory."""
        for array in self.carried:
            array[..., -1] = 1
        self.hidden = [array[..., :-1] for array in self.carried]
        # Of the same shape, though nothing is written beside the hidden neurons: whole arrays are quicker to go over.
        self.dcarried = [swap(zeros((network.lanes, width + 1, batch), network.dtype)) for width in widths[:-1]]
        self.dhidden = [array[..., :-1] for array in self.dcarried]
