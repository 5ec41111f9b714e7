"""The tracker: writes the runs of one study to MLflow, once each."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from experiments.errors import TrackingError
from experiments.records import StudyRecord, TrialRecord
from experiments.tracking import page, runs, view
from experiments.tracking.client import answering, load, open_client
from experiments.tracking.page import PARENT, Found, Page
from experiments.tracking.store import Store

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
    """

    def __init__(self, store: Store, study: StudyRecord) -> None:
        self.store, self._study = store, study
        self._client: MlflowClient | None = None
        self._page: Page | None = None

    def run_ids(self) -> dict[int, str]:
        """The run of each trial that has one, by the trial's number."""
        with self._reading() as there:
            return {number: run.run_id for number in sorted(there.trials) if (run := there.run(number))}

    def missing(self, trials: Iterable[TrialRecord]) -> list[int]:
        """The numbers of those trials that have no run with everything."""
        with self._reading() as there:
            return [trial.trial for trial in trials if not there.is_whole(trial.trial)]

    def duplicates(self) -> dict[int, list[str]]:
        """The runs beyond one of a trial, left by two writers at once: they are reported, and left alone."""
        with self._reading() as there:
            several = {number: there.run(number) for number, found in sorted(there.trials.items()) if len(found) > 1}
            return {number: sorted(f.run_id for f in there.trials[number] if f != kept) for number, kept in several.items()}

    def open(self) -> None:
        """Import MLflow, which takes over a second; to be paid where nobody waits for it."""
        load()

    def write(self, trial: TrialRecord) -> Written:
        """Write a trial's run, complete it, or find that it is whole."""
        with self._reading() as there:
            found = there.run(trial.trial)
            if found and there.is_whole(trial.trial):
                return Written(found.run_id, new=False)
            return Written(self._write(there, trial), new=True)

    def sync(self, study: StudyRecord) -> int:
        """Write what is missing of the study as it is now, and give its run an end; how many trials were written."""
        self._study = study
        written = sum(self.write(trial).new for trial in study.trials)
        self.finish(study)
        return written

    def finish(self, study: StudyRecord) -> None:
        """Give the study's run its end: that of the last trial.

        While trials are written it is SCHEDULED and not RUNNING: there is more to come, whether or not somebody is at it.
        """
        if not study.trials:
            return
        ended = runs.milliseconds(max(trial.finished for trial in study.trials))
        with self._reading() as there:
            if there.study and (there.study.status, there.study.ended) != ("FINISHED", ended):
                self._open().set_terminated(there.study.run_id, "FINISHED", end_time=ended)
                there.study = Found(there.study.run_id, "FINISHED", ended)

    def log_files(self, folder: Path) -> int:
        """Keep the files of a folder as artifacts of the study's run, in place of those of the same names; how many."""
        files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        with self._reading() as there:
            if there.study is None:
                return 0
            for path in files:
                self._open().log_artifact(there.study.run_id, str(path))
            return len(files)

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
        return self._client

    def _write(self, there: Page, trial: TrialRecord) -> str:
        from mlflow.entities import Metric, Param, RunTag

        experiment_id = self._experiment(there)
        tags = {**runs.trial_tags(self._study, trial), PARENT: self._parent(there, experiment_id, trial.started)}
        client, found = self._open(), there.run(trial.trial)
        if found:
            run_id = found.run_id
        else:
            started = runs.milliseconds(trial.started)
            run_id = client.create_run(experiment_id, started, tags, runs.run_name(trial)).info.run_id
        params = [Param(name, value) for name, value in runs.trial_params(trial).items()]
        metrics = [Metric(*point) for point in runs.trial_points(self._study, trial)]
        # A point that is written twice stays one, so a half-written run is simply written again.
        first = ENTITIES_A_CALL - len(params) - len(tags)
        client.log_batch(
            run_id, metrics[:first], params, [RunTag(*tag) for tag in tags.items()] if found else (), synchronous=True
        )
        for start in range(first, len(metrics), ENTITIES_A_CALL):
            client.log_batch(run_id, metrics[start : start + ENTITIES_A_CALL], synchronous=True)
        status, ended = runs.STATUS[trial.state], runs.milliseconds(trial.finished)
        client.set_terminated(run_id, status, ended)
        others = [other for other in there.trials.get(trial.trial, ()) if other != found]
        there.trials[trial.trial] = [Found(run_id, status, ended, tags[PARENT], has_metrics=True), *others]
        return run_id

    def _experiment(self, there: Page) -> str:
        """The MLflow experiment, made if it is not there."""
        from mlflow.exceptions import MlflowException

        if there.experiment_id is None:
            client, name = self._open(), self.store.experiment
            try:
                there.experiment_id = client.create_experiment(name, self.store.artifact_location)
            except MlflowException:  # somebody else has just made it, or it was deleted: those keep their name
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
                if found.lifecycle_stage != "active":
                    raise TrackingError(self._deleted(found.experiment_id)) from None
                there.experiment_id = found.experiment_id
        return there.experiment_id

    def _deleted(self, experiment_id: str) -> str:
        return (
            f"MLflow experiment {self.store.experiment} at {self.store.shown} was deleted, and a deleted one keeps its name; "
            f"bring it back with `mlflow experiments restore --experiment-id {experiment_id}` (MLFLOW_TRACKING_URI set to that "
            "place), or have the runs written to another one with MLFLOW_EXPERIMENT_NAME"
        )

    def _parent(self, there: Page, experiment_id: str, started: datetime) -> str:
        """The study's run, made if it is not there, and marked as one that is being written."""
        from mlflow.entities import Param

        client, found = self._open(), there.study
        if found is None:
            first = runs.milliseconds(self._study.trials[0].started if self._study.trials else started)
            run = client.create_run(experiment_id, first, runs.study_tags(self._study), self._study.study)
            found = Found(run.info.run_id, run.info.status)
        if found.status == "RUNNING":  # new, or left by a kill between its creation and its params
            params = [Param(name, value) for name, value in runs.study_params(self._study).items()]
            client.log_batch(found.run_id, params=params, synchronous=True)
        if found.status != "SCHEDULED":
            client.update_run(found.run_id, "SCHEDULED")
            there.study = Found(found.run_id, "SCHEDULED", found.ended)
        return found.run_id
