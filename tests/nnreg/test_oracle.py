"""The network against vectors computed elsewhere: by hand as the book writes it, and through
`train`.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnreg import (
    LAMBDA_NAMES,
    Adam,
    CategoricalCrossentropy,
    Dense,
    Lambdas,
    ReLU,
    Split,
    TrainConfig,
    penalty_terms,
    softmax,
    train,
)

FOLDER = Path(__file__).parent / "oracle"
NAMES = ("W1", "b1_", "W2", "b2_")
GIVEN = (0, 1, 2, 10, 100)
Vectors = dict[str, np.ndarray[Any, Any]]


def tolerance(step: int) -> float:
    # Up to step 2 only the rounding of single sums differs. Later Adam has carried it on: where a
    # gradient is near zero it divides a small number by a small number, so that a last bit becomes
    # a digit.
    return 1e-12 if step <= 2 else 1e-9


@pytest.fixture(params=["vec_noreg", "vec_small_all4"])
def oracle(request: pytest.FixtureRequest) -> Vectors:
    with np.load(FOLDER / f"{request.param}.npz") as file:
        return dict(file)


def initial_of(oracle: Vectors) -> list[tuple[Any, Any]]:
    first, first_bias, second, second_bias = (oracle[f"init_{name}"] for name in NAMES)
    return [(first, first_bias), (second, second_bias)]


def check_parameters(found: dict[str, Any], oracle: Vectors, prefix: str, step: int) -> None:
    for name in NAMES:
        error = np.abs(found[name] - oracle[f"{prefix}{step}_{name}"]).max()
        assert error < tolerance(step), f"{prefix}{step}_{name} is off by {error:.1e}"


def test_by_hand(oracle: Vectors) -> None:
    """100 steps of the classes on 2-D arrays, written out as in the book."""
    dense1 = Dense(2, 8, *oracle["lams"][0])
    dense2 = Dense(8, 3, *oracle["lams"][1])
    for layer, (weights, biases) in zip((dense1, dense2), initial_of(oracle), strict=True):
        layer.weights, layer.biases = weights, biases
    relu, loss = ReLU(), CategoricalCrossentropy()
    adam = Adam(*(float(oracle[name]) for name in ("lr", "decay", "eps", "b1", "b2")))
    for step in range(101):
        dense1.forward(oracle["Xv"])
        relu.forward(dense1.output)
        dense2.forward(relu.output)
        output = softmax(dense2.output)
        close = {"abs": tolerance(step)}
        assert loss.calculate(output, oracle["yv"]) == pytest.approx(
            oracle["val_loss"][step], **close
        )
        assert (output.argmax(axis=1) == oracle["yv"]).mean() == oracle["val_acc"][step]

        dense1.forward(oracle["X"])
        relu.forward(dense1.output)
        dense2.forward(relu.output)
        output = softmax(dense2.output)
        assert loss.calculate(output, oracle["y"]) == pytest.approx(
            oracle["data_loss"][step], **close
        )
        assert (output.argmax(axis=1) == oracle["y"]).mean() == oracle["acc"][step]
        for layer, parts in zip((dense1, dense2), oracle["reg_parts"][step], strict=True):
            assert penalty_terms(layer) == pytest.approx(parts, **close)
            assert loss.regularization_loss(layer) == pytest.approx(parts.sum(), **close)

        loss.backward(output, oracle["y"])
        dense2.backward(loss.dinputs)
        relu.backward(dense2.dinputs)
        dense1.backward(relu.dinputs)
        if step in GIVEN:
            values = (dense1.weights, dense1.biases, dense2.weights, dense2.biases)
            check_parameters(dict(zip(NAMES, values, strict=True)), oracle, "param", step)
            gradients = (dense1.dweights, dense1.dbiases, dense2.dweights, dense2.dbiases)
            check_parameters(dict(zip(NAMES, gradients, strict=True)), oracle, "grad", step)
        if step < 100:
            assert adam.current_learning_rate == pytest.approx(oracle["lrs"][step], rel=1e-15)
            adam.update(dense1, dense2)


@pytest.mark.parametrize("lanes", [1, 16])
def test_curves_and_parameters_through_train(oracle: Vectors, lanes: int) -> None:
    """The oracle's entry t belongs to the parameters after t steps, so epoch t (counted from 1) of
    a full batch.
    """
    lambdas = tuple(Lambdas(**dict(zip(LAMBDA_NAMES, row, strict=True))) for row in oracle["lams"])
    company: list[Any] = [Lambdas(weight_l1=1e-3 * i, bias_l2=1e-2 * i) for i in range(lanes)]
    company[lanes // 3] = lambdas
    names = {"learning_rate": "lr", "decay": "decay", "epsilon": "eps", "beta_1": "b1"}
    numbers = {name: float(oracle[short]) for name, short in {**names, "beta_2": "b2"}.items()}
    config = TrainConfig(hidden=(8,), epochs=100, batch_size=None, dtype="float64", **numbers)
    split = Split(oracle["X"], oracle["y"], oracle["Xv"], oracle["yv"])
    fit = train(split, config, company, initial=initial_of(oracle))[lanes // 3]
    terms = oracle["reg_parts"].sum(axis=1)
    expected = {
        "data_loss": oracle["data_loss"],
        "val_data_loss": oracle["val_loss"],
        "regularization_loss": terms.sum(axis=1),
        **{f"penalty_{name}": terms[:, i] for i, name in enumerate(LAMBDA_NAMES)},
    }
    for step in range(1, 101):
        for name, curve in expected.items():
            number = pytest.approx(curve[step], abs=tolerance(step))
            assert getattr(fit, name)[step - 1] == number, (name, step)
    assert np.array_equal(fit.train_accuracy, oracle["acc"][1:])
    assert np.array_equal(fit.val_accuracy, oracle["val_acc"][1:])
    arrays = [array for pair in fit.parameters for array in pair]
    check_parameters(dict(zip(NAMES, arrays, strict=True)), oracle, "param", 100)
