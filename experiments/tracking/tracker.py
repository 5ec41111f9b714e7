"""The tracker: all that is asked of MLflow for one study."""

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar

from experiments.errors import TrackingError
from experiments.model import find_model
from experiments.records import StudyRecord
from experiments.tracking import database, registry, view
from experiments.tracking.client import answering
from experiments.tracking.ledger import Ledger
from experiments.tracking.plan import (
    CONFIRM,
    TRIAL,
    confirmation_plan,
    network_plans,
    plans,
    study_plan,
    trial_plan,
)
from experiments.tracking.runs import RunPlan
from experiments.tracking.view import Links

P = ParamSpec("P")
R = TypeVar("R")


class Written(NamedTuple):
    """A run that is as planned, and whether it had to be written."""

    run_id: str
    new: bool


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


class Tracker(Ledger, AbstractContextManager["Tracker"]):
    """The runs of one study on MLflow, each looked for by its key before it is created. One thread
    at a time.
    """

    def call(
        self, method: "Callable[Concatenate[Tracker, P], R]", *args: P.args, **options: P.kwargs
    ) -> R:
        """Call a method, as a TrackerProcess does in its process. Raises TrackingError if MLflow
        does not answer.
        """
        try:
            with answering(self.store):
                return method(self, *args, **options)
        except TrackingError:
            self.forget()  # a call may have been carried out though its answer is lost
            raise

    def open(self) -> None:
        """Read what MLflow has, which other programs may have changed."""
        self.forget()
        while self.call(Tracker.read_page):
            pass

    def close(self) -> None:
        """Leave nothing in the log beside a SQLite file."""
        if self.store.file:
            database.checkpoint(self.store.file)

    def __exit__(self, *error: object) -> None:
        """Close it."""
        self.close()

    def write(self, plan: RunPlan) -> Written:
        """Have the run of a trial or of a network."""
        return Written(*self.put(plan))

    def finish(self, study: StudyRecord) -> bool:
        """Bring the study's own run, if there is one, to its end and to the verdict, and MLflow's
        page to the views of the study; whether the run differed.
        """
        self.study, networks = study, network_plans(study)
        if not study.trials or self.study_run is None:
            return False
        differed = self.bring(study_plan(study))
        if networks:
            differed |= self.bring(confirmation_plan(study, networks[0].started))
        self._keep_views()
        return differed

    def surplus(self, study: StudyRecord) -> list[str]:
        """The runs of nothing in the study, and those beyond one of each."""
        kept = {plan.key: self.chosen(plan) for plan in plans(study)}
        found = [(key, run) for key, runs in self.snapshot.runs.items() for run in runs]
        return [run.run_id for key, run in found if run != kept.get(key)]

    def delete(self, run_id: str) -> None:
        """Delete a run of the study."""
        for run in [one for runs in self.snapshot.runs.values() for one in runs]:
            if run.run_id == run_id:
                self.remove(run)

    def deleted(self) -> int:
        """How many runs were deleted so far."""
        return self.deletions

    def restore(self) -> None:
        """Bring the experiment back if it was deleted."""
        if self.snapshot.deleted:
            self.client.restore_experiment(self.snapshot.deleted)
            self.forget()

    def run_ids(self) -> dict[int, str]:
        """The run of each trial of the study that has one, by the trial's number."""
        found = {one.trial: self.chosen(trial_plan(self.study, one)) for one in self.study.trials}
        return {number: run.run_id for number, run in found.items() if run}

    def audit(self, study: StudyRecord) -> Audit:
        """Compare what MLflow has with the study, by the same equality as writing does."""
        there, problems = self.snapshot, []
        unplanned = dict(there.runs)
        for plan in plans(study):
            ids = tuple(sorted(run.run_id for run in unplanned.pop(plan.key, ())))
            chosen = self.chosen(plan)
            differing = plan.differences(chosen, self.parent(plan)) if chosen else []
            if differing or len(ids) != 1:
                kind, which = plan.key
                name = plan.name if kind == CONFIRM else which
                problems.append(Problem(kind, name, ids, tuple(differing)))
        for key, runs in unplanned.items():
            if runs:
                ids = tuple(sorted(run.run_id for run in runs))
                problems.append(Problem(*key, ids, planned=False))
        registered = study.verdict and self.study_run
        return Audit(
            runs=Counter(kind for (kind, _), runs in there.runs.items() for _ in runs),
            problems=tuple(problems),
            model=tuple(registry.lacking(self.client, study) if registered else ()),
            experiment_deleted=there.deleted is not None,
            location=there.location if database.moved(self.store, there.location) else "",
        )

    def log_file(self, path: Path) -> None:
        """Keep a file as an artifact of the study's run, if there is one."""
        if self.study_run:
            self.experiment()
            self.client.log_artifact(self.study_run.run_id, str(path))

    def kept(self) -> dict[str, int | None]:
        """The files that are artifacts of the study's run, and their sizes in bytes."""
        if self.study_run is None:
            return {}
        self.experiment()
        files = self.client.list_artifacts(self.study_run.run_id)
        return {file.path: file.file_size for file in files}

    def keep_model(self, study: StudyRecord, folder: Path) -> bool:
        """Have the model of the study's verdict, if it is in the folder, registered and shown with
        the study's run; whether anything was written.
        """
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
        self._keep_views()
        run_id = self.study_run.run_id if self.study_run else None
        return view.links(self.study, self.snapshot.experiment_id, run_id)

    def _keep_views(self) -> None:
        """Have MLflow's page offer the study's views, as they are now."""
        compared = [self.snapshot.run((TRIAL, str(one.trial))) for one in view.compared(self.study)]
        wanted = view.tags(self.study, [run.run_id for run in compared if run])
        kept = self.client.get_experiment(self.experiment()).tags
        for key, value in {**view.KIND, **kept, **wanted}.items():
            if kept.get(key) != value:
                self.client.set_experiment_tag(self.experiment(), key, value)
