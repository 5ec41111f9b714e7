"""A lane that diverges is frozen and marked; what is reported stays finite."""

from typing import Any

import numpy as np
import pytest

from nnreg import CURVE_NAMES, Fit, Lambdas, Split, TrainConfig, train

WORST = -np.log(1e-7)


def config(**changes: Any) -> TrainConfig:
    settings: dict[str, Any] = {"hidden": (6,), "epochs": 6, "batch_size": 8, "momentum": 0.0}
    return TrainConfig(**settings | {"optimizer": "sgd", "learning_rate": 0.1} | changes)


def check_diverged_from(fit: Fit, epoch: int) -> None:
    assert fit.diverged
    assert fit.data_loss[epoch:] == pytest.approx(WORST, abs=0)
    assert fit.val_data_loss[epoch:] == pytest.approx(WORST, abs=0)
    for name in ("train_accuracy", "val_accuracy", "balanced_val_accuracy"):
        assert not getattr(fit, name)[epoch:].any(), name
    for name in CURVE_NAMES:
        curve = getattr(fit, name)
        assert np.isfinite(curve).all(), name
        assert np.all(curve[epoch:] == curve[epoch]), name
    assert all(np.isfinite(array).all() for pair in fit.parameters for array in pair)
    assert np.array_equal(fit.total_loss, fit.data_loss + fit.regularization_loss)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_from_the_first_epoch_on(split: Split, dtype: str) -> None:
    """Frozen at the start, and charged for what it started with."""
    lambdas = Lambdas(weight_l2=1e30)
    (fit,) = train(split, config(dtype=dtype, epochs=40), [lambdas])
    check_diverged_from(fit, 0)
    (start,) = train(split, config(dtype=dtype, epochs=1, learning_rate=1e-300), [Lambdas()])
    for (weights, biases), (first_weights, _) in zip(fit.parameters, start.parameters, strict=True):
        assert np.array_equal(weights, first_weights)
        assert not biases.any()
    squares = sum(np.square(weights.astype(np.float64)).sum() for weights, _ in fit.parameters)
    # The order of 48 additions may differ.
    assert fit.penalty_weight_l2[-1] == pytest.approx(1e30 * squares, rel=1e-14)
    assert fit.near_zero_weights[-1] == start.near_zero_weights[-1]


def test_after_the_kept_epoch(split: Split) -> None:
    """The network that counts is a good one."""
    settings = config(learning_rate=0.05)
    (last,) = train(split, settings, [Lambdas(weight_l2=50.0)])
    (best,) = train(split, settings, [Lambdas(weight_l2=50.0)], keep="val_data_loss")
    assert last.diverged
    assert not best.diverged
    assert best.val_data_loss[best.best_epoch - 1] < WORST


def test_in_a_later_epoch(split: Split) -> None:
    """Frozen at the last finite epoch's end: the parameters are those of a training that stopped
    there.
    """
    # Nine times larger at each of an epoch's six steps: 5e5 in one epoch.
    lambdas = Lambdas(weight_l2=50.0)
    (fit,) = train(split, config(), [lambdas])
    healthy = int(np.argmax(fit.val_data_loss == WORST))
    assert 0 < healthy < 5
    check_diverged_from(fit, healthy)
    (stopped,) = train(split, config(epochs=healthy), [lambdas])
    assert not stopped.diverged
    for name in CURVE_NAMES:
        assert np.array_equal(getattr(fit, name)[:healthy], getattr(stopped, name)), name
    for pair, stopped_pair in zip(fit.parameters, stopped.parameters, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(pair, stopped_pair, strict=True))
    assert fit.regularization_loss[-1] == stopped.regularization_loss[-1]


def test_a_penalty_beyond_float32_is_divergence_though_the_parameters_are_finite(
    split: Split,
) -> None:
    # 15 squares of 1e36 are 1.5e37; times 100 is more than 3.4e38.
    start = [(np.full((5, 3), 1e18), np.zeros((1, 3)))]
    settings = config(hidden=(), learning_rate=1e-30, epochs=2)
    lambdas = [Lambdas(weight_l2=1.0), Lambdas(weight_l2=100.0)]
    fine, beyond = train(split, settings, lambdas, initial=start)
    assert not fine.diverged
    check_diverged_from(beyond, 0)
    # 1e18 as float32 is known to seven digits.
    assert beyond.penalty_weight_l2[-1] == pytest.approx(1.5e39, rel=1e-6)


@pytest.mark.parametrize("strength", [1e300, 1.7e308])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_penalties_beyond_float64_are_reported_finite(
    split: Split, dtype: str, strength: float
) -> None:
    lambdas = Lambdas(weight_l1=strength, weight_l2=strength, bias_l1=strength, bias_l2=strength)
    start = [(np.full((5, 3), 1e30), np.full((1, 3), 1e30))]
    (fit,) = train(split, config(hidden=(), dtype=dtype), [lambdas], initial=start)
    check_diverged_from(fit, 0)


def test_squares_that_overflow_cost_nothing_where_the_penalty_is_off(split: Split) -> None:
    start = [(np.full((5, 3), 1e200), np.zeros((1, 3)))]
    (fit,) = train(
        split, config(hidden=(), dtype="float64", learning_rate=1e-30), [Lambdas()], initial=start
    )
    assert not fit.diverged
    assert not fit.regularization_loss.any()
