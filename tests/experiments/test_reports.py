"""The reports: columns that never change, and CSV that reads back to the same numbers."""

import csv
import dataclasses
import math
import re
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from experiments.errors import DirectoryError
from experiments.records import FAIL, StudyRecord
from experiments.reports import Format, comparison, files, frames
from experiments.reports.comparison import Compared
from experiments.writing import write_whole
from nnreg import Lambdas
from tests.studies import OWN_CURVE, confirmed_study, make_study, make_trial, own_study

COLUMNS = {  # the contract, letter by letter
    "trials": (
        "study trial generation state weight_l1 weight_l2 bias_l1 bias_l2 arm learning_rate"
        " data_loss regularization_loss total_loss penalty_weight_l1 penalty_weight_l2"
        " penalty_bias_l1 penalty_bias_l2 val_data_loss val_accuracy balanced_val_accuracy"
        " train_accuracy near_zero_weights diverged epochs best_epoch seconds started finished"
        " mlflow_run_id error"
    ),
    "top": (
        "study rank trial weight_l1 weight_l2 bias_l1 bias_l2 learning_rate value difference mean"
        " sd"
    ),
    "history": (
        "study trial epoch data_loss regularization_loss val_data_loss val_accuracy train_accuracy"
    ),
    "lambdas": (
        "lambda fixed best low high off_decades top_low top_high top_off_share importance edge"
    ),
    "ranges": "study lambda range low high n mean best",
    "summary": (
        "study study_uid experiment fingerprint objective baseline_trial baseline_value best_trial"
        " best_value difference tied complete pruned fail diverged seconds python numpy optuna"
        " mlflow pandas blas recommended_weight_l1 recommended_weight_l2 recommended_bias_l1"
        " recommended_bias_l2 recommended_learning_rate baseline_learning_rate undertrained"
        " verdict gain gain_low gain_high test_accuracy test_accuracy_low"
        " test_accuracy_high baseline_test_accuracy openings"
    ),
    "confirm": (
        "study role trial seed weight_l1 weight_l2 bias_l1 bias_l2 learning_rate best_epoch"
        " val_accuracy balanced_val_accuracy val_data_loss test_accuracy test_data_loss diverged"
    ),
    "settings": (
        "study role trial weight_l1 weight_l2 bias_l1 bias_l2 learning_rate best_epoch n mean sd"
        " difference difference_low difference_high level"
    ),
}
FAILED = make_trial(
    2, state=FAIL, metrics=None, curves={}, error='killed, "three" times\nby nobody'
)
WITH_A_FAILED_ONE = dataclasses.replace(make_study(), trials=(make_trial(0), FAILED))


def tables(record: StudyRecord, runs: dict[int, str]) -> dict[str, pd.DataFrame]:
    made = {name: getattr(frames, name)(record) for name in COLUMNS}
    return made | {"trials": frames.trials(record, runs)}


@pytest.mark.parametrize(
    "record", [make_study(0), WITH_A_FAILED_ONE, confirmed_study(), confirmed_study(look=1)]
)
def test_columns_and_dtypes_never_change(record: StudyRecord, tmp_path: Path) -> None:
    written = files.export(record, tmp_path / "deep" / "folder")
    wanted = [name for name in COLUMNS if name not in ("confirm", "settings") or record.verdict]
    assert [path.stem for path in written] == wanted
    for path in written:
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert first == COLUMNS[path.stem].replace(" ", ",")
    for name, frame in tables(record, {}).items():
        dtypes = {column: str(dtype) for column, dtype in frame.dtypes.items()}
        wanted_dtypes = dict(getattr(frames, name.upper()))
        wanted_dtypes.pop("fold", None)  # it is there only with folds
        assert dtypes == wanted_dtypes


OWN_COLUMNS = ("parameter_hidden", "parameter_dropout", "parameter_scale")


def test_an_own_network_has_more_columns_at_the_end_and_empty_cells(tmp_path: Path) -> None:
    study = own_study(6, missing=("regularization_loss",), pruned=(4, 5))
    odd = study.trials[3].curves | {OWN_CURVE: (math.inf, math.nan, 1.0)}
    trials = list(study.trials)
    trials[3] = dataclasses.replace(trials[3], curves=odd)
    study = confirmed_study(dataclasses.replace(study, trials=tuple(trials)), look=1)
    files.export(study, tmp_path)
    own = dict.fromkeys(("trials", "top", "confirm", "settings"), OWN_COLUMNS)
    both = [f"{arm}_{one}" for arm in ("recommended", "baseline") for one in OWN_COLUMNS]
    own |= {"history": (OWN_CURVE,), "summary": tuple(both)}
    for name, wanted in COLUMNS.items():
        first = (tmp_path / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0]
        assert first.split(",") == [*wanted.split(), *own.get(name, ())]
        text = (tmp_path / f"{name}.csv").read_text(encoding="utf-8")
        assert not re.search(r"(?i)(^|,)(none|nan|<na>|inf)(,|$)", text, re.MULTILINE), name
    for trial, row in zip(study.trials, read_as_text(tmp_path / "trials.csv"), strict=True):
        for name, value in trial.setting.parameters:
            assert row[f"parameter_{name}"] == repr(value)  # a whole number has no point
        assert (row["regularization_loss"], row["val_accuracy"]) == ("", repr(trial.val_accuracy))
        assert (row["state"], row["epochs"]) == (trial.state, str(trial.epochs))
    history = [row for row in read_as_text(tmp_path / "history.csv") if row["trial"] == "3"]
    assert [row[OWN_CURVE] for row in history] == ["", "", "1.0"]
    assert {row["regularization_loss"] for row in history} == {""}
    (summary,) = read_as_text(tmp_path / "summary.csv")
    assert (summary["complete"], summary["pruned"], summary["fail"]) == ("4", "2", "0")
    for arm in ("recommended", "baseline"):
        setting = getattr(study.verdict, arm)
        for name, value in setting.parameters:
            assert summary[f"{arm}_parameter_{name}"] == repr(value)
    plain = Compared(confirmed_study(look=1), "", "")
    compared = comparison.frame([plain, Compared(study, "", "")])
    assert compared["recommended_parameter_hidden"].isna().tolist() == [True, False]
    assert compared["network"].tolist() == ["64", "net.py"]


