"""A user's own network: its numbers are those of the user's code alone, whatever runs beside it."""

import functools
import importlib.util
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.pruners import MedianPruner
from optuna.trial import create_trial

from experiments import datasets, loading, network
from experiments.data_section import Data
from experiments.evaluation import (
    EvaluationSpec,
    Job,
    Setting,
    TrialResult,
    evaluate_on,
    parameters_of,
)
from experiments.evaluation import one_thread as with_one_thread
from experiments.network import OwnNetwork
from nnreg import Lambdas, Split, Splits, TrainConfig
from sweeps.search import pruning
from sweeps.storage.attributes import system_attributes
from tests.own import NETWORK

EPOCHS, CLIP = 5, 1e-7
SETTING = Setting(Lambdas(weight_l2=1e-3), 0.3, (("dropout", 0.25), ("hidden", 7)))
PLAIN = Setting(Lambdas(), 0.1)
KEPT = ["val_accuracy", "val_data_loss", None]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    with with_one_thread():
        yield


@pytest.fixture(scope="module")
def split() -> Split:
    return datasets.load(Data(source="iris"), "float32").split


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("own") / "net.py"
    path.write_text(NETWORK)
    return path


@pytest.fixture(scope="module")
def spec(file: Path) -> EvaluationSpec:
    own = network.from_file(file, "train", file.parent, {})
    return EvaluationSpec(
        TrainConfig(epochs=EPOCHS, batch_size=32), "all", "", "val_accuracy", own=own
    )


@functools.cache
def own_of(function: Callable[..., Any]) -> OwnNetwork:
    return network.from_function(function, {})


def of(function: Callable[..., Any], epochs: int = EPOCHS, **changes: Any) -> EvaluationSpec:
    """What is common to the networks that a function trains."""
    return EvaluationSpec(
        TrainConfig(epochs=epochs), "all", "", **{"own": own_of(function), **changes}
    )


def trained(split: Split, spec: EvaluationSpec, seed: int = 0, **changes: Any) -> TrialResult:
    ((result,),) = evaluate_on(Splits((split,)), spec, [Job(PLAIN, (seed,), **changes)])
    return result


def numbers(result: TrialResult) -> tuple[Any, ...]:
    return result.metrics, dict(result.curves), result.best_epoch, result.epochs, result.error


def alone(file: Path, split: Split, setting: Setting, seed: int) -> dict[str, list[float]]:
    """The numbers of the user's script, run by itself."""
    found = importlib.util.spec_from_file_location("alone", file)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # as the book's code
    curves: dict[str, list[float]] = {}
    for yielded in module.train(
        split, setting.lambdas, seed=seed, epochs=EPOCHS, batch_size=32,
        learning_rate=setting.learning_rate, **dict(setting.parameters),
    ):  # fmt: skip
        chances, y = yielded.pop("network").predict(split.x_val), split.y_val
        right = chances[np.arange(len(y)), y].astype(np.float64)
        hits = chances.argmax(axis=1) == y
        yielded["val_data_loss"] = -np.log(np.clip(right, CLIP, 1 - CLIP)).mean()
        yielded["val_accuracy"] = hits.sum() / len(y)
        yielded["balanced_val_accuracy"] = np.mean([hits[y == one].mean() for one in np.unique(y)])
        for name, value in yielded.items():
            curves.setdefault(name, []).append(float(value))
    return curves


@pytest.mark.parametrize("keep", KEPT)
def test_every_number_is_that_of_the_script_alone(
    file: Path, split: Split, spec: EvaluationSpec, keep: str | None
) -> None:
    """Whatever was trained in the process before. The mean of recalls is rounded otherwise."""
    spec = replace(spec, keep=keep)
    _, (result,) = evaluate_on(Splits((split,)), spec, [Job(PLAIN, (3,)), Job(SETTING, (11,))])
    curves = alone(file, split, SETTING, 11)
    balanced = curves.pop("balanced_val_accuracy")
    assert result.curves["balanced_val_accuracy"] == pytest.approx(balanced, abs=1e-15)
    assert {name: list(result.curves[name]) for name in curves} == curves
    sign = -1 if keep == "val_data_loss" else 1
    at = int(np.argmax(sign * np.array(curves[keep]))) if keep else EPOCHS - 1
    assert (result.best_epoch, result.epochs, result.error) == (at + 1, EPOCHS, None)
    assert result.metrics
    known = {name: values[at] for name, values in curves.items() if name != "weights/size"}
    known["total_loss"] = known["data_loss"] + known["regularization_loss"]
    assert result.metrics.known == known | {
        "balanced_val_accuracy": result.curves["balanced_val_accuracy"][at]
    }


