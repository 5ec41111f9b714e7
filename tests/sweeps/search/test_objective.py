"""The plain objective: what a study of the user's own makes of it is what `sweeps.run` makes."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import optuna
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import sweeps
from experiments.errors import ExperimentError
from experiments.evaluation import METRICS, one_thread
from nnreg import LAMBDA_NAMES, Lambdas
from sweeps.storage.attributes import SHOWN

EDITS = [
    *("training.epochs=3", "training.learning_rate.high=0.5", "training.batch_size=501"),
    *("model.hidden=[131]", "sweep.baseline=3"),
]


def numbers(study: optuna.Study) -> list[str]:
    """Of all trials, in any order, as threads take them."""
    return sorted(
        str(
            (
                sorted(trial.params.items()),
                trial.state,
                trial.value,
                [trial.intermediate_values[epoch] for epoch in (1, 3)],
                [trial.user_attrs[name] for name in (*LAMBDA_NAMES, "learning_rate", *SHOWN)],
            )
        )
        for trial in study.trials
    )


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> sweeps.Sweep:
    """Of digits: BLAS would divide these products among threads, and get other last bits, whatever
    its kernel.
    """
    folder = tmp_path_factory.mktemp("run")
    return sweeps.run("digits", trials=8, edits=EDITS, workers=2, confirm=False, directory=folder)


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_same_lambdas_give_the_same_numbers(run: sweeps.Sweep, jobs: int) -> None:
    objective = sweeps.objective("digits", edits=EDITS)
    study = optuna.create_study(
        direction=objective.direction, pruner=optuna.pruners.MedianPruner(n_startup_trials=0)
    )
    for trial in run.study.trials:
        study.enqueue_trial(trial.params)
    with threadpool_limits(4):
        study.optimize(objective, n_trials=8, n_jobs=jobs)
        assert blas_threads() == {4}  # as it was
    assert numbers(study) == numbers(run.study)
    values = [(trial.value, max(trial.intermediate_values.values())) for trial in study.trials]
    assert all(value == best for value, best in values)
    names = {*LAMBDA_NAMES, *METRICS, "learning_rate", "best_epoch"}
    assert names == set(study.trials[0].user_attrs)


def test_it_searches_the_axes_of_the_experiment(run: sweeps.Sweep) -> None:
    edits = ["training.epochs=1", "sweep.objective=val_data_loss"]
    edits += ["lambdas.bias_l1=0", "lambdas.bias_l2=0.5", "training.learning_rate.high=0.5"]
    objective = sweeps.objective("iris", edits=edits)
    assert objective.direction == "minimize"
    study = optuna.create_study(
        direction=objective.direction, sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.enqueue_trial(objective.off)
    study.optimize(objective, n_trials=12)
    axes, names = run.study.trials[0].distributions, ("weight_l1", "weight_l2", "learning_rate")
    for trial in study.trials:
        lambdas = objective.lambdas(trial.params)
        assert trial.distributions == {name: axes[name] for name in names}
        assert (lambdas.bias_l1, lambdas.bias_l2) == (0, 0.5)
        assert {name: trial.user_attrs[name] for name in LAMBDA_NAMES} == vars(lambdas)
        assert trial.value == trial.user_attrs["val_data_loss"] == trial.intermediate_values[1]
    assert objective.lambdas(study.trials[0].params) == Lambdas(bias_l2=0.5)


def test_the_data_are_read_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "rows.npz", X=rng.random((60, 3)), y=rng.integers(0, 2, 60))
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\n[data]\nsource = "rows.npz"\n[training]\nepochs = 1\n'
    )
    objective = sweeps.objective(tmp_path / "mine.toml")
    (tmp_path / "rows.npz").unlink()
    study = optuna.create_study(direction=objective.direction)
    study.optimize(objective, n_trials=2)
    assert len(study.trials) == 2


def test_a_bad_experiment_is_one_sentence() -> None:
    with pytest.raises(ExperimentError, match=r"digit: .*did you mean 'digits'\?"):
        sweeps.objective("digit")


def test_blas_has_one_thread_whoever_trains() -> None:
    """In threads that are not the one which has limited BLAS already, and at the same time."""

    def train(_: int) -> set[int]:
        with one_thread():
            return blas_threads()

    with threadpool_limits(3), ThreadPoolExecutor(4) as pool:
        assert list(pool.map(train, range(20))) == [{1}] * 20
        assert blas_threads() == {3}
