"""The runs: what MLflow is told of a study, of a trial and of a network of the confirmation;
nothing here knows MLflow.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from experiments.card import card
from experiments.digest import digest
from experiments.evaluation import CURVES, METRICS
from experiments.records import COMPLETE, FAIL, PRUNED, StudyRecord, TrialRecord
from experiments.reports import frames
from experiments.reports.markdown import as_markdown, plain
from experiments.section import WIDE, Range
from experiments.verdict import CANDIDATE, Replicate, Setting
from nnreg import LAMBDA_NAMES, Lambdas

STATUS = {COMPLETE: "FINISHED", PRUNED: "KILLED", FAIL: "FAILED"}
SCALARS = (
    "generation",
    "epochs",
    "seconds",
    "diverged",
)  # numbers of trials.csv beside lambdas and metrics
# the kind of the run above those of the networks: they are beside the trials, not among them
CONFIRMATION = "confirmation"
TRIAL, CONFIRM = (
    "trial",
    "confirm",
)  # the kinds of runs below a study's; the tag of the same name says which one of them it is
CONFIRMED = (*CURVES, "balanced_val_accuracy")  # what is told of a network of the confirmation
TESTED = (
    "test_accuracy",
    "balanced_test_accuracy",
    "test_data_loss",
)  # and where the test set was opened
ANSWER = ("gain", "gain_low", "gain_high", "test_accuracy")  # of summary.csv, on the study's run
LONGEST_ERROR = 1_000  # an escaped letter takes up to four
DIVERGED = (
    "Diverged: the loss was no longer a finite number, so the accuracies are 0 and the losses the"
    " largest there can be."
)
LONGEST_NOTE = 5_000  # MLflow takes 8,000 characters in a tag, some databases count bytes
ROLES, CARD = "roles", "card_digest"  # tags
BELOW = "*Written by sweeps. What you write below this line stays.*"
EPOCH_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


class Point(NamedTuple):
    """One value of one metric; `time` in milliseconds."""

    name: str
    value: float
    time: int
    step: int


Key = tuple[str, str]
"""The kind of a run below a study's, and which one it is: what it is found by."""


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A run below a study's, as it is to be. Times in milliseconds.

    `single` are numbers on their own, `measured` those of the last of `epochs` epochs, of which
    some have `curves`; `absent` are measurements that it must not have.
    """

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    single: Mapping[str, float]
    measured: Mapping[str, float]
    epochs: int
    status: str
    started: int
    ended: int
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        """What it is found by."""
        kind = self.tags["kind"]
        return kind, self.tags[kind]

    @property
    def last(self) -> dict[str, float]:
        """Its numbers as MLflow has them when it is whole: of a curve the last point."""
        return {
            name: value
            for name, value in {**self.single, **self.measured}.items()
            if math.isfinite(value)
        }

    def points(self) -> list[Point]:
        """All its numbers; what is not finite is left out, because MLflow would store another
        number in its place.
        """
        return [point for point in self._points() if math.isfinite(point.value)]

    def _points(self) -> Iterator[Point]:
        for name, value in self.single.items():
            yield Point(name, value, self.ended, 0)
        for name, last in self.measured.items():
            curve = dict(enumerate(self.curves.get(name, ()), start=1)) | {self.epochs: last}
            for (
                step,
                value,
            ) in (
                curve.items()
            ):  # the epochs spread evenly over the time that it took, for charts over time
                yield Point(
                    name,
                    value,
                    self.started + (self.ended - self.started) * step // max(self.epochs, 1),
                    step,
                )


def milliseconds(time: datetime) -> int:
    """Milliseconds since 1970, exactly: `timestamp()` is a float, and its last digit may fall to
    either side.
    """
    return (time - EPOCH_ZERO) // timedelta(milliseconds=1)


def identity(study: StudyRecord, kind: str) -> dict[str, str]:
    """The tags by which the runs of a study are found; `kind` is study, trial, confirmation or
    confirm.
    """
    return {"kind": kind, "study": study.study, "study_uid": study.study_uid}


def study_tags(study: StudyRecord) -> dict[str, str]:
    """The tags of a study's run: who it is, where it comes from, and the versions it was born with."""
    born = study.provenance
    tags = {
        "fingerprint": study.fingerprint,
        "commit": born.get("commit"),
        **study.versions,
        "mlflow.source.name": born.get("command"),
        "mlflow.source.type": born.get("command") and "LOCAL",
        "mlflow.source.git.commit": born.get("commit"),
        "mlflow.user": born.get("user"),
    }
    return {**identity(study, "study"), **{name: value for name, value in tags.items() if value}}


def study_params(study: StudyRecord) -> dict[str, str]:
    """What is the same for all trials, under the keys of the experiment file."""
    experiment = study.experiment
    chosen: dict[str, Any] = {
        "fingerprint": study.fingerprint,
        "data.source": experiment.data.source,
    }
    for section in ("model", "training", "lambdas", "sweep"):
        chosen |= {
            f"{section}.{key}": value
            for key, value in experiment.model_dump(mode="json")[section].items()
            if (section, key) != ("sweep", "trials")
        }
    return {key: str(value) for key, value in chosen.items()}


def study_ended(study: StudyRecord) -> int:
    """When the last of its trials and networks ended, in milliseconds; there must be one."""
    ends = [trial.finished for trial in study.trials] + [
        one.finished for one in study.confirmed.values()
    ]
    return milliseconds(max(ends))


def closing_tags(study: StudyRecord) -> dict[str, str]:
    """The tags that a study's run has when it has ended: how hardware was mixed; the verdict's
    word, and by which card its note was written.
    """
    tags = {"mixed_hardware": "; ".join(study.mixed_hardware)} if study.mixed_hardware else {}
    if study.verdict is None:
        return tags
    return {
        **tags,
        "verdict": study.verdict.word,
        CARD: digest(_card(study))[:16],
    }