def test_stopped_earlier_it_is_the_network_of_that_epoch(
    split: Split, spec: EvaluationSpec
) -> None:
    """So a network need not be copied; and its rows are answered, whichever are asked for."""
    spec = replace(spec, with_networks=True, keep=None)
    rows = ((split.x_train[:20], split.y_train[:20]),)
    ((whole,),) = evaluate_on(Splits((split,)), spec, [Job(SETTING, (5,))])
    for stop in range(1, EPOCHS + 1):
        job = Job(SETTING, (5,), stop)
        ((result,),), ((other,),) = (
            evaluate_on(Splits((split,)), one, [job]) for one in (spec, replace(spec, rows=rows))
        )
        assert (result.epochs, result.best_epoch) == (stop, stop)
        for name, curve in whole.curves.items():
            assert result.curves[name] == curve[:stop]
        assert result.network
        assert result.network.losses.mean() == whole.curves["val_data_loss"][stop - 1]
        assert other.network
        assert other.network.losses.shape == (20,)
        assert spec.own
        assert other.network.arrays
        chances = loading.predict(spec.own, other.network.arrays, rows[0][0], split.classes)
        right = chances[np.arange(20), rows[0][1]]
        np.testing.assert_array_equal(other.network.losses, -np.log(np.clip(right, CLIP, 1 - CLIP)))


def wavy(split: Split, lambdas: Lambdas, *, seed: int, epochs: int, **rest: Any) -> Any:
    """Its accuracy is that of a table of curves; a network that ends early keeps its last epoch."""
    curves = {1: [0.2, 0.4, 0.6, 0.4], 2: [0.3, 0.6, 0.3, 0.3], 3: [0.5, 0.8]}
    for share in curves[seed]:
        right = np.arange(len(split.y_val)) < share * len(split.y_val)
        chances = np.eye(split.classes)[(split.y_val + ~right) % split.classes]
        predict = lambda x, chances=chances: chances  # noqa: E731
        yield {"data_loss": share, "network": SimpleNamespace(predict=predict)}


def test_networks_of_one_setting_share_the_best_epoch_of_their_mean(split: Split) -> None:
    spec = of(wavy, keep="val_accuracy", with_networks=True)
    (results,) = evaluate_on(Splits((split,)), spec, [Job(PLAIN, (1, 2, 3))])
    # 0.2 0.4 0.6 0.4, 0.3 0.6 0.3 0.3 and 0.5 0.8 0.8 0.8: the second epoch has the best mean.
    assert [one.best_epoch for one in results] == [2, 2, 2]
    assert [one.epochs for one in results] == [4, 4, 2]
    assert [len(one.curves["val_accuracy"]) for one in results] == [4, 4, 4]
    found = [one.metrics.val_accuracy for one in results if one.metrics]
    assert found == pytest.approx([0.4, 0.6, 0.8], abs=0.02)
    hits = [one.network.hits.mean() for one in results if one.network]
    assert hits == pytest.approx(found)
    (pair,) = evaluate_on(Splits((split,)), spec, [Job(PLAIN, (1, 3))])
    assert [one.best_epoch for one in pair] == [3, 3]
    assert pair[1].metrics
    assert pair[1].metrics.val_accuracy == pair[1].curves["val_accuracy"][1]


def random_states() -> tuple[object, str]:
    return random.getstate(), repr(np.random.get_state())  # noqa: NPY002


def greedy(split: Split, lambdas: Lambdas, *, seed: int, **rest: Any) -> Any:
    """Change whatever can be changed, and leave traces everywhere."""
    import os
    import random
    import sys

    seen = float(split.x_train.sum() + split.y_val.sum())
    chances = np.full((len(split.y_val), split.classes), 1 / split.classes)
    for array in vars(split).values():
        array[:] = 0
    network = SimpleNamespace(predict=lambda x: chances)
    drawn = {"python": random.random(), "numpy": float(np.random.random())}  # noqa: NPY002
    os.chdir("/")
    sys.stdout.write("to standard output\n")
    print("to standard error", file=sys.stderr)
    yield {"data_loss": 1.0, "seen": seen, **drawn, "network": network}


