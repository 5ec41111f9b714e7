"""The decision card: a verdict in words, the same in the terminal, on the page and on MLflow."""

from collections.abc import Iterator
from dataclasses import dataclass

from experiments.cautions import cautions, leaks_of
from experiments.measures import MEASURES, parameter, percent, strength
from experiments.records import StudyRecord
from experiments.references import REFERENCES
from experiments.validation import judged, untested
from experiments.verdict import (
    BASELINE,
    BETTER,
    DROP,
    KEEP,
    RECOMMENDED,
    SAME,
    SEALED,
    UNDECIDED,
    WINNER,
    WORSE,
    Confirmed,
    Interval,
    Tolerance,
    Verdict,
)
from experiments.wording import shortened
from nnreg import LAMBDA_NAMES

NO_PENALTY = "Use no regularization"
TITLES = {
    BETTER: "Regularization helps",
    WORSE: "Regularization hurts here",
    SAME: "Regularization does not matter here",
    UNDECIDED: "Cannot tell whether regularization helps",
    SEALED: "Regularization looks better, but is not tested yet",
}
WITHOUT_PENALTIES, WITH_PENALTIES = "without penalties", "with penalties"
LINE, LONGEST_NAME = 80, 20  # characters: of a line of a terminal, and of a parameter's name in it


@dataclass(frozen=True)
class LambdaLine:
    """One lambda: the strength to use (0 is off), the verdict's word on it (None if it is off),
    why, and the range of values that do as well.
    """

    name: str
    strength: float
    word: str | None
    why: str
    range: str

    @property
    def cells(self) -> tuple[str, str, str, str]:
        return self.name, self.setting, self.why, self.range

    @property
    def setting(self) -> str:
        """For example `keep 0.038`, `optional (0.011)` or `off`; dropped, it has no value."""
        if self.word in (None, DROP):
            return self.word or "off"
        value = strength(self.strength)
        if self.word == KEEP:
            return f"{KEEP} {value}"
        return f"{'untested' if self.word == SEALED else self.word} ({value})"


@dataclass(frozen=True)
class ModelLine:
    """A model beside the others: nuisances, and what it reaches on validation and test rows."""

    name: str
    learning_rate: str
    epoch: str
    validation: str
    test: str

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        return self.name, self.learning_rate, self.epoch, self.validation, self.test


@dataclass(frozen=True)
class Card:
    """The answer in a sentence, of which `title` is the first part; the lambdas and the models as
    tables with their headings; what else was measured; and what to beware of.
    """

    word: str
    title: str
    says: str
    lambda_headings: tuple[str, ...]
    lambdas: tuple[LambdaLine, ...]
    model_headings: tuple[str, ...]
    models: tuple[ModelLine, ...]
    facts: tuple[str, ...]
    cautions: tuple[str, ...]


def card(study: StudyRecord, options: str = "") -> Card | None:
    """Return the card of a study; None before a confirmation. `options` go behind commands."""
    verdict = study.verdict
    if verdict is None:
        return None
    measure = MEASURES[verdict.objective]
    title = TITLES[verdict.word] if verdict.recommended.on or verdict.outer else NO_PENALTY
    why = f"with it, {measure.unit.strip() or measure.name}"
    tested = "test accuracy (95 % CI)"
    return Card(
        word=verdict.word,
        title=title,
        says=f"{title}: {_found(study, verdict)}.{_reservation(study, verdict)}",
        lambda_headings=("lambda", "setting", why, "range"),
        lambdas=tuple(_line(verdict, name) for name in LAMBDA_NAMES),
        model_headings=("model", "learning rate", "epoch", verdict.objective, tested),
        models=tuple(_models(study, verdict)),
        facts=tuple(_facts(study, verdict)),
        cautions=tuple(cautions(study, verdict, options)),
    )


def _found(study: StudyRecord, verdict: Verdict) -> str:
    """What the title rests on, the recommended setting minus the baseline."""
    measure, comparison = MEASURES[verdict.objective], verdict.against_baseline
    if verdict.searched and comparison:
        ours, theirs = map(measure.value, verdict.searched)
        return (
            f"searching with penalties reaches test {measure.name} {ours}, without them {theirs},"
            f" {measure.claimed(comparison)} over {len(verdict.outer)} outer folds, on"
            f" {verdict.rows['test']:,} rows that their searches never saw"
        )
    if not verdict.recommended.on:
        return f"no setting with penalties is clearly better {judged(study.experiment)}"
    if comparison is None:
        baseline, recommended = verdict.confirmed(BASELINE), verdict.confirmed(RECOMMENDED)
        gain = measure.difference(baseline.behind - recommended.behind)
        why = untested(study.experiment, verdict.rows)
        return f"{measure.name} {gain} {judged(study.experiment)}, which chose it; {why}"
    both = ""
    if measure.name == "accuracy" and verdict.accuracy and verdict.baseline_accuracy:
        ours, theirs = percent(verdict.accuracy.mean), percent(verdict.baseline_accuracy.mean)
        both = f" {ours} with it, {theirs} without,"
    claimed = measure.claimed(comparison)
    return f"test {measure.name}{both} {claimed} on {verdict.rows['test']:,} unseen rows"


def _reservation(study: StudyRecord, verdict: Verdict) -> str:
    found = [what for what, _ in leaks_of(study)]
    found += ["the networks are not trained to the end"] * bool(verdict.undertrained)
    if not found:
        return ""
    return f" {'Reservations' if found[1:] else 'One reservation'}: {'; '.join(found)} (see below)."


