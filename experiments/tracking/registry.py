"""The registry: the model of a study's verdict on MLflow, logged with the study's run and a version
of the model that is named after the experiment. A tag with the digest of its origin makes it one
version per verdict. The alias `best` is the newest confirmed version.
"""

import json
import re
from typing import TYPE_CHECKING

from experiments.card import card
from experiments.digest import digest
from experiments.model import Model, origin
from experiments.records import StudyRecord
from experiments.reports.files import TIME_FORMAT
from experiments.tracking.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

BEST = "best"
ORIGIN, CONFIRMED = "origin", "confirmed"  # tags
VERSIONS = "mlflow.modelVersions"  # the tag by which MLflow's page links a logged model to versions
READY = "READY"


def lacking(client: "MlflowClient", study: StudyRecord) -> list[str]:
    """Return what the registry does not have of a study with a verdict, one phrase each."""
    name = study.experiment.name
    if _version(study, _versions(client, name)) is None:
        return [f"its model is not registered as {name}"]
    if BEST not in client.get_registered_model(name).aliases:
        return [f"no version of the model {name} is called {BEST}"]
    return []


def register(
    client: "MlflowClient", store: Store, study: StudyRecord, model: Model, run_id: str
) -> bool:
    """Register the model of a study's verdict; return whether anything was written.

    `best` moves only where a confirmation is new: an alias that somebody set stays until then.
    """
    name, confirmed, answer = study.experiment.name, _confirmed(study), card(study)
    assert answer is not None
    assert study.verdict is not None
    versions = _versions(client, name)
    version = _version(study, versions)
    if version is None:
        version = _create(client, store, study, model, run_id)
    number = version.version
    is_new = version.tags.get(CONFIRMED) != confirmed
    if is_new:
        client.set_model_version_tag(name, number, "verdict", study.verdict.word)
        client.update_model_version(name, number, answer.says)
    times = {int(one.version): one.tags.get(CONFIRMED, "") for one in versions}
    times[int(number)] = confirmed
    newest = str(max(times, key=lambda one: (times[one], one)))
    best = client.get_registered_model(name).aliases.get(BEST)
    moves = best is None or (is_new and str(best) != newest)
    if moves:
        client.set_registered_model_alias(name, BEST, newest)
    if is_new:  # noted last, so that whoever was interrupted before does all of it again
        client.set_model_version_tag(name, number, CONFIRMED, confirmed)
    return is_new or moves


def _versions(client: "MlflowClient", name: str) -> "list[ModelVersion]":
    return list(client.search_model_versions(f"name = '{name}'"))


def _version(study: StudyRecord, versions: "list[ModelVersion]") -> "ModelVersion | None":
    wanted = digest(origin(study))
    return next((one for one in versions if one.tags.get(ORIGIN) == wanted), None)


def _confirmed(study: StudyRecord) -> str:
    """Return when the last thing that a study's verdict rests on was measured."""
    times = [one.finished for networks in study.confirmed.values() for one in networks]
    if study.verdict and study.verdict.opening:
        times.append(study.verdict.opening.opened)
    return max(times).strftime(TIME_FORMAT)


def _create(
    client: "MlflowClient", store: Store, study: StudyRecord, model: Model, run_id: str
) -> "ModelVersion":
    """Log the model, link it to the study's run, make a version; complete what is there of it."""
    import mlflow
    from mlflow.entities import LoggedModelOutput
    from mlflow.exceptions import MlflowException

    from experiments.model import pyfunc

    registered, run = study.experiment.name, client.get_run(run_id)
    experiment_id = run.info.experiment_id
    tags = {ORIGIN: digest(model.origin), "study": study.study, "study_uid": study.study_uid}
    there = client.search_logged_models([experiment_id], f"tags.{ORIGIN} = '{tags[ORIGIN]}'")
    logged = min(there, key=lambda one: (one.status != READY, one.model_id), default=None)
    if logged is None:
        lambdas = {name: repr(value) for name, value in model.origin["lambdas"].items()}
        name = re.sub(r"[/:.%\"']", "_", study.study)  # MLflow refuses these here
        logged = client.create_logged_model(experiment_id, name, run_id, tags=tags, params=lambdas)
    if logged.status != READY:
        mlflow.set_tracking_uri(store.uri)  # mlflow.pyfunc has one per process: this is its own
        pyfunc.log(model, logged.model_id)
    outputs = run.outputs.model_outputs if run.outputs else []
    if logged.model_id not in [one.model_id for one in outputs]:
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    try:
        client.create_registered_model(registered)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    # A database resolves models:/ with the tracking URI of the process, a server with its own.
    source = f"models:/{logged.model_id}" if store.is_server else logged.artifact_location
    version = client.create_model_version(
        registered, source, run_id, tags=tags, model_id=logged.model_id, await_creation_for=0
    )
    link = json.dumps([{"name": registered, "version": version.version}])
    client.set_logged_model_tags(logged.model_id, {VERSIONS: link})
    return version
