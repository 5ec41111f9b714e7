"""The key property: a lane's numbers are the same, bit for bit, whatever lanes run beside it."""

from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nnreg.training as training_module
from nnreg import Lambdas, Split, TrainConfig, train
from tests.nnreg.trainings import OWN, Training, make_split, same_bits, trained, trainings

COPIED = training_module.COPIED


# Derandomised, so that a run in CI is the same everywhere; many examples were drawn at random when
# this was written.
@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(trainings(), st.sampled_from([None, "val_accuracy", "val_data_loss"]))
def test_a_lane_alone_and_in_company(training: Training, keep: str | None) -> None:
    split, config, lanes = training
    together = trained(split, config, lanes, keep=keep)
    for lane in {0, len(lanes) // 2, len(lanes) - 1}:
        (alone,) = trained(split, config, lanes[lane : lane + 1], keep=keep)
        assert same_bits(alone, together[lane]), lane


@settings(max_examples=30, deadline=None, derandomize=True)
@given(trainings(), st.sampled_from(["balanced_val_accuracy", "val_data_loss"]))
def test_lanes_that_share_an_epoch_alone_and_in_company(training: Training, keep: str) -> None:
    split, config, lanes = training
    lanes = [lane | {"seeds": seed} for lane in lanes for seed in (4, 2, 9)]
    together = trained(split, config, lanes, keep=keep, together=3)
    alone = trained(split, config, lanes[-3:], keep=keep, together=3)
    assert all(same_bits(a, b) for a, b in zip(alone, together[-3:], strict=True))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(trainings(), st.data())
def test_lanes_of_several_splits_alone_and_in_company(
    training: Training, data: st.DataObject
) -> None:
    split, config, lanes = training
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    sizes = data.draw(
        st.lists(st.tuples(st.integers(1, 80), st.integers(1, 140)), min_size=1, max_size=3)
    )
    features, classes = split.x_train.shape[1], split.classes
    splits = [make_split(rng, *sizes[i % len(sizes)], features, classes) for i in range(4)]
    each = [splits[data.draw(st.integers(0, 3))] for _ in lanes]
    # Lanes with large splits are trained one split after the other.
    with mock.patch.object(training_module, "COPIED", data.draw(st.sampled_from([0, COPIED]))):
        together = train(each, config, **{name: [lane[name] for lane in lanes] for name in OWN})
    for lane, (own, fit) in enumerate(zip(each, together, strict=True)):
        (alone,) = trained(own, config, lanes[lane : lane + 1])
        assert same_bits(alone, fit), lane


def test_lanes_of_several_splits_share_the_epoch_of_their_mean_curve() -> None:
    rng = np.random.default_rng(5)
    splits = [make_split(rng, rows, val_rows, 4, 3) for rows, val_rows in ((40, 11), (41, 10)) * 2]
    config = TrainConfig(hidden=(16,), epochs=12, batch_size=16, learning_rate=0.05)
    kept = train(splits, config, [Lambdas()] * 4, keep="val_accuracy", together=2)
    for first in (0, 2):
        pair = kept[first : first + 2]
        best = int(np.mean([fit.val_accuracy for fit in pair], axis=0).argmax()) + 1
        assert [fit.best_epoch for fit in pair] == [best, best]
        assert best < config.epochs
        short = replace(config, epochs=best)
        for split, fit in zip(splits[first:], pair, strict=False):
            (alone,) = train(split, short, [Lambdas()])
            pairs = zip(alone.parameters, fit.parameters, strict=True)
            assert all(
                np.array_equal(a, b)
                for one, other in pairs
                for a, b in zip(one, other, strict=True)
            )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [128, 1000])
@pytest.mark.parametrize("hidden", [(64,), (256, 48), (100,)])
def test_a_network_of_real_size(dtype: str, batch_size: int, hidden: tuple[int, ...]) -> None:
    """Sizes at which BLAS takes its kernels for large products, or products are cut, in lanes 1, 3,
    5 and 16.
    """
    split = make_split(np.random.default_rng(1), rows=300, val_rows=270, features=64, classes=10)
    config = TrainConfig(hidden=hidden, epochs=2, batch_size=batch_size, dtype=dtype)
    lambdas = [
        Lambdas(weight_l1=1e-5 * i, weight_l2=1e-4 * (i % 3), bias_l1=1e-4 * (i % 2))
        for i in range(16)
    ]
    all_together = train(split, config, lambdas)
    for lanes in (1, 3, 5):
        for first in range(0, 16, lanes):
            some = train(split, config, lambdas[first : first + lanes])
            assert all(same_bits(a, b) for a, b in zip(some, all_together[first:], strict=False))


@pytest.mark.parametrize(("hidden", "classes"), [((1,), 1), ((1, 2), 3), ((33,), 2)])
def test_one_lane_is_measured_in_larger_parts_than_many(
    hidden: tuple[int, ...], classes: int
) -> None:
    rng = np.random.default_rng(2)
    split = make_split(rng, rows=700, val_rows=400, features=3, classes=classes)
    config = TrainConfig(hidden=hidden, epochs=1, batch_size=100)
    (alone,) = train(split, config, [Lambdas(weight_l1=1e-4)])
    for together in (train(split, config, [Lambdas(weight_l1=1e-4)] * lanes) for lanes in (2, 400)):
        assert all(same_bits(alone, lane) for lane in together)


def test_rows_with_equal_logits_beside_rows_that_overflow() -> None:
    """Two zeros in a row of one lane and none in a row of another must not cancel each other."""
    x = np.array([[0.1, -0.5], [0.4, 1.3], [0.9, -0.6], [-1.3, -0.6], [0.04, -2.3]])
    split = Split(x, np.array([3, 2, 2, 1, 1]), np.array([[-0.2, -1.2]]), np.array([0]))
    settings: dict[str, Any] = {"hidden": (1,), "epochs": 3, "batch_size": 4, "dtype": "float64"}
    config = TrainConfig(**settings, optimizer="sgd", momentum=0.0, learning_rate=1e30)
    lambdas = [Lambdas(bias_l2=1e-6), Lambdas(bias_l2=1e-3)]
    for lane, fit in enumerate(train(split, config, lambdas)):
        assert same_bits(fit, train(split, config, [lambdas[lane]])[0])


def test_a_last_batch_of_one_row() -> None:
    """One lane's logits of one row would be contiguous, for which BLAS takes another kernel."""
    config = TrainConfig(hidden=(1,), epochs=1, batch_size=42)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        split = make_split(rng, rows=43, val_rows=1, features=15, classes=4)
        one, other = train(split, config, [Lambdas()] * 2)
        assert same_bits(one, train(split, config, [Lambdas()])[0])
        assert same_bits(one, other)