def verdict_points(study: StudyRecord) -> list[Point]:
    """The numbers of a study's run that its verdict gives it; the step is which look at the test
    rows they are from.

    A sealed verdict has none. Those of an earlier look stay on MLflow, which cannot take a number
    back.
    """
    opening = study.verdict.opening if study.verdict else None
    if opening is None:
        return []
    row = frames.of_verdict(study.verdict)
    return [Point(name, row[name], milliseconds(opening.opened), opening.number) for name in ANSWER]


def study_note(study: StudyRecord, there: str) -> str:
    """The note of a study's run, `there` being the one that it has: the card, and below it what
    others wrote.

    Where there is no room for both the note stays as it is.
    """
    own = there.partition(BELOW)[2] if BELOW in there else there
    note = f"{_card(study)}\n\n{BELOW}\n\n{own.strip()}".strip()
    return note if len(note) <= LONGEST_NOTE or not own.strip() else there


def _card(study: StudyRecord) -> str:
    made = card(study)
    return as_markdown(made)[: LONGEST_NOTE - len(BELOW) - 4] if made else ""


def trial_tags(study: StudyRecord, trial: TrialRecord) -> dict[str, str]:
    """The tags of a trial's run; what went wrong is its note, which MLflow's page shows as the
    description.
    """
    tags = {**identity(study, "trial"), "trial": str(trial.trial), "state": trial.state}
    if note := trial_note(trial):
        tags["mlflow.note.content"] = note
    return tags


def trial_name(trial: TrialRecord) -> str:
    """The name of a trial's run, for example `trial-00042`."""
    return f"trial-{trial.trial:05d}"


def trial_note(trial: TrialRecord) -> str:
    """What went wrong with a trial, as Markdown; empty where nothing did."""
    if trial.error:
        return plain(trial.error[:LONGEST_ERROR])
    return DIVERGED if trial.diverged else ""


def log10_lambda(study: StudyRecord, lambdas: Lambdas, name: str) -> float:
    """log10 of a lambda, finite also where it is off: then it is `off_decades` below the low end of
    its axis.

    A lambda that is fixed has no axis: its low end is its own value, or, where it is fixed to off,
    that of the default axis.
    """
    value = float(getattr(lambdas, name))
    if value > 0:
        return math.log10(value)
    axis = study.experiment.lambdas.axes[name]
    low = axis.low if isinstance(axis, Range) else axis or WIDE.low
    return float(math.log10(low) - study.experiment.sweep.off_decades)


def of_trial(study: StudyRecord, trial: TrialRecord) -> Planned:
    """The run of a trial."""
    return Planned(
        name=trial_name(trial),
        tags=trial_tags(study, trial),
        params=_params(trial.lambdas),
        single={
            **_strengths(study, trial.lambdas),
            **{name: float(getattr(trial, name)) for name in SCALARS},
        },
        measured=dataclasses.asdict(trial.metrics) if trial.metrics else {},
        epochs=trial.epochs,
        status=STATUS[trial.state],
        started=milliseconds(trial.started),
        ended=milliseconds(trial.finished),
        curves={name: trial.curves[name] for name in CURVES if name in trial.curves},
        absent=frozenset() if trial.metrics else frozenset(METRICS),
    )


def confirmation(study: StudyRecord) -> list[Planned]:
    """The runs of the networks that the verdict rests on, each once, whatever roles its setting
    has.
    """
    settings: dict[Lambdas, list[Setting]] = {}
    for setting in study.verdict.settings if study.verdict else ():
        settings.setdefault(setting.lambdas, []).append(setting)
    return [_of_replicate(study, one, settings[one.lambdas]) for one in study.confirmed.values()]


def _of_replicate(study: StudyRecord, one: Replicate, settings: Sequence[Setting]) -> Planned:
    """The run of a network, for example `confirm-baseline-seed-4268029250`."""
    first = settings[0]
    role = f"{CANDIDATE}-{first.trial:05d}" if first.role == CANDIDATE else first.role
    tested = (one.test.accuracy, one.test.balanced_accuracy, one.test.data_loss) if one.test else ()
    return Planned(
        name=f"confirm-{role}-seed-{one.seed}",
        tags={
            **identity(study, CONFIRM),
            CONFIRM: one.identity,
            ROLES: ",".join(dict.fromkeys(setting.role for setting in settings)),
        },
        params={**_params(one.lambdas), "seed": str(one.seed)},
        single={
            **_strengths(study, one.lambdas),
            "diverged": float(one.diverged),
            "seconds": one.seconds,
        },
        measured={
            **{name: getattr(one.metrics, name) for name in CONFIRMED},
            **dict(zip(TESTED, tested, strict=bool(tested))),
        },
        epochs=study.experiment.training.epochs,
        status="FINISHED",
        started=milliseconds(one.started),
        ended=milliseconds(one.finished),
        absent=frozenset() if one.test else frozenset(TESTED),
    )


def _params(lambdas: Lambdas) -> dict[str, str]:
    """The four lambdas, as text that reads back to the same numbers."""
    return {name: repr(float(getattr(lambdas, name))) for name in LAMBDA_NAMES}


def _strengths(study: StudyRecord, lambdas: Lambdas) -> dict[str, float]:
    """The four lambdas as numbers, and their logarithms."""
    return {
        **{name: float(getattr(lambdas, name)) for name in LAMBDA_NAMES},
        **{f"log10_{name}": log10_lambda(study, lambdas, name) for name in LAMBDA_NAMES},
    }