def test_no_network_leaves_anything_behind(
    split: Split,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    spec, before = of(greedy), random_states()
    streams, sum_before = (sys.stdout, sys.stderr), split.x_train.sum()
    first, other, again = (trained(split, spec, seed) for seed in (1, 2, 1))
    assert numbers(first) == numbers(again)
    assert first.error is None
    assert first.curves["seen"] == other.curves["seen"]
    assert first.curves["python"] != other.curves["python"]
    assert first.curves["numpy"] == (np.random.RandomState(1).random_sample(),)
    assert split.x_train.sum() == sum_before
    assert before == random_states()
    assert (sys.stdout, sys.stderr) == streams
    assert Path.cwd() == tmp_path
    assert capsys.readouterr() == ("", "")


def test_what_a_network_leaves_in_its_modules_is_gone(split: Split, tmp_path: Path) -> None:
    """Such as a generator of theirs, from which the next one would draw other numbers."""
    (tmp_path / "beside.py").write_text("import random\nother = random.random()\nleft = []\n")
    used = "import beside\n\nrng = np.random.default_rng(0)\n\nclass Net"
    more = '"drawn": beside.left.append(1) or rng.random() + beside.other + len(beside.left),'
    (tmp_path / "net.py").write_text(
        NETWORK.replace("\nclass Net", f"\n{used}", 1).replace('"network"', f'{more} "network"')
    )
    own = network.from_file(tmp_path / "net.py", "train", tmp_path, {})
    first, _, again = (trained(split, of(once, own=own), seed) for seed in (1, 2, 1))
    assert first.error is None
    assert first.curves["drawn"][0] == again.curves["drawn"][0]


def once(split: Split, lambdas: Lambdas, **rest: Any) -> Any:
    chances = np.eye(split.classes)[split.y_val]
    return {"data_loss": 0.5, "network": SimpleNamespace(predict=lambda x: chances)}


def many(split: Split, lambdas: Lambdas, *, epochs: int, seed: int, **rest: Any) -> Any:
    for epoch in range(epochs + seed):
        yield {
            **once(split, lambdas),
            "epoch_number": epoch,
            "norm of w": np.float32(0.5),
            "on": True,
        }


def test_as_many_epochs_as_the_function_yields_and_is_asked_for(split: Split) -> None:
    """A function that returns is one epoch long."""
    assert trained(split, of(once)).epochs == 1
    assert [trained(split, of(many), seed).epochs for seed in (0, 2)] == [EPOCHS, EPOCHS]
    short = trained(split, of(many, epochs=1), 3)
    assert short.curves["epoch_number"] == (0.0,)


def test_further_numbers_are_curves_and_known_ones_are_metrics(split: Split) -> None:
    result = trained(split, of(many))
    assert result.curves["epoch_number"] == (0.0, 1.0, 2.0, 3.0, 4.0)
    assert set(result.curves["norm of w"]) == {0.5}
    assert set(result.curves["on"]) == {1.0}
    assert result.metrics
    assert set(result.metrics.known) == {
        "data_loss", "val_data_loss", "val_accuracy", "balanced_val_accuracy",
    }  # fmt: skip


def drawn(split: Split, lambdas: Lambdas, *, shares: list[int], **rest: Any) -> Any:
    """So many tenths of the rows are found at each epoch."""
    for share in shares:
        right = np.arange(len(split.y_val)) * 10 < share * len(split.y_val)
        chances = 0.05 + 0.85 * np.eye(split.classes)[(split.y_val + ~right) % split.classes]
        predict = lambda x, chances=chances: chances  # noqa: E731
        yield {"data_loss": 0.5, "network": SimpleNamespace(predict=predict)}


SHARES = st.lists(st.integers(0, 10), min_size=1, max_size=4)


@settings(deadline=None)
@given(st.lists(SHARES, max_size=9), SHARES, st.sampled_from(["val_accuracy", "val_data_loss"]))
def test_a_network_is_pruned_where_optunas_median_pruner_would(
    split: Split, before: list[list[int]], shares: list[int], objective: str
) -> None:
    """Of the same finished trials, and at the same epoch."""
    is_loss = objective == "val_data_loss"
    study = optuna.create_study(
        direction="minimize" if is_loss else "maximize", pruner=MedianPruner()
    )

    def result_of(shares: list[int], medians: tuple[float, ...] = ()) -> TrialResult:
        own = replace(own_of(drawn), parameters={"shares": shares})
        return trained(split, of(drawn, own=own, keep=objective, medians=medians))

    for one in before:
        result = result_of(one)
        curve = result.curves[objective]
        attributes, points = system_attributes(result), dict(enumerate(curve, start=1))
        study.add_trial(
            create_trial(value=curve[-1], intermediate_values=points, system_attrs=attributes)
        )
    medians = pruning.medians(study.get_trials(), objective)
    trial, ends_at = study.ask(), None
    for epoch, value in enumerate(result_of(shares).curves[objective], start=1):
        trial.report(value, epoch)
        if ends_at is None and trial.should_prune():
            ends_at = epoch
    result = result_of(shares, medians)
    assert (result.pruned, result.epochs) == (ends_at is not None, ends_at or len(shares))


def test_a_function_typed_into_a_plain_prompt_is_known_by_what_it_does() -> None:
    """Its source text is not there: its code is, and what it uses."""
    text = "k = 3\ndef train(split, lambdas, **_):\n    def predict(x): return sin(k)\n    yield 1"

    def digest(before: str, after: str) -> str:
        names: dict[str, Any] = {"__name__": "__main__"}
        with pytest.MonkeyPatch.context() as patch:
            exec(compile(text.replace(before, after), "<stdin>", "exec"), names)
            patch.setattr(sys.modules["__main__"], "k", names["k"], raising=False)
            return network.from_function(names["train"], {}).digest

    same = digest("", "")
    assert digest("k = 3\n", "k = 3\n\n\n") == same
    changed = [digest(*one) for one in (("sin", "cos"), ("k = 3", "k = 4"), ("1", "2"))]
    assert len({same, *changed}) == 4


def test_a_parameter_may_have_the_name_of_another_number() -> None:
    recorded = {"parameter_data_loss": 1, "parameter_a": 2, "data_loss": 0.5}
    assert parameters_of(recorded) == (("a", 2), ("data_loss", 1))
