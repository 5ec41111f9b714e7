"""The first screen of the page: three numbers, the chart's axis, and one line of facts."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from experiments.card import WITH_PENALTIES, WITHOUT_PENALTIES
from experiments.evaluation import BASELINE, PENALISED, Setting
from experiments.measures import MEASURES, parameter, strength
from experiments.records import FAIL, PRUNED, StudyRecord
from experiments.reports.figures import strengths
from experiments.reports.plot import Figure
from experiments.reports.shown import Shown, in_words
from experiments.validation import folds, judged, networks, rows, untested
from experiments.verdict import RECOMMENDED, WINNER, Confirmed, Verdict

TEST_METRICS = {
    "val_accuracy": "accuracy",
    "balanced_val_accuracy": "balanced_accuracy",
    "val_data_loss": "data_loss",
}
"""What is measured on the test rows, by objective."""
NOT_KNOWN = "\N{EN DASH}"


@dataclass(frozen=True)
class Number:
    """A big number: what it is, its value (negative with a minus sign) and unit, and two notes."""

    label: str
    value: str
    unit: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Side:
    """One side of the comparison: its mean, setting and kept epoch, and what the mean is of."""

    mean: float
    setting: Setting
    best_epoch: int
    note: str


def trials(study: StudyRecord) -> str:
    """For example `1,000 trials, of which 640 were pruned and 2 failed`."""
    states = Counter(trial.state for trial in study.trials)
    found = [f"{states[PRUNED]:,} were pruned"] * bool(states[PRUNED])
    found += [f"{states[FAIL]:,} failed"] * bool(states[FAIL])
    return f"{len(study.trials):,} trials" + f", of which {' and '.join(found)}" * bool(found)


def numbers(study: StudyRecord) -> tuple[Number, ...]:
    """Return the objective without penalties, with penalties, and the difference: on the test rows
    where the verdict opened them, else on the validation rows. Nothing before the first trial.
    """
    if study.best is None:
        return ()
    verdict, metric = study.verdict, in_words(study.objective)
    if verdict and verdict.opening:
        metric = metric.replace("validation", "test")
    sides = tuple(_confirmed(study, verdict) if verdict else _searched(study))
    made = [
        _number(study, f"{metric} {words}", side)
        for words, side in zip((WITHOUT_PENALTIES, WITH_PENALTIES), sides, strict=True)
    ]
    return (*made, _difference(study, *sides))


def _confirmed(study: StudyRecord, verdict: Verdict) -> Iterator[Side]:
    penalised = RECOMMENDED if verdict.recommended.on else WINNER
    for one in map(verdict.confirmed, (BASELINE, penalised)):
        if verdict.searched:
            mean = verdict.searched[one.setting.arm == BASELINE]
            note = f"over the unseen rows of {len(verdict.outer)} searches"
        else:
            mean = _on_test_rows(study, one) if verdict.opening else one.mean
            note = f"mean of {networks(study.experiment, len(verdict.seeds))}"
        yield Side(mean, one.setting, one.best_epoch, note)


def _on_test_rows(study: StudyRecord, one: Confirmed) -> float:
    scores = [network.test for network in study.confirmed[one.setting] if network.test]
    return float(np.mean([getattr(score, TEST_METRICS[study.objective]) for score in scores]))


def _searched(study: StudyRecord) -> Iterator[Side | None]:
    each = f", mean of {folds(study.experiment)}" if study.experiment.folds else ""
    for arm in (BASELINE, PENALISED):
        trials = [trial for trial in study.ranked if trial.setting.arm == arm]
        note = f"best of {len(trials):,} trials" if trials[1:] else "one trial"
        for one in trials[:1]:
            yield Side(study.value(one), one.setting, one.best_epoch, note + each)
        if not trials:
            yield None


def _number(study: StudyRecord, label: str, side: Side | None) -> Number:
    if side is None:
        return Number(label, NOT_KNOWN, "", ("no trial is complete yet",))
    value, _, unit = MEASURES[study.objective].value(side.mean).partition(" ")
    lambdas, rate = side.setting.lambdas, strength(side.setting.learning_rate)
    on = [f"{name} {strength(getattr(lambdas, name))}" for name in lambdas.on]
    own = [f"{name} {parameter(value)}" for name, value in side.setting.parameters]
    tuned = ", ".join([f"learning rate {rate}", *own, f"kept epoch {side.best_epoch}"])
    return Number(label, value, unit, (", ".join(on) or "all four lambdas off", tuned, side.note))


def _difference(study: StudyRecord, without: Side | None, penalised: Side | None) -> Number:
    measure, verdict = MEASURES[study.objective], study.verdict
    if without is None or penalised is None:
        return Number("difference", NOT_KNOWN, "", ("no verdict yet",))
    if verdict and verdict.against_baseline:
        # the same words as on the card
        change, _, interval = measure.claimed(verdict.against_baseline).partition(" (")
        value, _, unit = change.partition(" ")
        notes = interval.rstrip(")"), f"on {verdict.rows['test']:,} unseen test rows"
        return Number("difference", _minus(value), unit, notes)
    gain = measure.sign * (penalised.mean - without.mean)
    value, _, unit = measure.difference(gain).partition(" ")
    return Number("difference", _minus(value), unit, tuple(_untested(study)))


def _untested(study: StudyRecord) -> Iterator[str]:
    """Yield on which rows a difference without an interval was measured, and why it has none."""
    verdict, where = study.verdict, judged(study.experiment)
    counts = verdict.rows if verdict else study.data.get("rows", {})
    if verdict and verdict.opening:
        yield f"on {counts['test']:,} unseen test rows"
        yield f"not tested: no penalty was chosen {where}"
        return
    if not study.experiment.folds and counts:
        where = f"on {counts['validation']:,} validation rows"
    yield f"{where}, which chose both settings"
    if verdict is None:
        yield "no verdict yet"
    else:
        yield untested(study.experiment, counts)


def _minus(number: str) -> str:
    return number.replace("-", "\N{MINUS SIGN}")


def chart(shown: Shown) -> Figure:
    """Return the chart of the first screen: the objective against the lambda that mattered most,
    among those in use if there are any; against the learning rate where no lambda is searched.
    """
    study, experiment = shown.study, shown.study.experiment
    searched = experiment.lambdas.searched or experiment.searched
    if not searched or not shown.ranked:
        return Figure([])
    used = [name for name in searched if study.verdict and name in study.verdict.use.on]
    name = max(used or searched, key=lambda name: study.importances.get(name, 0.0))
    chosen = shown.settings[-1:] if shown.choice else []
    plot = strengths.strength_plot(shown, name, shown.axis, chosen)
    return Figure([plot], strengths.of_trials(shown) + strengths.of_choice(shown))


def facts(study: StudyRecord) -> tuple[str, ...]:
    """Return what was trained on what, for how long and when, in a few words each."""
    experiment, data = study.experiment, study.data
    counted = rows(experiment, data.get("rows", {}))
    sizes = [data.get("features"), *experiment.train_config().hidden, data.get("classes")]
    network = "-".join(str(size) for size in sizes if size)
    network = experiment.own.name if experiment.own else network
    epochs = f"{experiment.training.epochs} epochs{' at most' if experiment.kept_by else ''}"
    found = [counted] * bool(counted)
    found += [f"{data[name]:,} {name}" for name in ("features", "classes") if name in data]
    found += [f"network {network}", epochs]
    spans = [(trial.started, trial.finished) for trial in study.trials]
    spans += [(network.started, network.finished) for network in study.replicates]
    if spans:
        seconds, last = _covered(spans).total_seconds(), max(end for _, end in spans)
        found += [f"{seconds:,.0f} s of training", f"{last.day} {last:%b %Y}"]
    return tuple(found)


def _covered(spans: Iterable[tuple[datetime, datetime]]) -> timedelta:
    """Return how long at least one of the spans lasted: pauses do not count."""
    ordered = sorted(spans)
    total, until = timedelta(), ordered[0][0]
    for start, end in ordered:
        total += max(end - max(start, until), timedelta())
        until = max(until, end)
    return total