def test_parquet_reads_back_the_same(tmp_path: Path) -> None:
    """With dtypes of its own, nulls and times included, for readers that know no pandas too."""
    record = confirmed_study(make_study(3))
    failed = dataclasses.replace(FAILED, trial=3)
    record, runs = dataclasses.replace(record, trials=(*record.trials, failed)), {0: "f" * 32}
    written = files.export(record, tmp_path, runs, formats=[Format.parquet])
    assert [path.name for path in written] == [f"{name}.parquet" for name in COLUMNS]
    for path in written:
        frame = tables(record, runs)[path.stem]
        pd.testing.assert_frame_equal(pd.read_parquet(path), frame)
        assert pq.read_table(path).column_names == list(frame)  # and no index
    table = pq.read_table(tmp_path / "trials.parquet")
    types = {"started": "timestamp[us, tz=UTC]", "diverged": "bool", "weight_l2": "double"}
    assert {name: str(table.schema.field(name).type) for name in types} == types
    assert table["val_accuracy"].null_count == 1  # null, and not NaN
    trials = pq.read_table(tmp_path / "confirm.parquet")["trial"]
    assert (trials.type, trials.null_count > 0) == ("int64", True)  # some are of no trial


def test_every_number_reads_back_the_same_and_a_failed_trial_has_none(tmp_path: Path) -> None:
    record = make_study(12)
    trials = (*record.trials, dataclasses.replace(FAILED, trial=12))
    files.export(dataclasses.replace(record, trials=trials), tmp_path)
    *rows, failed = pd.read_csv(tmp_path / "trials.csv").to_dict("records")
    for trial, row in zip(record.trials, rows, strict=True):
        assert {name: row[name] for name in trial.numbers} == trial.numbers
        assert pd.Timestamp(row["started"]).to_pydatetime() == trial.started
    assert (failed["state"], failed["error"]) == (FAIL, FAILED.error)
    assert pd.isna(failed["val_accuracy"])
    assert failed["weight_l1"] == FAILED.lambdas.weight_l1
    history = pd.read_csv(tmp_path / "history.csv")
    curve = tuple(history[history.trial == 3].val_accuracy)
    assert curve == record.trials[3].curves["val_accuracy"]


def test_times_and_flags_are_written_as_promised(tmp_path: Path) -> None:
    trials = make_trial(0), make_trial(1, diverged=True, best_epoch=2)
    files.export(dataclasses.replace(make_study(), trials=trials), tmp_path, {1: "abc"})
    first, second = read_as_text(tmp_path / "trials.csv")
    assert first["started"] == "2026-11-23T07:25:49.123456Z"
    assert first["finished"] == "2026-11-23T07:25:49.823456Z"
    assert (first["mlflow_run_id"], second["mlflow_run_id"], first["error"]) == ("", "abc", "")
    assert (first["diverged"], second["diverged"]) == ("false", "true")
    assert (first["arm"], second["arm"]) == ("baseline", "penalised")
    assert (second["epochs"], second["best_epoch"]) == ("3", "2")


@pytest.mark.parametrize(
    ("record", "undertrained"),
    [
        (make_study(), ""),
        (confirmed_study(), "false"),
        (confirmed_study(undertrained=("training.epochs",)), "true"),
    ],
)
def test_what_a_verdict_adds_is_empty_without_one(
    record: StudyRecord, undertrained: str, tmp_path: Path
) -> None:
    files.export(record, tmp_path)
    (row,) = read_as_text(tmp_path / "summary.csv")
    assert row["undertrained"] == undertrained
    verdict = record.verdict
    settings = (verdict.recommended, verdict.baseline) if verdict else ()
    rates = row["recommended_learning_rate"], row["baseline_learning_rate"]
    assert rates == (tuple(repr(one.learning_rate) for one in settings) or ("", ""))


