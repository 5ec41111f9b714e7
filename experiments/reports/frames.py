"""The frames: a study as pandas tables whose columns and dtypes never depend on what is in them."""

import math
from collections.abc import Mapping
from decimal import Decimal
from itertools import chain, repeat
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from experiments.evaluation import CURVES, DEVIATIONS, METRICS, Setting
from experiments.records import COMPLETE, FAIL, PRUNED, StudyRecord
from experiments.section import ParameterRange, Range
from experiments.verdict import Verdict
from nnreg import LAMBDA_NAMES

if TYPE_CHECKING:
    import pandas as pd

TEXT, INTEGER, NUMBER, FLAG, TIME = "str", "int64", "float64", "bool", "datetime64[us, UTC]"
OPTIONAL_INTEGER, OPTIONAL_FLAG = "Int64", "boolean"

# A user's own parameters and curves are further columns at the end.
TRIALS = (
    {"study": TEXT, "trial": INTEGER, "generation": INTEGER, "state": TEXT}
    | dict.fromkeys(LAMBDA_NAMES, NUMBER)
    | {"arm": TEXT, "learning_rate": NUMBER}
    | dict.fromkeys(METRICS, NUMBER)
    | {"diverged": FLAG, "epochs": INTEGER, "best_epoch": INTEGER, "seconds": NUMBER}
    | {"started": TIME, "finished": TIME, "mlflow_run_id": TEXT, "error": TEXT}
)
HISTORY = {"study": TEXT, "trial": INTEGER, "epoch": INTEGER} | dict.fromkeys(CURVES, NUMBER)
LAMBDAS = (
    {"lambda": TEXT, "fixed": FLAG, "best": NUMBER, "low": NUMBER, "high": NUMBER}
    | {"off_decades": NUMBER, "top_low": NUMBER, "top_high": NUMBER, "top_off_share": NUMBER}
    | {"importance": NUMBER, "edge": TEXT}
)
SUMMARY = (
    dict.fromkeys(("study", "study_uid", "experiment", "fingerprint", "objective"), TEXT)
    | {"baseline_trial": OPTIONAL_INTEGER, "baseline_value": NUMBER}
    | {"best_trial": OPTIONAL_INTEGER, "best_value": NUMBER, "difference": NUMBER}
    | dict.fromkeys(("tied", "complete", "pruned", "fail", "diverged"), INTEGER)
    | {"seconds": NUMBER}
    | dict.fromkeys(("python", "numpy", "optuna", "mlflow", "pandas", "blas"), TEXT)
    | dict.fromkeys([f"recommended_{name}" for name in LAMBDA_NAMES], NUMBER)
    | {"recommended_learning_rate": NUMBER, "baseline_learning_rate": NUMBER}
    | {"undertrained": OPTIONAL_FLAG}
    | {"verdict": TEXT, "gain": NUMBER, "gain_low": NUMBER, "gain_high": NUMBER}
    | {"test_accuracy": NUMBER, "test_accuracy_low": NUMBER, "test_accuracy_high": NUMBER}
    | {"baseline_test_accuracy": NUMBER, "openings": OPTIONAL_INTEGER}
)
CONFIRM = (
    {"study": TEXT, "role": TEXT, "trial": OPTIONAL_INTEGER, "seed": INTEGER}
    | {"fold": OPTIONAL_INTEGER}
    | dict.fromkeys((*LAMBDA_NAMES, "learning_rate"), NUMBER)
    | {"best_epoch": OPTIONAL_INTEGER, "val_accuracy": NUMBER, "balanced_val_accuracy": NUMBER}
    | dict.fromkeys(("val_data_loss", "test_accuracy", "test_data_loss"), NUMBER)
    | {"diverged": FLAG}
)
TOP = (
    {"study": TEXT, "rank": INTEGER, "trial": INTEGER}
    | dict.fromkeys((*LAMBDA_NAMES, "learning_rate"), NUMBER)
    | dict.fromkeys(("value", "difference", "mean", "sd"), NUMBER)
)
SETTINGS = (
    {"study": TEXT, "role": TEXT, "trial": OPTIONAL_INTEGER}
    | dict.fromkeys((*LAMBDA_NAMES, "learning_rate"), NUMBER)
    | {"best_epoch": INTEGER, "n": INTEGER, "mean": NUMBER, "sd": NUMBER, "difference": NUMBER}
    | dict.fromkeys(("difference_low", "difference_high", "level"), NUMBER)
)
RANGES = {"study": TEXT, "lambda": TEXT, "range": TEXT, "low": NUMBER, "high": NUMBER}
RANGES |= {"n": INTEGER, "mean": NUMBER, "best": NUMBER}
COMPARISON = (
    dict.fromkeys(("study", "storage", "verdict", "objective"), TEXT)
    | dict.fromkeys(("gain", "gain_low", "gain_high", "gain_level"), NUMBER)
    | dict.fromkeys([f"recommended_{name}" for name in LAMBDA_NAMES], NUMBER)
    | dict.fromkeys(("recommended_learning_rate", "test_accuracy"), NUMBER)
    | {"baseline_test_accuracy": NUMBER, "openings": OPTIONAL_INTEGER}
    | {"data": TEXT, "network": TEXT, "trials": INTEGER}
    | dict.fromkeys(("training_rows", "validation_rows", "test_rows"), OPTIONAL_INTEGER)
    | {"test_digest": TEXT}
)

