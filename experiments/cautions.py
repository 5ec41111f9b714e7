"""The cautions: what to beware of in a verdict, why there is none, and what to do about it."""

import shlex
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

from experiments.datasets.labels import UNEVEN
from experiments.datasets.leaks import Leak
from experiments.evaluation import BASELINE, PENALISED
from experiments.experiment_file import catalog
from experiments.measures import MEASURES, percent, strength
from experiments.model import unkept
from experiments.records import StudyRecord
from experiments.references import REFERENCES
from experiments.section import RateRange
from experiments.verdict import (
    BETTER,
    EPOCHS,
    KEEP,
    OPTIONAL,
    RATE,
    SAME,
    SEALED,
    UNDECIDED,
    WORSE,
    Verdict,
)
from experiments.wording import command_line, quoted, toml
from nnreg import LAMBDA_NAMES

FEW_ROWS = 200  # fewer test rows than this cannot show that a difference of a point does not matter
FEW_OF_A_CLASS = 10
AS_GOOD = 0.01  # so much less accuracy than the network's is as good
LONGER, WIDER = 2, 3  # times the epochs, and the ends of the learning rate, to go on with


def begun(study: StudyRecord) -> str:
    """Return `sweeps run` of the experiment, from the file or with the name, and with the edits, of
    the command that began the study.
    """
    name, given = study.experiment.name, list[str]()
    with suppress(ValueError):  # of a command so long that it was cut
        given = shlex.split(study.provenance.get("command", ""))
    file = next((word for word in given if word.endswith(".toml")), f"{name}.toml")
    words = ["run", name if name in catalog() and file not in given else file]
    for before, word in pairwise(given):
        if before == "--set" or word.startswith("--set="):
            words += ["--set", word.removeprefix("--set=")]
    return command_line(*words)


def no_verdict(study: StudyRecord, options: str = "") -> str:
    """Return why no verdict can be made, and what to do; empty if both arms have a trial."""
    arms, done = {trial.setting.arm for trial in study.complete}, len(study.trials)
    run = f"{begun(study)} --study {quoted(study.study)}"
    if BASELINE not in arms:
        if not done:
            return ""
        return (
            "There is no verdict: no trial without penalties is complete, so there is nothing to"
            f" compare with. Begin again with: {run}-again{options}"
        )
    if PENALISED in arms:
        return ""
    first = study.experiment.baseline_trials
    if done >= first and all(trial.diverged or trial.error for trial in study.trials):
        return (
            "There is no verdict: all networks diverged or failed. Correct that (a lower learning"
            f" rate may help), and begin again with: {run}-again{options}"
        )
    if not any(study.experiment.lambdas.axes.values()):
        return "There is no verdict: all lambdas are fixed to 0. Give one of them a range."
    if done > first:
        return (
            "There is no verdict: no trial with a penalty is complete. What went wrong is in"
            " trials.csv."
        )
    trials = max(study.experiment.sweep.trials, first + study.experiment.sweep.generation)
    before = f"the first {first} trials have" if first > 1 else "the first trial has"
    return (
        f"There is no verdict yet: {before} no penalty, and {done} of {first} are there. Run trials"
        f" with penalties too: {run} --trials {trials}{options}"
    )


def further(study: StudyRecord, options: str = "") -> tuple[str, str] | None:
    """Return in which way the networks are not trained to the end, and the command that trains
    them further; None if they are.
    """
    keys = study.verdict.undertrained if study.verdict else ()
    if not keys:
        return None
    training, rates = study.experiment.training, study.experiment.rates or RateRange()
    ends = {f"{RATE}.low": rates.low, f"{RATE}.high": rates.high}
    why = [f"most are best at the last epoch ({EPOCHS} = {training.epochs})"] * (EPOCHS in keys)
    why += [
        f"the learning rate lies at an end of its range ({key} = {end:g})"
        for key, end in ends.items()
        if key in keys
    ]
    better = {
        EPOCHS: str(training.epochs * LONGER),
        f"{RATE}.low": f"{rates.low / WIDER:.2g}",
        f"{RATE}.high": f"{rates.high * WIDER:.2g}",
    }
    edits = "".join(f" --set {key}={better[key]}" for key in keys)
    return (
        f"the networks are not trained to the end: {' and '.join(why)}",
        f"{begun(study)} --study {quoted(study.study)}-further{edits}{options}",
    )


def leaks_of(study: StudyRecord, options: str = "") -> Iterator[tuple[str, str]]:
    """Yield what leaks in a study's data, and what to do about it, the most important first."""
    network = study.best.val_accuracy or 0 if study.best else 1
    for leak in (Leak(**kept) for kept in study.data.get("leaks", ())):
        if leak.accuracy < network - AS_GOOD:
            continue
        edit = quoted(f"{leak.key}={toml(leak.value)}")
        again = f": {begun(study)} --study {quoted(study.study)}-repaired --set {edit}{options}"
        yield leak.what, f"{leak.when}{again if leak.key else ''}"


