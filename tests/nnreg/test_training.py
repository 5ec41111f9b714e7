"""`train`: seeds, batches, starting points, and what it leaves alone."""

from typing import Any

import numpy as np
import pytest

from nnreg import (
    CURVE_NAMES,
    Adam,
    CategoricalCrossentropy,
    Dense,
    Fit,
    Lambdas,
    ReLU,
    Split,
    TrainConfig,
    softmax,
    train,
)

SMALL: dict[str, Any] = {"hidden": (6,), "epochs": 3, "batch_size": 8}


def same(one: Fit, other: Fit) -> bool:
    arrays = [(getattr(one, name), getattr(other, name)) for name in CURVE_NAMES]
    pairs = zip(one.parameters, other.parameters, strict=True)
    arrays += [both for pair, other_pair in pairs for both in zip(pair, other_pair, strict=True)]
    return all(np.array_equal(a, b) for a, b in arrays)


def untrained(split: Split, **changes: Any) -> list[tuple[Any, Any]]:
    """Parameters as drawn, but for a step too small to be seen."""
    settings: dict[str, Any] = {"hidden": (6,), "epochs": 1, "batch_size": None, "optimizer": "sgd"}
    settings |= {"learning_rate": 1e-300, "dtype": "float64"} | changes
    return train(split, TrainConfig(**settings), [Lambdas()])[0].parameters


def test_seeds(split: Split) -> None:
    """A lane's seed decides, whether it comes from the config or from `seeds`."""
    (from_config,) = train(split, TrainConfig(**SMALL, seed=5), [Lambdas()])
    first, second, third = train(
        split, TrainConfig(**SMALL, seed=1), [Lambdas()] * 3, seeds=[5, 6, 5]
    )
    assert same(from_config, first)
    assert same(first, third)
    assert not same(first, second)


def test_the_order_of_rows_and_the_weights_are_independent_streams(split: Split) -> None:
    """With the same start, seeds still differ in the order of rows; with a full batch they differ
    in nothing.
    """
    start = untrained(split)
    orders = train(split, TrainConfig(**SMALL), [Lambdas()] * 2, seeds=[1, 2], initial=start)
    assert not same(*orders)
    config = TrainConfig(**SMALL | {"batch_size": None})
    assert same(*train(split, config, [Lambdas()] * 2, seeds=[1, 2], initial=start))


@pytest.mark.parametrize(
    ("initialization", "scale"), [("he", np.sqrt(2 / 50)), ("normal_0.01", 0.01)]
)
def test_initial_weights(initialization: str, scale: float) -> None:
    rng = np.random.default_rng(0)
    split = Split(
        rng.normal(size=(4, 50)), np.array([0, 1, 2, 0]), rng.normal(size=(2, 50)), np.array([0, 1])
    )
    (weights, biases), _ = untrained(split, hidden=(400,), initialization=initialization)
    # 20,000 draws: the standard deviation is known to one part in 200, the mean to scale / 141;
    # four of these are allowed.
    assert weights.std() == pytest.approx(scale, rel=0.02)
    assert weights.mean() == pytest.approx(0, abs=4 * scale / 141)
    assert biases == pytest.approx(0, abs=1e-290)  # the one step
    (single, _), _ = untrained(split, hidden=(400,), initialization=initialization, dtype="float32")
    assert np.array_equal(single, weights.astype(np.float32))


def test_minibatches_are_the_books_loop(split: Split) -> None:
    """A hand-written loop over the same batches; they are rebuilt here from the seed's second
    stream.
    """
    config = TrainConfig(hidden=(6,), epochs=3, batch_size=8, dtype="float64", decay=1e-3, seed=9)
    start = untrained(split)
    lambdas = Lambdas(weight_l1=1e-3, weight_l2=1e-3, bias_l1=1e-3, bias_l2=1e-3)
    (fit,) = train(split, config, [lambdas], initial=start)

    layers = [Dense(5, 6, *lambdas.as_tuple()), Dense(6, 3, *lambdas.as_tuple())]
    for layer, (weights, biases) in zip(layers, start, strict=True):
        layer.weights, layer.biases = weights, biases
    relu, loss, adam = ReLU(), CategoricalCrossentropy(), Adam(1e-3, 1e-3)
    order_stream = np.random.default_rng(np.random.SeedSequence(9, spawn_key=(1,)))
    for _ in range(3):
        order = order_stream.permutation(41)
        for at in range(0, 41, 8):
            rows = order[at : at + 8]
            layers[0].forward(split.x_train[rows])
            relu.forward(layers[0].output)
            layers[1].forward(relu.output)
            loss.backward(softmax(layers[1].output), split.y_train[rows])
            layers[1].backward(loss.dinputs)
            relu.backward(layers[1].dinputs)
            layers[0].backward(relu.dinputs)
            adam.update(*layers)
    for layer, (weights, biases) in zip(layers, fit.parameters, strict=True):
        # The same sums, but BLAS may take another kernel for another memory layout: last bits,
        # carried through 18 steps.
        assert layer.weights == pytest.approx(weights, abs=1e-12)
        assert layer.biases == pytest.approx(biases, abs=1e-12)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("hidden", [(6,), (300, 300)])  # one block, and several
def test_a_learning_rate_per_lane_is_that_of_the_config(
    split: Split, optimizer: str, hidden: tuple[int, ...]
) -> None:
    settings = SMALL | {"hidden": hidden, "optimizer": optimizer, "decay": 1e-2}
    rates = [1e-3, 0.02, 1e-3]
    fits = train(split, TrainConfig(**settings), [Lambdas()] * 3, learning_rates=rates)
    for fit, rate in zip(fits, rates, strict=True):
        (alone,) = train(split, TrainConfig(**settings, learning_rate=rate), [Lambdas()])
        assert same(fit, alone)
    assert not same(fits[0], fits[1])


