"""The block: the numbers of the page as tables of columns, each number once; figures and tables
refer to them.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.card import MEASURES, strength
from experiments.records import FAIL, StudyRecord, TrialRecord
from experiments.reports import frames
from experiments.verdict import (
    BASELINE,
    RECOMMENDED,
    RECOMMENDED_WITHOUT,
    WINNER,
    WITHOUT,
    Setting,
    Verdict,
)
from nnreg import LAMBDA_NAMES, Lambdas

ALL_SHOWN, BEST_SHOWN, BINS = (
    2_000,
    500,
    40,
)  # above so many trials only the best are shown one by one
CURVE_POINTS = 400  # of a curve; more are finer than a screen
CURVES = ("data_loss", "regularization_loss", "val_accuracy")
METRICS = (
    *(
        "val_accuracy",
        "balanced_val_accuracy",
        "val_data_loss",
        "data_loss",
        "regularization_loss",
        "train_accuracy",
    ),
    "near_zero_weights",
)

Table = dict[str, Any]
"""`columns` by name, all of one length, and `rows`: lists of row numbers by the name of what is at them. A table of points has
the column of their `value`, and that of the trials the `limit` on which worse ones are drawn.
"""


def tables(study: StudyRecord, runs: Mapping[int, str]) -> dict[str, Table]:
    """The tables of a study; `runs` are the MLflow run ids by trial. A table of which there is
    nothing is not there.
    """
    trials = shown(study)
    made = {"trials": trials_table(study, trials, runs), "lambdas": _lambdas(study)}
    if len(trials) < len(study.trials):
        made["rest"] = _rest(study, {trial.trial for trial in trials})
    verdict = study.verdict
    if verdict:
        made |= {
            "settings": _settings(study, verdict),
            "costs": _costs(verdict),
            "layers": _layers(verdict),
        }
        roles = {BASELINE: Lambdas()} | (
            {RECOMMENDED: verdict.recommended} if verdict.recommended.on else {}
        )
        networks = {
            role: [study.confirmed[lambdas, seed].curves for seed in verdict.seeds]
            for role, lambdas in roles.items()
        }
    else:
        named = {
            BASELINE: study.baseline,
            "best": None if study.best is study.baseline else study.best,
        }
        networks = {role: [trial.curves] for role, trial in named.items() if trial}
    return made | {f"curves_{role}": _curves(curves) for role, curves in networks.items()}


def shown(study: StudyRecord) -> list[TrialRecord]:
    """The trials that are shown one by one, in trial order: all, or the best, those that were the
    best when they came, those that were confirmed, and the baseline.
    """
    if len(study.trials) <= ALL_SHOWN:
        return list(study.trials)
    numbers = {trial.trial for trial in study.ranked[:BEST_SHOWN]}
    numbers |= (
        {setting.trial for setting in study.verdict.settings if setting.trial is not None}
        if study.verdict
        else set()
    )
    best = -math.inf
    for trial in study.complete:
        value = study.value(trial) * (1 if study.maximize else -1)
        if value > best:
            best = value
            numbers.add(trial.trial)
    return [trial for trial in study.trials if trial.trial in numbers or trial is study.baseline]


def trials_table(
    study: StudyRecord, trials: Sequence[TrialRecord], runs: Mapping[int, str] | None = None
) -> Table:
    """One row a trial. `rows` sorts them for the figures: best, baseline, tied with the winner,
    beyond the limit, other.
    """
    columns: dict[str, list[Any]] = {"trial": [trial.trial for trial in trials]}
    columns |= {name: [trial.numbers[name] for trial in trials] for name in LAMBDA_NAMES}
    metrics = [name for name in METRICS if name != study.objective]
    columns |= {
        name: [trial.numbers[name] for trial in trials] for name in (study.objective, *metrics)
    }
    for name in ("diverged", "state"):
        values = [getattr(trial, name) for trial in trials]
        if any(values) if name == "diverged" else FAIL in values:
            columns[name] = values
    if runs:
        columns["mlflow_run_id"] = [runs.get(trial.trial) for trial in trials]
    tied, edge = set(study.verdict.tied if study.verdict else ()), limit(study)
    rows: dict[str, list[int]] = {
        name: [] for name in ("best", "baseline", "tied", "beyond", "other", "complete")
    }
    complete = {trial.trial for trial in study.complete}
    for row, trial in enumerate(trials):
        if trial.trial not in complete:
            continue
        special = {"best": trial is study.best, "baseline": trial is study.baseline}
        far = edge is not None and is_beyond(study, study.value(trial), edge)
        special |= {"tied": trial.trial in tied and not far, "beyond": far}
        for name in (*(name for name, is_so in special.items() if is_so), "complete"):
            rows[name].append(row)
        if not any(special.values()):
            rows["other"].append(row)
    return {"columns": columns, "rows": rows, "value": study.objective, "limit": edge}


def limit(study: StudyRecord) -> float | None:
    """The worst objective that the figures have room for; worse trials are drawn on it, as
    triangles. None: there is no worst.

    It leaves out the worst tenth, but never the baseline, nor what is recommended: one diverged
    trial would otherwise squeeze all others into a line.
    """
    if study.baseline is None:
        return None
    values = sorted((study.value(trial) for trial in study.complete), reverse=study.maximize)
    worse = min if study.maximize else max
    never = [
        study.value(study.baseline),
        *([study.verdict.setting(RECOMMENDED).mean] if study.verdict else []),
    ]
    edge = worse(values[math.ceil(len(values) * 0.9) - 1], *never)
    if edge == values[0]:
        return None
    return (
        edge - (values[0] - edge) / 12
    )  # a little room, so that a triangle is not taken for a trial at the edge


def is_beyond(study: StudyRecord, value: float, edge: float) -> bool:
    """Whether an objective is worse than the limit."""
    return value < edge if study.maximize else value > edge


def _curves(networks: Sequence[Mapping[str, Sequence[float]]]) -> Table:
    """The curves by epoch: of several networks their mean, the lowest and the highest."""
    epochs = min((len(curves[CURVES[0]]) for curves in networks), default=0)
    kept = sorted(
        {*range(0, epochs, max(1, math.ceil(epochs / CURVE_POINTS))), *range(epochs)[-1:]}
    )
    columns: dict[str, list[Any]] = {"epoch": [epoch + 1 for epoch in kept]}
    for name in CURVES:
        values = [[curves[name][epoch] for curves in networks] for epoch in kept]
        columns[name] = [_rounded(math.fsum(at) / len(at)) for at in values]
        if len(networks) > 1:
            columns |= {
                f"{name}_low": [_rounded(min(at)) for at in values],
                f"{name}_high": [_rounded(max(at)) for at in values],
            }
    return {"columns": columns, "rows": {}}


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _lambdas(study: StudyRecord) -> Table:
    frame = frames.lambdas(study)
    columns = {str(name): [_plain(value) for value in frame[name]] for name in frame.columns}
    for name in ("best", "top_low", "top_high"):  # numbers of trials, as they are read
        columns[name] = [
            value if value is None else float(strength(value)) if value else 0.0
            for value in columns[name]
        ]
    searched = [row for row, fixed in enumerate(columns["fixed"]) if not fixed]
    return {"columns": columns, "rows": {"searched": searched}}


def _plain(value: Any) -> Any:
    plain = getattr(value, "item", lambda: value)()
    return None if isinstance(plain, float) and math.isnan(plain) else plain


def _rest(study: StudyRecord, there: set[int]) -> Table:
    """How many of the trials that are not shown lie where: a histogram of the objective."""
    values = sorted(study.value(trial) for trial in study.complete if trial.trial not in there)
    low, high = (values[0], values[-1]) if values else (0.0, 0.0)
    width = (high - low) / BINS or 1.0
    counts = [0] * BINS
    for value in values:
        counts[min(int((value - low) / width), BINS - 1)] += 1
    return {
        "columns": {
            "value": [_rounded(low + (n + 0.5) * width) for n in range(BINS)],
            "trials": counts,
        },
        "rows": {},
    }


def _settings(study: StudyRecord, verdict: Verdict) -> Table:
    """The settings of the confirmation and their means over fresh seeds, a row each role. Their
    strengths are those of the trial `like`, but for those that are `off`.
    """
    settings, edge = verdict.settings, limit(study)
    columns: dict[str, list[Any]] = {"role": [said(setting.role) for setting in settings]}
    columns |= {"trial": [setting.trial for setting in settings]}
    winner = verdict.setting(WINNER)  # what no trial had is the winner with less
    columns["like"] = [
        winner.trial if setting.trial is None else setting.trial for setting in settings
    ]
    columns["off"] = [
        [name for name in LAMBDA_NAMES if not getattr(setting.lambdas, name)]
        for setting in settings
    ]
    columns |= {
        name: [getattr(setting, name) for setting in settings]
        for name in ("mean", "behind", "error")
    }
    columns["error"] = [
        None if setting.lambdas == settings[0].lambdas else setting.error for setting in settings
    ]
    rows: dict[str, list[int]] = {"recommended": [], "beyond": [], "other": []}
    seen: set[Lambdas] = set()
    for row, setting in enumerate(settings):
        if setting.role == RECOMMENDED:
            rows["recommended"].append(row)
        elif setting.lambdas in seen or setting.lambdas == verdict.recommended:
            continue  # one setting in two roles is one point
        else:
            far = edge is not None and is_beyond(study, setting.mean, edge)
            rows["beyond" if far else "other"].append(row)
        seen.add(setting.lambdas)
    return {"columns": columns, "rows": rows, "value": "mean"}


def said(role: str) -> str:
    """A role in words: `recommended, without weight_l1`."""
    if role.startswith(RECOMMENDED_WITHOUT):
        return f"recommended, without {role.removeprefix(RECOMMENDED_WITHOUT)}"
    return f"winner, without {role.removeprefix(WITHOUT)}" if role.startswith(WITHOUT) else role


def _costs(verdict: Verdict) -> Table:
    """What is lost where a lambda is switched off: on the test rows with both intervals, else on
    the validation rows, behind the winner, with one standard error.
    """
    numbers: list[tuple[float, ...]] = []
    labels: list[str] = []
    if verdict.comparisons:
        for one in sorted(verdict.comparisons, key=lambda one: one.against == BASELINE):
            labels.append("all off" if one.against == BASELINE else f"without {one.against}")
            numbers.append(
                (one.gain.mean, one.gain.low, one.gain.high, one.narrow.low, one.narrow.high)
            )
    elif verdict.setting(WINNER).lambdas.on:
        for setting in _switched_off(verdict):
            labels.append(said(setting.role))
            numbers.append(
                (setting.behind, setting.behind - setting.error, setting.behind + setting.error)
            )
    scale = MEASURES[verdict.objective].scale
    columns: dict[str, list[Any]] = {"label": labels}
    for name, values in zip(
        ("lost", "low", "high", "narrow_low", "narrow_high"),
        zip(*numbers, strict=True),
        strict=False,
    ):
        columns[name] = [value * scale for value in values]
    return {"columns": columns, "rows": {}}


def _switched_off(verdict: Verdict) -> Iterable[Setting]:
    """The settings with one lambda less than the recommended (else than the winner), and the
    baseline.
    """
    of_recommended = [
        setting for setting in verdict.settings if setting.role.startswith(RECOMMENDED_WITHOUT)
    ]
    if of_recommended:
        yield verdict.setting(RECOMMENDED)
    yield from of_recommended or [
        setting for setting in verdict.settings if setting.role.startswith(WITHOUT)
    ]
    yield verdict.setting(BASELINE)


def _layers(verdict: Verdict) -> Table:
    """A row a layer of the recommended network: each penalty's share of the loss, and that of
    near-zero weights.
    """
    last = len(verdict.layers) - 1
    columns: dict[str, list[Any]] = {
        "layer": [
            "output layer" if at == last else f"layer {at + 1}"
            for at, _ in enumerate(verdict.layers)
        ]
    }
    columns |= {name: [layer.penalties[name] for layer in verdict.layers] for name in LAMBDA_NAMES}
    columns["near_zero_weights"] = [layer.near_zero_weights for layer in verdict.layers]
    return {"columns": columns, "rows": {}}
