"""The tracking: records to MLflow, once each; a projection that can be deleted and made again."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from experiments.evaluation import CURVES, METRICS
from experiments.records import StudyRecord, TrialRecord
from nnreg import LAMBDA_NAMES

STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}
METRICS_A_CALL = 1000  # MLflow's own limit


class Tracker:
    """Writes the runs of one study. Identity is (study_uid, trial), read by tag before anything is created."""

    def __init__(self, uri: str, experiment: str, study: StudyRecord, artifacts: Path | None = None) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient(tracking_uri=uri)
        found = self._client.get_experiment_by_name(experiment)
        self.experiment_id = (
            found.experiment_id
            if found
            else self._client.create_experiment(experiment, artifact_location=str(artifacts / experiment) if artifacts else None)
        )
        self._study = study
        self.runs = self._existing()
        self._parent = self._parent_run()

    def _existing(self) -> dict[int, Any]:
        page: Any = None
        runs: dict[int, Any] = {}
        while page is None or page.token:
            page = self._client.search_runs(
                [self.experiment_id],
                f"tags.study_uid = '{self._study.study_uid}' and tags.kind = 'trial'",
                max_results=1000,
                page_token=page.token if page else None,
            )
            runs |= {int(run.data.tags["trial"]): run.info.run_id for run in page}
        return runs

    def _parent_run(self) -> str:
        found = self._client.search_runs(
            [self.experiment_id], f"tags.study_uid = '{self._study.study_uid}' and tags.kind = 'study'"
        )
        if found:
            return str(found[0].info.run_id)
        tags = {"kind": "study", "study": self._study.study, "study_uid": self._study.study_uid}
        return str(self._client.create_run(self.experiment_id, tags=tags, run_name=self._study.study).info.run_id)

    def write(self, trials: Iterable[TrialRecord]) -> None:
        """Write the trials that are not there yet."""
        from mlflow.entities import Metric, Param

        for trial in trials:
            if trial.trial in self.runs:
                continue
            tags = {
                "kind": "trial",
                "study": self._study.study,
                "study_uid": self._study.study_uid,
                "trial": str(trial.trial),
                "state": trial.state,
                "mlflow.parentRunId": self._parent,
            }
            run = self._client.create_run(
                self.experiment_id, start_time=_ms(trial.started), tags=tags, run_name=f"trial-{trial.trial:05d}"
            ).info.run_id
            at = _ms(trial.finished)
            params = [Param(name, repr(getattr(trial.lambdas, name))) for name in LAMBDA_NAMES]
            metrics = [Metric(name, getattr(trial.lambdas, name), at, 0) for name in LAMBDA_NAMES]
            for name in METRICS:
                curve = trial.curves.get(name) if name in CURVES else None
                points = enumerate(curve, 1) if curve else [(trial.epochs, getattr(trial, name))]
                metrics += [Metric(name, value, at, step) for step, value in points]
            for start in range(0, len(metrics), METRICS_A_CALL):
                self._client.log_batch(run, metrics=metrics[start : start + METRICS_A_CALL], params=params if start == 0 else [])
            self._client.set_terminated(run, STATUS[trial.state], end_time=at)
            self.runs[trial.trial] = run


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)
