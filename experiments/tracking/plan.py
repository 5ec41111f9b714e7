"""The plan: what the runs of a study on MLflow must be. Nothing here knows MLflow's client."""

import dataclasses
import math
import statistics
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from experiments.card import card
from experiments.digest import digest
from experiments.evaluation import CURVES, METRICS, Setting
from experiments.records import COMPLETE, FAIL, PRUNED, StudyRecord, TrialRecord
from experiments.reports import frames
from experiments.reports.markdown import as_markdown, plain
from experiments.spec import OF_BUILT_IN
from experiments.tracking.runs import NOTE, Dataset, RunPlan
from experiments.verdict import CANDIDATE, Confirmed, Reference

STATUS = {COMPLETE: "FINISHED", PRUNED: "KILLED", FAIL: "FAILED"}
# The kinds of runs. The tag of the same name says which trial or network a run is of.
STUDY, TRIAL = "study", "trial"
ANSWER = "answer"  # the tag of a study's run with the first sentence of the card
CONFIRMATION, CONFIRM = "confirmation", "confirm"  # the run above those of networks, and these

SCALARS = ("best_epoch", "seconds")  # metrics of a trial
FACTS = ("generation", "epochs", "diverged")  # params of a trial: alike in most
CONFIRMED = (*CURVES, "balanced_val_accuracy")  # of a setting of the confirmation
TESTED = ("test_accuracy", "balanced_test_accuracy", "test_data_loss")  # if the test set was opened
NUMBERS = ("gain", "gain_low", "gain_high", "test_accuracy")  # of summary.csv, on the study's run

PRUNED_AT = "Pruned after epoch {epochs}: worse than half of the earlier trials at that epoch."
DIVERGED = "diverged: the loss was no longer a finite number"
WORST = "so the accuracies are 0 and the losses the largest there can be"
LONGEST_ERROR = 1_000  # an escaped letter takes up to four
DIGITS = 16  # of a digest; MLflow keeps 36 characters at most
PARTS = {"training": "source", "validation": "validation", "test": "test"}  # keys of [data]
# What a loss counts for in the ranking: less than a row of any validation set.
TIE = 1e-9
RANKING, LOG10 = "ranking", "log10_"  # metrics
EPOCH_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