def cautions(study: StudyRecord, verdict: Verdict, options: str) -> Iterator[str]:
    """Yield what to beware of, the most important first; `options` go behind commands."""
    rows, gain = verdict.rows["test"], verdict.against_baseline
    confirm = command_line("confirm", study.study)
    measure = MEASURES[verdict.objective]
    if verdict.basis["trials"] != len(study.trials):
        yield (
            f"This verdict is on the first {verdict.basis['trials']} trials, and there are"
            f" {len(study.trials)} now; rebuild it with: {confirm}{options}"
        )
    outer = study.experiment.outer_folds
    if outer and not verdict.outer:
        run = f"{begun(study)} --study {quoted(study.study)}"
        yield f"not all {outer} outer folds are tested yet; test them with: {run}{options}"
    elif verdict.word == SEALED:
        yield f"test set still sealed; open it with: {confirm} --open-test{options}"
    if not rows and not outer:
        yield (
            "There are no test rows, so nothing can be claimed; give some with data.split.test or"
            " data.test."
        )
    for what, remedy in leaks_of(study, options):
        yield f"{what[0].upper()}{what[1:]}; {remedy}"
    if found := further(study, options):
        what, command = found
        yield f"{what[0].upper()}{what[1:]}; train them further with: {command}"
    if study.unseeded:
        yield unseeded(study)
    if study.experiment.rates is None:
        yield _untuned(study, verdict, options)
    if verdict.opening and verdict.opening.number > 1:
        yield (
            f"This is look number {verdict.opening.number} at these test rows, so it is tested at"
            f" {verdict.opening.alpha * 100:.2g} % instead of 2.5 %: a test set that is used"
            " often becomes a validation set."
        )
    if verdict.opening and verdict.opening.unread:
        yield (
            f"Earlier looks at these test rows by {', '.join(verdict.opening.unread)} could not be"
            " counted, because what is stored there cannot be read: `sweeps doctor` says why."
        )
    for one in verdict.references[::-1]:
        if one.comparison.word == WORSE:
            claimed = measure.claimed(one.comparison, turned=True)
            yield (
                f"{REFERENCES[one.name].capitalize()} is better here, with scikit-learn's defaults:"
                f" {claimed} on the same test rows."
            )
    for missing in verdict.left_out:
        name = REFERENCES[missing.name]
        yield f"No comparison with {name}, which could not be fitted: {missing.reason}"
    if gain and gain.word == BETTER and gain.narrow.high < verdict.margin:
        margin = measure.size(verdict.margin)
        counts = f"{margin}, up to which a difference counts as none that matters (confirm.margin)"
        yield f"The gain is there, but smaller than {counts}."
    if verdict.word == UNDECIDED and rows < FEW_ROWS:
        yield f"There are only {rows} test rows; more rows would show more."
    if verdict.rarest is not None and verdict.rarest < FEW_OF_A_CLASS:
        yield f"The rarest class has {verdict.rarest} test rows; little can be said about it."
    if verdict.majority >= UNEVEN and verdict.objective == "val_accuracy":
        yield (
            f"{percent(verdict.majority)} of the rows are of one class, so accuracy says little"
            " about the others; search by balanced_val_accuracy (sweep.objective)."
        )
    optional = list(map(verdict.keeping, LAMBDA_NAMES)).count(OPTIONAL)
    if optional > 1 and verdict.word != SAME:
        yield "Each optional lambda can be left out alone, not all of them at once."
    if verdict.diverged:
        networks = len(study.confirmed[verdict.recommended])
        yield (
            f"{verdict.diverged} of the {networks} networks with the recommended lambdas diverged;"
            " train more slowly."
        )
    if diverged := sum(trial.diverged for trial in study.trials):
        yield f"{diverged} of {len(study.trials)} trials diverged, and count as no accuracy."
    for tolerance in verdict.tolerances:
        if tolerance.bound and verdict.keeping(tolerance.name) in (KEEP, SEALED):
            yield (
                f"{tolerance.name} is best near the upper end of its range; look further with:"
                f" {begun(study)} --study {quoted(study.study)}-wider"
                f" --set lambdas.{tolerance.name}.high={tolerance.bound:g}{options}"
            )
    if why := unkept(study):
        yield why


def unseeded(study: StudyRecord) -> str:
    """What it means that two evaluations of one trial differ."""
    return (
        f"Two evaluations of trial 0 differ ({study.unseeded}): your network uses random numbers"
        " that its seed does not decide, so nobody can reproduce these numbers; use numpy.random,"
        " or the seed."
    )


def _untuned(study: StudyRecord, verdict: Verdict, options: str) -> str:
    """What is unfair where the learning rate is fixed, and how to compare tuned networks."""
    training = study.experiment.training
    what = "learning rate" if study.experiment.nuisances else "baseline"
    last = "" if study.experiment.kept_by else f" and take the last of {training.epochs} epochs"
    keep = "" if study.experiment.kept_by else " --set training.keep=best"
    return (
        f"The {what} was not tuned: both sides use the learning rate"
        f" {strength(verdict.baseline.learning_rate)}{last}. Give {RATE} a range:"
        f" {begun(study)} --study {quoted(study.study)}-tuned"
        f" --set {RATE}.high={RateRange().high:g}{keep}{options}"
    )
