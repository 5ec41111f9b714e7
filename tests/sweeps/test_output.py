"""What a person sees at the end of a run: tables that fit a terminal, and what to do next."""

import dataclasses
import io
import sys
from pathlib import Path

import pytest
from optuna import create_study
from rich.text import Text

from experiments.model import origin
from experiments.records import FAIL, PRUNED, StudyRecord
from experiments.references import REFERENCES
from experiments.tracking import Runs
from experiments.verdict import BASELINE, BETTER, SAME, UNDECIDED, WORSE, Tolerance
from nnreg import LAMBDA_NAMES, Lambdas
from sweeps.cli import output
from sweeps.progress import Lines
from sweeps.result import Sweep
from sweeps.workspace import workspace
from tests.studies import (
    compared,
    confirmed_study,
    make_study,
    make_trial,
    own_study,
    reference,
    study_with,
)

COLUMNS, LINES = 80, 18
BOTH = Lambdas(weight_l1=1e-3, weight_l2=3.1e-4)
THREE = Lambdas(weight_l1=1.2e-05, weight_l2=0.00031, bias_l1=3.4e-06)
GAIN = {BETTER: (0.118, 0.09, 0.145), WORSE: (-0.118, -0.145, -0.09)}


class Terminal(io.StringIO):
    """Standard output of a person."""

    def isatty(self) -> bool:
        return True


