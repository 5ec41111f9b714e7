"""The decision card: a verdict in words, the same in the terminal, on the page and on MLflow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.cautions import cautions, leaks_of
from experiments.measures import MEASURES, percent, strength
from experiments.records import StudyRecord
from experiments.references import REFERENCES
from experiments.verdict import (
    BASELINE,
    BETTER,
    DROP,
    OPTIONAL,
    RECOMMENDED,
    SAME,
    WORSE,
    Confirmed,
    Interval,
    Reference,
    Tolerance,
    Verdict,
)
from nnreg import LAMBDA_NAMES

NUMBERS = ("none", "one", "two", "three", "four")


@dataclass(frozen=True)
class LambdaLine:
    """One lambda: the strength to use (0 is off), the verdict's word on it, and why."""

    name: str
    strength: float
    word: str | None
    why: str
    tolerance: str

    @property
    def advice(self) -> str:
        return ": ".join(filter(None, (self.word, self.why)))


@dataclass(frozen=True)
class Card:
    """The answer, what an unfair comparison would have said (empty where it is unknown, or all
    there is), what else was measured, and what to beware of, in sentences.
    """

    says: str
    unfair: str
    lambdas: tuple[LambdaLine, ...]
    facts: tuple[str, ...]
    cautions: tuple[str, ...]


def card(study: StudyRecord, options: str = "") -> Card | None:
    """Return the card of a study; None before a confirmation. `options` go behind commands."""
    verdict = study.verdict
    if verdict is None:
        return None
    return Card(
        says=f"{_says(study, verdict)}{_reservation(study, verdict)}",
        unfair=_unfair(study, verdict),
        lambdas=tuple(_line(verdict, name) for name in LAMBDA_NAMES),
        facts=tuple(_facts(study, verdict)),
        cautions=tuple(cautions(study, verdict, options)),
    )


def _says(study: StudyRecord, verdict: Verdict) -> str:
    measure, comparison = MEASURES[verdict.objective], verdict.against_baseline
    baseline, recommended = verdict.confirmed(BASELINE), verdict.confirmed(RECOMMENDED)
    if not recommended.setting.on:
        return f"Use no regularization{_trained(study, baseline)}: {_not_worth_it(verdict)}."
    use = f"Use {_settings(study, verdict)}"
    opponent = "the best network without penalties, tuned the same way"
    if study.experiment.rates is None:
        opponent = "the same network without penalties"
    opponent += _trained(study, baseline)
    if comparison is None:
        gain = measure.compared(baseline.behind - recommended.behind)
        end = "the test set is still sealed" if verdict.rows["test"] else "there are no test rows"
        return (
            f"{use}. On the validation rows that is {gain} than {opponent}, but these rows chose"
            f" it; {end}, so this is a suggestion and no claim."
        )
    rows, ours = f"{verdict.rows['test']:,} test rows", _setting(study, recommended)
    if verdict.word == BETTER:
        claimed = measure.claimed(comparison)
        return f"{use}. On {rows} that is {claimed} than {opponent}.{_alone(verdict)}"
    if verdict.word == WORSE:
        return (
            f"Use no regularization. On {rows} {ours} is {measure.claimed(comparison)} than"
            f" {opponent}."
        )
    found = (
        f"The difference in {measure.name} on {rows} is {measure.changed(comparison)}:"
        f" {ours} against {opponent}."
    )
    if verdict.word == SAME:
        counts = f"A difference within {measure.size(verdict.margin)} counts as none."
        return f"Regularization makes no difference that matters here. {found} {counts}"
    shown = "So few rows can show none."
    if comparison.detectable * measure.scale < measure.most:
        shown = (
            "With this many test rows, only differences above"
            f" {measure.size(comparison.detectable)} are likely to be detected (80 % power)."
        )
    unknown = "This data cannot tell whether regularization helps."
    return f"{unknown} {found} {shown}{_alone(verdict)}"


def _not_worth_it(verdict: Verdict) -> str:
    """Why the baseline is recommended: of what did best on the validation rows."""
    measure, baseline = MEASURES[verdict.objective], verdict.confirmed(BASELINE)
    if baseline.behind <= 0:
        return "on fresh seeds none of the penalised settings that did best in the search is better"
    return (
        f"on fresh seeds the best penalised setting is {measure.compared(baseline.behind)} on the"
        f" validation rows, which is within one standard error ({measure.size(baseline.error)})"
    )


def _trained(study: StudyRecord, confirmed: Confirmed) -> str:
    """What was tuned beside the lambdas, such as ` (learning rate 0.003, stopped at epoch 7)`."""
    experiment, parts = study.experiment, []
    if experiment.rates:
        parts.append(f"learning rate {strength(confirmed.setting.learning_rate)}")
    if experiment.kept_by:
        parts.append(f"stopped at epoch {confirmed.best_epoch}")
    return f" ({', '.join(parts)})" if parts else ""


