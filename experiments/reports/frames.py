"""The frames: a study as pandas tables whose columns and dtypes never depend on what is in them."""

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.evaluation import CURVES, METRICS
from experiments.records import COMPLETE, FAIL, PRUNED, StudyRecord, TrialRecord
from experiments.section import Range
from experiments.verdict import Replicate, Setting, Verdict
from nnreg import LAMBDA_NAMES

if TYPE_CHECKING:
    import pandas as pd

TEXT, INTEGER, NUMBER, FLAG, TIME = "str", "int64", "float64", "bool", "datetime64[us, UTC]"
OPTIONAL_INTEGER = "Int64"

TRIALS = {
    "study": TEXT, "trial": INTEGER, "generation": INTEGER, "state": TEXT,
    "weight_l1": NUMBER, "weight_l2": NUMBER, "bias_l1": NUMBER, "bias_l2": NUMBER,
    "data_loss": NUMBER, "regularization_loss": NUMBER, "total_loss": NUMBER,
    "penalty_weight_l1": NUMBER, "penalty_weight_l2": NUMBER, "penalty_bias_l1": NUMBER, "penalty_bias_l2": NUMBER,
    "val_data_loss": NUMBER, "val_accuracy": NUMBER, "balanced_val_accuracy": NUMBER, "train_accuracy": NUMBER,
    "near_zero_weights": NUMBER, "diverged": FLAG, "epochs": INTEGER, "seconds": NUMBER,
    "started": TIME, "finished": TIME, "mlflow_run_id": TEXT, "error": TEXT,
}  # fmt: skip
HISTORY = {"study": TEXT, "trial": INTEGER, "epoch": INTEGER} | dict.fromkeys(CURVES, NUMBER)
LAMBDAS = {
    "lambda": TEXT, "fixed": FLAG, "best": NUMBER, "low": NUMBER, "high": NUMBER, "off_decades": NUMBER,
    "top_low": NUMBER, "top_high": NUMBER, "top_off_share": NUMBER, "importance": NUMBER, "edge": TEXT,
}  # fmt: skip
SUMMARY = {
    "study": TEXT, "study_uid": TEXT, "experiment": TEXT, "fingerprint": TEXT, "objective": TEXT,
    "baseline_trial": OPTIONAL_INTEGER, "baseline_value": NUMBER, "best_trial": OPTIONAL_INTEGER, "best_value": NUMBER,
    "difference": NUMBER, "tied": INTEGER, "complete": INTEGER, "pruned": INTEGER, "fail": INTEGER, "diverged": INTEGER,
    "seconds": NUMBER, "python": TEXT, "numpy": TEXT, "optuna": TEXT, "mlflow": TEXT, "pandas": TEXT, "blas": TEXT,
    "recommended_weight_l1": NUMBER, "recommended_weight_l2": NUMBER, "recommended_bias_l1": NUMBER, "recommended_bias_l2":
    NUMBER, "verdict": TEXT, "gain": NUMBER, "gain_low": NUMBER, "gain_high": NUMBER,
    "test_accuracy": NUMBER, "test_accuracy_low": NUMBER, "test_accuracy_high": NUMBER, "baseline_test_accuracy": NUMBER,
    "openings": OPTIONAL_INTEGER,
}  # fmt: skip
CONFIRM = {
    "study": TEXT, "role": TEXT, "trial": OPTIONAL_INTEGER, "seed": INTEGER,
    "weight_l1": NUMBER, "weight_l2": NUMBER, "bias_l1": NUMBER, "bias_l2": NUMBER,
    "val_accuracy": NUMBER, "val_data_loss": NUMBER, "test_accuracy": NUMBER, "test_data_loss": NUMBER, "diverged": FLAG,
}  # fmt: skip

TOP_SHARE = 0.1  # "the top tenth of trials"
EDGE_SHARE = (
    0.05  # of the log axis: a best value in its uppermost twentieth is said to lie at the edge
)


def trials(study: StudyRecord, runs: Mapping[int, str] | None = None) -> "pd.DataFrame":
    """One row a trial, in trial order; `runs` are the MLflow run ids by trial. The columns of
    trials.csv.
    """
    ids = runs or {}
    return _frame(TRIALS, [_trial(study, trial, ids.get(trial.trial)) for trial in study.trials])


def _trial(study: StudyRecord, trial: TrialRecord, run: str | None) -> dict[str, Any]:
    own = (
        "trial",
        "generation",
        "state",
        "diverged",
        "epochs",
        "seconds",
        "started",
        "finished",
        "error",
    )
    return (
        {"study": study.study, "mlflow_run_id": run}
        | {name: getattr(trial, name) for name in own}
        | {name: getattr(trial.lambdas, name) for name in LAMBDA_NAMES}
        | {name: getattr(trial.metrics, name, None) for name in METRICS}
    )


def history(study: StudyRecord) -> "pd.DataFrame":
    """One row an epoch of every trial, epochs from 1. The columns of history.csv."""
    import pandas as pd

    lengths = [len(trial.curves.get(CURVES[0], ())) for trial in study.trials]
    columns: dict[str, Any] = {
        "study": np.repeat(np.array([study.study], dtype=object), sum(lengths)),
        "trial": np.repeat([trial.trial for trial in study.trials], lengths),
        "epoch": np.concatenate([np.arange(1, length + 1) for length in lengths] or [np.arange(0)]),
    }
    for name in CURVES:
        columns[name] = np.concatenate(
            [np.array(trial.curves.get(name, ())) for trial in study.trials] or [np.empty(0)]
        )
    return pd.DataFrame(columns).astype(HISTORY)


