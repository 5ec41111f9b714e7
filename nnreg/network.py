"""Network: layers in a row, many lanes at once, over one flat buffer of parameters."""

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from nnreg.arrays import Float64s, Floats, FloatType
from nnreg.kernels import classes_last, small_products, swap, zeros
from nnreg.layers import Dense
from nnreg.passes import Targets, passes_of

Scalar = TypeVar("Scalar", bound=np.generic)

LayerParameters = tuple[Floats, Floats]
"""Weights (n_inputs, n_neurons), biases (1, n_neurons)."""


class Network:
    """Dense, ReLU, Dense, ..., softmax, once per lane.

    `sizes` are features, neurons of each hidden layer, classes. `parameters` and `dparameters`
    (lanes, all parameters) are what an optimizer works on; the layers are views of them.
    `strengths` (lanes, layers, 4) are the lambdas in the order of LAMBDA_NAMES. `passes` is what
    makes the passes over all these arrays.
    """

    def __init__(self, sizes: Sequence[int], strengths: Float64s, dtype: FloatType) -> None:
        self._shapes = [(n_inputs + 1, n_neurons) for n_inputs, n_neurons in pairwise(sizes)]
        self._starts = [0, *accumulate(rows * columns for rows, columns in self._shapes)]
        self.lanes, self.classes, self.dtype = len(strengths), sizes[-1], dtype
        self.strengths = strengths
        whole = (self.lanes, self._starts[-1])
        self.parameters, self.dparameters = zeros(whole, dtype), zeros(whole, dtype)
        self.layers = [
            Dense(
                parameters.shape[-2] - 1,
                parameters.shape[-1],
                *tuple(strengths[:, i].T[..., np.newaxis, np.newaxis]),
                parameters=parameters,
                dparameters=dparameters,
            )
            for i, (parameters, dparameters) in enumerate(
                zip(self.cut(self.parameters), self.cut(self.dparameters), strict=True)
            )
        ]
        self.passes = passes_of(self)
        self._work: dict[int, Work] = {}

    def cut(self, whole: npt.NDArray[Scalar]) -> list[npt.NDArray[Scalar]]:
        """View (lanes, all parameters) as one array (lanes, n_inputs + 1, n_neurons) per layer."""
        return [
            whole[:, start:end].reshape(self.lanes, *shape)
            for (start, end), shape in zip(pairwise(self._starts), self._shapes, strict=True)
        ]

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
        whole = zeros((classes, max(lanes, 2), batch), dtype)
        self.logits, self.columns = whole[:, :lanes], whole.reshape(classes, -1)
        """(classes, lanes, batch), and the same with one column for each lane and row."""
        self.hidden = [zeros((lanes, width + 1, batch), dtype) for width in widths]
        """(lanes, neurons + 1, batch), as the next layer reads it; the last row is ones."""
        for array in self.hidden:
            array[:, -1] = 1
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
        *hidden, self._last = (
            small_products(inputs, layer.parameters, output)
            for inputs, layer, output in zip(read, network.layers, written, strict=True)
        )
        self._hidden = list(zip(hidden, work.hidden, work.nothing, strict=True))
        self._read, self._written = read, written

    @cached_property
    def _backward(self) -> list[list[tuple[Floats, Floats, Floats]]]:
        """The products of each layer's gradients; evaluation needs none."""
        read, written, found = self._read, self._written, []
        for i, layer in enumerate(self._network.layers):
            # Two products: BLAS takes a quarter less time for 64 rows and 1 row than for 65.
            products = [
                small_products(swap(read[i])[..., :-1, :], written[i], layer.dweights),
                small_products(swap(read[i])[..., -1:, :], written[i], layer.dbiases),
            ]
            if i > 0:
                dhidden = swap(self._work.dhidden[i - 1][:, :-1])
                products.append(small_products(written[i], swap(layer.weights), dhidden))
            found.append(products)
        return found

    def forward(self) -> "Work":
        """Compute the logits, and return the arrays that hold them until the next pass."""
        for (a, b, out), array, nothing in self._hidden:
            np.matmul(a, b, out=out)
            self._network.passes.relu(array, nothing)  # the ones too, which stay ones
        a, b, out = self._last
        np.matmul(a, b, out=out)
        return self._work

    def backward(self, targets: Targets) -> None:
        """Compute the network's `dparameters`, without the penalties.

        `targets` are some rows of what `Passes.targets` returned.
        """
        passes, work = self._network.passes, self._work
        passes.loss_gradient(work, targets)
        for i in reversed(range(len(self._backward))):
            for a, b, out in self._backward[i]:
                np.matmul(a, b, out=out)
            if i > 0:
                # The gradient takes the place of what layer i read: one array less in the cache.
                passes.relu_gradient(work.dhidden[i - 1], work.hidden[i - 1])