def _setting(study: StudyRecord, confirmed: Confirmed) -> str:
    """For example `weight_l2 = 0.00031 (learning rate 0.01, stopped at epoch 12)`."""
    lambdas = confirmed.setting.lambdas
    on = [f"{name} = {strength(getattr(lambdas, name))}" for name in lambdas.on]
    return f"{_listed(on)}{_trained(study, confirmed)}"


def _settings(study: StudyRecord, verdict: Verdict) -> str:
    """The same with `and leave the other three off`."""
    on, axes = verdict.recommended.on, study.experiment.lambdas.axes
    text = _setting(study, verdict.confirmed(RECOMMENDED))
    others = [name for name in LAMBDA_NAMES if axes[name] != 0 and name not in on]
    if not others:
        return text
    rest = f"the other {NUMBERS[len(others)]}" if len(others) > 1 else others[0]
    return f"{text}{',' if len(on) > 1 else ''} and leave {rest} off"


def _alone(verdict: Verdict) -> str:
    """What can be left out on its own. Without several at once nothing was compared here."""
    says = ""
    for word, does in ((DROP, "better"), (OPTIONAL, "as well")):
        names = [f"without {name}" for name in verdict.use.on if verdict.keeping(name) == word]
        if names:
            one_at_a_time = ", one at a time" if len(names) > 1 else ""
            says += f" It does {does} {_listed(names, 'or')}{one_at_a_time}."
    return says


def _listed(words: Sequence[str], last: str = "and") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def _reservation(study: StudyRecord, verdict: Verdict) -> str:
    found = [what for what, _ in leaks_of(study)]
    found += ["the networks are not trained to the end"] * bool(verdict.undertrained)
    if not found:
        return ""
    return f" {'Reservations' if found[1:] else 'One reservation'}: {'; '.join(found)} (see below)."


def _unfair(study: StudyRecord, verdict: Verdict) -> str:
    """What the comparison says that is made most often. A study in which nothing is tuned but the
    lambdas makes no other.
    """
    experiment, sides = study.experiment, []
    if experiment.rates:
        sides += ["the same learning rate on both sides", "no tuning of the baseline"]
    if experiment.kept_by:
        sides.append("the last epoch in place of the best")
    if verdict.unfair_gain is None or not sides:
        return ""
    seems = MEASURES[verdict.objective].compared(verdict.unfair_gain)
    return f"An unfair comparison ({_listed(sides)}) would have said: penalties are {seems}."


def _line(verdict: Verdict, name: str) -> LambdaLine:
    comparison = next((one for one in verdict.comparisons if one.against == name), None)
    tolerance = next((one for one in verdict.tolerances if one.name == name), None)
    why = ""
    if comparison and name in verdict.use.on:
        measure = MEASURES[verdict.objective]
        why = f"without it {measure.name} changes by {measure.changed(comparison, turned=True)}"
    return LambdaLine(
        name=name,
        strength=getattr(verdict.use.lambdas, name),
        word=verdict.keeping(name),
        why=why,
        tolerance=_tolerance(tolerance) if tolerance else "not searched",
    )


def _tolerance(tolerance: Tolerance) -> str:
    if tolerance.low is None or tolerance.high is None:
        return "off in all trials that did as well"
    low, high = strength(tolerance.low), strength(tolerance.high)
    end = " (end of the search)" if tolerance.bound else ""
    span = f"{low} to {high}" if low != high else f"about {low}"
    return f"{span}{end}{', or off' if tolerance.off else ''}"


def _facts(study: StudyRecord, verdict: Verdict) -> Iterator[str]:
    value, on_test = MEASURES[verdict.objective].value, verdict.best_on_test
    if verdict.accuracy and verdict.baseline_accuracy:
        none = f"; without penalties {percent(verdict.baseline_accuracy.mean)}"
        accuracy = verdict.accuracy if verdict.use.on else verdict.baseline_accuracy
        yield (
            f"Test accuracy {_with_interval(accuracy)}{none if verdict.use.on else ''}: the mean of"
            f" {len(verdict.seeds)} networks trained on the {verdict.rows['training']:,} training"
            " rows alone."
        )
    if verdict.references:
        yield f"On the same test rows: {', '.join(map(_reference, verdict.references[::-1]))}."
    yield (
        f"Best trial of the search: {value(verdict.best_in_search)}. The same setting with"
        f" {len(verdict.seeds)} new seeds: {value(verdict.best_on_fresh_seeds)}."
        + (f" On the test rows: {value(on_test)}." if on_test is not None else "")
    )
    if len(verdict.tied) > 1:
        yield (
            f"{len(verdict.tied):,} of the {len(study.complete):,} trials are statistically"
            " indistinguishable from the best."
        )


def _reference(one: Reference) -> str:
    return f"{REFERENCES[one.name]} {_with_interval(one.accuracy)}"


def _with_interval(accuracy: Interval) -> str:
    """For example `97.8 % (95 % CI 96.3 to 99.4)`."""
    low, high = accuracy.low * 100, accuracy.high * 100
    return f"{percent(accuracy.mean)} (95 % CI {low:.1f} to {high:.1f})"