def plans(study: StudyRecord) -> list[RunPlan]:
    """All the runs of a study, those below others after these; none before its first trial."""
    if not study.trials:
        return []
    trials = [trial_plan(study, trial) for trial in study.trials]
    settings = setting_plans(study)
    above = [confirmation_plan(study, settings[0].started)] if settings else []
    return [study_plan(study), *trials, *above, *settings]


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
        "unseeded": study.unseeded,
    }
    if verdict and (made := card(study)):
        text = as_markdown(made)
        tags |= {"verdict": verdict.word, ANSWER: made.says, NOTE: text}
        tags["card_digest"] = digest(text)[:DIGITS]
    opening = verdict.opening if verdict else None
    row = frames.of_verdict(verdict) if opening else {}
    ends = [trial.finished for trial in study.trials]
    ends += [one.finished for networks in study.confirmed.values() for one in networks]
    ends += [reference.finished for reference in verdict.references] if verdict else []
    return RunPlan(
        name=study.study,
        tags={name: value for name, value in tags.items() if value},
        params=_study_params(study),
        single={name: float(row[name]) for name in NUMBERS if row},
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
    own = [name for name in trial.curves if name not in METRICS]  # of a user's own network
    known = trial.metrics.known if trial.metrics else {}
    return RunPlan(
        name=f"trial-{trial.trial:05d}",
        tags=tags,
        params=_params(trial.setting) | {name: str(getattr(trial, name)).lower() for name in FACTS},
        single=_strengths(study, trial.setting)
        | {name: float(getattr(trial, name)) for name in SCALARS}
        | _ranking(study, trial)
        | dict(trial.deviations),
        measured=known | {name: trial.curves[name][trial.best_epoch - 1] for name in own},
        last=_last_step(study, trial.epochs),
        status=STATUS[trial.state],
        started=milliseconds(trial.started),
        ended=milliseconds(trial.finished),
        curves={name: one for name, one in trial.curves.items() if name in (*CURVES, *own)},
        absent=tuple(name for name in METRICS if name not in known),
    )


def trial_note(trial: TrialRecord) -> str:
    """Why a trial failed, or ended early, as Markdown; empty if it did neither."""
    if trial.diverged:
        why = plain((trial.error or DIVERGED)[:LONGEST_ERROR])
        return f"{why[0].upper()}{why[1:]}, {WORST}."
    if trial.error:
        return plain(trial.error[:LONGEST_ERROR])
    return PRUNED_AT.format(epochs=trial.epochs) if trial.state == PRUNED else ""


def confirmation_plan(study: StudyRecord, started: int) -> RunPlan:
    """The run above those of the confirmation's settings, below the study's own."""
    return RunPlan(
        name=f"{study.study} {CONFIRMATION}",
        tags=_identity(study, CONFIRMATION),
        status="FINISHED",
        started=started,
        ended=None,
    )


def setting_plans(study: StudyRecord) -> list[RunPlan]:
    """The runs of the settings that the verdict rests on, each once, whatever its roles; and of the
    references.
    """
    if study.verdict is None:
        return []
    roles: dict[Setting, list[Confirmed]] = {}
    for one in study.verdict.settings:
        roles.setdefault(one.setting, []).append(one)
    return [
        *(_setting_plan(study, study.verdict.seeds, ones) for ones in roles.values()),
        *(_reference_plan(study, one) for one in study.verdict.references),
    ]


def _setting_plan(study: StudyRecord, seeds: Sequence[int], roles: Sequence[Confirmed]) -> RunPlan:
    """The run of a setting, for example `confirm-candidate-00042`: the steps of its metrics are its
    networks, and after them comes their mean.
    """
    first, setting, epoch = roles[0], roles[0].setting, roles[0].best_epoch
    networks = study.confirmed[setting]
    role = first.role + (f"-{first.trial:05d}" if first.role.endswith(CANDIDATE) else "")
    known = [name for name in CONFIRMED if name in networks[0].metrics.known]
    values = {name: [getattr(one.metrics, name) for one in networks] for name in known}
    if tests := [one.test for one in networks if one.test]:
        columns = zip(*map(dataclasses.astuple, tests), strict=True)
        values |= {name: list(column) for name, column in zip(TESTED, columns, strict=True)}
    return RunPlan(
        name=f"{CONFIRM}-{role}",
        tags={
            **_identity(study, CONFIRM),
            CONFIRM: ":".join(map(repr, [*setting.numbers.values(), epoch])),
            "roles": ",".join(dict.fromkeys(one.role for one in roles)),
        },
        params=_params(setting) | {"seeds": ",".join(map(str, seeds))},
        single=_strengths(study, setting)
        | {"best_epoch": float(epoch), "seconds": sum(one.seconds for one in networks)},
        measured={name: statistics.fmean(column) for name, column in values.items()},
        last=len(networks) + 1,
        curves=values,
        status="FINISHED",
        started=milliseconds(min(one.started for one in networks)),
        ended=milliseconds(max(one.finished for one in networks)),
        absent=() if tests else TESTED,
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
    if study.experiment.own:
        for section, key in OF_BUILT_IN:
            del sections[section][key]
        del sections["model"]["directory"]
        parameters = sections["model"].pop("parameters")
        sections["model"] |= {f"parameters.{name}": one for name, one in parameters.items()}
    params = {"fingerprint": study.fingerprint, "data.source": sections["data"]["source"]}
    if study.experiment.folds:
        split = sections["data"]["split"]
        params |= {f"data.split.{key}": str(split[key]) for key in ("folds", "repeats")}
    for section in ("model", "training", "lambdas", "sweep"):
        there = {key: value for key, value in sections[section].items() if value is not None}
        params |= {f"{section}.{key}": str(value) for key, value in there.items()}
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
    """What is tuned, as text that reads back to the same numbers."""
    return {name: repr(value) for name, value in setting.numbers.items()}


def _strengths(study: StudyRecord, setting: Setting) -> dict[str, float]:
    """What is tuned as numbers, and the logarithms of what was searched on a log axis, for charts.
    A lambda that is off is `off_decades` below the low end of its axis.
    """
    strengths = {name: float(value) for name, value in setting.numbers.items()}
    decades, logarithms = study.experiment.sweep.off_decades, {}
    for name, axis in study.experiment.searched.items():
        if axis.is_log:
            off = math.log10(axis.low) - decades
            logarithms[LOG10 + name] = math.log10(strengths[name]) if strengths[name] > 0 else off
    return strengths | logarithms


def _ranking(study: StudyRecord, trial: TrialRecord) -> dict[str, float]:
    """What MLflow's page sorts the trials by: it shows tied runs newest first. The objective, more
    is better, and a lower loss where that is tied, as in `StudyRecord.ranked`: complete trials.
    """
    if trial.metrics is None or trial.state != COMPLETE:
        return {}
    value = study.value(trial)
    return {RANKING: (value if study.maximize else -value) - TIE * trial.metrics.val_data_loss}
