"""The tracker: all that is asked of MLflow for one study."""

from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from experiments.errors import TrackingError
from experiments.model import find_model
from experiments.records import StudyRecord
from experiments.tracking import database, registry, view
from experiments.tracking.audit import Audit, audit
from experiments.tracking.ledger import Ledger
from experiments.tracking.plan import (
    STUDY,
    TRIAL,
    RunPlan,
    confirmation_plan,
    network_plans,
    plans,
    study_plan,
    trial_plan,
)
from experiments.tracking.store import Store
from experiments.tracking.view import Links

P = ParamSpec("P")
R = TypeVar("R")


class Written(NamedTuple):
    """A run that is as planned, and whether it had to be written."""

    run_id: str
    new: bool


class Tracker:
    """The runs of one study on MLflow, each looked for by its key before it is created.

    Every method raises TrackingError if MLflow does not answer. One thread at a time.
    """

    def __init__(self, store: Store, study: StudyRecord) -> None:
        self.store = store
        self._ledger = Ledger(store, study)

    @property
    def study(self) -> StudyRecord:
        """The study as it was known last."""
        return self._ledger.study

    def call(
        self, method: "Callable[Concatenate[Tracker, P], R]", *args: P.args, **options: P.kwargs
    ) -> R:
        """Call a method here, as a TrackerProcess does in its process."""
        return method(self, *args, **options)

    def open(self) -> None:
        """Read what MLflow has, which other programs may have changed."""
        self.forget()
        while self.read_page():
            pass

    def forget(self) -> None:
        """Read again, when it is needed next, what MLflow has."""
        self._ledger.forget()

    def close(self) -> None:
        """Leave nothing in the log beside a SQLite file."""
        if self.store.file:
            database.checkpoint(self.store.file)

    def read_page(self) -> bool:
        """Read the next thousand runs that MLflow has; whether there may be more."""
        return self._ledger.read_page()

    def write(self, plan: RunPlan) -> Written:
        """Have the run of a trial or of a network."""
        with self._ledger.reading() as there:
            return Written(*self._ledger.write(there, plan))

    def finish(self, study: StudyRecord) -> bool:
        """Bring the study's own run, if there is one, to its end and to the verdict, and MLflow's
        page to the views of the study; whether the run differed.
        """
        self._ledger.study, networks = study, network_plans(study)
        with self._ledger.reading() as there:
            if not study.trials or there.run((STUDY, study.study)) is None:
                return False
            differed = self._ledger.bring(there, study_plan(study))
            if networks:
                above = confirmation_plan(study, networks[0].started)
                differed |= self._ledger.bring(there, above)
            self._keep_views()
            return differed

    def surplus(self, study: StudyRecord) -> list[str]:
        """The runs of nothing in the study, and those beyond one of each."""
        with self._ledger.reading() as there:
            kept = {plan.key: self._ledger.chosen(there, plan) for plan in plans(study)}
            found = [(key, run) for key, runs in there.runs.items() for run in runs]
            return [run.run_id for key, run in found if run != kept.get(key)]

    def delete(self, run_id: str) -> None:
        """Delete a run of the study."""
        with self._ledger.reading() as there:
            for run in [one for runs in there.runs.values() for one in runs]:
                if run.run_id == run_id:
                    self._ledger.delete(there, run)

    def deleted(self) -> int:
        """How many runs were deleted so far."""
        return self._ledger.deleted

    def restore(self) -> None:
        """Bring the experiment back if it was deleted."""
        with self._ledger.reading() as there:
            if there.deleted:
                self._ledger.client.restore_experiment(there.deleted)
                self._ledger.forget()

    def run_ids(self) -> dict[int, str]:
        """The run of each trial of the study that has one, by the trial's number."""
        with self._ledger.reading() as there:
            found = {
                trial.trial: self._ledger.chosen(there, trial_plan(self.study, trial))
                for trial in self.study.trials
            }
            return {number: run.run_id for number, run in found.items() if run}

    def audit(self, study: StudyRecord) -> Audit:
        """Compare what MLflow has with the study."""
        with self._ledger.reading() as there:
            registered = study.verdict and there.run((STUDY, study.study))
            model = registry.lacking(self._ledger.client, study) if registered else []
            return audit(self._ledger, there, study, model)

    def log_file(self, path: Path) -> None:
        """Keep a file as an artifact of the study's run, if there is one."""
        with self._ledger.reading() as there:
            if found := there.run((STUDY, self.study.study)):
                self._ledger.experiment(there)
                self._ledger.client.log_artifact(found.run_id, str(path))

    def kept(self) -> dict[str, int | None]:
        """The files that are artifacts of the study's run, and their sizes in bytes."""
        with self._ledger.reading() as there:
            found = there.run((STUDY, self.study.study))
            if found is None:
                return {}
            self._ledger.experiment(there)
            files = self._ledger.client.list_artifacts(found.run_id)
            return {file.path: file.file_size for file in files}

    def keep_model(self, study: StudyRecord, folder: Path) -> bool:
        """Have the model of the study's verdict, if it is in the folder, registered and shown with
        the study's run; whether anything was written.
        """
        model = find_model(folder, study)
        with self._ledger.reading() as there:
            found = there.run((STUDY, study.study))
            if model is None or found is None:
                return False
            return registry.register(
                self._ledger.client,
                self.store,
                study,
                model,
                experiment_id=self._ledger.experiment(there),
                run_id=found.run_id,
            )

    def show(self) -> Links:
        """The parts of links, after the server's address, that open the study on MLflow's page."""
        with self._ledger.reading() as there:
            if there.experiment_id is None:
                name = self.store.experiment
                raise TrackingError(
                    f"MLflow at {self.store.shown} has no experiment {name}; write the study there"
                    " with: sweeps sync"
                )
            self._keep_views()
            found = there.run((STUDY, self.study.study))
            return view.links(self.study, there.experiment_id, found.run_id if found else None)

    def _keep_views(self) -> None:
        """Have MLflow's page offer the study's views, as they are now."""
        with self._ledger.reading() as there:
            compared = [there.run((TRIAL, str(one.trial))) for one in view.compared(self.study)]
            wanted = view.tags(self.study, [run.run_id for run in compared if run])
            experiment_id = self._ledger.experiment(there)
            kept = self._ledger.client.get_experiment(experiment_id).tags
            for key, value in {**view.KIND, **kept, **wanted}.items():
                if kept.get(key) != value:
                    self._ledger.client.set_experiment_tag(experiment_id, key, value)
