"""The tracker: writes the runs of one study to MLflow, once each."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from experiments.errors import TrackingError
from experiments.records import StudyRecord, TrialRecord
from experiments.tracking import comparison, location, page, runs, view
from experiments.tracking.audit import Audit, audit
from experiments.tracking.client import answering, database, load, open_client
from experiments.tracking.page import PARENT, Found, Page
from experiments.tracking.store import Store
from experiments.tracking.whole_runs import WholeRun, WholeRuns

if TYPE_CHECKING:
    from mlflow import MlflowClient

ENTITIES_A_CALL = 1_000  # MLflow's limit for metrics, params and tags together


class Written(NamedTuple):
    """A trial's run, and whether there was anything to write."""

    run_id: str
    new: bool


class Tracker:
    """The runs of one study. Identity is (study_uid, trial), looked for by tag before anything is created.

    What MLflow has is read once and then kept up to date here, until something goes wrong: then it is read again.
    Nothing is opened before it is needed. Every method raises TrackingError where MLflow does not answer. One thread at a time.
    What is thrown away is deleted as on MLflow's page: MLflow keeps it, and `mlflow runs restore` brings it back.
    """

    def __init__(self, store: Store, study: StudyRecord) -> None:
        self.store, self._study = store, study
        self._client: MlflowClient | None = None
        self._whole_runs: WholeRuns | None = None
        self._page: Page | None = None
        self.deleted = 0  # runs that were thrown away

    def read(self) -> None:
        """Look again at what MLflow has, which another program may have changed."""
        self._page = None
        with self._reading():
            pass

    def run_ids(self) -> dict[int, str]:
        """The run of each trial of the study that has one, by the trial's number."""
        with self._reading() as there:
            found = {trial.trial: self._run(there, trial) for trial in self._study.trials}
            return {number: run.run_id for number, run in found.items() if run}

    def missing(self, trials: Iterable[TrialRecord]) -> list[int]:
        """The numbers of those trials that have no run with everything."""
        with self._reading() as there:
            return [trial.trial for trial in trials if not self._is_whole(there, trial, self._run(there, trial))]

    def open(self) -> None:
        """Import MLflow, which takes over a second, and look at what it has; to be paid where nobody waits for it."""
        load()
        with answering(self.store):
            self._open()
        self.read()

    def write(self, trial: TrialRecord) -> Written:
        """Write a trial's run, complete it, or find that it is whole. One that cannot be put right is replaced."""
        return self._write(trial, thoroughly=False)

    def sync(self, study: StudyRecord) -> int:
        """Make MLflow again from the study as it is now; how many trials were written.

        Curves are compared point by point. Runs beyond one a trial, and those without a trial, are deleted; an experiment that
        was deleted is brought back. What MLflow has is as it was read last, so `study` must not be older than that.
        """
        self._study = study
        with self._reading() as there:
            if there.deleted:
                self._open().restore_experiment(there.deleted)
                self._page = None
        written = sum(self._write(trial, thoroughly=True).new for trial in study.trials)
        self.finish(study, tidy=True)
        return written

    def finish(self, study: StudyRecord, *, tidy: bool = False) -> None:
        """Give the study's run its end: that of the last trial. `tidy`: look for runs too many first, and delete them.

        While trials are written it is SCHEDULED and not RUNNING: there is more to come, whether or not somebody is at it.
        """
        self._study = study
        if not study.trials:
            return
        with self._reading() as there:
            found = there.study
            if found and comparison.of_study(study, found):
                run_id, ended = self._parent(there, study.trials[0].started), runs.study_ended(study)
                self._open().set_terminated(run_id, "FINISHED", end_time=ended)
                there.end_study(ended)
        if tidy:
            self._tidy(study)

    def log_file(self, path: Path) -> None:
        """Keep a file as an artifact of the study's run, where there is one, in place of that of the same name."""
        with self._reading() as there:
            if there.study:
                self._follow(there)
                self._open().log_artifact(there.study.run_id, str(path))

    def kept(self) -> dict[str, int | None]:
        """The files that are artifacts of the study's run, and their sizes in bytes."""
        with self._reading() as there:
            if there.study is None:
                return {}
            self._follow(there)
            return {file.path: file.file_size for file in self._open().list_artifacts(there.study.run_id)}

    def show(self) -> str:
        """The part of a link, after the server's address, that opens the study's trials, best first."""
        with self._reading() as there:
            if there.experiment_id is None:
                name = self.store.experiment
                raise TrackingError(
                    f"MLflow at {self.store.shown} has no experiment {name}; write the study there with: sweeps sync"
                )
            client, key = self._open(), view.TAG + self._study.study_uid
            state = json.dumps(view.state(self._study))
            if client.get_experiment(there.experiment_id).tags.get(key) != state:
                client.set_experiment_tag(there.experiment_id, key, state)
            return view.fragment(there.experiment_id, self._study.study_uid)

    def audit(self, study: StudyRecord) -> Audit:
        """Compare what MLflow has with the study; of curves the last points, so it takes a call for a thousand runs."""
        with self._reading() as there:
            return audit(study, there, there.location if location.moved(self.store, there.location) else "")

    @contextmanager
    def _reading(self) -> Iterator[Page]:
        try:
            with answering(self.store):
                if self._page is None:
                    to_read = self.store.file is None or self.store.file.exists()  # to look must not make the database
                    self._page = page.read(self._open(), self.store.experiment, self._study.study_uid) if to_read else Page()
                yield self._page
        except TrackingError:
            self._page = None  # a call may have been carried out though its answer is lost
            raise

    def _open(self) -> "MlflowClient":
        if self._client is None:
            self._client = open_client(self.store)
            self._whole_runs = WholeRuns(database(self.store)) if self.store.file else None
        return self._client

    def _run(self, there: Page, trial: TrialRecord) -> Found | None:
        """The run of a trial. Of several, a whole one, and of those the same whoever looks."""
        found = there.trials.get(trial.trial, [])
        if len(found) < 2:
            return next(iter(found), None)
        return min(found, key=lambda run: (not self._is_whole(there, trial, run), run.run_id))

    def _is_whole(self, there: Page, trial: TrialRecord, run: Found | None) -> bool:
        return run is not None and not comparison.of_trial(self._study, trial, run, there.study)

    def _write(self, trial: TrialRecord, *, thoroughly: bool) -> Written:
        with self._reading() as there:
            run = self._run(there, trial)
            if run and self._is_whole(there, trial, run):
                planned = runs.trial_points(self._study, trial) if thoroughly else ()
                if not comparison.curves_differ(self._open(), run, planned):
                    return Written(run.run_id, new=False)
            return Written(self._make(there, trial), new=True)

    def _make(self, there: Page, trial: TrialRecord) -> str:
        """Write or complete the run of a trial; the id of the run."""
        parent = self._parent(there, trial.started)
        tags = {**runs.trial_tags(self._study, trial), PARENT: parent}
        params, planned = runs.trial_params(trial), runs.trial_points(self._study, trial)
        client, found = self._open(), self._run(there, trial)
        while found and (comparison.contradicts(params, found) or comparison.strange_points(client, found, trial, planned)):
            self._delete(found, there.trials[trial.trial])
            found = self._run(there, trial)
        status, ended = runs.STATUS[trial.state], runs.milliseconds(trial.finished)
        run_id = None
        whole = WholeRun(
            experiment_id=self._experiment(there),
            location=there.location,
            name=runs.run_name(trial),
            status=status,
            started=runs.milliseconds(trial.started),
            ended=ended,
            tags=tags,
            params=params,
            points=planned,
        )
        if found is None and self._whole_runs and self._whole_runs.ready:
            run_id = self._whole_runs.write(whole)
        if run_id is None:
            run_id = self._write_in_calls(whole, found)
            if found is None and self._whole_runs:
                self._whole_runs.learn(whole, run_id)
        others = [other for other in there.trials.get(trial.trial, ()) if other != found]
        written = Found(run_id, status, ended, tags, params, runs.last_values(self._study, trial))
        there.trials[trial.trial] = [written, *others]
        return run_id

    def _write_in_calls(self, run: WholeRun, found: Found | None) -> str:
        """Write a run through MLflow's client, or complete the one that was found; its id."""
        from mlflow.entities import Metric, Param, RunTag

        client = self._open()
        run_id = (
            found.run_id if found else client.create_run(run.experiment_id, run.started, dict(run.tags), run.name).info.run_id
        )
        entities = [Param(*param) for param in run.params.items()]
        metrics = [Metric(*point) for point in run.points]
        # A point that is written twice stays one, so a half-written run is simply written again.
        first = ENTITIES_A_CALL - len(entities) - len(run.tags)
        labels = [RunTag(*tag) for tag in run.tags.items()] if found else ()
        client.log_batch(run_id, metrics[:first], entities, labels, synchronous=True)
        for start in range(first, len(metrics), ENTITIES_A_CALL):
            client.log_batch(run_id, metrics[start : start + ENTITIES_A_CALL], synchronous=True)
        client.set_terminated(run_id, run.status, run.ended)
        return str(run_id)

    def _delete(self, run: Found, among: list[Found]) -> None:
        self._open().delete_run(run.run_id)
        among.remove(run)
        self.deleted += 1

    def _tidy(self, study: StudyRecord) -> None:
        """Delete the runs beyond one a trial, and those of no trial, as two writers at once or a request that a server
        carried out after nobody waited for it leave them.
        """
        trials = {trial.trial: trial for trial in study.trials}
        with self._reading() as there:
            for number, found in there.trials.items():
                kept = self._run(there, trials[number]) if number in trials else None
                for run in [run for run in found if run != kept]:
                    self._delete(run, found)
            for run in [run for run in there.studies if run != there.study]:
                self._delete(run, there.studies)

    def _experiment(self, there: Page) -> str:
        """The MLflow experiment, made if it is not there."""
        from mlflow.exceptions import MlflowException

        client, name = self._open(), self.store.experiment
        if there.experiment_id is None and there.deleted is None:
            try:
                there.experiment_id = client.create_experiment(name, self.store.artifact_location)
                there.location = self.store.artifact_location or ""
            except MlflowException:  # somebody else has just made it, or it was deleted: those keep their name
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
                if found.lifecycle_stage == "active":
                    there.experiment_id, there.location = found.experiment_id, found.artifact_location
        if there.experiment_id is None:
            raise TrackingError(
                f"MLflow experiment {name} at {self.store.shown} was deleted, and a deleted one keeps its name; "
                "bring it back with: sweeps sync, or have the runs written to another one with MLFLOW_EXPERIMENT_NAME"
            )
        self._follow(there)
        return there.experiment_id

    def _follow(self, there: Page) -> None:
        """Have MLflow look for artifacts where the directory is now."""
        if location.moved(self.store, there.location):
            location.move(self.store, there.location)
            there.location = self.store.artifact_location or ""

    def _parent(self, there: Page, started: datetime) -> str:
        """The study's run, made if it is not there, and marked as one that is being written."""
        from mlflow.entities import Param, RunTag

        client, params, tags = self._open(), runs.study_params(self._study), runs.study_tags(self._study)
        experiment_id, found = self._experiment(there), there.study
        while found and comparison.contradicts(params, found):
            self._delete(found, there.studies)
            found = there.study
        if found is None:
            first = runs.milliseconds(self._study.trials[0].started if self._study.trials else started)
            run = client.create_run(experiment_id, first, tags, self._study.study)
            found = Found(run.info.run_id, run.info.status)
            there.studies.append(found)
        whole = Found(found.run_id, "SCHEDULED", found.ended, {**found.tags, **tags}, {**found.params, **params})
        if found != whole:
            entities, labels = [Param(*one) for one in params.items()], [RunTag(*one) for one in tags.items()]
            client.log_batch(found.run_id, (), entities, labels, synchronous=True)
            client.update_run(found.run_id, "SCHEDULED")
            there.studies[there.studies.index(found)] = whole
        return found.run_id
