"""The decision card: a verdict in words, the same in the terminal, on the page and on MLflow."""

from collections.abc import Iterator
from dataclasses import dataclass

from experiments.experiment_file import catalog
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
    SEALED,
    UNDECIDED,
    WINNER,
    WORSE,
    Reference,
    Tolerance,
    Verdict,
)
from nnreg import LAMBDA_NAMES

FEW_ROWS = 200  # fewer test rows than this cannot show that a difference of a point does not matter
FEW_OF_A_CLASS = 10
UNEVEN = 0.7  # a class with this share of the rows makes accuracy a poor measure
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
    """The answer, what else was measured, and what to beware of, in sentences."""

    says: str
    lambdas: tuple[LambdaLine, ...]
    facts: tuple[str, ...]
    cautions: tuple[str, ...]


def card(study: StudyRecord, options: str = "") -> Card | None:
    """Return the card of a study; None before a confirmation. `options` go behind commands."""
    verdict = study.verdict
    if verdict is None:
        return None
    return Card(
        says=_says(study, verdict),
        lambdas=tuple(_line(verdict, name) for name in LAMBDA_NAMES),
        facts=tuple(_facts(study, verdict)),
        cautions=tuple(_cautions(study, verdict, options)),
    )


def _says(study: StudyRecord, verdict: Verdict) -> str:
    measure, comparison = MEASURES[verdict.objective], verdict.against_baseline
    rows, none = f"On {verdict.rows['test']:,} test rows", " than no regularization"
    baseline = verdict.confirmed(BASELINE)
    if not verdict.recommended.on and verdict.confirmed(WINNER).setting.on:
        return (
            "Use no regularization: on fresh seeds the best setting found was"
            f" {measure.compared(baseline.behind)} on the validation rows, which is within one"
            f" standard error ({measure.size(baseline.error)})."
        )
    if not verdict.recommended.on:
        return (
            "Use no regularization: on fresh seeds none of the settings that did best in the search"
            " did better."
        )
    use = f"Use {_settings(study, verdict)}"
    if comparison is None:
        gain = baseline.behind - verdict.confirmed(RECOMMENDED).behind
        end = "the test set is still sealed" if verdict.rows["test"] else "there are no test rows"
        return (
            f"{use}. On the validation rows that is {measure.compared(gain)}{none}, but these rows"
            f" chose it; {end}, so this is a suggestion and no claim."
        )
    difference = measure.difference(comparison, none)
    if verdict.word == BETTER:
        return f"{use}. {rows} that is {difference}.{_droppable(verdict)}"
    found = f"{rows} the best setting found was {difference}"
    if verdict.word == WORSE:
        return f"Use no regularization. {found}."
    if verdict.word == SAME:
        counts = f"a difference within {measure.size(verdict.margin)} counts as none"
        return f"Regularization makes no difference that matters here. {found}; {counts}."
    shown = "so few rows can show none"
    if comparison.detectable * measure.scale < measure.most:
        shown = (
            "with this many test rows, only differences above"
            f" {measure.size(comparison.detectable)} are likely to be detected (80 % power)"
        )
    return f"This data cannot tell whether regularization helps. {found}; {shown}."


def _droppable(verdict: Verdict) -> str:
    names = [name for name in verdict.use.on if verdict.keeping(name) == OPTIONAL]
    one_at_a_time = ", one at a time" if len(names) > 1 else ""
    return f" It does as well without {_listed(names)}{one_at_a_time}." if names else ""


def _settings(study: StudyRecord, verdict: Verdict) -> str:
    """For example `weight_l2 = 0.00031 and drop the other three`."""
    on, axes = verdict.recommended.on, study.experiment.lambdas.axes
    text = _listed(
        [f"{name} = {strength(getattr(verdict.recommended.lambdas, name))}" for name in on]
    )
    others = [name for name in LAMBDA_NAMES if axes[name] != 0 and name not in on]
    if not others:
        return text
    rest = f"the other {NUMBERS[len(others)]}" if len(others) > 1 else others[0]
    return f"{text}{',' if len(on) > 1 else ''} and drop {rest}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _line(verdict: Verdict, name: str) -> LambdaLine:
    comparison = next((one for one in verdict.comparisons if one.against == name), None)
    tolerance = next((one for one in verdict.tolerances if one.name == name), None)
    why = ""
    if comparison and name in verdict.use.on:
        same = "no difference that matters: " if comparison.word == SAME else ""
        difference = MEASURES[verdict.objective].difference(comparison, turned=True)
        why = f"without it {same}{difference}"
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
    end = " (where the search ended)" if tolerance.bound else ""
    span = f"{low} to {high}" if low != high else f"about {low}"
    return f"{span}{end}{', or off' if tolerance.off else ''}"


