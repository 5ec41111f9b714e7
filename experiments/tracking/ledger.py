"""The ledger: what MLflow has of one study, and how a run is brought to its plan there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from experiments.errors import TrackingError
from experiments.records import StudyRecord
from experiments.tracking import database
from experiments.tracking.client import answering, open_client
from experiments.tracking.plan import (
    CONFIRM,
    CONFIRMATION,
    STUDY,
    TRIAL,
    UNFINISHED,
    RunPlan,
    confirmation_plan,
    merged_note,
    study_plan,
)
from experiments.tracking.snapshot import NOTE, PARENT, RunState, Snapshot, begin, state_of
from experiments.tracking.store import Store
from experiments.tracking.whole_runs import WholeRuns

if TYPE_CHECKING:
    from mlflow import MlflowClient

ENTITIES_PER_CALL = 1_000  # MLflow's limit for metrics, params and tags together


class Ledger:
    """What MLflow has is read once and kept up to date here, until something goes wrong: then it is
    read again. Nothing is opened before it is needed.
    """

    def __init__(self, store: Store, study: StudyRecord) -> None:
        self.store, self.study = store, study
        self._client: MlflowClient | None = None
        self._whole_runs: WholeRuns | None = None
        self._snapshot: Snapshot | None = None
        self.deleted = 0  # runs

    @property
    def client(self) -> "MlflowClient":
        """MLflow's client. To be used within `reading`."""
        if self._client is None:
            self._client = open_client(self.store)
            self._whole_runs = WholeRuns(self.store.file) if self.store.file else None
        return self._client

    def forget(self) -> None:
        """Read again, when it is needed next, what MLflow has."""
        self._snapshot = None

    def read_page(self) -> bool:
        """Read the next thousand runs that MLflow has; whether there may be more."""
        with self._answering():
            if self._snapshot is None:
                if self.store.file and not self.store.file.exists():  # looking must not make it
                    self._snapshot = Snapshot()
                    return False
                self._snapshot = begin(self.client, self.store.experiment)
            return self._snapshot.read_page(self.client, self.study.study_uid)

    @contextmanager
    def reading(self) -> Iterator[Snapshot]:
        """Give a block what MLflow has. Raises TrackingError if MLflow does not answer in it."""
        while self._snapshot is None or self._snapshot.more:
            self.read_page()
        with self._answering():
            yield self._snapshot

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            with answering(self.store):
                yield
        except TrackingError:
            self.forget()  # a call may have been carried out though its answer is lost
            raise

    def parent(self, there: Snapshot, plan: RunPlan) -> str | None:
        """The id of the run that this one belongs below: "" if it is not there, None for none."""
        kind = plan.key[0]
        if kind not in (TRIAL, CONFIRM):
            return None
        above = there.run((STUDY, self.study.study) if kind == TRIAL else (CONFIRMATION, ""))
        return above.run_id if above else ""

    def chosen(self, there: Snapshot, plan: RunPlan) -> RunState | None:
        """The run that is as planned or, if none is, another; of several, always the same one."""
        parent = self.parent(there, plan)
        if parent is None:
            return there.run(plan.key)
        return min(
            there.runs.get(plan.key, ()),
            key=lambda run: (bool(plan.differences(run, parent)), run.run_id),
            default=None,
        )

    def write(self, there: Snapshot, plan: RunPlan) -> tuple[str, bool]:
        """Have the run of a trial or a network: its id, and whether it was written now. One that is
        there and not as planned is deleted.
        """
        found = self.chosen(there, plan)
        if found and not plan.differences(found, self.parent(there, plan)):
            return found.run_id, False
        if self.store.file and self.store.file.exists():
            database.check_lock(self.store.file)
        for run in list(there.runs.get(plan.key, ())):
            self.delete(there, run)
        study = there.run((STUDY, self.study.study))
        if study is None or study.status != UNFINISHED:
            above = study_plan(self.study)
            started = above.started or plan.started
            self.bring(
                there, replace(above, status=UNFINISHED, started=started, ended=None, single={})
            )
        if plan.key[0] == CONFIRM:
            self.bring(there, confirmation_plan(self.study, plan.started))
        tags = {**plan.tags, PARENT: self.parent(there, plan) or ""}
        run_id = self._create(there, replace(plan, tags=tags))
        written = RunState(run_id, plan.status, plan.ended, tags, plan.params, plan.metrics)
        there.runs[plan.key] = [written]
        return run_id, True

    def _create(self, there: Snapshot, plan: RunPlan) -> str:
        """Create a run with all that it will ever have; its id."""
        from mlflow.entities import Metric, Param

        client, experiment_id, whole_runs = self.client, self.experiment(there), self._whole_runs
        if whole_runs and whole_runs.ready:
            run_id = whole_runs.write(plan, experiment_id, there.location)
            if run_id:
                return run_id
        run = client.create_run(experiment_id, plan.started, dict(plan.tags), plan.name)
        made, metrics = run.info.run_id, [Metric(*point) for point in plan.points()]
        params = [Param(*param) for param in plan.params.items()]
        first = ENTITIES_PER_CALL - len(params)
        client.log_batch(made, metrics[:first], params, synchronous=True)
        for start in range(first, len(metrics), ENTITIES_PER_CALL):
            client.log_batch(made, metrics[start : start + ENTITIES_PER_CALL], synchronous=True)
        client.set_terminated(made, plan.status, plan.ended)
        if whole_runs:
            whole_runs.learn(plan, made, experiment_id, there.location)
        return str(made)

    def bring(self, there: Snapshot, plan: RunPlan) -> bool:
        """Bring a run that others are below to its plan, created if it is not there; whether it
        differed. It is changed in place: its id and its artifacts stay.
        """
        from mlflow.entities import Metric, Param, RunTag

        client, experiment_id = self.client, self.experiment(there)
        while found := there.run(plan.key):
            if all(found.params.get(name, value) == value for name, value in plan.params.items()):
                break
            self.delete(there, found)  # MLflow cannot change a param
        if found and not plan.differences(found, None):
            return False
        tags = dict(plan.tags)
        note = tags.pop(NOTE, "")
        if found is None:
            run = client.create_run(experiment_id, plan.started, tags, plan.name)
            found = RunState(run.info.run_id, tags=tags)
            there.runs.setdefault(plan.key, []).append(found)
        run_id = found.run_id
        if note:  # somebody may have edited it since it was read
            tags[NOTE] = merged_note(note, client.get_run(run_id).data.tags.get(NOTE, ""))
        metrics = [Metric(*point) for point in plan.points()]
        params = [Param(*param) for param in plan.params.items()]
        labels = [RunTag(*tag) for tag in tags.items()]
        client.log_batch(run_id, metrics, params, labels, synchronous=True)
        if missing := [one.entity() for one in plan.datasets if one.key not in found.datasets]:
            client.log_inputs(run_id, missing)
        if plan.status == UNFINISHED:
            client.update_run(run_id, plan.status)
        else:
            client.set_terminated(run_id, plan.status, plan.ended)
        runs = there.runs[plan.key]
        runs[runs.index(found)] = state_of(client.get_run(run_id))
        return True

    def delete(self, there: Snapshot, run: RunState) -> None:
        """Delete a run. MLflow keeps it, and `mlflow runs restore` brings it back."""
        self.client.delete_run(run.run_id)
        there.runs[run.key].remove(run)
        self.deleted += 1

    def experiment(self, there: Snapshot) -> str:
        """The MLflow experiment, created if it is not there; its artifacts follow the directory."""
        from mlflow.exceptions import MlflowException

        name, location = self.store.experiment, self.store.artifact_location
        if there.experiment_id is None and there.deleted is None:
            try:
                there.experiment_id = self.client.create_experiment(name, location)
                there.location = location or ""
            except MlflowException:  # another program has just made it, or deleted it
                found = begin(self.client, name)
                if found.experiment_id is None and found.deleted is None:
                    raise
                there.experiment_id, there.location = found.experiment_id, found.location
                there.deleted = found.deleted
        if there.experiment_id is None:
            raise TrackingError(
                f"MLflow experiment {name} at {self.store.shown} was deleted, and a deleted one"
                " keeps its name; bring it back with: sweeps sync, or have the runs written to"
                " another one with MLFLOW_EXPERIMENT_NAME"
            )
        if database.moved(self.store, there.location):
            there.location = database.move(self.store, there.location)
        return there.experiment_id
