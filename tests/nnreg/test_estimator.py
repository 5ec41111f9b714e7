"""The estimator: scikit-learn's own checks, the same network as `train`, and what a user of
scikit-learn does with it.
"""

import inspect
import json
import os
import subprocess
import sys
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from nnreg import LAMBDA_NAMES, Lambdas, Split, TrainConfig, probabilities, train
from nnreg.estimator import RegularizedMLPClassifier

CHECKS = """
import json, warnings
warnings.simplefilter("error")
from sklearn.utils.estimator_checks import check_estimator
from nnreg.estimator import RegularizedMLPClassifier
done = check_estimator(RegularizedMLPClassifier(), on_fail=None, on_skip=None)
print(json.dumps([(one["check_name"], one["status"], str(one["exception"])) for one in done]))
"""
SMALL: dict[str, Any] = {"hidden": (8,), "epochs": 4, "batch_size": 16}


def scaled(**settings: Any) -> Pipeline:
    return make_pipeline(StandardScaler(), RegularizedMLPClassifier(random_state=0, **settings))


def test_scikit_learn_has_nothing_to_say_against_it() -> None:
    # SciPy reads the variable when it is imported; without it one of the checks is skipped.
    environment = os.environ | {"SCIPY_ARRAY_API": "1"}
    run = subprocess.run(
        [sys.executable, "-c", CHECKS], capture_output=True, text=True, check=True, env=environment
    )
    done = json.loads(run.stdout)
    assert len(done) > 40  # 55 in scikit-learn 1.9
    assert [one for one in done if one[1] != "passed"] == []


def test_its_parameters_are_the_lambdas_and_the_settings_of_training() -> None:
    given = {
        name: parameter.default
        for name, parameter in inspect.signature(RegularizedMLPClassifier).parameters.items()
    }
    settings = {field.name: field.default for field in fields(TrainConfig)}
    del settings["seed"]
    assert list(given) == [*LAMBDA_NAMES, "layers", *settings, "random_state"]
    assert given == vars(Lambdas()) | {"layers": "all"} | settings | {"random_state": None}


@pytest.mark.parametrize("layers", ["all", "hidden"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "sgd", "momentum": 0.5, "learning_rate": 0.1, "decay": 0.01},
        {
            "hidden": (9, 5),
            "batch_size": None,
            "dtype": "float64",
            "initialization": "normal_0.01",
            "beta_1": 0.8,
        },
        {"hidden": (), "beta_2": 0.99, "epsilon": 1e-3},
    ],
    ids=lambda settings: " ".join(settings) or "default",
)
def test_it_is_the_network_of_train(split: Split, layers: str, settings: dict[str, Any]) -> None:
    four = {"weight_l1": 1e-3, "weight_l2": 2e-3, "bias_l1": 3e-3, "bias_l2": 4e-3}
    settings = SMALL | settings
    lambdas = [Lambdas(**four)] * (len(settings["hidden"]) + 1)
    if layers == "hidden":
        lambdas[-1] = Lambdas()
    fit = train(split, TrainConfig(**settings, seed=5), [lambdas])[0]
    model = RegularizedMLPClassifier(**four, **settings, layers=layers, random_state=5)
    model.fit(split.x_train, split.y_train)
    for (weights, biases), coefs, intercepts in zip(
        fit.parameters, model.coefs_, model.intercepts_, strict=True
    ):
        assert_array_equal(coefs, weights, strict=True)
        assert_array_equal(intercepts, biases[0], strict=True)
    assert_array_equal(model.loss_curve_, fit.total_loss)
    assert_array_equal(model.data_loss_curve_, fit.data_loss)
    assert_array_equal(model.regularization_loss_curve_, fit.regularization_loss)
    assert (model.loss_, model.n_iter_) == (fit.total_loss[-1], 4)
    assert model.score(split.x_val, split.y_val) == fit.val_accuracy[-1]


def test_its_numbers_are_those_of_one_blas_thread() -> None:
    rng = np.random.default_rng(0)
    # So uneven that four threads add up in another order.
    x, y = rng.standard_normal((2003, 301)), rng.integers(0, 3, 2003)
    settings: dict[str, Any] = {"hidden": (131,), "epochs": 1, "batch_size": None}
    with threadpool_limits(4):
        model = RegularizedMLPClassifier(**settings, random_state=0).fit(x, y)
        given = model.predict_proba(x)
    with threadpool_limits(1):
        fit = train(Split(x, y, x[:1], y[:1]), TrainConfig(**settings), [Lambdas()])[0]
        assert_array_equal(model.coefs_[0], fit.parameters[0][0])
        assert_array_equal(given, probabilities(x, fit.parameters))


def test_random_state(split: Split) -> None:
    def trained(random_state: Any) -> np.ndarray:
        model = RegularizedMLPClassifier(**SMALL, random_state=random_state).fit(
            split.x_train, split.y_train
        )
        return np.asarray(model.coefs_[0])

    assert_array_equal(trained(3), trained(np.int64(3)))
    assert_array_equal(trained(np.random.RandomState(3)), trained(np.random.RandomState(3)))
    one = np.random.RandomState(3)
    assert not np.array_equal(trained(one), trained(one))
    assert not np.array_equal(trained(None), trained(None))
    assert not np.array_equal(trained(3), trained(4))


def test_a_grid_over_a_penalty() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    name = "regularizedmlpclassifier__weight_l2"
    search = GridSearchCV(scaled(epochs=10), {name: np.logspace(-4, 2, 4)}, cv=3).fit(x, y)
    scores = search.cv_results_["mean_test_score"]
    assert search.best_params_[name] in (1e-4, 1e-2)
    assert search.score(x, y) > 0.95
    assert scores[-1] < scores.max() - 0.1  # 100 is far too strong
    again = cross_val_score(clone(search.best_estimator_), x, y, cv=3)
    assert again.mean() == scores[search.best_index_]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"weight_l1": -1}, ValueError, "weight_l1 is -1; it must be a finite number"),
        ({"layers": "last"}, ValueError, "layers is 'last'; use one of 'all', 'hidden'"),
        ({"hidden": 64}, TypeError, r"hidden is 64; .* use \(64,\)"),
        ({"random_state": -1}, ValueError, "random_state is -1"),
        ({"random_state": "a"}, ValueError, "'a' cannot be used to seed"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_bad_parameters_are_told_by_fit_in_one_sentence(
    split: Split, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    model = RegularizedMLPClassifier(**settings)
    with pytest.raises(error, match=message) as caught:
        model.fit(split.x_train, split.y_train)
    assert "\n" not in str(caught.value)
    with pytest.raises(NotFittedError):
        model.predict(split.x_val)


def test_a_training_that_diverges_is_warned_of(split: Split) -> None:
    model = RegularizedMLPClassifier(**SMALL, learning_rate=1e30, random_state=0)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.fit(split.x_train, split.y_train)
    assert np.isfinite(model.predict_proba(split.x_val)).all()
