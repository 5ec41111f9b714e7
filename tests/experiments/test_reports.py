"""The reports: columns that never change, and CSV that reads back to the same numbers."""

import dataclasses
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from experiments.errors import DirectoryError
from experiments.records import FAIL, StudyRecord
from experiments.reports import Format, files, frames
from nnreg import LAMBDA_NAMES, Lambdas
from tests.studies import confirmed_study, make_study, make_trial

COLUMNS = {  # the contract, letter by letter
    "trials": (
        "study trial generation state weight_l1 weight_l2 bias_l1 bias_l2 data_loss"
        " regularization_loss total_loss penalty_weight_l1 penalty_weight_l2 penalty_bias_l1"
        " penalty_bias_l2 val_data_loss val_accuracy balanced_val_accuracy train_accuracy"
        " near_zero_weights diverged epochs seconds started finished mlflow_run_id error"
    ),
    "history": (
        "study trial epoch data_loss regularization_loss val_data_loss val_accuracy train_accuracy"
    ),
    "lambdas": (
        "lambda fixed best low high off_decades top_low top_high top_off_share importance edge"
    ),
    "summary": (
        "study study_uid experiment fingerprint objective baseline_trial baseline_value best_trial"
        " best_value difference tied complete pruned fail diverged seconds python numpy optuna"
        " mlflow pandas blas recommended_weight_l1 recommended_weight_l2 recommended_bias_l1"
        " recommended_bias_l2 verdict gain gain_low gain_high test_accuracy test_accuracy_low"
        " test_accuracy_high baseline_test_accuracy openings"
    ),
    "confirm": (
        "study role trial seed weight_l1 weight_l2 bias_l1 bias_l2 val_accuracy val_data_loss"
        " test_accuracy test_data_loss diverged"
    ),
}
FAILED = make_trial(
    2, state=FAIL, metrics=None, curves={}, error='killed, "three" times\nby nobody'
)


def study(trials: int = 12, **sections: object) -> StudyRecord:
    return make_study(trials, **sections)


@pytest.mark.parametrize(
    "record",
    [
        study(), study(0), study(1), dataclasses.replace(study(), trials=(make_trial(0), FAILED)),
        confirmed_study(), confirmed_study(look=1),
    ],
)  # fmt: skip
def test_columns_and_dtypes_never_change(record: StudyRecord, tmp_path: Path) -> None:
    written = files.export(record, tmp_path / "deep" / "folder")
    assert [path.stem for path in written] == [
        name for name in COLUMNS if name != "confirm" or record.verdict
    ]
    for path in written:
        assert path.read_text(encoding="utf-8").splitlines()[0] == COLUMNS[path.stem].replace(
            " ", ","
        )
    for make, columns in (
        (frames.trials, frames.TRIALS), (frames.history, frames.HISTORY), (frames.lambdas, frames.LAMBDAS),
        (frames.summary, frames.SUMMARY), (frames.confirm, frames.CONFIRM),
    ):  # fmt: skip
        assert {name: str(dtype) for name, dtype in make(record).dtypes.items()} == columns


def test_parquet_reads_back_the_same(tmp_path: Path) -> None:
    """With dtypes of its own, nulls and times included, for readers that know no pandas too."""
    record = confirmed_study(make_study(3))
    record = dataclasses.replace(
        record, trials=(*record.trials, dataclasses.replace(FAILED, trial=3))
    )
    written = files.export(record, tmp_path, {0: "f" * 32}, formats=[Format.parquet])
    assert [path.name for path in written] == [f"{name}.parquet" for name in COLUMNS]
    wanted = {
        "trials": frames.trials(record, {0: "f" * 32}), "history": frames.history(record), "lambdas": frames.lambdas(record),
        "summary": frames.summary(record), "confirm": frames.confirm(record),
    }  # fmt: skip
    for path in written:
        pd.testing.assert_frame_equal(pd.read_parquet(path), wanted[path.stem])
        assert pq.read_table(path).column_names == list(wanted[path.stem])  # and no index
    table = pq.read_table(tmp_path / "trials.parquet")
    types = {
        name: str(table.schema.field(name).type)
        for name in ("started", "diverged", "trial", "weight_l2")
    }
    assert types == {
        "started": "timestamp[us, tz=UTC]",
        "diverged": "bool",
        "trial": "int64",
        "weight_l2": "double",
    }
    assert table["val_accuracy"].null_count == 1  # null, and not NaN
    assert (
        pq.read_table(tmp_path / "confirm.parquet")["trial"].type == "int64"
    )  # though some are of no trial
    assert pq.read_table(tmp_path / "confirm.parquet")["trial"].null_count > 0