LONG: dict[str, Any] = SMALL | {"epochs": 30, "learning_rate": 0.02}


@pytest.mark.parametrize(
    ("keep", "best"),
    [
        ("val_accuracy", np.argmax),
        ("balanced_val_accuracy", np.argmax),
        ("val_data_loss", np.argmin),
    ],
)
def test_the_best_epoch_is_kept_and_of_equal_ones_the_first(
    split: Split, keep: str, best: Any
) -> None:
    lambdas = [Lambdas(weight_l2=strength) for strength in (0.0, 1e-3, 0.3)]
    fits = train(split, TrainConfig(**LONG), lambdas, keep=keep)
    lasts = train(split, TrainConfig(**LONG), lambdas)
    for fit, last, each in zip(fits, lasts, lambdas, strict=True):
        assert fit.best_epoch == best(getattr(fit, keep)) + 1
        assert last.best_epoch == 30
        assert all(np.array_equal(getattr(fit, name), getattr(last, name)) for name in CURVE_NAMES)
        shorter = TrainConfig(**LONG | {"epochs": fit.best_epoch})
        (stopped,) = train(split, shorter, [each])
        assert np.array_equal(fit.parameters[0][0], stopped.parameters[0][0])
    assert {fit.best_epoch for fit in fits} - {1, 30}


def test_lanes_together_keep_the_best_epoch_of_their_mean_curve(split: Split) -> None:
    lambdas, seeds = [Lambdas()] * 4 + [Lambdas(weight_l1=0.01)] * 4, [1, 2, 3, 4] * 2
    fits = train(split, TrainConfig(**LONG), lambdas, seeds, keep="val_accuracy", together=4)
    alone = train(split, TrainConfig(**LONG), lambdas, seeds, keep="val_accuracy")
    for some in (fits[:4], fits[4:]):
        mean = np.mean([fit.val_accuracy for fit in some], axis=0).round(12)
        assert {fit.best_epoch for fit in some} == {np.argmax(mean) + 1}
    assert [fit.best_epoch for fit in fits] != [fit.best_epoch for fit in alone]
    shorter = TrainConfig(**LONG | {"epochs": fits[2].best_epoch})
    stopped = train(split, shorter, lambdas[:4], seeds[:4])
    assert np.array_equal(fits[2].parameters[1][0], stopped[2].parameters[1][0])


def test_integers_and_float32_data_and_lists_are_taken(split: Split) -> None:
    x, y = [[0, 1], [1, 0], [1, 1]], [0, 1, 1]
    (fit,) = train(Split(x, y, x, y), TrainConfig(epochs=1), [Lambdas()])  # type: ignore[arg-type]
    exact = Split(np.float64(x), np.array(y, dtype=np.uint8), np.float32(x), np.array(y))  # type: ignore[arg-type]
    assert same(fit, train(exact, TrainConfig(epochs=1), [Lambdas()])[0])


def test_nothing_given_is_changed_and_no_global_state_is_used(split: Split) -> None:
    start = untrained(split)
    given = [*vars(split).values(), *(array for pair in start for array in pair)]
    copies = [array.copy() for array in given]
    for array in given:
        array.setflags(write=False)
    state = repr(np.random.get_state(legacy=False))  # noqa: NPY002
    first = train(split, TrainConfig(**SMALL), [Lambdas(weight_l1=1e-3)], initial=start)[0]
    assert repr(np.random.get_state(legacy=False)) == state  # noqa: NPY002
    assert all(np.array_equal(a, b) for a, b in zip(given, copies, strict=True))
    np.random.seed(1)  # noqa: NPY002
    assert same(
        first, train(split, TrainConfig(**SMALL), [Lambdas(weight_l1=1e-3)], initial=start)[0]
    )


def test_a_call_after_each_epoch_can_end_the_training(split: Split) -> None:
    calls: list[int] = []

    def end_after_two() -> None:
        calls.append(len(calls))
        if len(calls) == 2:
            raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        train(split, TrainConfig(**SMALL), [Lambdas()], after_epoch=end_after_two)
    assert calls == [0, 1]
    watched = train(split, TrainConfig(**SMALL), [Lambdas()], after_epoch=end_after_two)[0]
    assert calls == [0, 1, 2, 3, 4]
    assert same(watched, train(split, TrainConfig(**SMALL), [Lambdas()])[0])


def test_large_tables_are_read_batch_by_batch_to_the_same_bits(
    split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = TrainConfig(**SMALL)
    for seeds in (None, [1, 2]):
        kept = train(split, settings, [Lambdas(weight_l1=1e-3)] * 2, seeds=seeds)
        with monkeypatch.context() as patched:
            patched.setattr("nnreg.batches.KEPT_BYTES", 0)
            read = train(split, settings, [Lambdas(weight_l1=1e-3)] * 2, seeds=seeds)
        assert all(same(a, b) for a, b in zip(kept, read, strict=True))


def test_minus_zero_at_the_start_is_zero(split: Split) -> None:
    config = TrainConfig(hidden=(), epochs=2, batch_size=8)
    starts = [[(np.full((5, 3), zero), np.full((1, 3), zero))] for zero in (0.0, -0.0)]
    lambdas = [Lambdas(weight_l1=0.1, bias_l1=0.1)]
    assert same(*(train(split, config, lambdas, initial=start)[0] for start in starts))
