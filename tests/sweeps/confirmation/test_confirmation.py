"""The confirmation of real studies: the same whoever trains it and however often it is interrupted;
the test set opened once.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

import sweeps
from experiments import datasets
from experiments.data_section import Data
from experiments.model import read_model
from experiments.verdict import BASELINE, RECOMMENDED, SAME, SEALED, UNDECIDED, WINNER
from nnreg import Lambdas, Split, TrainConfig, train
from sweeps.confirmation.replicates import fresh_seeds
from sweeps.confirmation.tests import PREFIX
from sweeps.progress import Progress

SEEDS, TOP = 3, 2
EDITS = (
    "training.epochs=4", "training.batch_size=16", "training.dtype=float64", "sweep.generation=6", f"confirm.seeds={SEEDS}",
    f"confirm.top={TOP}",
)  # fmt: skip
NO_TRACKER = "http://127.0.0.1:9"
pytestmark = pytest.mark.usefixtures("tracker_here")


def swept(folder: Path, **options: Any) -> sweeps.Sweep:
    options = {
        "trials": 6,
        "edits": EDITS,
        "workers": 1,
        "directory": folder,
        "tracking_uri": NO_TRACKER,
    } | options
    return sweeps.run("wine", **options)


def looks(sweep: sweeps.Sweep) -> list[dict[str, Any]]:
    return [value for key, value in sweep.study.user_attrs.items() if key.startswith(PREFIX)]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> sweeps.Sweep:
    return swept(tmp_path_factory.mktemp("calm"))


def test_fresh_seeds_are_fresh_and_fewer_are_the_first_of_more() -> None:
    many = fresh_seeds(7, 1_000)
    assert len(set(many)) == 1_000
    assert 7 not in many
    assert fresh_seeds(7, 10) == many[:10]
    assert not set(fresh_seeds(8, 10)) & set(many)


def test_every_role_is_there_with_every_seed(calm: sweeps.Sweep) -> None:
    table, verdict = calm.confirmation, calm.verdict
    assert verdict is not None
    assert table.seed.tolist() == list(fresh_seeds(0, SEEDS)) * len(verdict.settings)
    assert {WINNER, RECOMMENDED, BASELINE} <= set(table.role)
    winner = verdict.setting(WINNER).lambdas
    assert {
        role.removeprefix("without_") for role in table.role if role.startswith("without_")
    } == set(winner.on)
    networks = table.drop_duplicates(["seed", "weight_l1", "weight_l2", "bias_l1", "bias_l2"])
    assert len(networks) == len(calm.record.replicates)
    assert table.test_accuracy.notna().all()


def test_a_replicate_is_what_training_gives(calm: sweeps.Sweep) -> None:
    data = datasets.load(Data(source="wine"), "float64")
    seed = fresh_seeds(0, SEEDS)[1]
    fit = train(
        data.split, TrainConfig(epochs=4, batch_size=16, dtype="float64", seed=seed), [Lambdas()]
    )[0]
    row = calm.confirmation.query("role == 'baseline' and seed == @seed").iloc[0]
    assert row.val_accuracy == fit.val_accuracy[-1]
    assert row.val_data_loss == pytest.approx(
        fit.val_data_loss[-1], rel=1e-12
    )  # BLAS may have more threads here


def test_the_numbers_of_the_verdict_are_those_of_the_table(calm: sweeps.Sweep) -> None:
    verdict, table = calm.verdict, calm.confirmation
    assert verdict is not None
    for setting in verdict.settings:
        assert setting.mean == pytest.approx(table[table.role == setting.role].val_accuracy.mean())
    assert verdict.accuracy is not None
    assert verdict.accuracy.mean == pytest.approx(
        table[table.role == RECOMMENDED].test_accuracy.mean()
    )
    if verdict.gain is not None and verdict.against_baseline is not None:
        baseline = table[table.role == BASELINE].test_accuracy.mean()
        assert verdict.gain.mean == pytest.approx(verdict.accuracy.mean - baseline)


@pytest.mark.parametrize(("workers", "lanes"), [(1, 1), (2, 3)])
def test_the_same_with_any_workers_and_lanes(
    calm: sweeps.Sweep, tmp_path: Path, workers: int, lanes: int
) -> None:
    other = swept(tmp_path, workers=workers, lanes=lanes)
    pd.testing.assert_frame_equal(other.confirmation, calm.confirmation)
    assert other.verdict is not None
    assert calm.verdict is not None
    assert other.verdict.comparisons == calm.verdict.comparisons


class Impatient(Progress):
    """Stops after so many networks."""

    def __init__(self, networks: int) -> None:
        super().__init__()
        self.networks, self.trained = networks, 0

    def confirming(self, trained: int, networks: int) -> None:
        self.trained = trained
        if trained == self.networks:
            raise KeyboardInterrupt


@pytest.mark.parametrize("networks", [1, 7])
def test_interrupted_it_goes_on_where_it_was(
    calm: sweeps.Sweep, tmp_path: Path, networks: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path, progress=Impatient(networks))
    rest = Impatient(-1)
    other = swept(tmp_path, progress=rest, keep_sealed=True)
    assert rest.trained == len(calm.record.replicates) - networks
    assert other.confirmation.drop(columns=["test_accuracy", "test_data_loss"]).equals(
        calm.confirmation.drop(columns=["test_accuracy", "test_data_loss"])
    )


def test_kept_sealed_opened_once_and_counted(calm: sweeps.Sweep, tmp_path: Path) -> None:
    sealed = swept(tmp_path, keep_sealed=True)
    assert sealed.verdict is not None
    assert sealed.verdict.word == SEALED
    assert sealed.verdict.opening is None
    assert sealed.confirmation.test_accuracy.isna().all()
    assert not looks(sealed)

    opened = sweeps.confirm(open_test=True, workers=1, directory=tmp_path, tracking_uri=NO_TRACKER)
    assert opened.verdict is not None
    assert opened.verdict.opening is not None
    assert opened.verdict.opening.number == 1
    pd.testing.assert_frame_equal(opened.confirmation, calm.confirmation)
    (look,) = looks(opened)
    assert look["against"].keys() == {
        comparison.against for comparison in opened.verdict.comparisons
    }
    assert look["seeds"] == list(fresh_seeds(0, SEEDS))

    journal = tmp_path / "studies" / "wine.journal"
    before = journal.read_bytes()
    for open_test in (False, True):
        shown = sweeps.confirm(
            "wine", open_test=open_test, directory=tmp_path, tracking_uri=NO_TRACKER
        )
        assert shown.verdict == opened.verdict
    assert journal.read_bytes() == before

    another = swept(tmp_path, study="another", edits=[*EDITS, "training.epochs=3"])
    assert another.verdict is not None
    assert another.verdict.opening is not None
    assert (another.verdict.opening.number, another.verdict.opening.alpha) == (2, 0.0125)
    other_rows = swept(tmp_path, study="other_rows", edits=[*EDITS, "data.split.seed=1"])
    assert other_rows.verdict is not None
    assert other_rows.verdict.opening is not None
    assert other_rows.verdict.opening.number == 1


def test_a_database_keeps_the_same_and_looks_are_counted_over_it_and_the_directory(
    calm: sweeps.Sweep, tmp_path: Path
) -> None:
    shutil.copytree(calm.workspace.directory, tmp_path / "copy")
    storage = f"sqlite:///{tmp_path}/studies.db"
    other = swept(tmp_path / "copy", study="other", storage=storage)
    pd.testing.assert_frame_equal(
        other.confirmation.drop(columns="study"), calm.confirmation.drop(columns="study")
    )
    assert other.verdict is not None
    assert other.verdict.opening is not None
    assert other.verdict.opening.number == 2
    third = swept(
        tmp_path / "copy", study="third", storage=storage, edits=[*EDITS, "training.epochs=1"]
    )
    assert third.verdict is not None
    assert third.verdict.opening is not None
    assert third.verdict.opening.number == 3


def test_more_trials_are_confirmed_anew_and_the_same_question_is_no_new_look(
    calm: sweeps.Sweep, tmp_path: Path
) -> None:
    shutil.copytree(calm.workspace.directory, tmp_path / "copy")
    margin = swept(tmp_path / "copy", edits=[*EDITS, "confirm.margin=0.5"])
    assert margin.verdict is not None
    assert margin.verdict.opening == calm.verdict.opening if calm.verdict else False
    more = swept(tmp_path / "copy", trials=12)
    assert more.verdict is not None
    assert more.verdict.basis["trials"] == 12
    assert more.verdict.opening is not None
    assert more.verdict.opening.number == len(looks(more))


def test_the_model_takes_raw_rows(calm: sweeps.Sweep) -> None:
    assert calm.verdict is not None
    model = read_model(calm.workspace.reports_of("wine"))
    from sklearn.datasets import load_wine

    frame = load_wine(as_frame=True).data
    backwards = frame[frame.columns[::-1]]
    labels = model.predict(backwards)
    assert set(labels) <= set(model.classes)
    np.testing.assert_allclose(model.probabilities(frame).sum(axis=1), 1)
    assert model.origin["lambdas"] == {
        name: getattr(calm.verdict.use, name) for name in model.origin["lambdas"]
    }
    data = datasets.load(Data(source="wine"), "float64").split
    x, y = np.concatenate([data.x_train, data.x_val]), np.concatenate([data.y_train, data.y_val])
    config = TrainConfig(epochs=4, batch_size=16, dtype="float64", seed=fresh_seeds(0, SEEDS)[0])
    with threadpool_limits(1):
        fit = train(Split(x, y, data.x_val, data.y_val), config, [calm.verdict.use])[0]
    np.testing.assert_equal(model.parameters, fit.parameters)
    assert model.origin["rows"] == calm.verdict.rows["training"] + calm.verdict.rows["validation"]


def test_without_test_rows_nothing_is_claimed(tmp_path: Path) -> None:
    sweep = swept(tmp_path, edits=[*EDITS, "data.split.test=0"])
    assert sweep.verdict is not None
    assert sweep.verdict.word in (UNDECIDED, SAME)
    assert sweep.verdict.opening is None
    assert not looks(sweep)


def test_nothing_is_confirmed_where_that_is_not_asked(tmp_path: Path) -> None:
    sweep = swept(tmp_path, confirm=False)
    assert sweep.verdict is None
    assert sweep.confirmation.empty
    assert not sweep.record.replicates
    assert not (sweep.workspace.reports_of("wine") / "confirm.csv").exists()
