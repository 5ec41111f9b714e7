"""Network: layers in a row, many lanes at once, over one flat buffer of parameters."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nnreg import kernels
from nnreg.arrays import Float64s, Floats, FloatType
from nnreg.kernels import blocks, relu, relu_gradient, small_products, swap, zeros
from nnreg.layers import Dense

LayerParameters = tuple[Floats, Floats]
"""Weights (n_inputs, n_neurons), biases (1, n_neurons)."""


class Network:
    """Dense, ReLU, Dense, ..., softmax, once per lane.

    `sizes` are features, neurons of each hidden layer, classes. `parameters` and `dparameters`
    (lanes, all parameters) are what an optimizer works on; the layers are views of them.
    `strengths` (lanes, layers, 4) are the lambdas in the order of LAMBDA_NAMES.
    """

    def __init__(self, sizes: Sequence[int], strengths: Float64s, dtype: FloatType) -> None:
        shapes = [(n_inputs + 1, n_neurons) for n_inputs, n_neurons in pairwise(sizes)]
        self.lanes, self.dtype = len(strengths), dtype
        whole = (self.lanes, sum(rows * columns for rows, columns in shapes))
        self.parameters, self.dparameters = zeros(whole, dtype), zeros(whole, dtype)
        l1, twice_l2 = zeros(whole, dtype), zeros(whole, dtype)
        self._penalty_blocks = blocks(
            self.dparameters, self.parameters, l1, twice_l2, zeros(whole, dtype)
        )
        self._work: dict[int, Work] = {}
        self.layers: list[Dense] = []
        start = 0
        for i, (rows, columns) in enumerate(shapes):
            end, shape = start + rows * columns, (self.lanes, rows, columns)
            part = slice(start, end)
            layer = Dense(
                rows - 1,
                columns,
                *tuple(strengths[:, i].T[..., np.newaxis, np.newaxis]),
                parameters=self.parameters[:, part].reshape(shape),
                dparameters=self.dparameters[:, part].reshape(shape),
            )
            self.layers.append(layer)
            # A strength beyond float32 is infinite there: its lane diverges at the first step.
            with np.errstate(over="ignore", under="ignore"):
                layer.write_strengths(l1[:, part].reshape(shape), twice_l2[:, part].reshape(shape))
            start = end

    def add_penalty_gradient(self) -> None:
        """Add the gradient of the penalties to `dparameters`."""
        for block in self._penalty_blocks:
            kernels.add_penalty_gradient(*block)

    def lane_parameters(self, lane: int) -> list[LayerParameters]:
        """Return copies of one lane's weights and biases, layer by layer."""
        return [(layer.weights[lane].copy(), layer.biases[lane].copy()) for layer in self.layers]

    def work(self, batch: int) -> "Work":
        """Return the arrays that batches of so many rows share."""
        if batch not in self._work:
            self._work[batch] = Work(self, batch)
        return self._work[batch]


class Work:
    """What a batch of so many rows leaves behind in each layer."""

    def __init__(self, network: Network, batch: int) -> None:
        *widths, classes = [layer.weights.shape[-1] for layer in network.layers]
        lanes, dtype = network.lanes, network.dtype
        # One lane lies as it would beside another: BLAS takes other kernels where rows join up.
        self.logits = zeros((classes, max(lanes, 2), batch), dtype)[:, :lanes]
        """(classes, lanes, batch)."""
        self.hidden = [zeros((lanes, width + 1, batch), dtype) for width in widths]
        """(lanes, neurons + 1, batch), as the next layer reads it; the last row is ones."""
        self.ones = [array[:, -1] for array in self.hidden]
        for ones in self.ones:
            ones.fill(1)
        # Of the same shape, though only the neurons are written: whole arrays are quicker.
        self.dhidden = [zeros((lanes, width + 1, batch), dtype) for width in widths]
        self.nothing = [zeros((width + 1, batch), dtype) for width in widths]
        """Zeros for `relu`, of the size of one lane."""


class Pass:
    """The way of one batch through the network and back.

    `inputs` (batch, features + 1), or one such array per lane, hold their ones; `forward` reads
    what is in them then. Views are made once: for one lane they take longer than a step.
    """

    def __init__(self, network: Network, inputs: Floats) -> None:
        self._network, self._work = network, network.work(inputs.shape[-2])
        work = self._work
        read = [inputs, *map(swap, work.hidden)]
        written = [*(swap(array[:, :-1]) for array in work.hidden), classes_last(work.logits)]
        self._forward = [
            small_products(inputs, layer.parameters, output)
            for inputs, layer, output in zip(read, network.layers, written, strict=True)
        ]
        self._backward = []
        for i, layer in enumerate(network.layers):
            # Two products: BLAS takes a quarter less time for 64 rows and 1 row than for 65.
            products = [
                small_products(swap(read[i])[..., :-1, :], written[i], layer.dweights),
                small_products(swap(read[i])[..., -1:, :], written[i], layer.dbiases),
            ]
            if i > 0:
                dhidden = swap(work.dhidden[i - 1][:, :-1])
                products.append(small_products(written[i], swap(layer.weights), dhidden))
            self._backward.append(products)

    def forward(self) -> Floats:
        """Return the logits (classes, lanes, batch), in an array that is reused.

        `backward` takes the gradient of the loss by them from the same place.
        """
        *hidden, last = self._forward
        for (a, b, out), array, nothing in zip(
            hidden, self._work.hidden, self._work.nothing, strict=True
        ):
            np.matmul(a, b, out=out)
            relu(array, nothing, out=array)  # the ones too, which stay ones
        a, b, out = last
        np.matmul(a, b, out=out)
        return self._work.logits

    def backward(self) -> None:
        """Compute the network's `dparameters`, penalties included."""
        for i in reversed(range(len(self._backward))):
            for a, b, out in self._backward[i]:
                np.matmul(a, b, out=out)
            if i > 0:
                # The gradient takes the place of what layer i read: one array less in the cache.
                hidden = self._work.hidden[i - 1]
                relu_gradient(self._work.dhidden[i - 1], hidden, out=hidden)
                self._work.ones[i - 1].fill(1)
        self._network.add_penalty_gradient()


def classes_last(columns: Floats) -> Floats:
    """View (classes, lanes, batch) as (lanes, batch, classes)."""
    return columns.transpose(1, 2, 0)