def lambdas(study: StudyRecord) -> "pd.DataFrame":
    """One row a lambda: its axis, its best value, and where the top tenth of the trials lies. The
    columns of lambdas.csv.
    """
    best, ranked = study.best, study.ranked
    top = ranked[: math.ceil(len(ranked) * TOP_SHARE)]
    return _frame(LAMBDAS, [_lambda(study, name, best, top) for name in LAMBDA_NAMES])


def _lambda(
    study: StudyRecord, name: str, best: TrialRecord | None, top: Iterable[TrialRecord]
) -> dict[str, Any]:
    axis = study.experiment.lambdas.searched.get(name)
    strength = getattr(best.lambdas, name) if best else None
    strengths = [getattr(trial.lambdas, name) for trial in top]
    on = [value for value in strengths if value > 0]
    row = {
        "lambda": name,
        "fixed": axis is None,
        "best": strength,
        "top_low": min(on, default=None),
        "top_high": max(on, default=None),
        "top_off_share": (len(strengths) - len(on)) / len(strengths) if strengths else None,
        "importance": study.importances.get(name),
        "edge": "",
    }
    if axis:
        row |= {
            "low": axis.low,
            "high": axis.high,
            "off_decades": study.experiment.sweep.off_decades,
        }
        if strength and is_at_the_edge(strength, axis):
            row["edge"] = "high"
    return row


def is_at_the_edge(strength: float, axis: Range) -> bool:
    """Whether a lambda lies at the upper end of its axis: in the uppermost EDGE_SHARE of the log
    axis.
    """
    return math.log(axis.high / strength) <= EDGE_SHARE * math.log(axis.high / axis.low)


def summary(study: StudyRecord) -> "pd.DataFrame":
    """One row: the study and what it found. The columns of summary.csv."""
    baseline, best = study.baseline, study.best
    baseline_value = study.value(baseline) if baseline else None
    best_value = study.value(best) if best else None
    states = [trial.state for trial in study.trials]
    row = {
        "study": study.study, "study_uid": study.study_uid, "experiment": study.experiment.name,
        "fingerprint": study.fingerprint, "objective": study.objective,
        "baseline_trial": baseline.trial if baseline else None, "baseline_value": baseline_value,
        "best_trial": best.trial if best else None, "best_value": best_value,
        "difference": best_value - baseline_value if best_value is not None and baseline_value is not None else None,
        "tied": study.tied, "complete": states.count(COMPLETE), "pruned": states.count(PRUNED), "fail": states.count(FAIL),
        "diverged": sum(trial.diverged for trial in study.trials),
        "seconds": math.fsum(trial.seconds for trial in study.trials),
        **study.versions, **of_verdict(study.verdict),
    }  # fmt: skip
    return _frame(SUMMARY, [row])


def of_verdict(verdict: Verdict | None) -> dict[str, Any]:
    """What summary.csv says of a verdict, by column; what there is not is left out."""
    if verdict is None:
        return {}
    row: dict[str, Any] = {
        f"recommended_{name}": getattr(verdict.recommended, name) for name in LAMBDA_NAMES
    }
    row["verdict"] = verdict.word
    if verdict.gain:
        row |= {
            "gain": verdict.gain.mean,
            "gain_low": verdict.gain.low,
            "gain_high": verdict.gain.high,
        }
    if verdict.accuracy:
        row |= {"test_accuracy": verdict.accuracy.mean}
        row |= {
            "test_accuracy_low": verdict.accuracy.low,
            "test_accuracy_high": verdict.accuracy.high,
        }
    if verdict.baseline_accuracy:
        row["baseline_test_accuracy"] = verdict.baseline_accuracy.mean
    if verdict.opening:
        row["openings"] = verdict.opening.number
    return row


def confirm(study: StudyRecord) -> "pd.DataFrame":
    """One row a role and seed: a setting that has two roles is there twice. No rows before a
    confirmation. The columns of confirm.csv.
    """
    if study.verdict is None:
        return _frame(CONFIRM, [])
    return _frame(
        CONFIRM,
        [
            _replicate(study, setting, study.confirmed[setting.lambdas, seed])
            for setting in study.verdict.settings
            for seed in study.verdict.seeds
        ],
    )


def _replicate(study: StudyRecord, setting: Setting, one: Replicate) -> dict[str, Any]:
    test = one.test
    return {
        **{"study": study.study, "role": setting.role, "trial": setting.trial, "seed": one.seed},
        **{name: getattr(one.lambdas, name) for name in LAMBDA_NAMES},
        **{name: getattr(one.metrics, name) for name in ("val_accuracy", "val_data_loss")},
        **{
            "test_accuracy": test.accuracy if test else None,
            "test_data_loss": test.data_loss if test else None,
        },
        "diverged": one.diverged,
    }


def _frame(columns: Mapping[str, str], rows: list[dict[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    data = {name: [row.get(name) for row in rows] for name in columns}
    return pd.DataFrame(
        {name: pd.Series(values, dtype=columns[name]) for name, values in data.items()}
    )
