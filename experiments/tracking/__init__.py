"""The tracking: records to MLflow, once each; a projection that can be deleted and made again."""

from experiments.tracking.process import TrackerProcess
from experiments.tracking.store import Store, choose
from experiments.tracking.sync import SyncedRuns, audit_runs, sync_runs
from experiments.tracking.tracker import Tracker
from experiments.tracking.trial_runs import read_trial_runs
from experiments.tracking.view import Links
from experiments.tracking.writer import Runs, Writer

__all__ = [
    "Links",
    "Runs",
    "Store",
    "SyncedRuns",
    "Tracker",
    "TrackerProcess",
    "Writer",
    "audit_runs",
    "choose",
    "read_trial_runs",
    "sync_runs",
]
