"""The example that `sweeps new-model` writes: short, right, and complete."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from experiments import example_network
from experiments.network_file import EXAMPLE
from nnreg import Lambdas, Split

LAMBDAS = Lambdas(weight_l1=0.01, weight_l2=0.02, bias_l1=0.03, bias_l2=0.04)
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(20, 4)), RNG.integers(0, 3, 20)
STEP = 1e-6


@pytest.fixture(scope="module")
def yielded() -> list[dict[str, Any]]:
    np.random.seed(0)  # as a sweep does  # noqa: NPY002
    given = {"seed": 0, "epochs": 20, "batch_size": 8, "learning_rate": 0.01, "hidden": 5}
    steps: Iterator[dict[str, Any]] = example_network.train(Split(X, Y, X, Y), LAMBDAS, **given)
    return list(steps)


def test_it_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) < 120


def test_it_learns(yielded: list[dict[str, Any]]) -> None:
    assert len(yielded) == 20
    assert yielded[-1]["data_loss"] < yielded[0]["data_loss"]


def test_its_gradients_are_those_of_its_loss(yielded: list[dict[str, Any]]) -> None:
    network = yielded[-1]["network"]
    layers = [network.dense1, network.dense2]

    def loss() -> float:
        network.predict(X)
        penalty = sum(layer.regularization_loss() for layer in layers)
        return float(network.softmax.loss(Y) + penalty)

    network.predict(X)
    network.backward(Y)
    for layer in layers:
        for name in ("weights", "biases"):
            values, gradient = getattr(layer, name), getattr(layer, f"d{name}").copy()
            for place in np.ndindex(values.shape):
                before, losses = values[place], []
                for change in (STEP, -STEP):
                    values[place] = before + change
                    losses.append(loss())
                values[place] = before
                found = (losses[0] - losses[1]) / (2 * STEP)
                assert gradient[place] == pytest.approx(found, abs=1e-7)


def test_it_is_made_again_from_its_arrays(yielded: list[dict[str, Any]]) -> None:
    network = yielded[-1]["network"]
    again = example_network.load(network.arrays())
    assert np.array_equal(again.predict(X), network.predict(X))
