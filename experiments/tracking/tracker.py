"""The tracker: writes the runs of one study to MLflow, once each."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from experiments.errors import TrackingError
from experiments.model import find_model
from experiments.records import StudyRecord, TrialRecord
from experiments.tracking import comparison, location, registry, runs, view
from experiments.tracking.audit import Audit, audit
from experiments.tracking.client import answering, load, page_folder
from experiments.tracking.ledger import Ledger
from experiments.tracking.page import Found
from experiments.tracking.runs import CONFIRM, Key, Planned
from experiments.tracking.store import Store
from experiments.tracking.view import Links


class Written(NamedTuple):
    """A run, and whether there was anything to write."""

    run_id: str
    new: bool


class Mended(NamedTuple):
    """What `sync` wrote: so many runs of trials and of the confirmation's networks; whether the
    study's own run differed.
    """

    trials: int
    confirmation: int
    study: bool


class Tracker:
    """The runs of one study. Identity is the study's uid with a trial's number, or with a network's
    seed and lambdas: looked for by tag before anything is created.

    Every method raises TrackingError where MLflow does not answer. One thread at a time. What is
    thrown away is deleted as on MLflow's page: MLflow keeps it, and `mlflow runs restore` brings it
    back.
    """

    def __init__(self, store: Store, study: StudyRecord) -> None:
        self.store = store
        self._ledger = Ledger(store, study)

    @property
    def deleted(self) -> int:
        """How many runs were thrown away."""
        return self._ledger.deleted

    def read(self) -> None:
        """Look again at what MLflow has, which another program may have changed."""
        self._ledger.forget()
        with self._ledger.reading():
            pass

    def run_ids(self) -> dict[int, str]:
        """The run of each trial of the study that has one, by the trial's number."""
        study = self._ledger.study
        with self._ledger.reading() as there:
            found = {
                trial.trial: self._ledger.run(there, runs.of_trial(study, trial))
                for trial in study.trials
            }
            return {number: run.run_id for number, run in found.items() if run}

    def missing(self, trials: Iterable[TrialRecord]) -> list[int]:
        """The numbers of those trials that have no run with everything."""
        with self._ledger.reading() as there:
            planned = {trial.trial: runs.of_trial(self._ledger.study, trial) for trial in trials}
            return [
                number
                for number, one in planned.items()
                if not self._ledger.is_whole(there, one, self._ledger.run(there, one))
            ]

    def open(self) -> None:
        """Import MLflow, which takes over a second, and look at what it has; to be paid where
        nobody waits for it.
        """
        load()
        with answering(self.store):
            self._ledger.client()
        self.read()

    def write(self, trial: TrialRecord) -> Written:
        """Write a trial's run, complete it, or find that it is whole. One that cannot be put right
        is replaced.
        """
        return self.put(runs.of_trial(self._ledger.study, trial))

    def put(self, planned: Planned, *, thoroughly: bool = False) -> Written:
        """As `write`, for any run below the study's. `thoroughly` compares curves point by point."""
        with self._ledger.reading() as there:
            run = self._ledger.run(there, planned)
            whole = run and self._ledger.is_whole(there, planned, run)
            if (
                run
                and whole
                and not (
                    thoroughly and comparison.curves_differ(self._ledger.histories, planned, run)
                )
            ):
                return Written(run.run_id, new=False)
            return Written(self._ledger.make(there, planned), new=True)

    def outdated(self, confirmation: Collection[Key]) -> list[str]:
        """The runs of networks that are none of the confirmation's, of which these are all."""
        with self._ledger.reading() as there:
            found = [
                children
                for key, children in there.children.items()
                if key[0] == CONFIRM and key not in confirmation
            ]
            return [run.run_id for children in found for run in children]

    def delete(self, run_id: str) -> None:
        """Throw away a run below the study's."""
        with self._ledger.reading() as there:
            for children in there.children.values():
                for run in [run for run in children if run.run_id == run_id]:
                    self._ledger.delete(run, children)

    def sync(self, study: StudyRecord) -> Mended:
        """Make MLflow again from the study as it is now.

        Curves are compared point by point. Runs beyond one a trial or network, and those of none,
        are deleted; an experiment that was deleted is brought back. What MLflow has is as it was
        read last, so `study` must not be older than that.
        """
        self._ledger.study = study
        with self._ledger.reading() as there:
            if there.deleted:
                self._ledger.client().restore_experiment(there.deleted)
                self._ledger.forget()
        trials = sum(
            self.put(runs.of_trial(study, trial), thoroughly=True).new for trial in study.trials
        )
        confirmation = sum(self.put(one).new for one in runs.confirmation(study))
        return Mended(trials, confirmation, self.finish(study, tidy=True))

    def finish(self, study: StudyRecord, *, tidy: bool = False) -> bool:
        """Give the study's run its end, and what the verdict says; whether it had not. `tidy`:
        delete runs that are too many.

        While others are written it is SCHEDULED and not RUNNING: there is more to come, whether or
        not somebody is at it.
        """
        self._ledger.study, differed = study, False
        if study.trials:
            with self._ledger.reading() as there:
                if there.study and comparison.of_study(study, there.study):
                    self._ledger.end(there)
                    differed = True
                differed |= self._ledger.end_confirmation(there)
                if there.study:
                    self._ledger.keep_views(there)
            if tidy:
                self._tidy(study)
        return differed

    def log_file(self, path: Path) -> None:
        """Keep a file as an artifact of the study's run, where there is one, in place of that of
        the same name.
        """
        with self._ledger.reading() as there:
            if there.study:
                self._ledger.follow(there)
                self._ledger.client().log_artifact(there.study.run_id, str(path))

    def keep_model(self, study: StudyRecord, folder: Path) -> bool:
        """Have the model of the study's verdict, where it is in the folder, registered and shown
        with the study's run; whether anything was written.
        """
        model = find_model(folder, study)
        with self._ledger.reading() as there:
            if model is None or there.study is None:
                return False
            return registry.register(
                self._ledger.client(),
                self.store,
                study,
                model,
                experiment_id=self._ledger.experiment(there),
                run_id=there.study.run_id,
            )

    def kept(self) -> dict[str, int | None]:
        """The files that are artifacts of the study's run, and their sizes in bytes."""
        with self._ledger.reading() as there:
            if there.study is None:
                return {}
            self._ledger.follow(there)
            return {
                file.path: file.file_size
                for file in self._ledger.client().list_artifacts(there.study.run_id)
            }

    def show(self) -> Links:
        """The parts of links, after the server's address, that open the study's trials, best first,
        and more of it.
        """
        study = self._ledger.study
        with self._ledger.reading() as there:
            if there.experiment_id is None:
                name = self.store.experiment
                raise TrackingError(
                    f"MLflow at {self.store.shown} has no experiment {name}; write the study there"
                    " with: sweeps sync"
                )
            self._ledger.keep_views(there)
            run_id = there.study.run_id if there.study else None
            return view.links(study, there.experiment_id, run_id, shared=view.shares(page_folder()))

    def audit(self, study: StudyRecord) -> Audit:
        """Compare what MLflow has with the study; of curves the last points, so it takes a call for
        a thousand runs.
        """
        with self._ledger.reading() as there:
            found = audit(
                study, there, there.location if location.moved(self.store, there.location) else ""
            )
            if study.verdict is None or there.study is None:
                return found
            return replace(found, model=registry.lacking(self._ledger.client(), self.store, study))

    def _tidy(self, study: StudyRecord) -> None:
        """Delete the runs beyond one a trial or network, and those of none, as two writers at once
        or a request that a server carried out after nobody waited for it leave them.
        """
        planned = {
            one.key: one
            for one in (
                *(runs.of_trial(study, one) for one in study.trials),
                *runs.confirmation(study),
            )
        }
        with self._ledger.reading() as there:
            for key, found in there.children.items():
                self._delete_but(
                    self._ledger.run(there, planned[key]) if key in planned else None, found
                )
            self._delete_but(there.study, there.studies)
            self._delete_but(there.confirmation if study.verdict else None, there.confirmations)

    def _delete_but(self, kept: Found | None, found: list[Found]) -> None:
        for run in [run for run in found if run != kept]:
            self._ledger.delete(run, found)
