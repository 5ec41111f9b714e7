"""The confirmation of real studies: the same whoever trains it and however often it is interrupted;
the test set is opened once.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine
from threadpoolctl import threadpool_limits

import sweeps
from experiments import datasets
from experiments.model import read_model
from experiments.spec import Data
from experiments.verdict import BASELINE, RECOMMENDED, SAME, SEALED, UNDECIDED, WINNER
from nnreg import Lambdas, Split, TrainConfig, train
from sweeps.confirmation.replicates import fresh_seeds
from sweeps.confirmation.tests import PREFIX
from sweeps.progress import Progress

SEEDS = 3
EDITS = ("training.epochs=4", "training.batch_size=16", "training.dtype=float64")
EDITS += ("sweep.generation=6", "confirm.top=2", f"confirm.seeds={SEEDS}")
NO_TRACKER = "http://127.0.0.1:9"
pytestmark = pytest.mark.usefixtures("tracker_here")


def swept(folder: Path, *edits: str, **options: Any) -> sweeps.Sweep:
    defaults = {"trials": 6, "workers": 1, "directory": folder, "tracking_uri": NO_TRACKER}
    return sweeps.run("wine", edits=[*EDITS, *edits], **defaults | options)


def opened(sweep: sweeps.Sweep) -> tuple[int, float]:
    """The number of the look, and its error rate."""
    return sweep.verdict.opening.number, sweep.verdict.opening.alpha


def looks(sweep: sweeps.Sweep) -> list[dict[str, Any]]:
    return [value for key, value in sweep.study.user_attrs.items() if key.startswith(PREFIX)]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> sweeps.Sweep:
    return swept(tmp_path_factory.mktemp("calm"))


@pytest.fixture
def copy(calm: sweeps.Sweep, tmp_path: Path) -> Path:
    shutil.copytree(calm.workspace.directory, tmp_path / "copy")
    return tmp_path / "copy"


def test_fresh_seeds_are_fresh_and_fewer_are_the_first_of_more() -> None:
    many = fresh_seeds(7, 1_000)
    assert len(set(many)) == 1_000
    assert 7 not in many
    assert fresh_seeds(7, 10) == many[:10]
    assert not set(fresh_seeds(8, 10)) & set(many)


def test_every_role_is_there_with_every_seed(calm: sweeps.Sweep) -> None:
    table, verdict = calm.confirmation, calm.verdict
    assert table.seed.tolist() == list(fresh_seeds(0, SEEDS)) * len(verdict.settings)
    assert {WINNER, RECOMMENDED, BASELINE} <= set(table.role)
    without = {role.removeprefix("without_") for role in table.role if role.startswith("without_")}
    assert without == set(verdict.setting(WINNER).lambdas.on)
    networks = table.drop_duplicates(["seed", "weight_l1", "weight_l2", "bias_l1", "bias_l2"])
    assert len(networks) == len(calm.record.replicates)
    assert table.test_accuracy.notna().all()


def test_a_replicate_is_what_training_gives(calm: sweeps.Sweep) -> None:
    split = datasets.load(Data(source="wine"), "float64").split
    seed = fresh_seeds(0, SEEDS)[1]
    config = TrainConfig(epochs=4, batch_size=16, dtype="float64", seed=seed)
    with threadpool_limits(1):
        (fit,) = train(split, config, [Lambdas()])
    row = calm.confirmation.query("role == 'baseline' and seed == @seed").iloc[0]
    assert row.val_accuracy == fit.val_accuracy[-1]
    assert row.val_data_loss == fit.val_data_loss[-1]


def test_the_numbers_of_the_verdict_are_those_of_the_table(calm: sweeps.Sweep) -> None:
    verdict, table = calm.verdict, calm.confirmation.groupby("role")
    for setting in verdict.settings:
        assert setting.mean == pytest.approx(table.val_accuracy.mean()[setting.role])
    test_accuracy = table.test_accuracy.mean()
    assert verdict.accuracy.mean == pytest.approx(test_accuracy[RECOMMENDED])
    gain = test_accuracy[RECOMMENDED] - test_accuracy[BASELINE]
    assert verdict.gain.mean == pytest.approx(gain)


def test_the_same_with_any_workers_and_lanes(calm: sweeps.Sweep, tmp_path: Path) -> None:
    other = swept(tmp_path, workers=2, lanes=3)
    pd.testing.assert_frame_equal(other.confirmation, calm.confirmation)
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
    tests = ["test_accuracy", "test_data_loss"]
    assert other.confirmation.drop(columns=tests).equals(calm.confirmation.drop(columns=tests))


def test_kept_sealed_opened_once_and_counted(calm: sweeps.Sweep, tmp_path: Path) -> None:
    sealed = swept(tmp_path, keep_sealed=True)
    assert (sealed.verdict.word, sealed.verdict.opening) == (SEALED, None)
    assert sealed.confirmation.test_accuracy.isna().all()
    assert not looks(sealed)

    here = {"directory": tmp_path, "tracking_uri": NO_TRACKER}
    first = sweeps.confirm(open_test=True, workers=1, **here)
    assert opened(first) == (1, 0.025)
    pd.testing.assert_frame_equal(first.confirmation, calm.confirmation)
    (look,) = looks(first)
    assert look["against"].keys() == {one.against for one in first.verdict.comparisons}
    assert look["seeds"] == list(fresh_seeds(0, SEEDS))

    journal = tmp_path / "studies" / "wine.journal"
    before = journal.read_bytes()
    for open_test in (False, True):
        assert sweeps.confirm("wine", open_test=open_test, **here).verdict == first.verdict
    assert journal.read_bytes() == before

    assert opened(swept(tmp_path, "training.epochs=3", study="another")) == (2, 0.0125)
    assert opened(swept(tmp_path, "data.split.seed=1", study="other_rows")) == (1, 0.025)


def test_a_database_keeps_the_same_and_looks_are_counted_over_it_and_the_directory(
    calm: sweeps.Sweep, copy: Path
) -> None:
    storage = f"sqlite:///{copy}/studies.db"
    other = swept(copy, study="other", storage=storage)
    pd.testing.assert_frame_equal(other.confirmation.assign(study="wine"), calm.confirmation)
    assert opened(other)[0] == 2
    assert opened(swept(copy, "training.epochs=1", study="third", storage=storage))[0] == 3


def test_more_trials_are_confirmed_again_and_the_same_question_is_no_new_look(
    calm: sweeps.Sweep, copy: Path
) -> None:
    assert swept(copy, "confirm.margin=0.5").verdict.opening == calm.verdict.opening
    more = swept(copy, trials=12)
    assert more.verdict.basis["trials"] == 12
    assert opened(more)[0] == len(looks(more))


def test_the_model_is_trained_on_all_rows_and_takes_raw_ones(calm: sweeps.Sweep) -> None:
    model, verdict = read_model(calm.workspace.reports_of("wine")), calm.verdict
    frame = load_wine(as_frame=True).data
    assert set(model.predict(frame[frame.columns[::-1]])) <= set(model.classes)
    data = datasets.load(Data(source="wine"), "float64").split
    x, y = np.concatenate([data.x_train, data.x_val]), np.concatenate([data.y_train, data.y_val])
    config = TrainConfig(epochs=4, batch_size=16, dtype="float64", seed=fresh_seeds(0, SEEDS)[0])
    with threadpool_limits(1):
        (fit,) = train(Split(x, y, data.x_val, data.y_val), config, [verdict.use])
    np.testing.assert_equal(model.parameters, fit.parameters)
    assert model.origin["rows"] == verdict.rows["training"] + verdict.rows["validation"] == len(y)


def test_without_test_rows_nothing_is_claimed_and_only_on_demand(tmp_path: Path) -> None:
    sweep = swept(tmp_path, "data.split.test=0", confirm=False)
    assert sweep.verdict is None
    assert not sweep.record.replicates
    sweep = swept(tmp_path, "data.split.test=0")
    assert sweep.verdict.word in (UNDECIDED, SAME)
    assert sweep.verdict.opening is None
    assert not looks(sweep)
