"""Optimizers against their textbook lines."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nnreg import SGD, Adam

STEPS = 50


def gradients() -> Any:
    return np.random.default_rng(2).normal(size=(STEPS, 3, 4)) * 10.0 ** np.arange(-6, -2)


@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.9, 0.999), (0.0, 0.99), (0.5, 0.0)])
def test_adam(beta_1: float, beta_2: float) -> None:
    """The book's update, written out; epsilon stands outside the root."""
    adam = Adam(learning_rate=0.02, decay=0.1, epsilon=1e-7, beta_1=beta_1, beta_2=beta_2)
    part = SimpleNamespace(parameters=np.ones((3, 4)), dparameters=np.zeros((3, 4)))
    expected, m, v = np.ones((3, 4)), np.zeros((3, 4)), np.zeros((3, 4))
    for iterations, gradient in enumerate(gradients()):
        part.dparameters = gradient.copy()
        adam.update(part)
        rate = 0.02 / (1 + 0.1 * iterations)
        m = beta_1 * m + (1 - beta_1) * gradient
        v = beta_2 * v + (1 - beta_2) * gradient**2
        m_hat, v_hat = m / (1 - beta_1 ** (iterations + 1)), v / (1 - beta_2 ** (iterations + 1))
        expected -= rate * m_hat / (np.sqrt(v_hat) + 1e-7)
        # Parameters of size 1, a few roundings of 1e-16 a step, 50 steps.
        assert part.parameters == pytest.approx(expected, abs=1e-14)
        assert np.array_equal(part.dparameters, gradient)
    assert adam.iterations == STEPS


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd(momentum: float) -> None:
    sgd = SGD(learning_rate=0.5, decay=0.1, momentum=momentum)
    part = SimpleNamespace(parameters=np.ones((3, 4)), dparameters=np.zeros((3, 4)))
    expected, velocity = np.ones((3, 4)), np.zeros((3, 4))
    for iterations, gradient in enumerate(gradients()):
        part.dparameters = gradient
        sgd.update(part)
        velocity = momentum * velocity - 0.5 / (1 + 0.1 * iterations) * gradient
        expected += velocity
        assert np.array_equal(part.parameters, expected)


@pytest.mark.parametrize("optimizer", [Adam, SGD])
def test_parameters_may_lie_anywhere_in_memory(optimizer: Any) -> None:
    """A part whose arrays are views with gaps moves as one without, whether it has few parameters
    or many.
    """
    for shape in ((3, 4), (400, 500)):
        whole, gaps = (np.ones((*shape[:-1], columns)) for columns in (shape[1], 2 * shape[1]))
        parts = [SimpleNamespace(parameters=p, dparameters=p * 0.5) for p in (whole, gaps[:, ::2])]
        for part in parts:
            optimizer(learning_rate=0.1).update(part)
        assert np.array_equal(parts[0].parameters, parts[1].parameters)
        assert not np.array_equal(whole, np.ones(shape))
