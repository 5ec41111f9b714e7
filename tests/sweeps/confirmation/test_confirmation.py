"""The confirmation of real studies: the same whoever trains it and however often it is interrupted;
the test set is opened once.
"""

import shutil
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine
from threadpoolctl import threadpool_limits

import sweeps
from experiments import datasets
from experiments.card import card
from experiments.model import read_model
from experiments.references import REFERENCES
from experiments.spec import Data
from experiments.verdict import (
    BASELINE,
    BASELINE_CANDIDATE,
    RECOMMENDED,
    RECOMMENDED_WITHOUT,
    REFERENCE,
    SAME,
    SEALED,
    UNDECIDED,
    WINNER,
    WITHOUT,
)
from nnreg import LAMBDA_NAMES, Lambdas, Split, TrainConfig, losses_and_hits, train
from sweeps.confirmation import tests
from sweeps.confirmation.replicates import fresh_seeds
from sweeps.confirmation.tests import PREFIX
from sweeps.progress import Progress

SEEDS = 3
EDITS = ("training.epochs=6", "training.batch_size=16", "training.dtype=float64")
EDITS += ("training.learning_rate={low=1e-3, high=1e-1}", "sweep.baseline=4")
EDITS += ("sweep.generation=6", "confirm.top=2", f"confirm.seeds={SEEDS}")
NO_TRACKER = "http://127.0.0.1:9"
pytestmark = pytest.mark.usefixtures("tracker_here")


def swept(folder: Path, *edits: str, **options: Any) -> sweeps.Sweep:
    defaults = {"trials": 10, "workers": 1, "directory": folder, "tracking_uri": NO_TRACKER}
    return sweeps.run("wine", edits=[*EDITS, *edits], **defaults | options)


def opened(sweep: sweeps.Sweep) -> tuple[int, float]:
    """The number of the look, and its error rate."""
    return sweep.verdict.opening.number, sweep.verdict.opening.alpha


def looks(sweep: sweeps.Sweep) -> list[dict[str, Any]]:
    kept = sweep.workspace.load(sweep.record.study).kept
    return [value for key, value in kept.items() if key.startswith(PREFIX)]


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
    table = table[~table.role.str.startswith(REFERENCE)]
    assert table.seed.tolist() == list(fresh_seeds(0, SEEDS)) * len(verdict.settings)
    assert {WINNER, RECOMMENDED, BASELINE} <= set(table.role)
    on = len(verdict.confirmed(WINNER).setting.on)
    assert sum(role.startswith(WITHOUT) for role in set(table.role)) == 2**on - 2
    without = {f"{RECOMMENDED_WITHOUT}{name}" for name in verdict.recommended.on}
    assert {role for role in table.role if role.startswith(RECOMMENDED_WITHOUT)} == without
    assert {*table.learning_rate[table.role == BASELINE]} == {verdict.baseline.learning_rate}
    arms = table[[*LAMBDA_NAMES]].any(axis=1)
    assert set(table.role[~arms]) <= {BASELINE, BASELINE_CANDIDATE, RECOMMENDED, *without}
    tried = table.drop_duplicates(["seed", *LAMBDA_NAMES, "learning_rate"])
    assert len(tried) <= len(calm.record.replicates)  # not all learning rates have a role
    assert table.test_accuracy.notna().all()


def test_the_networks_of_a_setting_share_the_best_epoch_of_their_mean_curve(
    calm: sweeps.Sweep,
) -> None:
    record = calm.record
    for one in record.verdict.settings:
        networks = record.confirmed[one.setting]
        mean = np.mean([network.curves["val_accuracy"] for network in networks], axis=0)
        kept = {one.best_epoch} | {network.best_epoch for network in networks}
        assert kept == {int(mean.round(12).argmax()) + 1}


def test_a_replicate_is_what_training_gives(calm: sweeps.Sweep) -> None:
    split = datasets.load(Data(source="wine"), "float64").split
    seed = fresh_seeds(0, SEEDS)[1]
    config = TrainConfig(epochs=6, batch_size=16, dtype="float64", seed=seed)
    row = calm.confirmation.query("role == 'baseline' and seed == @seed").iloc[0]
    with threadpool_limits(1):
        (fit,) = train(split, config, [Lambdas()], learning_rates=[row.learning_rate])
    assert row.val_accuracy == fit.val_accuracy[row.best_epoch - 1]
    assert row.val_data_loss == fit.val_data_loss[row.best_epoch - 1]