def test_every_number_reads_back_the_same(tmp_path: Path) -> None:
    record = study()
    files.export(record, tmp_path)
    table = pd.read_csv(tmp_path / "trials.csv")
    for trial, row in zip(record.trials, table.to_dict("records"), strict=True):
        assert {name: row[name] for name in LAMBDA_NAMES} == dataclasses.asdict(trial.lambdas)
        assert trial.metrics
        assert {
            name: row[name] for name in dataclasses.asdict(trial.metrics)
        } == dataclasses.asdict(trial.metrics)
        assert pd.Timestamp(row["started"]).to_pydatetime() == trial.started
    history = pd.read_csv(tmp_path / "history.csv")
    assert (
        tuple(history[history.trial == 3].val_accuracy) == record.trials[3].curves["val_accuracy"]
    )


def test_times_and_flags_are_written_as_promised(tmp_path: Path) -> None:
    record = dataclasses.replace(study(), trials=(make_trial(0), make_trial(1, diverged=True)))
    files.export(record, tmp_path, {1: "abc"})
    first, second = (
        line.split(",") for line in (tmp_path / "trials.csv").read_text().splitlines()[1:]
    )
    assert first[23:] == ["2026-11-23T07:25:49.123456Z", "2026-11-23T07:25:49.823456Z", "", ""]
    assert (first[20], second[20], second[25]) == ("false", "true", "abc")


def test_a_failed_trial_has_a_reason_and_no_numbers(tmp_path: Path) -> None:
    files.export(dataclasses.replace(study(), trials=(make_trial(0), FAILED)), tmp_path)
    row = pd.read_csv(tmp_path / "trials.csv").to_dict("records")[1]
    assert (row["state"], row["error"]) == (FAIL, FAILED.error)
    assert pd.isna(row["val_accuracy"])
    assert row["weight_l1"] == FAILED.lambdas.weight_l1


def test_a_lambda_at_the_upper_edge_is_said_and_a_fixed_one_has_no_axis() -> None:
    trials = (
        make_trial(0),
        *(
            make_trial(
                n,
                lambdas=Lambdas(
                    weight_l1=0.09, weight_l2=1e-3 * n, bias_l1=1e-3 * (n % 3), bias_l2=0.5
                ),
            )
            for n in range(1, 30)
        ),
    )
    record = dataclasses.replace(study(lambdas={"bias_l2": 0.5}), trials=trials)
    table = frames.lambdas(record).set_index("lambda")
    assert list(table.edge) == ["high", "", "", ""]
    assert list(table.fixed) == [False, False, False, True]
    assert pd.isna(table.low["bias_l2"])
    assert (table.low["weight_l1"], table.high["weight_l1"], table.off_decades["weight_l1"]) == (
        1e-6,
        0.1,
        1.0,
    )
    top = record.ranked[:3]
    assert table.top_low["weight_l2"] == min(
        trial.lambdas.weight_l2 for trial in top if trial.lambdas.weight_l2
    )
    assert table.top_off_share["bias_l1"] == 2 / 3  # to the last digit: it is read in a spreadsheet


def test_ties_go_to_the_smaller_loss_then_fewer_lambdas_then_the_lower_number() -> None:
    def trial(number: int, loss: float, **on: float) -> object:
        base = make_trial(number, lambdas=Lambdas(**on))
        assert base.metrics
        return dataclasses.replace(
            base, metrics=dataclasses.replace(base.metrics, val_accuracy=0.9, val_data_loss=loss)
        )

    record = study()
    for trials, best in (
        ((trial(0, 0.5), trial(1, 0.4, weight_l1=1.0)), 1),
        ((trial(0, 0.4, weight_l1=1.0, bias_l1=1.0), trial(1, 0.4, weight_l1=1.0)), 1),
        ((trial(0, 0.4), trial(1, 0.4)), 0),
    ):
        record = dataclasses.replace(record, trials=trials)
        assert record.best
        assert (record.best.trial, record.tied) == (best, 2)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    path.write_text("what was there")

    def fails(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(
        DirectoryError, match=r"trials.csv cannot be written \(No space left on device\)"
    ):
        files.write_whole(path, fails)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [
        ("trials.csv", "what was there")
    ]
