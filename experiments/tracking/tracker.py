"""The tracker: all that is asked of MLflow for one study."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar, TypeVarTuple

from experiments.errors import TrackingError
from experiments.model import find_model
from experiments.records import StudyRecord
from experiments.reports.markdown import merged_note
from experiments.tracking import database, registry, view
from experiments.tracking.client import answering, open_client
from experiments.tracking.plan import (
    CONFIRM,
    CONFIRMATION,
    STUDY,
    TRIAL,
    confirmation_plan,
    plans,
    study_plan,
    trial_plan,
)
from experiments.tracking.runs import NOTE, PARENT, UNFINISHED, RunPlan, RunState, Snapshot
from experiments.tracking.store import Store
from experiments.tracking.view import Links
from experiments.tracking.whole_runs import WholeRuns

if TYPE_CHECKING:
    from mlflow import MlflowClient

Arguments = TypeVarTuple("Arguments")
R = TypeVar("R")


class Written(NamedTuple):
    """A run that is as planned, and whether it had to be written."""

    run_id: str
    new: bool


class Tracker(AbstractContextManager["Tracker"]):
    """The runs of one study on MLflow, each looked for by its key before it is created.

    What MLflow has is read when it is needed, and then kept up to date here. One thread at a time.
    """

    def __init__(self, store: Store, study: StudyRecord) -> None:
        self.store, self.study = store, study
        self._whole_runs: WholeRuns | None = None
        self._snapshot: Snapshot | None = None
        self._opened: os.stat_result | None = None  # of the SQLite file in use

    def __exit__(self, *error: object) -> None:
        self.close()

    def call(self, method: "Callable[[Tracker, *Arguments], R]", *args: *Arguments) -> R:
        """Call a method, as TrackerProcess does. Raises TrackingError."""
        try:
            with answering(self.store):
                return method(self, *args)
        except TrackingError:
            self._snapshot = None  # a call may have been carried out though its answer is lost
            raise

    @cached_property
    def client(self) -> "MlflowClient":
        client = open_client(self.store)
        if self.store.file:
            self._whole_runs = WholeRuns(self.store.file)
            self._opened = self.store.file.stat()
        return client

    def open(self) -> None:
        self.call(Tracker.read)

    def is_cut_off(self) -> bool:
        """Whether the SQLite file in use was deleted, moved, replaced or cut short meanwhile."""
        before, file = self._opened, self.store.file
        if before is None or file is None:
            return False
        if not file.exists():
            return True
        self._opened = now = file.stat()
        return not os.path.samestat(before, now) or now.st_size < before.st_size

    def close(self) -> None:
        """Leave nothing in the log beside a SQLite file."""
        if self.store.file:
            database.checkpoint(self.store.file)

    def read(self) -> None:
        """Read what MLflow has; looking must not make a database."""
        file, there = self.store.file, Snapshot()
        if file is None or file.exists():
            if file:
                database.check(file, "SELECT * FROM sqlite_master")
            client, name = self.client, self.store.experiment
            there = Snapshot.read(client, name, self.study.study_uid)
        self._snapshot = there

    @property
    def snapshot(self) -> Snapshot:
        if self._snapshot is None:
            self.read()
        assert self._snapshot
        return self._snapshot

    @property
    def study_run(self) -> RunState | None:
        return self.snapshot.run((STUDY, self.study.study))

    def find(self, plan: RunPlan) -> tuple[RunState | None, list[str]]:
        """The run of a plan (of several: one that is right, or the first) and what differs."""
        plan, is_above = self._below(plan), plan.key[0] in (STUDY, CONFIRMATION)
        runs = self.snapshot.runs.get(plan.key, ())
        found = [(run, plan.differences(run)) for run in runs]
        order = [(bool(differing) and not is_above, run.run_id) for run, differing in found]
        return found[order.index(min(order))] if found else (None, [])

    def _below(self, plan: RunPlan) -> RunPlan:
        """The plan with the run that it belongs below as a tag, empty if that is not there."""
        if plan.key[0] == STUDY:
            family = {PARENT: self._family_run} if self._family_run else {}
            return replace(plan, tags={**plan.tags, **family})
        above = (CONFIRMATION, "") if plan.key[0] == CONFIRM else (STUDY, self.study.study)
        found = self.snapshot.run(above)
        return replace(plan, tags={**plan.tags, PARENT: found.run_id if found else ""})

    @cached_property
    def _family_run(self) -> str:
        """The id of the run above that of an outer fold's study; empty for other studies."""
        if self.study.family is None:
            return ""
        tags = f"tags.kind = '{STUDY}' AND tags.study = '{self.study.family}'"
        found = self.client.search_runs([self.experiment()], tags, max_results=1)
        return found[0].info.run_id if found else ""

    def write(self, plan: RunPlan) -> Written:
        """Have the run of a trial or of a network. One that is not as planned is deleted."""
        found, differing = self.find(plan)
        if found and not differing:
            return Written(found.run_id, new=False)
        if self.store.file and self.store.file.exists():
            database.check(self.store.file, "BEGIN IMMEDIATE")
        for run in list(self.snapshot.runs.get(plan.key, ())):
            self.delete(run)
        if self.study_run is None or self.study_run.status != UNFINISHED:
            above = study_plan(self.study)
            started = above.started or plan.started
            self._bring(replace(above, status=UNFINISHED, started=started, ended=None, single={}))
        if plan.key[0] == CONFIRM:
            self._bring(confirmation_plan(self.study, plan.started))
        plan = self._below(plan)
        run_id = self._create(plan)
        written = RunState(run_id, plan.status, plan.ended, plan.tags, plan.params, plan.metrics)
        self.snapshot.runs[plan.key] = [written]
        return Written(run_id, new=True)

    def _create(self, plan: RunPlan) -> str:
        """Create a run with all that it will ever have; its id."""
        where = (self.experiment(), self.snapshot.location)
        if self._whole_runs and (whole := self._whole_runs.write(plan, *where)):
            return whole
        run = self.client.create_run(where[0], plan.started, dict(plan.tags), plan.name)
        plan.log(self.client, run.info.run_id)
        if self._whole_runs:
            self._whole_runs.learn(plan, run.info.run_id, *where)
        return str(run.info.run_id)

    def _bring(self, plan: RunPlan) -> bool:
        """Bring a run with children to its plan, in place or created; whether it differed."""
        client, experiment_id = self.client, self.experiment()
        found, differing = self.find(plan)
        if found and not differing:
            return False
        tags = dict(self._below(plan).tags)
        if found is None:
            born = {name: value for name, value in tags.items() if name != NOTE}
            run = client.create_run(experiment_id, plan.started, born, plan.name)
            found = RunState(run.info.run_id)
        if NOTE in tags:  # somebody may have edited it since it was read
            there = client.get_run(found.run_id).data.tags
            tags[NOTE] = merged_note(tags[NOTE], there.get(NOTE, ""))
        replace(plan, tags=tags).log(client, found.run_id)
        if missing := [one.entity() for one in plan.datasets if one.key not in found.datasets]:
            client.log_inputs(found.run_id, missing)
        runs = self.snapshot.runs.setdefault(plan.key, [])
        runs[:] = [one for one in runs if one.run_id != found.run_id]
        runs.append(RunState.of(client.get_run(found.run_id)))
        return True

    def finish(self, study: StudyRecord) -> bool:
        """Bring the study's own run and the views to the verdict; whether the run differed."""
        self.study = study
        if self.study_run is None:
            return False
        above = [plan for plan in plans(study) if plan.key[0] in (STUDY, CONFIRMATION)]
        differed = [self._bring(plan) for plan in above]
        self._describe()
        if left := [name for plan in above for name in self.find(plan)[1]]:
            raise TrackingError(
                f"MLflow keeps the {', '.join(left)} of study {study.study} as it is; delete the"
                " study's run on MLflow's page, then run: sweeps sync"
            )
        return any(differed)

    def surplus(self, study: StudyRecord) -> list[RunState]:
        """The runs to delete: surplus ones, and trials and networks that are not as planned."""
        kept = set()
        for plan in plans(study):
            found, differing = self.find(plan)
            if found and (not differing or plan.key[0] in (STUDY, CONFIRMATION)):
                kept.add(found.run_id)
        there = [run for runs in self.snapshot.runs.values() for run in runs]
        return [run for run in there if run.run_id not in kept]

    def delete(self, run: RunState) -> None:
        """Delete a run if it is there. MLflow keeps it: `mlflow runs restore` brings it back."""
        there = self.snapshot.runs.get(run.key, [])
        for one in [one for one in there if one.run_id == run.run_id]:
            self.client.delete_run(one.run_id)
            there.remove(one)

    def restore(self) -> None:
        if self.snapshot.deleted:
            self.client.restore_experiment(self.snapshot.deleted)
            self.read()

    def experiment(self) -> str:
        """The MLflow experiment, created if it is not there; its artifacts follow the directory."""
        from mlflow.exceptions import MlflowException

        there, name, location = self.snapshot, self.store.experiment, self.store.artifact_location
        if there.experiment_id is None and there.deleted is None:
            try:
                there.experiment_id = self.client.create_experiment(name, location)
                there.location = location or ""
            except MlflowException:  # another program has just made it, or deleted it
                self.read()
                there = self.snapshot
                if there.experiment_id is None and there.deleted is None:
                    raise
        if there.experiment_id is None:
            raise TrackingError(
                f"MLflow experiment {name} at {self.store.shown} was deleted, and a deleted one"
                " keeps its name; bring it back with: sweeps sync, or have the runs written to"
                " another one with MLFLOW_EXPERIMENT_NAME"
            )
        if database.moved(self.store, there.location):
            there.location = database.move(self.store, there.location)
        return there.experiment_id

    def run_ids(self) -> dict[int, str]:
        found = {one.trial: self.find(trial_plan(self.study, one))[0] for one in self.study.trials}
        return {number: run.run_id for number, run in found.items() if run}

    def log_file(self, path: Path) -> None:
        if self.study_run:
            self.experiment()
            self.client.log_artifact(self.study_run.run_id, str(path))

    def kept(self) -> dict[str, int | None]:
        if self.study_run is None:
            return {}
        self.experiment()
        files = self.client.list_artifacts(self.study_run.run_id)
        return {file.path: file.file_size for file in files}

    def keep_model(self, study: StudyRecord, folder: Path) -> bool:
        """Register the model of the verdict if the folder has it; whether anything was written."""
        model, run = find_model(folder, study), self.study_run
        if model is None or run is None:
            return False
        self.experiment()
        return registry.register(self.client, self.store, study, model, run.run_id)

    def show(self) -> Links:
        """The parts of links, after the server's address, that open the study on MLflow's page."""
        if self.snapshot.experiment_id is None:
            raise TrackingError(
                f"MLflow at {self.store.shown} has no experiment {self.store.experiment}; write the"
                " study there with: sweeps sync"
            )
        self._describe()
        run_id = self.study_run.run_id if self.study_run else None
        return view.links(self.study, self.snapshot.experiment_id, run_id)

    def _describe(self) -> None:
        compared = [self.snapshot.run((TRIAL, str(one.trial))) for one in view.compared(self.study)]
        ids = [run.run_id for run in compared if run]
        view.describe(self.client, self.experiment(), self.study, ids)