def test_the_unfair_gain_has_one_learning_rate_the_last_epoch_and_no_tuning(tmp_path: Path) -> None:
    """By loss: so few rows find the same with most settings."""
    sweep = swept(tmp_path, "sweep.objective=val_data_loss")
    definition, verdict = sweep.record.experiment, sweep.verdict
    data = datasets.load(definition.data, "float64")
    rows = datasets.Sealed(definition.data).open(data.preparation, "float64")
    used = verdict.recommended if verdict.recommended.on else verdict.confirmed(WINNER).setting
    config = TrainConfig(epochs=6, batch_size=16, dtype="float64", learning_rate=used.learning_rate)
    settings, seeds = [used.lambdas] * SEEDS + [Lambdas()] * SEEDS, fresh_seeds(0, SEEDS) * 2
    with threadpool_limits(1):
        fits = train(data.split, config, settings, seeds)
        losses, _ = losses_and_hits(rows.x, rows.y, [fit.parameters for fit in fits])
    expected = losses[SEEDS:].mean() - losses[:SEEDS].mean()
    assert verdict.unfair_gain == pytest.approx(expected)


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


@pytest.mark.parametrize("networks", [SEEDS, 4 * SEEDS])
def test_interrupted_it_goes_on_where_it_was(
    calm: sweeps.Sweep, tmp_path: Path, networks: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        swept(tmp_path, progress=Impatient(networks))
    rest = Impatient(-1)
    other = swept(tmp_path, progress=rest, keep_sealed=True)
    assert rest.trained == len(calm.record.replicates) - networks
    there = ~calm.confirmation.role.str.startswith(REFERENCE)  # which need the test rows
    on_test_rows = ["test_accuracy", "test_data_loss"]
    expected = calm.confirmation[there].drop(columns=on_test_rows)
    assert other.confirmation.drop(columns=on_test_rows).equals(expected)


def test_references_may_be_left_out_and_change_no_claim(calm: sweeps.Sweep, tmp_path: Path) -> None:
    assert [one.name for one in calm.verdict.references] == list(REFERENCES)
    without = swept(tmp_path, "confirm.references=false").verdict
    assert without.references == without.left_out == ()
    assert without.comparisons == calm.verdict.comparisons


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

    assert opened(swept(tmp_path, "training.epochs=5", study="another")) == (2, 0.0125)
    assert opened(swept(tmp_path, "data.split.seed=1", study="other_rows")) == (1, 0.025)


def test_a_look_is_counted_whatever_the_clock_says_and_a_neighbour_that_is_broken_is_named(
    copy: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) - timedelta(days=2)

    monkeypatch.setattr(tests, "datetime", Earlier)
    broken = copy / "studies" / "broken.journal"
    broken.write_bytes((copy / "studies" / "wine.journal").read_bytes().replace(b"wine", b"broken"))
    second = swept(copy, "training.epochs=5", study="second")
    assert opened(second) == (2, 0.0125)
    assert second.verdict.opening.unread == ("broken",)
    assert (
        sum("study broken: its sweep is not as it was" in str(one.message) for one in recwarn) == 1
    )
    assert "by broken could not be counted" in str(card(second.record).cautions)
    # Counted once: a look of later that is there when the study goes on is none of before.
    assert opened(swept(copy, "training.epochs=7", study="third")) == (3, 0.00625)
    assert sweeps.confirm("second", open_test=True, workers=1, directory=copy,
                          tracking_uri=NO_TRACKER).verdict == second.verdict  # fmt: skip


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
    more = swept(copy, trials=16)
    assert more.verdict.basis["trials"] == 16
    assert opened(more)[0] == len(looks(more))


def test_the_model_is_trained_on_all_rows_and_takes_raw_ones(calm: sweeps.Sweep) -> None:
    model, verdict = read_model(calm.workspace.reports_of("wine")), calm.verdict
    frame = load_wine(as_frame=True).data
    assert set(model.predict(frame[frame.columns[::-1]])) <= set(model.classes)
    data = datasets.load(Data(source="wine"), "float64").split
    x, y = np.concatenate([data.x_train, data.x_val]), np.concatenate([data.y_train, data.y_val])
    epochs, rate = verdict.used.best_epoch, verdict.use.learning_rate
    config = TrainConfig(
        epochs=epochs, learning_rate=rate, batch_size=16, dtype="float64",
        seed=fresh_seeds(0, SEEDS)[0],
    )  # fmt: skip
    with threadpool_limits(1):
        (fit,) = train(Split(x, y, data.x_val, data.y_val), config, [verdict.use.lambdas])
    np.testing.assert_equal(model.parameters, fit.parameters)
    assert model.origin["rows"] == verdict.rows["training"] + verdict.rows["validation"] == len(y)


def test_without_a_trial_in_each_arm_there_is_no_verdict(tmp_path: Path) -> None:
    sweep = swept(tmp_path, trials=4)
    assert {trial.setting.arm for trial in sweep.record.trials} == {BASELINE}
    assert sweep.verdict is None
    assert swept(tmp_path).verdict is not None


def test_without_test_rows_nothing_is_claimed_and_only_on_demand(tmp_path: Path) -> None:
    sweep = swept(tmp_path, "data.split.test=0", confirm=False)
    assert sweep.verdict is None
    assert not sweep.record.replicates
    sweep = swept(tmp_path, "data.split.test=0")
    assert sweep.verdict.word in (UNDECIDED, SAME)
    assert sweep.verdict.opening is None
    assert not looks(sweep)
