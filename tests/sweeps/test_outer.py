"""Outer folds: a family of studies, each of which tests on rows that its search never saw."""

import functools
import shutil
import signal
import subprocess
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

import sweeps
from experiments import experiment_file
from experiments.card import card
from experiments.datasets import Sealed
from experiments.errors import InputError
from experiments.spec import Experiment
from experiments.verdict import BASELINE, SEALED, WINNER
from sweeps.confirmation.outer import ANSWERS, Claim, claim
from sweeps.storage.attributes import VERDICT
from sweeps.workspace import workspace
from tests.commands import SWEEPS
from tests.processes import started

OUTER = 2
EDITS = (f"data.split.outer={OUTER}", "training.epochs=5", "training.batch_size=32")
EDITS += ("sweep.baseline=4", "sweep.generation=4", "confirm.top=1", "confirm.seeds=2")
NO_TRACKER = "http://127.0.0.1:9"
TRIALS = 8
pytestmark = pytest.mark.usefixtures("tracker_here")
TABLES = ("outer", "confirm", "settings", "lambdas", "history")


def swept(folder: Path, *edits: str, **options: Any) -> sweeps.Sweep:
    defaults = {"trials": TRIALS, "workers": 1, "directory": folder, "tracking_uri": NO_TRACKER}
    return sweeps.run("iris", edits=[*EDITS, *edits], **defaults | options)


def tables(folder: Path) -> dict[str, bytes]:
    return {
        f"{study.name}/{name}": path.read_bytes()
        for study in sorted((folder / "reports").iterdir())
        for name in TABLES
        if (path := study / f"{name}.csv").exists()
    }


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory, made: Path) -> sweeps.Sweep:
    folder = tmp_path_factory.mktemp("family")
    return swept(folder, tracking_uri=f"sqlite:///{shutil.copy(made, folder)}")


def test_every_row_is_a_test_row_once(family: sweeps.Sweep) -> None:
    names = [f"iris-outer-{fold}" for fold in range(1, OUTER + 1)]
    assert family.workspace.studies() == ["iris", *names]
    assert [one.study for one in family.verdict.outer] == names
    assert [one.rows for one in family.verdict.outer] == [75, 75]
    rows = [
        row
        for fold in range(1, OUTER + 1)
        for row in Sealed(family.record.experiment.of_outer_fold(fold).data)._part.rows
    ]
    assert sorted(rows) == list(range(150))
    assert family.record.data["rows"] == {"training": 120, "validation": 30, "test": 0}
    assert family.model.origin["rows"] == 150


def test_the_verdict_compares_the_winners_of_both_arms_on_the_rows_of_all_folds(
    family: sweeps.Sweep,
) -> None:
    verdict, found = family.verdict, []
    for one in verdict.outer:
        of_fold = family.workspace.record(one.study)
        assert one.penalised == of_fold.verdict.confirmed(WINNER).setting
        assert one.baseline == of_fold.verdict.confirmed(BASELINE).setting
        pair = [
            np.mean([network.test.accuracy for network in of_fold.confirmed[setting]])
            for setting in (one.penalised, one.baseline)
        ]
        # Means of means, added in another order.
        assert (one.with_penalties, one.without) == pytest.approx(pair, abs=1e-12)
        found.append(pair)
    means = np.mean(found, axis=0)
    assert verdict.searched == pytest.approx(tuple(means), abs=1e-12)
    (comparison,) = verdict.comparisons
    assert comparison.against == BASELINE
    assert comparison.gain.mean == pytest.approx(means[0] - means[1], abs=1e-12)
    assert comparison.gain.low <= comparison.gain.mean <= comparison.gain.high
    assert (verdict.opening.number, verdict.opening.alpha) == (1, 0.025)
    assert f"{OUTER} outer folds, on 150 rows" in card(family.record).says