def read_as_text(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_lambda_at_the_upper_edge_is_marked_and_a_fixed_one_has_no_axis() -> None:
    def lambdas(n: int) -> Lambdas:
        return Lambdas(weight_l1=0.09, weight_l2=1e-3 * n, bias_l1=1e-3 * (n % 3), bias_l2=0.5)

    trials = (make_trial(0), *(make_trial(n, lambdas=lambdas(n)) for n in range(1, 30)))
    record = dataclasses.replace(make_study(lambdas={"bias_l2": 0.5}), trials=trials)
    table = frames.lambdas(record).set_index("lambda")
    assert list(table.edge) == ["high", "", "", ""]
    assert list(table.fixed) == [False, False, False, True]
    assert pd.isna(table.low["bias_l2"])
    assert tuple(table.loc["weight_l1", ["low", "high", "off_decades"]]) == (1e-6, 0.1, 1.0)
    on = [trial.lambdas.weight_l2 for trial in record.ranked[:3] if trial.lambdas.weight_l2]
    assert table.top_low["weight_l2"] == min(on)
    assert table.top_off_share["bias_l1"] == 2 / 3  # to the last digit: it is read in a spreadsheet


def test_the_decades_of_a_lambda_cover_its_axis_and_both_ends() -> None:
    def ranges(axis: object, *strengths: float) -> dict[str, int]:
        trials = [
            make_trial(n, lambdas=Lambdas(weight_l1=each)) for n, each in enumerate(strengths)
        ]
        study = dataclasses.replace(make_study(lambdas={"weight_l1": axis}), trials=tuple(trials))
        table = frames.ranges(study).query("`lambda` == 'weight_l1'")
        assert all(table.best.isna() == (table.n == 0))
        return dict(zip(table.range, table.n, strict=True))

    ends = {"low": 1e-5, "high": 1e-2}
    assert ranges(ends, 0.0, 1e-5, 9.99e-5, 1e-4, 1e-2) == {
        "off": 1,
        "1e-05 to 0.0001": 2,
        "0.0001 to 0.001": 1,
        "0.001 to 0.01": 1,  # the upper end of the search is no decade of its own
    }
    odd = {"low": 3e-3, "high": 0.2}
    assert ranges(odd, 0.2) == {"off": 0, "0.001 to 0.01": 0, "0.01 to 0.1": 0, "0.1 to 1": 1}
    assert ranges(0.5, 0.0, 0.5, 0.5) == {"off": 1, "0.1 to 1": 2}
    assert ranges(0) == {}


@pytest.mark.parametrize("form", [Format.markdown, Format.latex])
def test_a_text_stays_one_cell_in_a_table_for_reading(form: Format, tmp_path: Path) -> None:
    error = "a|b & c_d\n\n\\end{tabular} <i>"
    study = dataclasses.replace(
        WITH_A_FAILED_ONE, trials=(make_trial(0), dataclasses.replace(FAILED, error=error))
    )
    written = files.export(study, tmp_path, {0: "abc"}, [form])
    names = ("trials", "top", "lambdas", "ranges", "summary")  # no history: thousands of rows
    assert [path.name for path in written] == [f"{name}.{form.ending}" for name in names]
    *_, first, last = [line for line in read_rows(written[0]) if "digits" in line]
    apart = "|" if form == Format.markdown else "&"
    cells = [re.split(rf"(?<!\\){re.escape(apart)}", line) for line in (first, last)]
    assert len(cells[0]) == len(cells[1])
    assert "2026-11-23T07:25:49.123456Z" in first
    assert f"{study.trials[0].setting.learning_rate:.4g}" in first
    shown = {
        Format.markdown: r"a\|b & c\_d \\end{tabular} &lt;i>",
        Format.latex: r"a|b \& c\_d \textbackslash end\{tabular\} <i>",
    }
    assert shown[form] in last


def read_rows(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_ties_go_to_the_smaller_loss_then_fewer_lambdas_then_the_lower_number() -> None:
    def best(*trials: tuple[float, Lambdas]) -> tuple[int, int]:
        made = []
        for number, (loss, lambdas) in enumerate(trials):
            base = make_trial(number, lambdas=lambdas)
            assert base.metrics
            metrics = dataclasses.replace(base.metrics, val_accuracy=0.9, val_data_loss=loss)
            made.append(dataclasses.replace(base, metrics=metrics))
        record = dataclasses.replace(make_study(), trials=tuple(made))
        return record.best.trial, record.tied

    one, two = Lambdas(weight_l1=1.0), Lambdas(weight_l1=1.0, bias_l1=1.0)
    assert best((0.5, Lambdas()), (0.4, one)) == (1, 2)
    assert best((0.4, two), (0.4, one)) == (1, 2)
    assert best((0.4, Lambdas()), (0.4, Lambdas())) == (0, 2)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "trials.csv"
    path.write_text("what was there")

    def fails(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError(28, "No space left on device")

    cause = r"trials.csv cannot be written \(No space left on device\)"
    with pytest.raises(DirectoryError, match=cause):
        write_whole(path, fails)
    left = [(file.name, file.read_text()) for file in tmp_path.iterdir()]
    assert left == [("trials.csv", "what was there")]
