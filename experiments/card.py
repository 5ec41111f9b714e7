"""The decision card: a verdict in words, the same in the terminal, on the page and on MLflow."""

from collections.abc import Iterator
from dataclasses import dataclass

from experiments.experiment_file import catalog
from experiments.records import StudyRecord
from experiments.verdict import (
    BETTER,
    DROP,
    NARROW,
    RECOMMENDED,
    SAME,
    SEALED,
    UNDECIDED,
    WINNER,
    WORSE,
    Comparison,
    Interval,
    Tolerance,
    Verdict,
)
from nnreg import LAMBDA_NAMES
from nnreg.losses import WORST_LOSS

FEW_ROWS = 200  # fewer test rows than this cannot show that a difference of a point does not matter
FEW_OF_A_CLASS = 10
UNEVEN = 0.7  # a class with this share of the rows makes accuracy a poor measure
MANY_TIED = 2  # trials that the seeds cannot tell apart
NONE = " than no regularization"
NUMBERS = ("none", "one", "two", "three", "four")


@dataclass(frozen=True)
class LambdaLine:
    """One lambda on the card: the strength to use (0 is off), keep, drop, undecided, sealed or None
    where it is off, why, and how exactly it must be set.
    """

    name: str
    strength: float
    word: str | None
    why: str
    tolerance: str

    @property
    def advice(self) -> str:
        """The word and why; empty where it is off."""
        return ": ".join(filter(None, (self.word, self.why)))


@dataclass(frozen=True)
class Card:
    """`says` is the answer, `facts` are what else was measured, `cautions` what to beware of; each
    is a sentence or two.
    """

    word: str
    says: str
    lambdas: tuple[LambdaLine, ...]
    facts: tuple[str, ...]
    cautions: tuple[str, ...]


@dataclass(frozen=True)
class Measure:
    """How differences of an objective are said; `most` is the largest that there can be."""

    unit: str
    scale: float
    digits: int
    more: str
    less: str
    most: float

    def size(self, value: float) -> str:
        """For example `2.3 points`."""
        return f"{abs(value) * self.scale:.{self.digits}f}{self.unit}"

    def bounds(self, interval: Interval) -> str:
        """For example `0.6 to 4.0`."""
        return " to ".join(
            f"{end * self.scale + 0.0:.{self.digits}f}" for end in (interval.low, interval.high)
        )

    def difference(self, interval: Interval, than: str = "") -> str:
        """For example `2.3 points more accurate than none (0.6 to 4.0)`, or `0.4 points less
        accurate (-0.2 to 1.0)`; of the narrow interval the level is said.
        """
        said = interval if interval.mean >= 0 else interval.turned()
        level = " at 90 %" if interval.level == NARROW else ""
        return (
            f"{self.size(interval.mean)} {self.more if interval.mean >= 0 else self.less}{than}"
            f" ({self.bounds(said)}{level})"
        )


MEASURES = {
    "val_accuracy": Measure(" points", 100, 1, "more accurate", "less accurate", 100),
    "balanced_val_accuracy": Measure(
        " points", 100, 1, "better in balanced accuracy", "worse in balanced accuracy", 100
    ),
    "val_data_loss": Measure("", 1, 4, "lower in loss", "higher in loss", WORST_LOSS),
}


def card(study: StudyRecord, options: str = "") -> Card | None:
    """The card of a study; None before a confirmation. `options` is put behind commands, so that
    they find the study from where they are read; a card that travels has none.
    """
    verdict = study.verdict
    if verdict is None:
        return None
    return Card(
        word=verdict.word,
        says=_says(study, verdict),
        lambdas=tuple(_line(study, verdict, name) for name in LAMBDA_NAMES),
        facts=tuple(_facts(study, verdict)),
        cautions=tuple(_cautions(study, verdict, options)),
    )


def strength(value: float) -> str:
    """A lambda as people read it."""
    return f"{value:.2g}" if value > 0 else "off"


def percent(value: float) -> str:
    """For example `97.3 %`."""
    return f"{value * 100:.1f} %"


