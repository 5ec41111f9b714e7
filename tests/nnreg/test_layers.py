"""Dense and ReLU: the document's interface, and the penalties' gradients at and away from zero."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnreg import Dense, ReLU

VALUES = np.array([-2.0, -1e-300, -0.0, 0.0, 1e-300, 3.0])


def penalty_gradient(layer: Dense) -> tuple[Any, Any]:
    """The penalties' part alone: the data's part is zero where the gradient from above is."""
    layer.forward(np.ones((1, layer.weights.shape[-2])))
    layer.backward(np.zeros_like(layer.output))
    return layer.dweights, layer.dbiases


def test_sign_is_plus_one_at_zero_and_at_minus_zero() -> None:
    """Biases start at zero, so the first step already depends on it."""
    layer = Dense(6, 1, weight_regularizer_l1=0.5, bias_regularizer_l1=0.25)
    layer.weights = VALUES[:, np.newaxis]
    dweights, dbiases = penalty_gradient(layer)
    assert dweights[:, 0].tolist() == [-0.5, -0.5, 0.5, 0.5, 0.5, 0.5]
    assert dbiases.tolist() == [[0.25]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_penalty_gradient_is_the_formula(dtype: Any, data: st.DataObject) -> None:
    strengths = st.floats(0, 100, width=32)
    l1w, l2w, l1b, l2b = (data.draw(strengths) for _ in range(4))
    shape = hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9)
    width = np.dtype(dtype).itemsize * 8
    values = data.draw(hnp.arrays(dtype, shape, elements=st.floats(-1000, 1000, width=width)))
    layer = Dense(
        *(values.shape[0] - 1, values.shape[1]),
        *(l1w, l2w, l1b, l2b),
        parameters=values,
        dparameters=values * 0,
    )
    layer.forward(np.ones((1, values.shape[0] - 1), dtype=dtype))
    layer.backward(np.zeros_like(layer.output))
    for found, of, l1, l2 in (
        (layer.dweights, layer.weights, l1w, l2w),
        (layer.dbiases, layer.biases, l1b, l2b),
    ):
        exact = of.astype(np.float64)
        expected = l1 * np.where(exact < 0, -1.0, 1.0) + 2 * l2 * exact
        # One rounding each for l1, l2, the product and the two sums, of numbers as large as the
        # larger term.
        scale = l1 + np.abs(2 * l2 * exact)
        assert np.all(
            np.abs(found - expected) <= 4 * np.finfo(dtype).eps * scale + np.finfo(dtype).tiny
        )
        assert found.dtype == dtype


def test_the_documents_interface() -> None:
    """Argument names, shapes, starting values, and what forward and backward leave behind."""
    layer = Dense(
        4,
        3,
        weight_regularizer_l1=1e-3,
        weight_regularizer_l2=2e-3,
        bias_regularizer_l1=3e-3,
        bias_regularizer_l2=4e-3,
        rng=np.random.default_rng(0),
    )
    assert layer.weights.shape == (4, 3)
    assert np.array_equal(layer.weights, 0.01 * np.random.default_rng(0).standard_normal((4, 3)))
    assert layer.biases.tolist() == [[0.0, 0.0, 0.0]]
    assert layer.weights.dtype == np.float64

    inputs, dvalues = np.arange(20.0).reshape(5, 4), np.linspace(-1, 1, 15).reshape(5, 3)
    layer.biases += 0.5
    layer.forward(inputs)
    assert layer.output == pytest.approx(
        inputs @ layer.weights + layer.biases, rel=1e-14
    )  # another order of sums
    layer.backward(dvalues)
    w, b = layer.weights, layer.biases
    assert layer.dweights == pytest.approx(
        inputs.T @ dvalues + 1e-3 * np.where(w < 0, -1, 1) + 4e-3 * w, rel=1e-13
    )
    assert layer.dbiases == pytest.approx(
        dvalues.sum(axis=0, keepdims=True) + 3e-3 + 8e-3 * b, rel=1e-13
    )
    assert layer.dinputs == pytest.approx(dvalues @ w.T, rel=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu(dtype: Any) -> None:
    relu = ReLU()
    inputs = np.array(
        [[-1.0, -0.0, 0.0, 2.0, 1e-40 if dtype is np.float64 else 1e-38]], dtype=dtype
    )
    dvalues = np.array([[5.0, 6.0, 7.0, 8.0, -9.0]], dtype=dtype)
    before = dvalues.copy()
    relu.forward(inputs)
    assert np.array_equal(relu.output, np.maximum(inputs, 0))
    assert relu.output.dtype == dtype
    relu.backward(dvalues)
    assert relu.dinputs.tolist() == [[0.0, 0.0, 0.0, 8.0, -9.0]]  # no gradient passes at zero
    assert relu.dinputs.dtype == dtype
    assert np.array_equal(dvalues, before)
