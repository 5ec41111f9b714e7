"""Every curve against its definition, computed again from the parameters that `train` returned."""

from typing import Any

import numpy as np
import pytest

from nnreg import LAMBDA_NAMES, Fit, Lambdas, Split, TrainConfig, train

LAMBDAS = (
    Lambdas(weight_l1=1e-3, weight_l2=2e-3, bias_l1=3e-3, bias_l2=4e-3),
    Lambdas(weight_l1=1e-4, bias_l1=5e-3),
)


def probabilities(parameters: list[tuple[Any, Any]], x: Any) -> Any:
    for i, (weights, biases) in enumerate(parameters):
        x = x @ weights.astype(np.float64) + biases.astype(np.float64)
        if i < len(parameters) - 1:
            x = np.maximum(x, 0)
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def define(fit: Fit, split: Split, lambdas: tuple[Lambdas, ...]) -> dict[str, float]:
    """The last epoch's numbers by their definitions, one statement each."""
    found = probabilities(fit.parameters, split.x_train)
    val_found = probabilities(fit.parameters, split.x_val)
    picked = found[np.arange(len(found)), split.y_train]
    val_picked = val_found[np.arange(len(val_found)), split.y_val]
    right = val_found.argmax(axis=1) == split.y_val
    terms = {f"penalty_{name}": 0.0 for name in LAMBDA_NAMES}
    for (weights, biases), each in zip(fit.parameters, lambdas, strict=True):
        w, b = weights.astype(np.float64), biases.astype(np.float64)
        terms["penalty_weight_l1"] += each.weight_l1 * np.abs(w).sum()
        terms["penalty_weight_l2"] += each.weight_l2 * np.square(w).sum()
        terms["penalty_bias_l1"] += each.bias_l1 * np.abs(b).sum()
        terms["penalty_bias_l2"] += each.bias_l2 * np.square(b).sum()
    weights = np.concatenate([weights.ravel() for weights, _ in fit.parameters])
    data_loss = float(-np.log(np.clip(picked, 1e-7, 1 - 1e-7)).mean())
    return {
        "data_loss": data_loss,
        **terms,
        "regularization_loss": sum(terms.values()),
        "total_loss": data_loss + sum(terms.values()),
        "train_accuracy": float((found.argmax(axis=1) == split.y_train).mean()),
        "val_data_loss": float(-np.log(np.clip(val_picked, 1e-7, 1 - 1e-7)).mean()),
        "val_accuracy": float(right.mean()),
        "balanced_val_accuracy": float(
            np.mean([right[split.y_val == c].mean() for c in np.unique(split.y_val)])
        ),
        "near_zero_weights": float((np.abs(weights) < 1e-3).mean()),
    }


# float64: a few roundings more or less. float32: the network computes with 7 digits; losses of
# about 1 are means over 41 rows.
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 1e-5)])
@pytest.mark.parametrize("batch_size", [None, 8])
def test_curves_are_what_their_names_say(
    split: Split, dtype: str, tolerance: float, batch_size: int | None
) -> None:
    """All from the parameters at the end of the epoch: the last entry of a training of 1, 2, 3 ...
    epochs.
    """
    company: list[Lambdas | tuple[Lambdas, ...]] = [Lambdas(), LAMBDAS]
    longest = train(
        split, TrainConfig(hidden=(6,), epochs=4, batch_size=batch_size, dtype=dtype), company
    )[1]
    for epochs in range(1, 5):
        config = TrainConfig(hidden=(6,), epochs=epochs, batch_size=batch_size, dtype=dtype)
        fit = train(split, config, company)[1]
        for name, number in define(fit, split, LAMBDAS).items():
            assert getattr(fit, name)[-1] == pytest.approx(number, abs=tolerance), name
            assert getattr(longest, name)[epochs - 1] == getattr(fit, name)[-1], name


def test_many_rows_are_measured_in_parts() -> None:
    """More rows than are measured at once, and a remainder."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, size=700)
    split = Split(rng.normal(size=(389, 3)), y[:389], rng.normal(size=(311, 3)), y[389:])
    fit = train(split, TrainConfig(hidden=(6,), epochs=1, dtype="float64"), [LAMBDAS])[0]
    for name, number in define(fit, split, LAMBDAS).items():
        assert getattr(fit, name)[-1] == pytest.approx(number, abs=1e-13), name


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sums_are_exact(split: Split, dtype: str) -> None:
    config = TrainConfig(hidden=(6, 5), epochs=20, batch_size=8, dtype=dtype)
    lambdas = Lambdas(weight_l1=0.1 / 3, weight_l2=1e-3 / 7, bias_l1=1e-5, bias_l2=0.3)
    for fit in train(split, config, [lambdas] * 3):
        weights, biases = fit.penalty_weight_l1 + fit.penalty_weight_l2, fit.penalty_bias_l1
        assert np.array_equal(fit.regularization_loss, weights + biases + fit.penalty_bias_l2)
        assert np.array_equal(fit.total_loss, fit.data_loss + fit.regularization_loss)


def test_a_class_that_validation_lacks_is_no_part_of_the_balanced_accuracy() -> None:
    split = Split(np.eye(3), np.array([0, 1, 2]), np.eye(3)[[0, 0, 1]], np.array([0, 0, 2]))
    # It answers with the class of its input: right, right, wrong.
    initial = [(10 * np.eye(3), np.zeros((1, 3)))]
    config = TrainConfig(hidden=(), epochs=1, learning_rate=1e-6)
    (fit,) = train(split, config, [Lambdas()], initial=initial)
    assert fit.val_accuracy.tolist() == [2 / 3]
    assert fit.balanced_val_accuracy.tolist() == [0.5]


def test_equal_probabilities_count_for_the_first_class_alone(split: Split) -> None:
    initial = [(np.zeros((5, 3)), np.zeros((1, 3)))]
    blind = Split(split.x_train * 0, split.y_train, split.x_val * 0, split.y_val)
    # Two rows of each class, so that the gradient is zero and the three probabilities stay equal.
    even = np.concatenate([np.flatnonzero(split.y_train == c)[:2] for c in range(3)])
    blind = Split(blind.x_train[even], split.y_train[even], blind.x_val, blind.y_val)
    config = TrainConfig(hidden=(), epochs=1, batch_size=None, optimizer="sgd", learning_rate=1e-30)
    (fit,) = train(blind, config, [Lambdas()], initial=initial)
    assert fit.train_accuracy.tolist() == [1 / 3]
