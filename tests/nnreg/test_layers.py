"""Dense and ReLU: how a layer starts, and gradients at and away from zero."""

from typing import Any

import numpy as np
import pytest

from nnreg import Dense, ReLU


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_penalty_gradient_is_the_formula(dtype: Any) -> None:
    """The sign is +1 at zero and at minus zero, where the biases start."""
    values = np.array([[-2.0, 7.3], [-1e-30, 1e3], [-0.0, -0.1], [0.0, 1e-30]], dtype=dtype)
    layer = Dense(3, 2, 0.5, 0.03, 0.25, 0.1, parameters=values, dparameters=values * 0)
    layer.forward(np.ones((1, 3), dtype=dtype))
    layer.backward(np.zeros_like(layer.output))  # so the part of the data is zero
    l1, l2 = np.full((4, 1), 0.5), np.full((4, 1), 0.03)
    l1[-1], l2[-1] = 0.25, 0.1
    exact = l1 * np.where(values < 0, -1.0, 1.0) + 2 * l2 * values.astype(np.float64)
    # One rounding each for l1, l2, the product and the two sums.
    assert layer.dparameters == pytest.approx(exact, rel=4 * float(np.finfo(dtype).eps))
    assert layer.dparameters.dtype == dtype


def test_a_layer_starts_small_and_is_written_into() -> None:
    layer = Dense(4, 3, bias_regularizer_l2=4e-3, rng=np.random.default_rng(0))
    assert np.array_equal(layer.weights, 0.01 * np.random.default_rng(0).standard_normal((4, 3)))
    assert layer.biases.tolist() == [[0.0, 0.0, 0.0]]
    layer.weights, layer.biases = np.ones((4, 3)), [[1.0, 2.0, 3.0]]
    layer.forward(np.ones((5, 4)))
    assert layer.output.tolist() == [[5.0, 6.0, 7.0]] * 5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu(dtype: Any) -> None:
    relu = ReLU()
    inputs = np.array([[-1.0, -0.0, 0.0, 2.0, 2e-38]], dtype=dtype)
    dvalues = np.array([[5.0, 6.0, 7.0, 8.0, -9.0]], dtype=dtype)
    before = dvalues.copy()
    relu.forward(inputs)
    assert np.array_equal(relu.output, np.maximum(inputs, 0))
    assert relu.output.dtype == dtype
    relu.backward(dvalues)
    assert relu.dinputs.tolist() == [[0.0, 0.0, 0.0, 8.0, -9.0]]  # no gradient passes at zero
    assert relu.dinputs.dtype == dtype
    assert np.array_equal(dvalues, before)
