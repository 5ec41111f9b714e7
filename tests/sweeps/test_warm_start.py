"""A warm start: what an older study teaches a new one, the same whatever becomes of either."""

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlflow
import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments import experiment_file
from experiments.errors import InputError
from experiments.records import FAIL, StudyRecord
from experiments.spec import Experiment
from nnreg import Lambdas
from sweeps.cli import main
from sweeps.search import warm_start
from sweeps.search.samplers import KINDS
from sweeps.search.search import Search
from sweeps.search.study import study_record
from sweeps.search.warm_start import WarmStart, learned
from sweeps.workspace import workspace
from tests.studies import make_study, make_trial
from tests.sweeps.test_study import experiment, grow, opened, table


def taught_by(older: StudyRecord, *edits: str, identity: Experiment | None = None) -> WarmStart:
    new = experiment(*edits)
    return learned(older, (identity or experiment()).identity, new, KINDS[new.sweep.sampler])


def seen(search: Search, path: Path) -> list[optuna.trial.FrozenTrial]:
    """What the sampler sees before the first generation."""
    trials: list[optuna.trial.FrozenTrial] = opened(path, search)._mirror._study.get_trials()
    return trials


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(stops=st.lists(st.integers(1, 29), max_size=3))
def test_any_interruptions_leave_the_table_of_one_go(
    sampler: str, stops: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    edits = (
        f"sweep.sampler={sampler}",
        "sweep.objective=val_data_loss",
    )  # of which the baseline has far the most
    definition = experiment(*edits)
    search = Search(definition, warm_start=taught_by(make_study(40), *edits))
    folder = tmp_path_factory.mktemp("studies")
    whole = opened(folder / "whole.journal", search)
    grow(whole, 30)
    for stop in [*sorted(stops), 30]:
        study = opened(folder / "pieces.journal", search)
        search = Search(
            definition, warm_start=warm_start.kept(study.optuna.user_attrs["sweep"])
        )  # the copy
        grow(study, stop)
        study.close()
    assert table(opened(folder / "pieces.journal", search)) == table(whole)
    assert study_record(whole.optuna).trials[0].lambdas == Lambdas()


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_it_begins_where_the_older_one_was_good(sampler: str, tmp_path: Path) -> None:
    older = make_study(40)
    trials = [
        replace(trial, metrics=replace(trial.metrics, val_accuracy=trial.lambdas.weight_l1))
        for trial in older.trials
        if trial.metrics
    ]
    copy = taught_by(replace(older, trials=tuple(trials)), f"sweep.sampler={sampler}")
    definition = experiment(f"sweep.sampler={sampler}", "sweep.generation=16")
    proposed = opened(tmp_path / "s.journal", Search(definition, warm_start=copy)).propose()[1:]
    assert all(
        1e-4 < one.lambdas.weight_l1 < 1e-1 for one in proposed
    )  # of an axis that begins at 1e-7


def test_off_is_the_bottom_and_what_is_beyond_an_axis_is_left_out(tmp_path: Path) -> None:
    edits = (
        "lambdas.weight_l1={low=1e-4,high=1e-2}",
        "lambdas.bias_l1=0.5",
        "lambdas.bias_l2=0",
        "sweep.objective=val_data_loss",
    )
    rest = {"weight_l2": 1e-3, "bias_l1": 0.5}
    strengths = [
        *(Lambdas(weight_l1=strength, **rest) for strength in (0, 1e-4, 5e-3, 1e-2)),
        *(Lambdas(weight_l1=strength, **rest) for strength in (9e-5, 1.1e-2)),  # off the axis
        # another value than the fixed one
        Lambdas(weight_l2=1e-3, bias_l1=0.4), Lambdas(bias_l1=0.5, bias_l2=0.1),
    ]  # fmt: skip
    failed = make_trial(9, lambdas=strengths[0], state=FAIL, metrics=None)
    trials = [make_trial(number, lambdas=lambdas) for number, lambdas in enumerate(strengths)]
    copy = taught_by(replace(make_study(0), trials=(*trials, failed)), *edits)
    assert copy.trials == tuple((trial.lambdas, trial.val_data_loss) for trial in trials[:4])
    assert copy.note == "warm start: 4 of 8 trials of study digits teach the sampler"
    shown = seen(Search(experiment(*edits), warm_start=copy), tmp_path / "s.journal")
    assert [trial.params["weight_l1"] for trial in shown] == [1e-5, 1e-4, 5e-3, 1e-2]
    assert {tuple(trial.params) for trial in shown} == {("weight_l1", "weight_l2")}


def test_what_is_taught_is_the_gain_over_the_baseline(tmp_path: Path) -> None:
    older, shift = make_study(20), 0.25
    better = tuple(
        replace(trial, metrics=replace(trial.metrics, val_accuracy=trial.val_accuracy + shift))
        for trial in older.trials
        if trial.metrics
    )
    tables = []
    for number, trials in enumerate((older.trials, better)):
        search = Search(experiment(), warm_start=taught_by(replace(older, trials=trials)))
        study = opened(tmp_path / f"{number}.journal", search)
        grow(study, 12)
        shown = study._mirror._study.get_trials()
        assert [trial.value for trial in shown[:20]] == [
            trial.val_accuracy - trials[0].val_accuracy for trial in trials
        ]
        assert [trial.value for trial in shown[20:]] == [
            trial.value - study.optuna.trials[0].value for trial in study.optuna.trials
        ]
        tables.append([trial.params for trial in study.optuna.trials])
    assert tables[0] == tables[1]


def test_it_is_kept_as_it_was(tmp_path: Path) -> None:
    other = experiment("training.epochs=7", "data.source=iris", "sweep.seed=3")
    copy = taught_by(make_study(5), identity=other)
    assert copy.differing == ("data.source", "training.epochs")
    assert copy.note.endswith(
        "; what was good there may not be here, another data.source, training.epochs"
    )
    study = opened(tmp_path / "s.journal", Search(experiment(), warm_start=copy))
    assert warm_start.kept(study.optuna.user_attrs["sweep"]) == copy
    assert study_record(study.optuna).warm_start == copy.identity
    assert study_record(study.optuna).fingerprint not in (
        experiment().fingerprint,
        other.fingerprint,
    )
    assert (
        warm_start.kept(opened(tmp_path / "cold.journal", experiment()).optuna.user_attrs["sweep"])
        is None
    )


def test_of_many_trials_the_latest_and_the_best_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_start, "LATEST", 10)
    monkeypatch.setattr(warm_start, "BEST", 3)
    older = make_study(30)
    best = sorted(older.trials[:20], key=lambda trial: -trial.val_accuracy)[:3]
    wanted = [*sorted(best, key=lambda trial: trial.trial), *older.trials[20:]]
    assert [lambdas for lambdas, _ in taught_by(older).trials] == [
        trial.lambdas for trial in wanted
    ]