def printed(study: StudyRecord, options: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines of the answer in a terminal."""
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setenv("COLUMNS", str(COLUMNS))
        patch.setattr(sys, "stdout", terminal)
        output.print_answer(study, options)
    return Text.from_ansi(terminal.getvalue()).plain.splitlines()


def ahead(study: StudyRecord) -> StudyRecord:
    """The study with a baseline that is a little behind the winner."""
    assert study.verdict
    settings = tuple(
        dataclasses.replace(one, behind=0.123, error=0.456) for one in study.verdict.settings
    )
    return dataclasses.replace(study, verdict=dataclasses.replace(study.verdict, settings=settings))


@pytest.mark.parametrize("word", [BETTER, WORSE, SAME, UNDECIDED])
@pytest.mark.parametrize("on", [BOTH, THREE, Lambdas()])
@pytest.mark.parametrize("split", [{}, {"folds": 5, "repeats": 5}])
def test_the_card_fits_a_terminal(
    word: str, on: Lambdas, split: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    gain = GAIN.get(word, (0.001, -0.008, 0.012))
    against = [compared(name, word, *gain) for name in (BASELINE, *on.on) if on.on]
    models = tuple(reference(name, 0.5, BETTER) for name in REFERENCES)
    widest = tuple(
        Tolerance(name=name, low=1.1e-06, high=0.00074, off=True) for name in LAMBDA_NAMES
    )
    study = study_with(
        word,
        *against,
        recommended=on,
        split=split,
        indistinguishable=(1, 2),
        references=models,
        tolerances=widest,
    )
    if not on.on:
        study = ahead(study)
    lines = printed(study, "", monkeypatch)
    assert max(map(len, lines)) <= COLUMNS
    assert len(lines) <= LINES
    assert sum(line.startswith(LAMBDA_NAMES) for line in lines) == len(LAMBDA_NAMES)


ODD_NAMES = ("hidden", "dropout", "momentum", *(f"a_very_long_name_{number}" for number in "123"))
SPAN = {"low": 0.01, "high": 0.5}


@pytest.mark.parametrize("word", [BETTER, SAME, UNDECIDED])
@pytest.mark.parametrize("names", [ODD_NAMES[:1], ODD_NAMES[:3], ODD_NAMES])
@pytest.mark.parametrize("split", [{}, {"folds": 5}])
def test_the_card_of_an_own_network_fits_too(
    word: str, names: tuple[str, ...], split: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    against = [compared(name, word, 0.001, -0.008, 0.012) for name in (BASELINE, *LAMBDA_NAMES)]
    data = {"source": "digits", "split": split}
    own = own_study(parameters=dict.fromkeys(names, SPAN), data=data)
    study = confirmed_study(own, winner=2, look=1)
    assert study.verdict
    assert len(study.verdict.recommended.on) > 1
    verdict = dataclasses.replace(
        study.verdict,
        word=word,
        comparisons=tuple(against),
        indistinguishable=(1, 2),
        references=tuple(reference(name, 0.5, BETTER) for name in REFERENCES),
    )
    study = dataclasses.replace(study, verdict=verdict, unseeded="data_loss 1 and 2 at epoch 1")
    study = dataclasses.replace(study, unkept=origin(study))
    lines = printed(study, "", monkeypatch)
    cautions = next(at for at, line in enumerate(lines) if line.startswith("! "))
    assert max(map(len, lines)) <= COLUMNS
    assert cautions <= LINES
    (tuned,) = [line for line in lines if line.startswith("With / without penalties: ")]
    shown = tuned.count("/") - 1
    assert shown == min(len(names), 2)
    assert sum(f" {name} 0." in tuned for name in names[:3]) == shown  # those with short names
    assert tuned.endswith(f", {len(names) - shown} more." if shown < len(names) else ".")
    said = " ".join(lines[cautions:])
    assert "! Two evaluations of trial 0 differ (data_loss 1 and 2 at epoch 1): your" in said
    assert "! No model is kept: for one, give your network arrays(), a dict of" in said


def test_before_a_verdict_the_best_trials_have_their_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many = {"hidden": {"low": 1_000, "high": 2_000}, "dropout": {"low": -1.0, "high": 0.5}}
    study = own_study(parameters=many)
    lines = printed(study, "", monkeypatch)
    (hidden,) = [line.split() for line in lines if line.startswith("parameter_hidden")]
    (dropout,) = [line.split() for line in lines if line.startswith("parameter_dropout")]
    both = [dict(one.setting.parameters) for one in (study.baseline, study.best) if one]
    assert hidden[1:] == [str(one["hidden"]) for one in both]  # as it is, and not 1.3e+03
    assert dropout[1:] == [f"{one['dropout']:.3g}" for one in both]  # below 0 is not off


def test_what_went_wrong_is_said_on_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = make_trial(1, state=FAIL, metrics=None, curves={}, error="net.py, line 4:\nno")
    pruned = make_trial(2, state=PRUNED)
    study = dataclasses.replace(make_study(1), trials=(make_trial(0), failed, pruned))
    tables = [tmp_path / f"{name}.csv" for name in ("trials", "top")]
    runs = Runs(ids=dict.fromkeys(range(3), ""))
    output.print_run(Sweep(study, create_study(), workspace(tmp_path), runs, tuple(tables)))
    assert capsys.readouterr().out.splitlines()[:2] == [
        "1 of 3 trials were pruned.",
        "1 of 3 trials failed, such as trial 1: net.py, line 4: no.",
    ]


def test_pruned_trials_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"study": "mine", "experiment": "mine", "finished": 9, "trials": 16}
    row |= {"complete": 4, "pruned": 3, "fail": 2, "objective": "val_accuracy"}
    row |= {"best_trial": 1, "best_value": 0.5, "baseline_value": 0.25}
    output.print_status([row | {"driver": None, "mlflow_missing": 0}])
    assert "  9/16, 3 pruned, 2 failed  " in capsys.readouterr().out


def test_without_trials_in_both_arms_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(make_study(1), " --here", monkeypatch)
    assert lines[0].split() == ["digits", "baseline"]  # which is the best there is
    assert max(map(len, lines)) <= COLUMNS
    says = " ".join(lines)
    assert "penalties too: sweeps run digits --study digits --trials 100 --here" in says


def test_the_progress_names_a_best_once_there_are_penalties(
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = make_study(1)
    progress = Lines()
    progress.begin(study, 3)
    value = study.value(study.trials[0])
    assert f"digits: 1/3 trials; baseline {value * 100:.1f} %\n" == capsys.readouterr().err
    for trial in map(make_trial, (1, 2)):
        progress.add(trial)
    study = make_study(3)
    best = f"best {study.value(study.best) * 100:.1f} %, baseline {value * 100:.1f} %"
    assert capsys.readouterr().err.splitlines()[-1] == f"digits: 3/3 trials; {best}"
