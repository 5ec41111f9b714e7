"""The ledger: what MLflow has of one study, and how it is changed; nothing is made that was not
looked for.
"""

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from experiments.errors import TrackingError
from experiments.records import StudyRecord
from experiments.tracking import comparison, inputs, location, page, runs, view
from experiments.tracking.client import answering, database, open_client
from experiments.tracking.page import PARENT, Found, Page
from experiments.tracking.runs import CONFIRM, CONFIRMATION, ROLES, Planned, Point
from experiments.tracking.store import Store
from experiments.tracking.whole_runs import RUN_NAME, WholeRun, WholeRuns

if TYPE_CHECKING:
    from mlflow import MlflowClient

logger = logging.getLogger(__name__)

ENTITIES_A_CALL = 1_000  # MLflow's limit for metrics, params and tags together


class Ledger:
    """What MLflow has is read once and then kept up to date here, until something goes wrong: then
    it is read again.

    Nothing is opened before it is needed. `study` is the study as it is known last; `deleted`
    counts the runs that were thrown away.
    """

    def __init__(self, store: Store, study: StudyRecord) -> None:
        self.store, self.study = store, study
        self.deleted = 0
        self._client: MlflowClient | None = None
        self._whole_runs: WholeRuns | None = None
        self._page: Page | None = None

    def forget(self) -> None:
        """Look again at what MLflow has, which another program may have changed, when it is needed
        next.
        """
        self._page = None

    @contextmanager
    def reading(self) -> Iterator[Page]:
        """What MLflow has. Raises TrackingError where MLflow does not answer, in this block too."""
        try:
            with answering(self.store):
                if self._page is None:
                    to_read = (
                        self.store.file is None or self.store.file.exists()
                    )  # to look must not make the database
                    self._page = (
                        page.read(self.client(), self.store.experiment, self.study.study_uid)
                        if to_read
                        else Page()
                    )
                yield self._page
        except TrackingError:
            self._page = None  # a call may have been carried out though its answer is lost
            raise

    def client(self) -> "MlflowClient":
        """MLflow's client. To be called within `reading`, or `answering`."""
        if self._client is None:
            self._client = open_client(self.store)
            self._whole_runs = WholeRuns(database(self.store)) if self.store.file else None
        return self._client

    def run(self, there: Page, planned: Planned) -> Found | None:
        """The run that is to be as planned. Of several, a whole one, and of those the same whoever
        looks.
        """
        found = there.children.get(planned.key, [])
        if len(found) < 2:
            return next(iter(found), None)
        return min(found, key=lambda run: (not self.is_whole(there, planned, run), run.run_id))

    def is_whole(self, there: Page, planned: Planned, run: Found | None) -> bool:
        """Whether a run is there and as planned, but for the earlier points of its curves."""
        return run is not None and not comparison.of_run(planned, run, there.above(planned.key))

    def make(self, there: Page, planned: Planned) -> str:
        """Write or complete a run; its id."""
        tags = {**planned.tags, PARENT: self.above(there, planned)}
        found = self.run(there, planned)
        while found and comparison.beyond_repair(self.histories, planned, found):
            self.delete(found, there.children[planned.key])
            found = self.run(there, planned)
        if found and found.tags.get(ROLES) != planned.tags.get(ROLES):
            tags[RUN_NAME] = planned.name  # which is made of its roles
        run_id = None
        whole = WholeRun(
            experiment_id=self.experiment(there),
            location=there.location,
            name=planned.name,
            status=planned.status,
            started=planned.started,
            ended=planned.ended,
            tags=tags,
            params=planned.params,
            points=planned.points(),
        )
        if found is None and self._whole_runs and self._whole_runs.ready:
            run_id = self._whole_runs.write(whole)
        if run_id is None:
            run_id = self._write_in_calls(whole, found)
            if found is None and self._whole_runs:
                self._whole_runs.learn(whole, run_id)
        others = [other for other in there.children.get(planned.key, ()) if other != found]
        written = Found(run_id, planned.status, planned.ended, tags, planned.params, planned.last)
        there.children[planned.key] = [written, *others]
        return run_id

    def _write_in_calls(self, run: WholeRun, found: Found | None) -> str:
        """Write a run through MLflow's client, or complete the one that was found; its id."""
        from mlflow.entities import Metric, Param, RunTag

        client = self.client()
        run_id = (
            found.run_id
            if found
            else client.create_run(
                run.experiment_id, run.started, dict(run.tags), run.name
            ).info.run_id
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

    def histories(self, run_id: str, names: Collection[str]) -> dict[str, set[Point]]:
        """The points of metrics of a run: one query where MLflow is a file of ours, else a call a
        metric.
        """
        client = self.client()
        if self._whole_runs:
            return self._whole_runs.histories(run_id, names)
        return {
            name: {
                Point(name, one.value, one.timestamp, one.step)
                for one in client.get_metric_history(run_id, name)
            }
            for name in names
        }

    def delete(self, run: Found, among: list[Found]) -> None:
        """Throw a run away."""
        self.client().delete_run(run.run_id)
        logger.info("run %s thrown away", run.run_id)
        among.remove(run)
        self.deleted += 1

    def experiment(self, there: Page) -> str:
        """The MLflow experiment, made if it is not there."""
        from mlflow.exceptions import MlflowException

        client, name = self.client(), self.store.experiment
        if there.experiment_id is None and there.deleted is None:
            try:
                there.experiment_id = client.create_experiment(name, self.store.artifact_location)
                there.location = self.store.artifact_location or ""
            except (
                MlflowException
            ):  # somebody else has just made it, or it was deleted: those keep their name
                found = client.get_experiment_by_name(name)
                if found is None:
                    raise
                if found.lifecycle_stage == "active":
                    there.experiment_id, there.location = (
                        found.experiment_id,
                        found.artifact_location,
                    )
        if there.experiment_id is None:
            raise TrackingError(
                f"MLflow experiment {name} at {self.store.shown} was deleted, and a deleted one"
                " keeps its name; bring it back with: sweeps sync, or have the runs written to"
                " another one with MLFLOW_EXPERIMENT_NAME"
            )
        self.follow(there)
        return there.experiment_id

    def follow(self, there: Page) -> None:
        """Have MLflow look for artifacts where the directory is now."""
        if location.moved(self.store, there.location):
            location.move(self.store, there.location)
            there.location = self.store.artifact_location or ""

    def parent(self, there: Page, started: int) -> str:
        """The study's run, made if it is not there, and marked as one that is being written; its
        id. `started` is when the first trial did, where the study has none yet.
        """
        from mlflow.entities import Param, RunTag

        client, params, tags = (
            self.client(),
            runs.study_params(self.study),
            runs.study_tags(self.study),
        )
        experiment_id, found = self.experiment(there), there.study
        while found and comparison.contradicts(params, found):
            self.delete(found, there.studies)
            found = there.study
        if found is None:
            first = (
                runs.milliseconds(self.study.trials[0].started) if self.study.trials else started
            )
            run = client.create_run(experiment_id, first, tags, self.study.study)
            found = Found(run.info.run_id, run.info.status)
            there.studies.append(found)
        data = [one for one in inputs.inputs(self.study) if one.key not in found.inputs]
        whole = replace(
            found,
            status="SCHEDULED",
            tags={**found.tags, **tags},
            params={**found.params, **params},
            inputs=found.inputs | {one.key for one in data},
        )
        if found != whole:
            entities, labels = (
                [Param(*one) for one in params.items()],
                [RunTag(*one) for one in tags.items()],
            )
            client.log_batch(found.run_id, (), entities, labels, synchronous=True)
            if data:
                client.log_inputs(found.run_id, [one.entity() for one in data])
            client.update_run(found.run_id, "SCHEDULED")
            there.studies[there.studies.index(found)] = whole
        return found.run_id

    def above(self, there: Page, planned: Planned) -> str:
        """The run that this one is to be below, made if it is not there; its id."""
        study = self.parent(there, planned.started)
        if planned.key[0] != CONFIRM:
            return study
        found = there.confirmation
        if found is None:
            tags, name = (
                runs.identity(self.study, CONFIRMATION),
                f"{self.study.study} {CONFIRMATION}",
            )
            run = self.client().create_run(self.experiment(there), planned.started, tags, name)
            found = Found(run.info.run_id, run.info.status, tags=tags)
            there.confirmations.append(found)
            self.end_confirmation(there)
        return found.run_id

    def keep_views(self, there: Page) -> None:
        """Have MLflow's page offer the study's views, as they are now. To be called where the
        experiment is there.
        """
        client, experiment_id = self.client(), self.experiment(there)
        compared = [
            self.run(there, runs.of_trial(self.study, trial)) for trial in view.compared(self.study)
        ]
        views = view.views(self.study, [run.run_id for run in compared if run])
        kept, wanted = client.get_experiment(experiment_id).tags, dict(one.tag for one in views)
        for key, value in {
            **{kind: name for kind, name in view.KIND.items() if kind not in kept},
            **wanted,
        }.items():
            if kept.get(key) != value:
                client.set_experiment_tag(experiment_id, key, value)

    def end_confirmation(self, there: Page) -> bool:
        """Give the run above those of the networks its end; whether it had none."""
        found = there.confirmation
        if found is None or found.status == "FINISHED":
            return False
        self.client().set_terminated(found.run_id, "FINISHED")
        there.confirmations[there.confirmations.index(found)] = replace(found, status="FINISHED")
        return True

    def end(self, there: Page) -> None:
        """Give the study's run what the verdict says, and its end. The note is written where the
        card is new, or where there is none; what others wrote in it stays.
        """
        from mlflow.entities import Metric, RunTag

        client, run_id = self.client(), self.parent(there, 0)
        (found,) = [run for run in there.studies if run.run_id == run_id]
        tags, ended = runs.closing_tags(self.study), runs.study_ended(self.study)
        if self.study.verdict and (
            comparison.NOTE not in found.tags or found.tags.get(runs.CARD) != tags[runs.CARD]
        ):
            now = client.get_run(run_id).data.tags.get(
                comparison.NOTE, ""
            )  # somebody may have edited it since it was read
            tags[comparison.NOTE] = runs.study_note(self.study, now)
        points = [
            point
            for point in runs.verdict_points(self.study)
            if found.metrics.get(point.name) != point.value
        ]
        metrics = [Metric(*self._latest(found, point)) for point in points]
        if tags or metrics:
            client.log_batch(
                run_id, metrics, (), [RunTag(*tag) for tag in tags.items()], synchronous=True
            )
        client.set_terminated(run_id, "FINISHED", end_time=ended)
        numbers = {**found.metrics, **{point.name: point.value for point in points}}
        whole = replace(
            found, status="FINISHED", ended=ended, tags={**found.tags, **tags}, metrics=numbers
        )
        there.studies[there.studies.index(found)] = whole

    def _latest(self, run: Found, point: Point) -> Point:
        """The point, later than any that the run has of this metric: MLflow shows the latest."""
        there = (
            self.client().get_metric_history(run.run_id, point.name)
            if point.name in run.metrics
            else ()
        )
        step, time = max(((one.step, one.timestamp) for one in there), default=(point.step - 1, 0))
        return (
            point
            if (step, time) < (point.step, point.time)
            else point._replace(step=step, time=time + 1)
        )
