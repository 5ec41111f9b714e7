"""The references: real models, the same whoever fits them, and left out where they cannot be."""

import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from experiments.datasets import Division, Preparation, TestRows
from experiments.evaluation import EvaluationSpec, stored
from experiments.references import (
    GRADIENT_BOOSTING,
    LOGISTIC_REGRESSION,
    MOST_FREQUENT,
    REFERENCES,
)
from experiments.verdict import BETTER, WORSE, LeftOut, Reference
from nnreg import Split, Splits, TrainConfig
from nnreg.losses import CLIP, WORST_LOSS
from sweeps.confirmation import Means, references
from sweeps.confirmation.choice import Choice
from sweeps.executors import local
from sweeps.executors.evaluator import Evaluator

X, Y = load_iris(return_X_y=True)
ORDER = np.random.default_rng(0).permutation(len(X))
TRAIN, VAL, TEST = ORDER[:60], ORDER[60:80], ORDER[80:]
SPLIT = Split(X[TRAIN], Y[TRAIN], X[VAL], Y[VAL])
ROWS = TestRows(x=X[TEST], y=Y[TEST], groups=None)


def measured(
    executor: Executor, split: Split = SPLIT, rows: TestRows = ROWS, hits: Sequence[float] = (0, 1)
) -> tuple[dict[str, Reference], dict[str, LeftOut]]:
    """The references beside networks, one per seed, of which each finds all rows or none."""
    network = np.repeat(np.array(hits, float)[:, np.newaxis], len(rows.y), axis=1)
    chooser = Choice.by("val_accuracy", rows.y, rows.groups)
    places = np.arange(len(split.y_val))
    division = Division(split=split, preparation=Preparation(steps=()), validated=places)
    with stored(Splits((split,))) as arrays:
        means = Means(
            evaluator=Evaluator(executor, EvaluationSpec(TrainConfig(), "all", arrays), lambda: 1),
            others=lambda: (),
            observe=lambda done, wanted: None,
        )
        found, left_out = references.measure(
            means, [division], split.y_val, [rows], network, chooser, alpha=0.025, margin=0.01
        )
    return {one.name: one for one in found}, {one.name: one for one in left_out}


@pytest.fixture(scope="module")
def found() -> dict[str, Reference]:
    with local.make(1) as inline:
        found, left_out = measured(inline)
    assert list(found) == list(REFERENCES)
    assert not left_out
    return found


def test_they_are_the_models_of_scikit_learn(found: dict[str, Reference]) -> None:
    models = (
        DummyClassifier(),
        LogisticRegression(max_iter=1_000),
        HistGradientBoostingClassifier(random_state=0),
    )
    for model, one in zip(models, found.values(), strict=True):
        model.fit(SPLIT.x_train, SPLIT.y_train)
        answered, y = model.predict(ROWS.x), ROWS.y
        assert one.test.accuracy == one.accuracy.mean == np.mean(answered == y)
        assert one.test.balanced_accuracy == pytest.approx(balanced_accuracy_score(y, answered))
        right = model.predict_proba(ROWS.x)[np.arange(len(y)), y]
        assert one.test.data_loss == pytest.approx(-np.log(right.clip(CLIP, 1 - CLIP)).mean())
        assert one.val_accuracy == model.score(SPLIT.x_val, SPLIT.y_val)
        assert 0 <= one.accuracy.low < one.accuracy.mean < one.accuracy.high <= 1


def test_the_comparison_is_of_the_network_with_the_reference() -> None:
    with local.make(1) as inline:
        for hits, word in (((0, 0), WORSE), ((1, 1), BETTER)):
            found, _ = measured(inline, hits=hits)
            assert found[MOST_FREQUENT].comparison.word == word
            assert found[MOST_FREQUENT].comparison.gain.level >= 1 - 0.025 / 10


class Mortal(local.Workers):
    """An executor of whose calls the first kills its worker."""

    def __init__(self, executor: Executor, deaths: Path) -> None:
        self._executor, self._deaths = executor, deaths

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._executor.submit(die_once, self._deaths, fn, *args)


def die_once(deaths: Path, fn: Callable[..., Any], *args: Any) -> Any:
    try:
        deaths.touch(exist_ok=False)
    except FileExistsError:
        return fn(*args)
    return os.kill(os.getpid(), signal.SIGKILL)


def test_the_same_numbers_in_two_workers_of_which_one_dies_once(
    found: dict[str, Reference], tmp_path: Path
) -> None:
    with local.make(2) as pool:
        again, _ = measured(Mortal(pool, tmp_path / "death"))
    assert (tmp_path / "death").exists()
    moments = {"started": None, "finished": None}
    assert [replace(one, **moments) for one in again.values()] == [
        replace(one, **moments) for one in found.values()
    ]


def test_a_model_that_needs_two_classes_is_left_out() -> None:
    alike = replace(SPLIT, y_train=np.zeros_like(SPLIT.y_train))
    with local.make(1) as inline:
        found, left_out = measured(inline, alike)
    assert MOST_FREQUENT in found
    assert left_out[LOGISTIC_REGRESSION].reason.startswith("ValueError: This solver needs samples")
    assert found.keys() | left_out.keys() == set(REFERENCES)


def test_a_class_without_training_rows_is_never_found() -> None:
    seen = SPLIT.y_train > 0
    split = replace(SPLIT, x_train=SPLIT.x_train[seen], y_train=SPLIT.y_train[seen])
    unseen = TestRows(x=X[Y == 0], y=Y[Y == 0], groups=None)
    with local.make(1) as inline:
        found, _ = measured(inline, split, unseen)
    for one in found.values():
        assert one.test.accuracy == 0
        assert one.test.data_loss == pytest.approx(WORST_LOSS)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS binds on Linux alone")
def test_a_model_that_runs_out_of_memory_is_left_out() -> None:
    """With 10,000 columns a boosted tree takes 49 MB for each node's histograms."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(300, 10_000)).astype(np.float32), np.arange(300) % 2
    split, rows = Split(x[:200], y[:200], x[200:], y[200:]), TestRows(x=x, y=y, groups=None)
    with local.ProcessExecutor(1) as pool:
        measured(pool)  # what scikit-learn takes when it is imported is there now
        worker = psutil.Process(pool.submit(os.getpid).result())
        # Two histograms and half of a third: what fails is a large array, and nothing small.
        limit = worker.memory_info().vms + 125 * 2**20
        pool.submit(resource.setrlimit, resource.RLIMIT_AS, (limit, limit)).result()
        found, left_out = measured(pool, split, rows)
        assert worker.is_running()
    assert tuple(found) == (MOST_FREQUENT, LOGISTIC_REGRESSION)
    assert left_out[GRADIENT_BOOSTING].reason.startswith("3 attempts failed: out of memory")