def _says(study: StudyRecord, verdict: Verdict) -> str:
    measure, rows = MEASURES[verdict.objective], f"On {verdict.rows['test']:,} test rows"
    if not verdict.recommended.on:
        return f"Use no regularization: {_nothing_better(verdict, measure)}."
    use = f"Use {_settings(study, verdict)}."
    comparison = verdict.against_baseline
    if comparison is None:
        winner_over = verdict.setting("baseline").behind - verdict.setting(RECOMMENDED).behind
        so_far = (
            f"On the validation rows that is {measure.size(winner_over)}"
            f" {measure.more if winner_over >= 0 else measure.less}"
        )
        end = "the test set is still sealed" if verdict.rows["test"] else "there are no test rows"
        return (
            f"{use} {so_far} than no regularization, but these rows chose it; {end}, so this is a"
            " suggestion and no claim."
        )
    gain = (
        comparison.narrow if verdict.word == SAME else comparison.gain
    )  # the interval that the word is from
    if verdict.word == BETTER:
        return f"{use} {rows} that is {measure.difference(gain, NONE)}.{_droppable(verdict)}"
    found = f"{rows} the best setting found was {measure.difference(gain, NONE)}"
    if verdict.word == WORSE:
        return f"Use no regularization. {found}."
    if verdict.word == SAME:
        counts = f"a difference within {measure.size(verdict.margin)} counts as none"
        return f"Regularization makes no difference that matters here. {found}; {counts}."
    shown = (
        f"so many rows show a difference of {measure.size(comparison.detectable)} or more, four"
        " times in five"
    )
    if comparison.detectable * measure.scale >= measure.most:
        shown = "so few rows can show none"
    return f"This data cannot tell whether regularization helps. {found}; {shown}."


def _droppable(verdict: Verdict) -> str:
    """What the recommended setting has on, and the test rows say it could do without."""
    names = [name for name in verdict.use.on if verdict.keeping(name) == DROP]
    if not names:
        return ""
    return (
        f" It does as well without {_listed(names)}{', one at a time' if len(names) > 1 else ''}."
    )


def _nothing_better(verdict: Verdict, measure: Measure) -> str:
    winner, baseline = verdict.setting(WINNER), verdict.setting("baseline")
    if not winner.lambdas.on:
        return "on fresh seeds none of the settings that did best in the search did better"
    return (
        f"on fresh seeds the best setting found was {measure.size(baseline.behind)}"
        f" {measure.more if baseline.behind >= 0 else measure.less} on the validation rows, which"
        f" is within one standard error ({measure.size(baseline.error)})"
    )


def _settings(study: StudyRecord, verdict: Verdict) -> str:
    """For example `weight_l2 = 0.00031 and drop the other three`."""
    recommended = verdict.recommended
    text = _listed([f"{name} = {strength(getattr(recommended, name))}" for name in recommended.on])
    searched = [name for name in LAMBDA_NAMES if study.experiment.lambdas.axes[name] != 0]
    others = [name for name in searched if name not in recommended.on]
    if not others:
        return text
    rest = f"the other {NUMBERS[len(others)]}" if len(others) > 1 else others[0]
    return f"{text}, and drop {rest}" if " and " in text else f"{text} and drop {rest}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _line(study: StudyRecord, verdict: Verdict, name: str) -> LambdaLine:
    measure = MEASURES[verdict.objective]
    comparison = next((one for one in verdict.comparisons if one.against == name), None)
    tolerance = next((one for one in verdict.tolerances if one.name == name), None)
    return LambdaLine(
        name=name,
        strength=getattr(verdict.use, name),
        word=verdict.keeping(name),
        why=_why(comparison, measure) if comparison and name in verdict.use.on else "",
        tolerance=_tolerance(tolerance) if tolerance else "not searched",
    )


def _why(comparison: Comparison, measure: Measure) -> str:
    if comparison.word == SAME:
        return (
            "without it no difference that matters:"
            f" {measure.difference(comparison.narrow.turned())}"
        )
    return f"without it {measure.difference(comparison.gain.turned())}"


