"""What is on MLflow, read with its own client, so that two states can be compared."""

from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from experiments.tracking import Store


def all_runs(store: Store) -> list[Run]:
    """All runs of the experiment that are not deleted."""
    client = MlflowClient(store.uri)
    experiment = client.get_experiment_by_name(store.experiment)
    if experiment is None:
        return []
    return list(client.search_runs([experiment.experiment_id], max_results=10_000))


def runs_of(store: Store, study_uid: str, kind: str) -> dict[str, Run]:
    """The runs of one kind of a study, by which one each is; each must be there once."""
    tags = {"study_uid": study_uid, "kind": kind}
    found = [run for run in all_runs(store) if run.data.tags.items() >= tags.items()]
    runs = {run.data.tags.get(kind, ""): run for run in found}
    assert len(runs) == len(found)
    return runs


def trial_runs(store: Store, study_uid: str) -> dict[int, Run]:
    """The runs of a study's trials, by number."""
    return {int(number): run for number, run in runs_of(store, study_uid, "trial").items()}


def study_run(store: Store, study_uid: str) -> Run:
    """The run of a study itself."""
    (run,) = runs_of(store, study_uid, "study").values()
    return run


def everything(store: Store) -> list[dict[str, Any]]:
    """All that a user could see of the runs but for their ids, in an order of its own."""
    client, runs = MlflowClient(store.uri), all_runs(store)
    names = {run.info.run_id: run.info.run_name for run in runs}
    described = []
    for run in runs:
        tags, info = dict(run.data.tags), run.info
        if "mlflow.parentRunId" in tags:
            tags["mlflow.parentRunId"] = names[tags["mlflow.parentRunId"]]
        histories = {
            name: client.get_metric_history(info.run_id, name) for name in sorted(run.data.metrics)
        }
        # The run above a confirmation's is a folder: when it was made says nothing.
        is_folder = tags["kind"] == "confirmation"
        described.append(
            {
                "name": info.run_name,
                "status": info.status,
                "times": None if is_folder else (info.start_time, info.end_time),
                "tags": tags,
                "params": dict(run.data.params),
                "history": {
                    name: [(point.step, point.value, point.timestamp) for point in history]
                    for name, history in histories.items()
                },
                "artifacts": [file.path for file in client.list_artifacts(info.run_id)],
            }
        )
    return sorted(described, key=lambda one: (one["tags"]["study_uid"], one["name"]))