def _facts(study: StudyRecord, verdict: Verdict) -> Iterator[str]:
    value, on_test = MEASURES[verdict.objective].value, verdict.best_on_test
    if verdict.accuracy and verdict.baseline_accuracy:
        none = f"; no regularization {percent(verdict.baseline_accuracy.mean)}"
        accuracy = verdict.accuracy if verdict.use.on else verdict.baseline_accuracy
        yield (
            f"Test accuracy {percent(accuracy.mean)} ({percent(accuracy.low)} to"
            f" {percent(accuracy.high)}){none if verdict.use.on else ''}: the mean of"
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
            f"{len(verdict.tied)} of the {len(study.complete)} trials are statistically"
            " indistinguishable from the best."
        )


def _reference(one: Reference) -> str:
    low, high = one.accuracy.low, one.accuracy.high
    return (
        f"{REFERENCES[one.name]} {percent(one.accuracy.mean)} ({percent(low)} to {percent(high)})"
    )


def _cautions(study: StudyRecord, verdict: Verdict, options: str) -> Iterator[str]:
    rows, gain = verdict.rows["test"], verdict.against_baseline
    measure = MEASURES[verdict.objective]
    if verdict.basis["trials"] != len(study.trials):
        yield (
            f"This verdict is on the first {verdict.basis['trials']} trials, and there are"
            f" {len(study.trials)} now; make it again with: sweeps confirm {study.study}{options}"
        )
    if verdict.word == SEALED:
        yield (
            f"test set still sealed; open it with: sweeps confirm {study.study}"
            f" --open-test{options}"
        )
    if not rows:
        yield (
            "There are no test rows, so nothing can be claimed; give some with data.split.test or"
            " data.test."
        )
    if verdict.opening and verdict.opening.number > 1:
        yield (
            f"This is look number {verdict.opening.number} at these test rows, so it is tested at"
            f" {verdict.opening.alpha * 100:.2g} % in place of 2.5 %: a test set looked at often is"
            " a validation set."
        )
    for one in verdict.references[::-1]:
        if one.comparison.word == WORSE:
            difference = measure.difference(one.comparison, " than this network", turned=True)
            yield (
                f"{REFERENCES[one.name].capitalize()} is better here: {difference} on the same test"
                " rows, with scikit-learn's defaults."
            )
    for missing in verdict.left_out:
        name = REFERENCES[missing.name]
        yield f"No comparison with {name}, which could not be fitted: {missing.reason}"
    if gain and gain.word == BETTER and gain.narrow.high < verdict.margin:
        margin = measure.size(verdict.margin)
        counts = f"{margin}, up to which a difference counts as none that matters (confirm.margin)"
        yield f"The gain is there, but smaller than {counts}."
    if verdict.word == UNDECIDED and rows < FEW_ROWS:
        yield f"There are only {rows} test rows; more of them would tell more."
    if verdict.rarest is not None and verdict.rarest < FEW_OF_A_CLASS:
        yield f"The rarest class has {verdict.rarest} test rows; what is said of it is little."
    if verdict.majority >= UNEVEN and verdict.objective == "val_accuracy":
        yield (
            f"{percent(verdict.majority)} of the rows are of one class, so accuracy says little of"
            " the others; search by balanced_val_accuracy (sweep.objective)."
        )
    if verdict.diverged:
        yield (
            f"{verdict.diverged} of the {len(verdict.seeds)} networks with the recommended lambdas"
            " diverged; train more slowly."
        )
    if diverged := sum(trial.diverged for trial in study.trials):
        yield f"{diverged} of {len(study.trials)} trials diverged, and count as no accuracy."
    name = study.experiment.name
    file = name if name in catalog() else f"{name}.toml"
    for tolerance in verdict.tolerances:
        if tolerance.bound and verdict.keeping(tolerance.name) not in (None, DROP, OPTIONAL):
            end = study.experiment.lambdas.searched[tolerance.name].high
            yield (
                f"{tolerance.name}: good values reach the upper end of the search, {end:g}; look"
                f" further with: sweeps run {file} --study {study.study}-wider"
                f" --set lambdas.{tolerance.name}.high={tolerance.bound:g}{options}"
            )