def test_table_and_page_have_the_folds_and_mlflow_has_their_studies_below_the_last_one(
    family: sweeps.Sweep,
) -> None:
    reports = family.workspace.reports_of("iris")
    table = pd.read_csv(reports / "outer.csv")
    assert list(table.outer_study) == [one.study for one in family.verdict.outer]
    assert list(table.difference) == list(table.with_penalties - table.without)
    assert list(table.weight_l1) == [
        one.penalised.lambdas.weight_l1 for one in family.verdict.outer
    ]
    page = (reports / "report.html").read_text()
    assert [one.study for one in family.verdict.outer if f">{one.study}</td>" in page] == [
        *table.outer_study
    ]
    client = MlflowClient(family.workspace.tracking_uri)
    experiment = client.get_experiment_by_name("iris")
    runs = {
        run.data.tags["study"]: run
        for run in client.search_runs([experiment.experiment_id], "tags.kind = 'study'")
    }
    parents = {name: run.data.tags.get("mlflow.parentRunId") for name, run in runs.items()}
    above = runs["iris"].info.run_id
    assert parents == {"iris": None} | {one.study: above for one in family.verdict.outer}
    assert runs["iris"].data.metrics["gain"] == family.verdict.gain.mean


def test_the_same_tables_whatever_the_workers_and_interruptions(
    family: sweeps.Sweep, tmp_path: Path
) -> None:
    expected = tables(family.workspace.directory)
    assert len(expected) == 3 * 4 + 1
    command = [SWEEPS, "run", "iris", "--trials", str(TRIALS), "--workers", "2"]
    command += [part for edit in EDITS for part in ("--set", edit)]
    journal = tmp_path / "studies" / "iris-outer-1.journal"
    with started([*command, "--tracking-uri", NO_TRACKER], cwd=tmp_path) as process:
        while process.poll() is None and not journal.exists():
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 143
    swept(tmp_path, workers=2)
    assert tables(tmp_path) == expected


def test_nothing_is_claimed_until_each_outer_study_is_there(
    family: sweeps.Sweep, tmp_path: Path
) -> None:
    shutil.copytree(family.workspace.directory / "studies", tmp_path / "studies")
    place, experiment = workspace(tmp_path), family.record.experiment
    second = tmp_path / "studies" / "iris-outer-2.journal"

    def claimed() -> Claim | None:
        with closing(place.open("iris", experiment)) as study:
            return claim(study, functools.partial(place.kept, pytest.fail))

    whole, verdict = claimed(), family.verdict
    assert whole is not None
    assert whole.made_in(verdict) == verdict
    second.unlink()
    assert claimed() is None
    other = experiment_file.load(experiment, ["sweep.seed=1"]).of_outer_fold(2)
    with closing(place.open("iris-outer-2", other)) as study:
        study.keep(ANSWERS, family.workspace.load("iris-outer-2").kept[ANSWERS])
    assert claimed() is None  # it is not of this family
    with closing(place.open("iris", experiment)) as study:
        study.keep(VERDICT, None)
    alone = {"directory": tmp_path, "tracking_uri": NO_TRACKER, "workers": 1}
    sealed = sweeps.confirm("iris", open_test=True, **alone)
    assert sealed.verdict.word == SEALED
    assert "; test them with: sweeps run iris --study iris" in sealed.card.cautions[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"keep_sealed": True}, "--keep-sealed cannot be used with data.split.outer = 2"),
        ({"confirm": False}, "--no-confirm cannot be used with data.split.outer = 2"),
        ({"study": "s" * 195}, "at most 200 bytes in UTF-8; shorten this one of 203"),
    ],
)
def test_what_a_family_cannot_do(tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        swept(tmp_path, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("objective", ["val_data_loss", "val_accuracy"])
def test_losses_of_few_rows_claim_nothing(tmp_path: Path, objective: str) -> None:
    """As in any study with fewer than 30 rows to test on; accuracy has one."""
    rows = pd.DataFrame({"x": np.arange(28) % 7, "y": np.repeat(["a", "b"], 14)})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    data = {"source": str(tmp_path / "rows.csv"), "target": "y"}
    family = sweeps.run(
        Experiment.model_validate({"name": "few", "data": data}),
        edits=[*EDITS, "data.split.test=0", f"sweep.objective={objective}"],
        trials=TRIALS, workers=1, directory=tmp_path, tracking_uri=NO_TRACKER,
    )  # fmt: skip
    (comparison,) = family.verdict.comparisons
    wider_than_any_loss = comparison.gain.high - comparison.gain.low > 100
    assert wider_than_any_loss == (objective == "val_data_loss")