@pytest.mark.parametrize(
    ("trials", "edits", "says"),
    [
        (
            20,
            ["sweep.sampler=random"],
            "sampler random proposes the same whatever was measured; use tpe or cmaes",
        ),
        (20, ["sweep.sampler=qmc"], "sampler qmc proposes the same"),
        (0, [], "study digits: it has no finished trial yet; go on with that study first"),
        (
            9,
            ["sweep.sampler=cmaes"],
            "9 of its 9 finished trials lie on the axes .* cmaes needs 10 or more",
        ),
        (
            9,
            ["lambdas.bias_l1=0.5"],
            r"0 of its 9 finished trials lie on the axes .* tpe needs 1 or more; widen \[lambdas\]",
        ),
    ],
)
def test_what_cannot_teach_is_one_sentence(trials: int, edits: list[str], says: str) -> None:
    with pytest.raises(InputError, match=says):
        taught_by(make_study(trials), *edits)


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str]]:
    """`sweeps run iris` in this process, in a folder with the studies `old` (of 8 trials) and
    `new`, which it taught.
    """
    monkeypatch.chdir(tmp_path)
    for name in ("old", "new"):
        place, search = workspace(), Search(iris())
        taught = place.teacher("new", "old", search) if name == "new" else None
        study = place.open(name, replace(search, warm_start=taught))
        grow(study, 8)
        study.close()

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["sweeps", "run", "iris", "--no-confirm", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return int(str(end.value.code)), capfd.readouterr().err

    return run


def iris(*edits: str) -> Experiment:
    return experiment_file.load("iris", edits)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("--study=next", "--warm-start=olt"), 2, "study olt: there is none of this name in .*; did you mean 'old'"),
        (("--study=old", "--warm-start=old"), 2, "study old: it cannot teach itself; to go on with it leave the warm start out"),
        (("--study=next", "--warm-start=.."), 2, "study ..: there is none of this name"),
        (("--study=next", "--warm-start=empty"), 2, "warm start from study empty: it has no finished trial yet"),
        (("--study=next", "--warm-start=torn"), 1, "torn.journal"),
        (("--study=next", "--warm-start=nothing"), 2, "study nothing: it was never begun"),
        (("--study=new",), 2, r'warm_start: "old .8 trials, .{16}." -> null; give --warm-start old .*--study NAME'),
        (("--study=new", "--warm-start=other"), 2, r'warm_start: "old .8 .*" -> "other .8 .*"; give --warm-start old'),
        (("--study=old", "--warm-start=other"), 2, 'warm_start: null -> "other .8 trials, .{16}."; leave --warm-start out'),
    ],
)  # fmt: skip
def test_bad_input(
    command: Callable[..., tuple[int, str]], arguments: tuple[str, ...], status: int, says: str
) -> None:
    grow(workspace().open("other", iris("sweep.seed=1")), 8)
    workspace().open("empty", iris()).close()
    Path("studies/nothing.journal").touch()
    Path("studies/torn.journal").write_bytes(
        b"not a journal\n" + Path("studies/old.journal").read_bytes()
    )
    before = {path: path.read_bytes() for path in sorted(Path().rglob("*")) if path.is_file()}
    assert command(*arguments)[0] == status
    code, error = command(*arguments)
    assert (code, len(error.splitlines())) == (status, 1)
    assert re.search(says, error), error
    assert {
        path: path.read_bytes() for path in sorted(Path().rglob("*")) if path.is_file()
    } == before


