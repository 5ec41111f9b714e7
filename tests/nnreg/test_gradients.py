"""Gradients against differences of the loss itself."""

from typing import Any

import numpy as np
import pytest

from nnreg import CategoricalCrossentropy, Dense, ReLU, softmax

STRENGTHS = ((0.02, 0.03, 0.04, 0.05), (0.01, 0.0, 0.0, 0.06))


class Example:
    """A 4-6-3 network on ten rows; every parameter is at least 0.05 away from zero, where |w| has a
    kink.
    """

    def __init__(self) -> None:
        rng = np.random.default_rng(5)
        self.x = rng.normal(size=(10, 4))
        self.y = rng.integers(0, 3, size=10)
        self.layers = [Dense(4, 6, *STRENGTHS[0]), Dense(6, 3, *STRENGTHS[1])]
        for layer in self.layers:
            drawn = rng.normal(size=layer.parameters.shape)
            layer.parameters[...] = np.sign(drawn) * (0.05 + np.abs(drawn))
        self.relu = ReLU()
        self.loss = CategoricalCrossentropy()

    def probabilities(self) -> Any:
        first, second = self.layers
        first.forward(self.x)
        self.relu.forward(first.output)
        second.forward(self.relu.output)
        return softmax(second.output)

    def total_loss(self) -> float:
        penalties = sum(self.loss.regularization_loss(layer) for layer in self.layers)
        return float(self.loss.calculate(self.probabilities(), self.y) + penalties)

    def backward(self) -> None:
        first, second = self.layers
        self.loss.backward(self.probabilities(), self.y)
        second.backward(self.loss.dinputs)
        self.relu.backward(second.dinputs)
        first.backward(self.relu.dinputs)


def test_numeric_differentiation() -> None:
    example = Example()
    example.backward()
    h = 1e-5
    for layer in example.layers:
        analytic = layer.dparameters.copy()
        for index in np.ndindex(layer.parameters.shape):
            value = layer.parameters[index]
            losses = []
            for moved in (value - h, value + h):
                layer.parameters[index] = moved
                losses.append(example.total_loss())
            layer.parameters[index] = value
            # Central differences are off by h^2 = 1e-10 times a third derivative, and by 1e-16 / h
            # = 1e-11 of rounding.
            assert analytic[index] == pytest.approx((losses[1] - losses[0]) / (2 * h), abs=1e-8)
