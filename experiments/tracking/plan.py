"""The plan: what the runs of a study on MLflow must be. Nothing here knows MLflow's client."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from experiments.card import card
from experiments.digest import digest
from experiments.evaluation import CURVES, METRICS, Setting
from experiments.records import COMPLETE, FAIL, PRUNED, StudyRecord, TrialRecord
from experiments.reports import frames
from experiments.reports.markdown import as_markdown, plain
from experiments.section import WIDE, Range
from experiments.tracking.runs import NOTE, Dataset, RunPlan
from experiments.verdict import CANDIDATE, Confirmed, Reference, Replicate
from nnreg import LAMBDA_NAMES

STATUS = {COMPLETE: "FINISHED", PRUNED: "KILLED", FAIL: "FAILED"}
# The kinds of runs. The tag of the same name says which trial or network a run is of.
STUDY, TRIAL = "study", "trial"
CONFIRMATION, CONFIRM = "confirmation", "confirm"  # the run above those of networks, and these

SCALARS = ("generation", "epochs", "best_epoch", "seconds", "diverged")  # of a trial
CONFIRMED = (*CURVES, "balanced_val_accuracy")  # of a network of the confirmation
TESTED = ("test_accuracy", "balanced_test_accuracy", "test_data_loss")  # if the test set was opened
ANSWER = ("gain", "gain_low", "gain_high", "test_accuracy")  # of summary.csv, on the study's run

DIVERGED = (
    "Diverged: the loss was no longer a finite number, so the accuracies are 0 and the losses the"
    " largest there can be."
)
LONGEST_ERROR = 1_000  # an escaped letter takes up to four
DIGITS = 16  # of a digest; MLflow keeps 36 characters at most
PARTS = {"training": "source", "validation": "validation", "test": "test"}  # keys of [data]
EPOCH_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


def plans(study: StudyRecord) -> list[RunPlan]:
    """All the runs of a study, those below others after these; none before its first trial."""
    if not study.trials:
        return []
    trials = [trial_plan(study, trial) for trial in study.trials]
    networks = network_plans(study)
    above = [confirmation_plan(study, networks[0].started)] if networks else []
    return [study_plan(study), *trials, *above, *networks]


def study_plan(study: StudyRecord) -> RunPlan:
    """The run of a study: where it comes from, what all its trials have in common, its data, and
    what the verdict says. The step of its numbers is which look at the test rows they are from.
    """
    born, verdict = study.provenance, study.verdict
    tags = {
        **_identity(study, STUDY),
        "fingerprint": study.fingerprint,
        "commit": born.get("commit"),
        **study.versions,
        "mlflow.source.name": born.get("command"),
        "mlflow.source.type": born.get("command") and "LOCAL",
        "mlflow.source.git.commit": born.get("commit"),
        "mlflow.user": born.get("user"),
        "mixed_hardware": "; ".join(study.mixed_hardware),
    }
    if verdict and (made := card(study)):
        text = as_markdown(made)
        tags |= {"verdict": verdict.word, NOTE: text, "card_digest": digest(text)[:DIGITS]}
    opening = verdict.opening if verdict else None
    row = frames.of_verdict(verdict) if opening else {}
    ends = [trial.finished for trial in study.trials]
    ends += [network.finished for network in study.confirmed.values()]
    ends += [reference.finished for reference in verdict.references] if verdict else []
    return RunPlan(
        name=study.study,
        tags={name: value for name, value in tags.items() if value},
        params=_study_params(study),
        single={name: float(row[name]) for name in ANSWER if row},
        step=opening.number if opening else 0,
        datasets=tuple(_datasets(study)),
        status="FINISHED",
        started=milliseconds(study.trials[0].started) if study.trials else 0,
        ended=milliseconds(max(ends)) if ends else None,
    )


def trial_plan(study: StudyRecord, trial: TrialRecord) -> RunPlan:
    """The run of a trial. What went wrong is its note, which MLflow's page calls description."""
    tags = {**_identity(study, TRIAL), TRIAL: str(trial.trial), "state": trial.state}
    if note := trial_note(trial):
        tags[NOTE] = note
    return RunPlan(
        name=f"trial-{trial.trial:05d}",
        tags=tags,
        params=_params(trial.setting),
        single=_strengths(study, trial.setting)
        | {name: float(getattr(trial, name)) for name in SCALARS},
        measured=dataclasses.asdict(trial.metrics) if trial.metrics else {},
        last=_last_step(study, trial.epochs),
        status=STATUS[trial.state],
        started=milliseconds(trial.started),
        ended=milliseconds(trial.finished),
        curves={name: trial.curves[name] for name in CURVES if name in trial.curves},
        absent=() if trial.metrics else METRICS,
    )


def trial_note(trial: TrialRecord) -> str:
    """What went wrong with a trial, as Markdown; empty if nothing did."""
    if trial.error:
        return plain(trial.error[:LONGEST_ERROR])
    return DIVERGED if trial.diverged else ""


def confirmation_plan(study: StudyRecord, started: int) -> RunPlan:
    """The run above those of the networks, beside the study's own."""
    return RunPlan(
        name=f"{study.study} {CONFIRMATION}",
        tags=_identity(study, CONFIRMATION),
        status="FINISHED",
        started=started,
        ended=None,
    )