TOP_SHARE = 0.1  # "the top tenth of trials"
MOST_TOP = 10  # rows of top.csv
OFF = -math.inf  # the decade of 0


def trials(study: StudyRecord, runs: Mapping[int, str] | None = None) -> "pd.DataFrame":
    """One row per trial, in trial order; `runs` are the MLflow run ids by trial."""
    ids = {trial: {"mlflow_run_id": run} for trial, run in (runs or {}).items()}
    common = {"study": study.study}
    rows = [
        vars(one)
        | one.numbers
        | {"arm": one.setting.arm}
        | common
        | ids.get(one.trial, {})
        | dict(one.deviations)
        for one in study.trials
    ]
    deviations = dict.fromkeys(DEVIATIONS, NUMBER) if study.experiment.folds else {}
    return frame(TRIALS | deviations | of_parameters(study), rows)


def of_parameters(study: StudyRecord, before: str = "") -> dict[str, str]:
    """Return the columns of the parameters of a user's own network."""
    return {
        f"{before}{name}": OPTIONAL_INTEGER if axis.whole else NUMBER
        for name, axis in study.experiment.nuisances.items()
        if isinstance(axis, ParameterRange)
    }


def history(study: StudyRecord) -> "pd.DataFrame":
    """One row per epoch of each trial, epochs from 1."""
    import numpy as np
    import pandas as pd

    trials = [one for one in study.trials if one.curves]
    epochs = [range(1, len(one.curves[CURVES[0]]) + 1) for one in trials]
    numbers = (repeat(one.trial, len(each)) for one, each in zip(trials, epochs, strict=True))
    columns: dict[str, Any] = {"trial": chain(*numbers), "epoch": chain(*epochs)}
    for name in (*CURVES, *study.own_curves):
        missing = (repeat(math.nan, len(each)) for each in epochs)  # of a user's own network
        found = (one.curves.get(name, none) for one, none in zip(trials, missing, strict=True))
        columns[name] = chain(*found)
    # As arrays: a study may have millions of rows.
    types = HISTORY | dict.fromkeys(study.own_curves, NUMBER)
    arrays = {name: np.fromiter(column, types[name]) for name, column in columns.items()}
    for name in study.own_curves:  # which nothing has checked
        arrays[name][~np.isfinite(arrays[name])] = math.nan
    return pd.DataFrame({"study": study.study, **arrays}, copy=False).astype(types)


