"""Layers: dense with its penalties, and ReLU.

The formulas come from the book "Neural Networks from Scratch". Shapes are written (batch, n_inputs)
as in the book; every array may have leading axes of lanes, `(lanes, batch, n_inputs)`.
"""

import numpy as np
import numpy.typing as npt

from nnreg.arrays import Floats
from nnreg.checks import real_number, whole_number
from nnreg.kernels import add_penalty_gradient, relu, relu_gradient, swap, with_ones

Strength = float | Floats
"""The strength of a penalty: one number, or one per lane, shaped (lanes, 1, 1)."""


class Dense:
    """output = inputs @ weights + biases, with four penalties.

    The penalty is l1w*sum|w| + l2w*sum w^2 + l1b*sum|b| + l2b*sum b^2. `weights`
    (n_inputs, n_neurons) start at 0.01 * normal drawn from `rng`, `biases` (1, n_neurons) at zero,
    in float64. Both are views of `parameters` (n_inputs + 1, n_neurons), whose last row is the
    biases; `dweights` and `dbiases`, the gradients with the penalties included, are views of
    `dparameters` likewise. If `parameters` and `dparameters` are given (any leading axes of lanes,
    float32 or float64), the layer works on them, so that all layers can share one buffer.

    Raises TypeError or ValueError if a size or a strength is not one.
    """

    inputs: Floats
    """(..., batch, n_inputs + 1): the last inputs, with their column of ones."""
    output: Floats
    dinputs: Floats

    def __init__(
        self,
        n_inputs: int,
        n_neurons: int,
        weight_regularizer_l1: Strength = 0,
        weight_regularizer_l2: Strength = 0,
        bias_regularizer_l1: Strength = 0,
        bias_regularizer_l2: Strength = 0,
        *,
        rng: np.random.Generator | None = None,
        parameters: Floats | None = None,
        dparameters: Floats | None = None,
    ) -> None:
        n_inputs = whole_number("n_inputs", n_inputs, low=1, remedy="A layer needs inputs.")
        n_neurons = whole_number("n_neurons", n_neurons, low=1, remedy="A layer needs neurons.")
        self.weight_regularizer_l1 = _strength("weight_regularizer_l1", weight_regularizer_l1)
        self.weight_regularizer_l2 = _strength("weight_regularizer_l2", weight_regularizer_l2)
        self.bias_regularizer_l1 = _strength("bias_regularizer_l1", bias_regularizer_l1)
        self.bias_regularizer_l2 = _strength("bias_regularizer_l2", bias_regularizer_l2)
        if parameters is None:
            parameters = np.zeros((n_inputs + 1, n_neurons))
            generator = rng or np.random.default_rng()
            parameters[:-1] = 0.01 * generator.standard_normal((n_inputs, n_neurons))
        self.parameters: Floats = parameters
        self.dparameters: Floats = np.zeros_like(parameters) if dparameters is None else dparameters
        self._weights, self._biases = self.parameters[..., :-1, :], self.parameters[..., -1:, :]
        self.dweights: Floats = self.dparameters[..., :-1, :]
        self.dbiases: Floats = self.dparameters[..., -1:, :]

    @property
    def weights(self) -> Floats:
        """A view; assigning to it writes into `parameters`. So it is with `biases`."""
        return self._weights

    @weights.setter
    def weights(self, values: npt.ArrayLike) -> None:
        self._weights[...] = values

    @property
    def biases(self) -> Floats:
        return self._biases

    @biases.setter
    def biases(self, values: npt.ArrayLike) -> None:
        self._biases[...] = values

    def forward(self, inputs: Floats) -> None:
        """Compute `.output` (..., batch, n_neurons) from inputs (..., batch, n_inputs)."""
        self.inputs = with_ones(inputs)
        self.output = np.matmul(self.inputs, self.parameters)

    def backward(self, dvalues: Floats) -> None:
        """Compute `.dweights`, `.dbiases` and `.dinputs` from the gradient by the output.

        `dvalues` is (..., batch, n_neurons). The penalties add l1 * s(w) + 2 * l2 * w, where s(w)
        is -1 for w < 0 and +1 elsewhere, at 0 too.
        """
        np.matmul(swap(self.inputs), dvalues, out=self.dparameters)
        self.dinputs = np.matmul(dvalues, swap(self.weights))
        l1, twice_l2 = np.empty_like(self.parameters), np.empty_like(self.parameters)
        self.write_strengths(l1, twice_l2)
        # A caller may have put -0.0 among the parameters, where s is +1: adding 0.0 makes it 0.0.
        add_penalty_gradient(
            self.dparameters, self.parameters + 0.0, l1, twice_l2, np.empty_like(l1)
        )

    def write_strengths(self, l1: Floats, twice_l2: Floats) -> None:
        """Write l1 and 2 * l2 of each parameter into arrays of the shape of `parameters`."""
        l1[..., :-1, :] = self.weight_regularizer_l1
        l1[..., -1:, :] = self.bias_regularizer_l1
        twice_l2[..., :-1, :] = 2 * self.weight_regularizer_l2
        twice_l2[..., -1:, :] = 2 * self.bias_regularizer_l2


def _strength(name: str, value: Strength) -> Strength:
    # Of many, the least and the greatest: NaN is both.
    for one in (value.min(), value.max()) if isinstance(value, np.ndarray) else [value]:
        real_number(name, one, remedy="To switch the penalty off, use 0.")
    return value


class ReLU:
    """output = max(0, inputs), of any shape (..., batch, neurons)."""

    output: Floats
    dinputs: Floats

    def forward(self, inputs: Floats) -> None:
        """Compute `.output`."""
        self.output = relu(inputs, np.zeros_like(inputs))

    def backward(self, dvalues: Floats) -> None:
        """Compute `.dinputs`: dvalues where the output is positive, else 0."""
        self.dinputs = relu_gradient(dvalues, self.output, np.empty_like(self.output))
