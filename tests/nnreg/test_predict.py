"""Predictions: the last numbers of the curves are means of them, whatever lanes run beside."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from threadpoolctl import threadpool_limits

from nnreg import Lambdas, Split, TrainConfig, penalties_by_layer, probabilities, train
from nnreg.predict import losses_and_hits

STRENGTHS = [
    Lambdas(),
    Lambdas(weight_l1=1e-3, bias_l2=1e-2),
    Lambdas(weight_l2=1e-2, bias_l1=1e-3),
]


@pytest.fixture(scope="module")
def split() -> Split:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 131)
    x = rng.standard_normal((131, 5)) + y[:, np.newaxis]
    return Split(x[:70], y[:70], x[70:], y[70:])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", [(7,), (9, 4), ()])
def test_the_curves_are_their_means(split: Split, dtype: str, hidden: tuple[int, ...]) -> None:
    config = TrainConfig(hidden=hidden, epochs=3, batch_size=16, dtype=dtype)
    with threadpool_limits(1):
        fits = train(split, config, STRENGTHS)
        losses, hits = losses_and_hits(split.x_val, split.y_val, [fit.parameters for fit in fits])
        alone = [losses_and_hits(split.x_val, split.y_val, [fit.parameters]) for fit in fits]
    for fit, row_losses, row_hits, (one_losses, one_hits) in zip(
        fits, losses, hits, alone, strict=True
    ):
        assert row_losses.mean() == fit.val_data_loss[-1]
        assert row_hits.mean() == fit.val_accuracy[-1]
        assert_array_equal(one_losses[0], row_losses)
        assert_array_equal(one_hits[0], row_hits)
    given = probabilities(split.x_val, fits[1].parameters)
    assert given.dtype == np.float64
    assert_allclose(given.sum(axis=1), 1, rtol=1e-15)  # three roundings of float64
    # Losses are computed in the network's dtype: a few roundings of numbers of size 1 to 10.
    own = -np.log(given[np.arange(len(given)), split.y_val])
    assert_allclose(own, losses[1], atol=20 * np.finfo(dtype).eps)
    assert_array_equal(given.argmax(axis=1) == split.y_val, hits[1])


def test_the_layers_add_up_to_the_whole(split: Split) -> None:
    # Many of these weights are near zero.
    config = TrainConfig(hidden=(70,), epochs=2, initialization="normal_0.01", dtype="float64")
    fit = train(split, config, [STRENGTHS[1]])[0]
    measured = penalties_by_layer(fit.parameters, [STRENGTHS[1]] * 2)
    whole = np.sum([terms for terms, _ in measured], axis=0)
    assert whole[0] == fit.penalty_weight_l1[-1]
    assert whole[3] == fit.penalty_bias_l2[-1]
    assert whole[1] == whole[2] == 0
    weights = [weights.size for weights, _ in fit.parameters]
    assert np.average([near_zero for _, near_zero in measured], weights=weights) == pytest.approx(
        fit.near_zero_weights[-1]
    )
    assert fit.near_zero_weights[-1] > 0


def test_the_probabilities_of_a_row_do_not_depend_on_the_rows_beside_it() -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5000, 20)).astype(np.float32)  # cut into parts
    first, second = (rng.standard_normal(shape).astype(np.float32) for shape in ((20, 64), (64, 3)))
    parameters = [(first, first[:1] * 0), (second, second[:1] * 0)]
    whole = probabilities(x, parameters)
    for rows in (slice(None, None, -1), slice(0, 1), slice(4000, 4131), slice(0, 0)):
        # Roundings of logits of size 10 to 100.
        assert_allclose(probabilities(x[rows], parameters), whole[rows], rtol=1e-12)