def lambdas(study: StudyRecord) -> "pd.DataFrame":
    """One row per lambda: its axis, its best value, and where the top tenth of the trials lies."""
    top = study.ranked[: math.ceil(len(study.ranked) * TOP_SHARE)]
    rows = []
    for name, axis in study.experiment.lambdas.axes.items():
        strengths = [getattr(trial.lambdas, name) for trial in top]
        on = [strength for strength in strengths if strength > 0]
        row: dict[str, Any] = {
            "lambda": name,
            "fixed": not isinstance(axis, Range),
            "best": strengths[0] if strengths else None,
            "top_low": min(on, default=None),
            "top_high": max(on, default=None),
            "top_off_share": (len(strengths) - len(on)) / len(strengths) if strengths else None,
            "importance": study.importances.get(name),
            "edge": "",
        }
        if isinstance(axis, Range):
            row |= axis.model_dump() | {"off_decades": study.experiment.sweep.off_decades}
            if row["best"] and axis.ends_near(row["best"]):
                row["edge"] = "high"
        rows.append(row)
    return frame(LAMBDAS, rows)


def summary(study: StudyRecord) -> "pd.DataFrame":
    """One row: the study and what it found."""
    row: dict[str, Any] = dict(study.versions)
    for name in ("study", "study_uid", "fingerprint", "objective", "tied"):
        row[name] = getattr(study, name)
    row["experiment"] = study.experiment.name
    for name, trial in (("baseline", study.baseline), ("best", study.best)):
        if trial:
            row |= {f"{name}_trial": trial.trial, f"{name}_value": study.value(trial)}
    if study.baseline and study.best:
        row["difference"] = row["best_value"] - row["baseline_value"]
    for state in (COMPLETE, PRUNED, FAIL):
        row[state.lower()] = sum(trial.state == state for trial in study.trials)
    row["diverged"] = sum(trial.diverged for trial in study.trials)
    row["seconds"] = math.fsum(trial.seconds for trial in study.trials)
    own = of_parameters(study, "recommended_") | of_parameters(study, "baseline_")
    return frame(SUMMARY | own, [row | of_verdict(study.verdict)])


def of_verdict(verdict: Verdict | None) -> dict[str, Any]:
    """What summary.csv has of a verdict, by column; what there is not is left out."""
    if verdict is None:
        return {}
    row: dict[str, Any] = {
        f"recommended_{name}": one for name, one in verdict.recommended.numbers.items()
    }
    nuisances = {k: one for k, one in verdict.baseline.numbers.items() if k not in LAMBDA_NAMES}
    row |= {f"baseline_{name}": one for name, one in nuisances.items()}
    row["undertrained"] = bool(verdict.undertrained)
    row["verdict"] = verdict.word
    for name, interval in (("gain", verdict.gain), ("test_accuracy", verdict.accuracy)):
        if interval:
            row |= {name: interval.mean, f"{name}_low": interval.low, f"{name}_high": interval.high}
    if verdict.baseline_accuracy:
        row["baseline_test_accuracy"] = verdict.baseline_accuracy.mean
    if verdict.opening:
        row["openings"] = verdict.opening.number
    return row


def confirm(study: StudyRecord) -> "pd.DataFrame":
    """One row per role, seed and fold, a setting with two roles is there twice; then one per
    reference, which has no setting.
    """
    verdict, rows = study.verdict, []
    for setting in verdict.settings if verdict else ():
        for one in study.confirmed[setting.setting]:
            row = vars(one.metrics) | one.setting.numbers | {"study": study.study}
            row |= {
                "seed": one.seed,
                "fold": one.fold,
                "role": setting.role,
                "trial": setting.trial,
                "diverged": one.diverged,
            }
            row["best_epoch"] = one.best_epoch
            if one.test:
                row |= {"test_accuracy": one.test.accuracy, "test_data_loss": one.test.data_loss}
            rows.append(row)
    for model in verdict.references if verdict else ():
        row = vars(model) | {"study": study.study, "role": model.role, "seed": 0, "diverged": False}
        rows.append(row | {f"test_{name}": value for name, value in vars(model.test).items()})
    columns = dict(CONFIRM)
    if not study.experiment.folds:
        del columns["fold"]
    return frame(columns | of_parameters(study), rows)


