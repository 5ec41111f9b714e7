"""What a person sees at the end of a run: tables that fit a terminal, and what to do next."""

import io
import sys

import pytest
from rich.text import Text

from experiments.records import StudyRecord
from experiments.references import REFERENCES
from experiments.verdict import BASELINE, BETTER, SAME, UNDECIDED, WORSE, Tolerance
from nnreg import LAMBDA_NAMES, Lambdas
from sweeps.cli import output
from sweeps.progress import Lines
from tests.studies import compared, make_study, make_trial, reference, study_with

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


@pytest.mark.parametrize("word", [BETTER, WORSE, SAME, UNDECIDED])
@pytest.mark.parametrize("on", [BOTH, THREE, Lambdas()])
def test_the_card_fits_a_terminal(word: str, on: Lambdas, monkeypatch: pytest.MonkeyPatch) -> None:
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
        indistinguishable=(1, 2),
        references=models,
        tolerances=widest,
    )
    lines = printed(study, "", monkeypatch)
    assert max(map(len, lines)) <= COLUMNS
    assert len(lines) <= LINES
    assert sum(line.startswith(LAMBDA_NAMES) for line in lines) == len(LAMBDA_NAMES)


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
