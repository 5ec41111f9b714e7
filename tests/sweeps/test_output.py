"""What a person sees at the end of a run: tables that fit a terminal, and what to do next."""

import dataclasses
from pathlib import Path

import optuna
import pytest

from experiments.records import StudyRecord
from experiments.tracking import Runs
from experiments.verdict import UNDECIDED, Tolerance
from nnreg import LAMBDA_NAMES, Lambdas
from sweeps.cli import output
from sweeps.progress import Lines
from sweeps.result import Sweep
from sweeps.workspace import workspace
from tests.studies import confirmed_study, make_study, make_trial

COLUMNS = 80


def printed(
    record: StudyRecord, folder: Path, capsys: pytest.CaptureFixture[str]
) -> tuple[list[str], str]:
    """The lines of the two tables at the end of a run, and all of it."""
    study = optuna.create_study(study_name=record.study)
    runs = Runs(dict.fromkeys(range(len(record.trials)), "f" * 32))
    output.print_run(Sweep(record, study, workspace(folder), runs, ()))
    text = capsys.readouterr().out
    heads = (record.study, "trial", record.objective, "lambda ", *LAMBDA_NAMES, "learning_rate")
    lines = [line for line in text.splitlines() if line.startswith((*heads, "best_epoch"))]
    return [line for line in lines if ": without it" not in line], text


def test_the_tables_fit_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    all_four = Lambdas(weight_l1=1.2e-05, weight_l2=0.00031, bias_l1=3.4e-06, bias_l2=0.0012)
    trials = (make_trial(0), make_trial(1, lambdas=all_four), make_trial(2))
    study = make_study(name="digits-2", sweep={"objective": "balanced_val_accuracy"})
    study = confirmed_study(dataclasses.replace(study, trials=trials), look=1)
    widest = [
        Tolerance(name=name, low=1.1e-06, high=0.00074, off=True, bound=1.0)
        for name in LAMBDA_NAMES
    ]
    verdict = dataclasses.replace(study.verdict, word=UNDECIDED, tolerances=tuple(widest))
    lines, _ = printed(dataclasses.replace(study, verdict=verdict), tmp_path, capsys)
    assert max(map(len, lines)) <= COLUMNS
    assert len(lines) == 9 + 5
    (rates,) = [line.split()[1:] for line in lines if line.startswith("learning_rate")]
    trials = study.baseline, study.best
    assert rates == [f"{trial.setting.learning_rate:.2g}" for trial in trials]


def test_without_trials_in_both_arms_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, text = printed(make_study(1), tmp_path, capsys)
    assert lines[0].split() == ["digits", "baseline"]  # which is the best there is
    command = f"sweeps run digits --study digits --trials 100{workspace(tmp_path).options()}"
    assert text.count(f"Run trials with penalties too: {command}\n") == 1
    assert "No trial did better" not in text


def test_the_progress_names_a_best_once_there_are_penalties(
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = make_study(1)
    progress = Lines()
    progress.begin(study, 3)
    value = study.value(study.trials[0])
    assert f"digits: 1/3 trials; baseline val_accuracy {value:.4f}\n" == capsys.readouterr().err
    for trial in map(make_trial, (1, 2)):
        progress.add(trial)
    study = make_study(3)
    best = f"best val_accuracy {study.value(study.best):.4f}, baseline {value:.4f}"
    assert capsys.readouterr().err.splitlines()[-1] == f"digits: 3/3 trials; {best}"