def top(study: StudyRecord) -> "pd.DataFrame":
    """One row for each of the best trials, the best first."""
    fresh, rows = _on_fresh_seeds(study), []
    for rank, trial in enumerate(study.ranked[:MOST_TOP], start=1):
        row: dict[str, Any] = {"study": study.study, "rank": rank, "trial": trial.trial}
        row |= trial.setting.numbers | {"value": study.value(trial)}
        if study.baseline:
            row["difference"] = row["value"] - study.value(study.baseline)
        rows.append(row | fresh.get(trial.setting, {}))
    return frame(TOP | of_parameters(study), rows)


def settings(study: StudyRecord) -> "pd.DataFrame":
    """One row per role of the confirmation, in the order of confirm.csv."""
    fresh, rows = _on_fresh_seeds(study), []
    for one in study.verdict.settings if study.verdict else ():
        row = vars(one) | one.setting.numbers | fresh[one.setting] | {"study": study.study}
        row["difference"] = None
        if between := one.difference:
            row |= {"difference": between.mean, "level": between.level}
            row |= {"difference_low": between.low, "difference_high": between.high}
        rows.append(row)
    return frame(SETTINGS | of_parameters(study), rows)


def _on_fresh_seeds(study: StudyRecord) -> dict[Setting, dict[str, float]]:
    """The objective of each confirmed setting over its fresh seeds: n, mean and sd."""
    found = {}
    for setting in study.verdict.settings if study.verdict else ():
        by_seed: dict[int, list[float]] = {}  # the folds of a seed make one mean
        for one in study.confirmed[setting.setting]:
            by_seed.setdefault(one.seed, []).append(getattr(one.metrics, study.objective))
        sd = stdev(map(fmean, by_seed.values()))
        # The mean is that of the card, for which each row counts once: folds may differ in size.
        found[setting.setting] = {"n": len(by_seed), "mean": setting.mean, "sd": sd}
    return found


def ranges(study: StudyRecord) -> "pd.DataFrame":
    """One row per lambda and decade of its strengths, off first: how complete trials did there."""
    rows = []
    for name, axis in study.experiment.lambdas.axes.items():
        first: list[float] = []  # they are rows even where no trial lies
        last = math.inf
        if isinstance(axis, Range):
            last = _decade(axis.high)
            last -= axis.high == 10.0**last  # the decade that begins there is not searched
            first = [OFF, *range(int(_decade(axis.low)), int(last) + 1)]
        found = {decade: list[float]() for decade in first}
        for trial in study.complete:
            decade = min(_decade(getattr(trial.lambdas, name)), last)
            found.setdefault(decade, []).append(study.value(trial))
        for decade, values in sorted(found.items()):
            low, high = 10.0**decade, 10.0 ** (decade + 1)
            row: dict[str, Any] = {"study": study.study, "lambda": name, "low": low, "high": high}
            row |= {"range": f"{low:g} to {high:g}" if low else "off", "n": len(values)}
            if values:
                best = max(values) if study.maximize else min(values)
                row |= {"mean": fmean(values), "best": best}
            rows.append(row)
    return frame(RANGES, rows)


def _decade(strength: float) -> float:
    """Return the exponent of a strength as it is written, such as -4 of 0.00031; OFF of 0."""
    return Decimal(repr(strength)).adjusted() if strength else OFF


def frame(columns: Mapping[str, str], rows: list[dict[str, Any]]) -> "pd.DataFrame":
    """Return rows as a frame with these columns and dtypes; what a row lacks is empty."""
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns)).astype(columns)