def _line(verdict: Verdict, name: str) -> LambdaLine:
    comparison = next((one for one in verdict.comparisons if one.against == name), None)
    tolerance = next((one for one in verdict.tolerances if one.name == name), None)
    why = ""
    if comparison and name in verdict.use.on:
        why = MEASURES[verdict.objective].claimed(comparison, unit=False)
    return LambdaLine(
        name=name,
        strength=getattr(verdict.use.lambdas, name),
        word=verdict.keeping(name),
        why=why,
        range=_range(tolerance) if tolerance else "not searched",
    )


def _range(tolerance: Tolerance) -> str:
    """For example `off to 0.0021`: off is the low end of each axis. A `+` is behind an upper end
    that only the search's own end cut off.
    """
    if tolerance.low is None or tolerance.high is None:
        return "off"
    low, high = "off" if tolerance.off else strength(tolerance.low), strength(tolerance.high)
    more = "+" if tolerance.bound else ""
    return f"{low} to {high}{more}" if low != high else f"about {high}{more}"


def _models(study: StudyRecord, verdict: Verdict) -> Iterator[ModelLine]:
    """Both sides, each as well tuned as the other, and the references on the same rows."""
    measure = MEASURES[verdict.objective]

    def network(name: str, one: Confirmed, accuracy: Interval | None) -> ModelLine:
        rate, value = strength(one.setting.learning_rate), measure.value(one.mean)
        return ModelLine(name, rate, str(one.best_epoch), value, _with_interval(accuracy))

    yield network(WITHOUT_PENALTIES, verdict.confirmed(BASELINE), verdict.baseline_accuracy)
    if verdict.recommended.on:
        yield network(WITH_PENALTIES, verdict.confirmed(RECOMMENDED), verdict.accuracy)
    else:
        accuracy = verdict.accuracy if verdict.outer else None
        yield network(WITH_PENALTIES, verdict.confirmed(WINNER), accuracy)
    for one in verdict.references[::-1]:
        value = measure.value(getattr(one, verdict.objective))
        yield ModelLine(REFERENCES[one.name], "", "", value, _with_interval(one.accuracy))


def _facts(study: StudyRecord, verdict: Verdict) -> Iterator[str]:
    measure, comparison = MEASURES[verdict.objective], verdict.against_baseline
    baseline = verdict.confirmed(BASELINE)
    if verdict.outer:
        gains = [one.with_penalties - one.without for one in verdict.outer]
        yield f"By outer fold: {', '.join(map(measure.change, gains))}{measure.unit}."
    if not verdict.recommended.on and baseline.behind > 0:
        error = measure.size(baseline.error).removesuffix(measure.unit)
        gain = measure.difference(baseline.behind)
        yield f"In validation: {gain}, within one standard error ({error})."
    if comparison and verdict.word == SAME:
        yield f"A difference within {measure.size(verdict.margin)} counts as none."
    if comparison and verdict.word == UNDECIDED:
        yield (
            f"Only differences above {measure.size(comparison.detectable)} are likely to show"
            " (80 % power)."
            if comparison.detectable * measure.scale < measure.most
            else "These test rows are too few to detect any difference."
        )
    best, value, on_test = study.best, measure.value, verdict.best_on_test
    yield (
        f"Best trial ({best.trial if best else ''}): {value(verdict.best_in_search)} in the search,"
        f" {value(verdict.best_on_fresh_seeds)} with new seeds"
        + (f", {value(on_test)} on test." if on_test is not None else ".")
    )
    if best and best.deviations and not verdict.use.parameters:  # a card has at most 18 lines
        folds, sd = study.experiment.folds, best.deviations[f"{verdict.objective}_sd"]
        yield f"Its {folds} folds in the search have a standard deviation of {measure.size(sd)}."
    if (close := len(verdict.indistinguishable)) > 1:
        yield (
            f"{close:,} of the {verdict.basis['trials']:,} trials are statistically"
            " indistinguishable from the best."
        )
    if unfair := _unfair(study, verdict):
        yield unfair
    if verdict.use.parameters:
        yield _parameters(verdict)


def _parameters(verdict: Verdict) -> str:
    """For example `With / without penalties: dropout 0.21 / 0.35, hidden 64 / 32.`: as many as one
    line of a terminal has room for.
    """
    penalised = verdict.recommended if verdict.recommended.on else verdict.confirmed(WINNER).setting
    baseline = dict(verdict.baseline.parameters)
    pairs = [
        f"{shortened(name, LONGEST_NAME)} {parameter(value)} / {parameter(baseline[name])}"
        for name, value in penalised.parameters
    ]
    for count in range(len(pairs), 0, -1):
        shortest = sorted(pairs, key=len)[:count]
        shown = ", ".join(one for one in pairs if one in shortest)
        more = f", {len(pairs) - count} more" if count < len(pairs) else ""
        line = f"With / without penalties: {shown}{more}."
        if len(line) <= LINE:
            break
    return line


def _unfair(study: StudyRecord, verdict: Verdict) -> str:
    """What the comparison says that is made most often. A study in which nothing is tuned but the
    lambdas makes no other.
    """
    experiment = study.experiment
    sides = ["untuned baseline"] * bool(experiment.nuisances)
    sides += ["last epoch"] * (experiment.kept_by is not None)
    if verdict.unfair_gain is None or not sides:
        return ""
    seems = MEASURES[verdict.objective].difference(verdict.unfair_gain)
    return f"An unfair comparison ({', '.join(sides)}): {seems}."


def _with_interval(accuracy: Interval | None) -> str:
    """For example `97.8 % (96.3 to 99.4)`, with its 95 % interval."""
    if accuracy is None:
        return ""
    return f"{percent(accuracy.mean)} ({accuracy.low * 100:.1f} to {accuracy.high * 100:.1f})"