def test_the_copy_counts_and_not_what_became_of_the_older_one(
    command: Callable[..., tuple[int, str]],
) -> None:
    search = Search(iris())
    born = workspace().taught("new")
    assert born
    journal = Path("studies/old.journal")
    kept = journal.read_bytes()
    older = workspace().open("old", iris())
    grow(older, 12)
    older.close()
    assert workspace().teacher("new", "old", search) == born
    assert workspace().teacher("next", "old", search) != born
    journal.write_bytes(b"not a journal\n" + kept)
    assert workspace().teacher("new", "old", search) == born
    journal.unlink()
    assert workspace().teacher("new", "old", search) == born
    grow(workspace().open("old", iris()), 8)  # another study of this name
    code, error = command("--study=new", "--warm-start=old")
    assert (code, error.count("old (8 trials, ")) == (2, 2)


def test_it_is_said_and_shown(command: Callable[..., tuple[int, str]]) -> None:
    code, error = command(
        "--study=new", "--trials=9", "--warm-start=old", "--set=training.epochs=100"
    )
    assert code == 0, error
    assert error.startswith("warm start: 8 of 8 trials of study old teach the sampler\n")
    identity = workspace().record("new").warm_start
    assert identity in Path("reports/new/report.html").read_text()
    client = mlflow.MlflowClient(f"sqlite:///{Path.cwd()}/mlflow.db")
    (run,) = client.search_runs(
        [client.get_experiment_by_name("iris").experiment_id], "tags.kind = 'study'"
    )
    assert run.data.params["warm_start"] == identity