def network_plans(study: StudyRecord) -> list[RunPlan]:
    """The runs of the networks that the verdict rests on, each once, whatever its roles; and of the
    references.
    """
    settings: dict[Setting, list[Confirmed]] = {}
    for setting in study.verdict.settings if study.verdict else ():
        settings.setdefault(setting.setting, []).append(setting)
    networks = study.confirmed.values()
    references = study.verdict.references if study.verdict else ()
    return [
        *(_network_plan(study, one, settings[one.setting]) for one in networks),
        *(_reference_plan(study, one) for one in references),
    ]


def _network_plan(study: StudyRecord, one: Replicate, settings: Sequence[Confirmed]) -> RunPlan:
    """The run of a network, for example `confirm-baseline-seed-4268029250`."""
    first = settings[0]
    role = f"{CANDIDATE}-{first.trial:05d}" if first.role == CANDIDATE else first.role
    tested = (one.test.accuracy, one.test.balanced_accuracy, one.test.data_loss) if one.test else ()
    return RunPlan(
        name=f"confirm-{role}-seed-{one.seed}",
        tags={
            **_identity(study, CONFIRM),
            CONFIRM: one.identity,
            "roles": ",".join(dict.fromkeys(setting.role for setting in settings)),
        },
        params={**_params(one.setting), "seed": str(one.seed)},
        single=_strengths(study, one.setting)
        | {"diverged": float(one.diverged), "seconds": one.seconds}
        | {"best_epoch": float(one.best_epoch)},
        measured={name: getattr(one.metrics, name) for name in CONFIRMED}
        | dict(zip(TESTED, tested, strict=bool(tested))),
        last=_last_step(study, study.experiment.training.epochs),
        status="FINISHED",
        started=milliseconds(one.started),
        ended=milliseconds(one.finished),
        absent=() if one.test else TESTED,
    )


def _reference_plan(study: StudyRecord, one: Reference) -> RunPlan:
    """The run of a reference, for example `confirm-reference:gradient_boosting`."""
    names = ("val_accuracy", "balanced_val_accuracy", "val_data_loss")
    return RunPlan(
        name=f"{CONFIRM}-{one.role}",
        tags={**_identity(study, CONFIRM), CONFIRM: one.role, "roles": one.role},
        single={name: getattr(one, name) for name in names}
        | dict(zip(TESTED, dataclasses.astuple(one.test), strict=True))
        | {"test_accuracy_low": one.accuracy.low, "test_accuracy_high": one.accuracy.high}
        | {"seconds": (one.finished - one.started).total_seconds()},
        status="FINISHED",
        started=milliseconds(one.started),
        ended=milliseconds(one.finished),
    )


def _last_step(study: StudyRecord, epochs: int) -> int:
    """The step of the numbers that count: MLflow takes those of the largest step. Where the best
    epoch is kept they come after the curves, which stay whole.
    """
    return epochs + 1 if study.experiment.kept_by else epochs


def milliseconds(time: datetime) -> int:
    """Milliseconds since 1970, exactly: the last digit of the float `timestamp()` is not."""
    return (time - EPOCH_ZERO) // timedelta(milliseconds=1)


def _identity(study: StudyRecord, kind: str) -> dict[str, str]:
    """The tags by which the runs of a study are found."""
    return {"kind": kind, "study": study.study, "study_uid": study.study_uid}


def _study_params(study: StudyRecord) -> dict[str, str]:
    """What is the same for all trials, under the keys of the experiment file."""
    sections = study.experiment.model_dump(mode="json")
    del sections["sweep"]["trials"]  # it may change while the study goes on
    params = {"fingerprint": study.fingerprint, "data.source": sections["data"]["source"]}
    for section in ("model", "training", "lambdas", "sweep"):
        params |= {f"{section}.{key}": str(value) for key, value in sections[section].items()}
    return params


def _datasets(study: StudyRecord) -> Iterator[Dataset]:
    """The parts of the data that have rows. The same rows have the same digest in any study."""
    source = study.experiment.data.source
    for part, key in PARTS.items() if study.data else ():
        file, rows = str(getattr(study.experiment.data, key) or source), study.data["rows"][part]
        if rows:
            yield Dataset(
                name=Path(file).stem,
                digest=digest([study.data["digest"], part])[:DIGITS],
                part=part,
                source=file,
                profile={"num_rows": rows, "num_features": study.data["features"]},
            )


def _params(setting: Setting) -> dict[str, str]:
    """The lambdas and the learning rate, as text that reads back to the same numbers."""
    return {name: repr(value) for name, value in setting.numbers.items()}


def _strengths(study: StudyRecord, setting: Setting) -> dict[str, float]:
    """The lambdas and the learning rate as numbers, and their logarithms. A lambda that is off is
    `off_decades` below the low end of its axis. A fixed one has no axis: its low end is its own
    value, or that of the default axis if it is fixed to off.
    """
    rate = setting.learning_rate
    strengths = {"learning_rate": rate, "log10_learning_rate": math.log10(rate)}
    for name, value in zip(LAMBDA_NAMES, setting.lambdas.as_tuple(), strict=True):
        axis = study.experiment.lambdas.axes[name]
        low = axis.low if isinstance(axis, Range) else axis or WIDE.low
        off = math.log10(low) - study.experiment.sweep.off_decades
        strengths[name] = float(value)
        strengths[f"log10_{name}"] = math.log10(value) if value > 0 else off
    return strengths
