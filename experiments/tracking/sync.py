"""Sync: compare the runs of a study on MLflow with the plan, and bring them to it."""

from collections import Counter
from dataclasses import dataclass

from experiments.model import unkept
from experiments.records import StudyRecord
from experiments.tracking import database, registry
from experiments.tracking.plan import CONFIRM, TRIAL, plans
from experiments.tracking.process import TrackerProcess
from experiments.tracking.tracker import Tracker


@dataclass(frozen=True)
class Problem:
    """A run that is not there, is not as planned, is there more than once, or is not planned.

    `name` is a trial's number, or the name of a network's run; `differing` names what differs.
    """

    kind: str
    name: str
    run_ids: tuple[str, ...]
    differing: tuple[str, ...] = ()
    planned: bool = True


@dataclass(frozen=True)
class Audit:
    """How MLflow differs. `runs` are counts by kind, `model` is what the registered model lacks.

    `location` is where MLflow looks for artifacts that are elsewhere, or empty.
    """

    runs: Counter[str]
    problems: tuple[Problem, ...]
    model: tuple[str, ...]
    experiment_deleted: bool
    location: str

    def missing(self, kind: str) -> list[str]:
        """The names of those that have no run as planned."""
        ours = [one for one in self.problems if one.kind == kind and one.planned]
        return [one.name for one in ours if one.differing or not one.run_ids]


@dataclass(frozen=True)
class SyncedRuns:
    """How many runs were written and deleted, and whether the study's own run differed."""

    trials: int
    settings: int
    deleted: int
    study: bool

    def __bool__(self) -> bool:
        return any((self.trials, self.settings, self.deleted, self.study))


def audit_runs(tracker: Tracker, study: StudyRecord) -> Audit:
    """Compare what MLflow has with the study, by the same equality as writing does."""
    there, problems = tracker.snapshot, []
    ids = {key: tuple(sorted(run.run_id for run in runs)) for key, runs in there.runs.items()}
    planned = plans(study)
    for plan in planned:
        kind, which = plan.key
        _, differing = tracker.find(plan)
        if differing or len(ids.get(plan.key, ())) != 1:
            name = plan.name if kind == CONFIRM else which
            problems.append(Problem(kind, name, ids.get(plan.key, ()), tuple(differing)))
    unplanned = ids.keys() - {plan.key for plan in planned}
    problems += [Problem(*key, ids[key], planned=False) for key in sorted(unplanned) if ids[key]]
    registered = study.verdict and tracker.study_run and not unkept(study)
    return Audit(
        runs=Counter(kind for (kind, _), runs in there.runs.items() for _ in runs),
        problems=tuple(problems),
        model=tuple(registry.lacking(tracker.client, study) if registered else ()),
        experiment_deleted=there.deleted is not None,
        location=there.location if database.moved(tracker.store, there.location) else "",
    )


def sync_runs(tracker: Tracker | TrackerProcess, study: StudyRecord) -> SyncedRuns:
    """Delete the runs of a study that are wrong or surplus and write those that are missing, one
    per call, because each call has a limit. What MLflow has must not be newer than `study`.
    """
    tracker.call(Tracker.restore)
    surplus = tracker.call(Tracker.surplus, study)
    for run in surplus:
        tracker.call(Tracker.delete, run)
    written = {
        kind: sum(
            tracker.call(Tracker.write, plan).new for plan in plans(study) if plan.key[0] == kind
        )
        for kind in (TRIAL, CONFIRM)
    }
    differed = tracker.call(Tracker.finish, study)
    return SyncedRuns(written[TRIAL], written[CONFIRM], len(surplus), differed)
