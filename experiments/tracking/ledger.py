"""The ledger: what MLflow has of one study, and how a run is brought to its plan there."""

from dataclasses import replace
from typing import TYPE_CHECKING

from experiments.errors import TrackingError
from experiments.records import StudyRecord
from experiments.tracking import database
from experiments.tracking.client import open_client
from experiments.tracking.plan import (
    CONFIRM,
    CONFIRMATION,
    STUDY,
    TRIAL,
    UNFINISHED,
    confirmation_plan,
    merged_note,
    study_plan,
)
from experiments.tracking.runs import NOTE, PARENT, RunPlan, RunState
from experiments.tracking.snapshot import Snapshot, begin, state_of
from experiments.tracking.store import Store
from experiments.tracking.whole_runs import WholeRuns

if TYPE_CHECKING:
    from mlflow import MlflowClient

ENTITIES_PER_CALL = 1_000  # MLflow's limit for metrics, params and tags together


class Ledger:
    """What MLflow has is read once and then kept up to date here. Nothing is opened before it is
    needed. Raises what MLflow raises.
    """

    def __init__(self, store: Store, study: StudyRecord) -> None:
        self.store, self.study = store, study
        self.deletions = 0
        self._client: MlflowClient | None = None
        self._whole_runs: WholeRuns | None = None
        self._snapshot: Snapshot | None = None

    @property
    def client(self) -> "MlflowClient":
        """MLflow's client."""
        if self._client is None:
            self._client = open_client(self.store)
            self._whole_runs = WholeRuns(self.store.file) if self.store.file else None
        return self._client

    @property
    def snapshot(self) -> Snapshot:
        """What MLflow has."""
        while self._snapshot is None or self._snapshot.more:
            self.read_page()
        return self._snapshot

    def forget(self) -> None:
        """Read again, when it is needed next, what MLflow has."""
        self._snapshot = None

    def read_page(self) -> bool:
        """Read the next thousand runs that MLflow has; whether there may be more."""
        if self._snapshot is None:
            if self.store.file and not self.store.file.exists():  # looking must not make it
                self._snapshot = Snapshot()
                return False
            self._snapshot = begin(self.client, self.store.experiment)
        return self._snapshot.read_page(self.client, self.study.study_uid)

    @property
    def study_run(self) -> RunState | None:
        """The study's own run."""
        return self.snapshot.run((STUDY, self.study.study))

    def parent(self, plan: RunPlan) -> str | None:
        """The id of the run that this one belongs below: "" if it is not there, None for none."""
        above = {TRIAL: (STUDY, self.study.study), CONFIRM: (CONFIRMATION, "")}.get(plan.key[0])
        if above is None:
            return None
        found = self.snapshot.run(above)
        return found.run_id if found else ""

    def chosen(self, plan: RunPlan) -> RunState | None:
        """The run that is as planned or, if none is, another; of several, always the same one."""
        parent = self.parent(plan)
        if parent is None:
            return self.snapshot.run(plan.key)
        return min(
            self.snapshot.runs.get(plan.key, ()),
            key=lambda run: (bool(plan.differences(run, parent)), run.run_id),
            default=None,
        )

    def put(self, plan: RunPlan) -> tuple[str, bool]:
        """Have the run of a trial or a network: its id, and whether it was written now. One that is
        there and not as planned is deleted.
        """
        found = self.chosen(plan)
        if found and not plan.differences(found, self.parent(plan)):
            return found.run_id, False
        if self.store.file and self.store.file.exists():
            database.check_lock(self.store.file)
        for run in list(self.snapshot.runs.get(plan.key, ())):
            self.remove(run)
        if self.study_run is None or self.study_run.status != UNFINISHED:
            above = study_plan(self.study)
            started = above.started or plan.started
            self.bring(replace(above, status=UNFINISHED, started=started, ended=None, single={}))
        if plan.key[0] == CONFIRM:
            self.bring(confirmation_plan(self.study, plan.started))
        tags = {**plan.tags, PARENT: self.parent(plan) or ""}
        run_id = self._create(replace(plan, tags=tags))
        written = RunState(run_id, plan.status, plan.ended, tags, plan.params, plan.metrics)
        self.snapshot.runs[plan.key] = [written]
        return run_id, True

    def _create(self, plan: RunPlan) -> str:
        """Create a run with all that it will ever have; its id."""
        from mlflow.entities import Metric, Param

        client, experiment_id = self.client, self.experiment()
        where, whole_runs = (experiment_id, self.snapshot.location), self._whole_runs
        if whole_runs and whole_runs.ready and (whole := whole_runs.write(plan, *where)):
            return whole
        run = client.create_run(experiment_id, plan.started, dict(plan.tags), plan.name)
        run_id, metrics = str(run.info.run_id), [Metric(*point) for point in plan.points()]
        params = [Param(*param) for param in plan.params.items()]
        first = ENTITIES_PER_CALL - len(params)
        client.log_batch(run_id, metrics[:first], params, synchronous=True)
        for start in range(first, len(metrics), ENTITIES_PER_CALL):
            client.log_batch(run_id, metrics[start : start + ENTITIES_PER_CALL], synchronous=True)
        client.set_terminated(run_id, plan.status, plan.ended)
        if whole_runs:
            whole_runs.learn(plan, run_id, *where)
        return run_id

    def bring(self, plan: RunPlan) -> bool:
        """Bring a run that others are below to its plan, created if it is not there; whether it
        differed. It is changed in place: its id and its artifacts stay.
        """
        from mlflow.entities import Metric, Param, RunTag

        client, experiment_id, runs = self.client, self.experiment(), self.snapshot.runs
        while (found := self.snapshot.run(plan.key)) and found.contradicts(plan.params):
            self.remove(found)  # MLflow cannot change a param
        if found and not plan.differences(found, None):
            return False
        tags = dict(plan.tags)
        note = tags.pop(NOTE, "")
        if found is None:
            run = client.create_run(experiment_id, plan.started, tags, plan.name)
            found = RunState(run.info.run_id, tags=tags)
            runs.setdefault(plan.key, []).append(found)
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
        runs[plan.key] = [one for one in runs[plan.key] if one.run_id != run_id]
        runs[plan.key].append(state_of(client.get_run(run_id)))
        return True

    def remove(self, run: RunState) -> None:
        """Delete a run. MLflow keeps it, and `mlflow runs restore` brings it back."""
        self.client.delete_run(run.run_id)
        self.snapshot.runs[run.key].remove(run)
        self.deletions += 1

    def experiment(self) -> str:
        """The MLflow experiment, created if it is not there; its artifacts follow the directory."""
        from mlflow.exceptions import MlflowException

        there, name, location = self.snapshot, self.store.experiment, self.store.artifact_location
        if there.experiment_id is None and there.deleted is None:
            try:
                there.experiment_id = self.client.create_experiment(name, location)
                there.location = location or ""
            except MlflowException:  # another program has just made it, or deleted it
                there = self._snapshot = begin(self.client, name)
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
