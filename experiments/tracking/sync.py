"""Sync: bring all runs of a study on MLflow to the plan."""

from dataclasses import dataclass

from experiments.records import StudyRecord
from experiments.tracking.plan import CONFIRM, TRIAL, plans
from experiments.tracking.process import TrackerProcess
from experiments.tracking.tracker import Tracker


@dataclass(frozen=True)
class SyncedRuns:
    """How many runs of trials and of networks were written, how many wrong or surplus runs were
    deleted, and whether the study's own run differed.
    """

    trials: int
    networks: int
    deleted: int
    study: bool

    def __bool__(self) -> bool:
        """Whether anything was done."""
        return any((self.trials, self.networks, self.deleted, self.study))


def sync_runs(tracker: Tracker | TrackerProcess, study: StudyRecord) -> SyncedRuns:
    """Write the runs of a study that are not as planned, and delete surplus ones, one per call,
    because each call has a limit. An experiment that was deleted is brought back.

    What MLflow has must not be newer than `study`, or a run would seem to be of no trial.
    """
    tracker.call(Tracker.restore)
    written = {
        kind: sum(
            tracker.call(Tracker.write, plan).new for plan in plans(study) if plan.key[0] == kind
        )
        for kind in (TRIAL, CONFIRM)
    }
    for run_id in tracker.call(Tracker.surplus, study):
        tracker.call(Tracker.delete, run_id)
    differed = tracker.call(Tracker.finish, study)
    return SyncedRuns(written[TRIAL], written[CONFIRM], tracker.call(Tracker.deleted), differed)
