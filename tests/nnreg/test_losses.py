"""Losses: softmax, cross-entropy, and the four terms of the penalty."""

import math

import numpy as np
import pytest

from nnreg import CategoricalCrossentropy, Dense, Loss, penalty_terms, softmax


def test_softmax_rows_add_up_to_one_and_do_not_overflow() -> None:
    logits = np.array([[1000.0, 999.0, -1000.0], [0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    before = logits.copy()
    output = softmax(logits)
    assert output.sum(axis=1) == pytest.approx(np.ones(3), rel=1e-15)
    assert output[0].tolist() == pytest.approx([1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1)), 0.0])
    assert output[1].tolist() == pytest.approx([1 / 3] * 3)
    assert np.array_equal(logits, before)


def test_cross_entropy_is_clipped_forward_at_both_ends() -> None:
    output = np.array([[1.0, 0.0], [1.0, 0.0], [0.25, 0.75]])
    losses = CategoricalCrossentropy().forward(output, np.array([0, 1, 1]))
    assert losses.tolist() == [-math.log(1 - 1e-7), -math.log(1e-7), -math.log(0.75)]
    assert CategoricalCrossentropy().calculate(output, np.array([0, 1, 1])) == losses.mean()


def test_cross_entropy_is_not_clipped_backward() -> None:
    output = np.array([[1.0, 0.0], [1.0, 0.0]])
    loss = CategoricalCrossentropy()
    loss.backward(output, np.array([0, 1]))
    assert loss.dinputs.tolist() == [[0.0, 0.0], [0.5, -0.5]]
    assert output.tolist() == [[1.0, 0.0], [1.0, 0.0]]


def test_penalty_terms_one_by_one() -> None:
    layer = Dense(2, 2, 0.1, 0.2, 0.3, 0.4)
    layer.weights = [[1.0, -2.0], [3.0, -4.0]]
    layer.biases = [[-5.0, 6.0]]
    # Tolerances: the products below are rounded once or twice each.
    assert penalty_terms(layer) == pytest.approx(
        (0.1 * 10, 0.2 * 30, 0.3 * 11, 0.4 * 61), rel=1e-15
    )
    assert Loss().regularization_loss(layer) == pytest.approx(
        0.1 * 10 + 0.2 * 30 + 0.3 * 11 + 0.4 * 61, rel=1e-15
    )