def _tolerance(tolerance: Tolerance) -> str:
    if tolerance.low is None or tolerance.high is None:
        return "off in all trials that did as well"
    low, high = strength(tolerance.low), strength(tolerance.high)
    span = f"anywhere from {low} to {high}" if low != high else f"about {low}"
    end = " (where the search ended)" if tolerance.bound else ""
    return f"{span}{end}{', or off' if tolerance.off else ''}, the others near their best"


def _facts(study: StudyRecord, verdict: Verdict) -> Iterator[str]:
    measure = MEASURES[verdict.objective]
    if verdict.accuracy and verdict.baseline_accuracy:
        against = (
            f"; no regularization {percent(verdict.baseline_accuracy.mean)}"
            if verdict.use.on
            else ""
        )
        accuracy = verdict.accuracy if verdict.use.on else verdict.baseline_accuracy
        interval = f"{percent(accuracy.low)} to {percent(accuracy.high)}"
        yield (
            f"Test accuracy {percent(accuracy.mean)} ({interval}){against}: the mean of"
            f" {len(verdict.seeds)} networks trained on the {verdict.rows['training']:,} training"
            " rows alone."
        )
    yield _curse(study, verdict, measure)
    tied = len(verdict.tied)
    if tied >= MANY_TIED:
        yield (
            f"{tied} of {len(study.complete)} trials did as well as the best one, as far as seeds"
            " can tell."
        )


def _curse(study: StudyRecord, verdict: Verdict, measure: Measure) -> str:
    """The winner's curse, in its two parts: the luck of the seed, and the luck of the rows."""
    curse, sign = verdict.curse, 1 if study.maximize else -1
    shown = percent if measure.scale == 100 else "{:.4f}".format
    text = (
        f"The search's best, trial {curse.trial}, the luckiest of {len(study.complete)}, scored"
        f" {shown(curse.search)}"
    )
    text += (
        f"; on fresh seeds it averages {shown(curse.fresh)}"
        f" ({_luck(sign * (curse.search - curse.fresh), measure)} the seed"
    )
    if curse.test is None:
        return f"{text})."
    return (
        f"{text}), on the test rows {shown(curse.test)}"
        f" ({_luck(sign * (curse.fresh - curse.test), measure)} the rows)."
    )


def _luck(value: float, measure: Measure) -> str:
    return f"{measure.size(value)} were {'luck' if value >= 0 else 'bad luck'} with"


def _cautions(study: StudyRecord, verdict: Verdict, options: str) -> Iterator[str]:
    if verdict.basis.get("trials") != len(study.trials):
        yield (
            f"This verdict is on the first {verdict.basis.get('trials')} trials, and there are"
            f" {len(study.trials)} now; make it again with: sweeps confirm {study.study}{options}"
        )
    if verdict.word == SEALED:
        yield (
            f"test set still sealed; open it with: sweeps confirm {study.study}"
            f" --open-test{options}"
        )
    if not verdict.rows["test"]:
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
    gain = verdict.against_baseline
    if gain and gain.word == BETTER and gain.narrow.high < verdict.margin:
        margin = MEASURES[verdict.objective].size(verdict.margin)
        counts = f"{margin}, up to which a difference counts as none that matters (confirm.margin)"
        yield f"The gain is there, but smaller than {counts}."
    if verdict.word == UNDECIDED and verdict.rows["test"] < FEW_ROWS:
        yield f"There are only {verdict.rows['test']} test rows; more of them would tell more."
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
    for tolerance in verdict.tolerances:
        if tolerance.bound and verdict.keeping(tolerance.name) not in (None, DROP):
            end = study.experiment.lambdas.searched[tolerance.name].high
            name = study.experiment.name
            file = name if name in catalog() else f"{name}.toml"
            command = (
                f"sweeps run {file} --study {study.study}-wider --set"
                f" lambdas.{tolerance.name}.high={tolerance.bound:g}"
            )
            yield (
                f"{tolerance.name}: good values reach the upper end of the search, {end:g}; look"
                f" further with: {command}{options}"
            )
