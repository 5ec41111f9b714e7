"""Bad input: one sentence that names the thing and its value, and nothing trained."""

from typing import Any

import numpy as np
import pytest

from nnreg import SGD, Adam, Dense, Lambdas, Split, TrainConfig, train

X, Y = np.arange(12.0).reshape(6, 2), np.array([0, 1, 2, 0, 1, 2])
GOOD = Split(X, Y, X, Y)
NAN, INF = X.copy(), X.copy()
NAN[2, 1], INF[4, 0] = np.nan, -np.inf


@pytest.mark.parametrize("part", ["train", "val"])
@pytest.mark.parametrize(
    ("name", "value", "error", "says"),
    [
        ("x", X[:, 0], ValueError, "the shape (6,)"),
        ("x", X[np.newaxis], ValueError, "the shape (1, 6, 2)"),
        ("x", X[:0], ValueError, "the shape (0, 2)"),
        ("x", X[:, :0], ValueError, "the shape (6, 0)"),
        ("x", X[:4], ValueError, "has 4 rows"),
        ("x", NAN, ValueError, "[2, 1] is nan"),
        ("x", INF, ValueError, "[4, 0] is -inf"),
        ("x", X.astype(str), TypeError, "holds <U"),
        ("x", X.astype(object), TypeError, "holds object"),
        ("x", X * 1j, TypeError, "holds complex128"),
        ("y", Y[:4], ValueError, "has 4"),
        ("y", Y[:0], ValueError, "the shape (0,)"),
        ("y", np.eye(3, dtype=int)[Y], ValueError, "the shape (6, 3)"),
        ("y", Y - 1, ValueError, "holds -1"),
        ("y", Y.astype(float), TypeError, "holds float64"),
        ("y", Y > 0, TypeError, "holds bool"),
        ("y", Y.astype(str), TypeError, "holds <U"),
    ],
)
def test_split(part: str, name: str, value: Any, error: type[Exception], says: str) -> None:
    arrays: dict[str, Any] = {"x_train": X, "y_train": Y, "x_val": X, "y_val": Y}
    with pytest.raises(error) as caught:
        Split(**(arrays | {f"{name}_{part}": value}))
    assert f"{name}_{part}" in str(caught.value)
    assert says in str(caught.value)


def test_split_with_other_columns_to_validate_on() -> None:
    with pytest.raises(ValueError, match="x_train has 2 features and x_val has 1"):
        Split(X, Y, X[:, :1], Y)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("hidden", (0,), ValueError),
        ("hidden", (4.0,), TypeError),
        ("hidden", "4", TypeError),
        ("epochs", 0, ValueError),
        ("batch_size", 0, ValueError),
        ("batch_size", "128", TypeError),
        ("learning_rate", 0.0, ValueError),
        ("learning_rate", float("inf"), ValueError),
        ("learning_rate", "0.1", TypeError),
        ("decay", -1e-3, ValueError),
        ("optimizer", "adamw", ValueError),
        ("optimizer", None, TypeError),
        ("beta_1", 1.0, ValueError),
        ("beta_2", -0.1, ValueError),
        ("epsilon", 0.0, ValueError),
        ("momentum", 1.0, ValueError),
        ("initialization", "glorot", ValueError),
        ("dtype", "float16", ValueError),
        ("dtype", np.float32, TypeError),
        ("seed", -1, ValueError),
        ("seed", 0.5, TypeError),
    ],
)
def test_config(name: str, value: Any, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        TrainConfig(**{name: value})
    sentence = str(caught.value)
    assert sentence.startswith(name)
    inner = value[-1] if isinstance(value, tuple) else value
    assert repr(inner) in sentence


W1, B1, W2, B2 = np.zeros((2, 4)), np.zeros((1, 4)), np.zeros((4, 3)), np.zeros((1, 3))


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"lambdas": []}, ValueError, ["lambdas is []"]),
        ({"lambdas": Lambdas(bias_l1=0.5)}, ValueError, ["lambdas is Lambdas(", "0.5"]),
        ({"lambdas": [Lambdas(), (0.1, 0.2)]}, ValueError, ["lambdas[1] is (0.1, 0.2)"]),
        ({"lambdas": ["ab"]}, ValueError, ["lambdas[0] is 'ab'"]),
        ({"lambdas": [(Lambdas(),)]}, ValueError, ["lambdas[0] is (Lambdas(", "2 layers"]),
        ({"seeds": [1, 2]}, ValueError, ["seeds has 2", "lambdas has 1"]),
        ({"seeds": [-1]}, ValueError, ["seeds[0] is -1"]),
        ({"learning_rates": [0.1, 0.1]}, ValueError, ["learning_rates has 2", "lambdas has 1"]),
        ({"learning_rates": [0]}, ValueError, ["learning_rates[0] is 0", "greater than 0"]),
        ({"learning_rates": ["x"]}, TypeError, ["learning_rates[0] is 'x'"]),
        ({"keep": "data_loss"}, ValueError, ["keep is 'data_loss'", "'val_accuracy'"]),
        ({"together": 2}, ValueError, ["together is 2", "the 1 lanes"]),
        ({"initial": [(W1, B1)]}, ValueError, ["initial has the shapes [((2, 4), (1, 4))]"]),
        ({"initial": [(W1.T, B1), (W2, B2)]}, ValueError, ["initial", "(4, 2)", "(2, 4)"]),
        ({"initial": [(W1, B1, W2), (W2, B2)]}, ValueError, ["initial", "(1, 4), (4, 3))"]),
        ({"initial": [(W1, B1), (W2 + np.nan, B2)]}, ValueError, ["initial[1][0]", "nan"]),
        ({"initial": [(W1, B1), (W2, B2 + 1e39)]}, ValueError, ["initial[1][1]", "1e+39"]),
        ({"initial": [(W1, B1), (W2.astype(str), B2)]}, TypeError, ["initial[1][0]", "<U"]),
        ({"split": Split(X * 1e40, Y, X, Y)}, ValueError, ["x_train", "e+40", "float32"]),
        ({"split": Split(X, Y, X * 1e40, Y)}, ValueError, ["x_val", "e+40", "float32"]),
        ({"split": (X, Y, X, Y)}, TypeError, ["split[0] is a ndarray"]),
        ({"split": [GOOD, GOOD]}, ValueError, ["split has 2", "lambdas has 1"]),
        (
            {"split": [GOOD, Split(X[:, :1], Y, X[:, :1], Y)], "lambdas": [Lambdas()] * 2},
            ValueError,
            ["[1, 2] features"],
        ),
        ({"config": {"epochs": 3}}, TypeError, ["config is a dict"]),
    ],
)
def test_train(arguments: dict[str, Any], error: type[Exception], says: list[str]) -> None:
    good: dict[str, Any] = {
        "split": GOOD,
        "config": TrainConfig(hidden=(4,), epochs=1),
        "lambdas": [Lambdas()],
    }
    with pytest.raises(error) as caught:
        train(**(good | arguments))
    assert [part for part in says if part not in str(caught.value)] == []


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Adam(learning_rate=-1), "learning_rate is -1"),
        (lambda: SGD(momentum=1.5), "momentum is 1.5"),
        (lambda: Dense(0, 3), "n_inputs is 0"),
        (lambda: Dense(3, 2, bias_regularizer_l2=-0.5), "bias_regularizer_l2 is -0.5"),
    ],
)
def test_parts_made_by_hand(make: Any, says: str) -> None:
    with pytest.raises(ValueError, match=r"must be|at least") as caught:
        make()
    assert says in str(caught.value)
