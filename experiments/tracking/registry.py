"""The registry: the model of a study's verdict on MLflow, as a logged model of the study's run and
as a version of the model that is named as the experiment, of which the newest confirmed one has the
alias `best`.

Versions are known by the digest of what the model was made of, in a tag: what is there is not made
again, whoever looks.
"""

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from experiments.card import card
from experiments.model import Model, confirmed_at, digest, origin
from experiments.records import StudyRecord
from experiments.reports.files import TIME_FORMAT
from experiments.tracking.client import open_registry
from experiments.tracking.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

BEST = "best"
ORIGIN, CONFIRMED = "origin", "confirmed"  # tags
# the tag of a logged model by which MLflow's page links to the versions of it
VERSIONS = "mlflow.modelVersions"
READY: Literal["READY"] = "READY"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What the registry is to have of a study. `name` is the registered model's; the tags are those
    of the version and of the logged model; `says` is the answer of the decision card.
    """

    name: str
    study: str
    tags: dict[str, str]
    lambdas: dict[str, str]
    says: str

    @property
    def digest(self) -> str:
        """What the version is known by."""
        return self.tags[ORIGIN]


def entry(study: StudyRecord) -> Entry | None:
    """What the registry is to have of a study; None before a verdict."""
    answer = card(study)
    if study.verdict is None or answer is None:
        return None
    made_of = origin(study, study.verdict)
    return Entry(
        # which has no / and no :, that MLflow refuses, whatever its own experiment is called
        name=study.experiment.name,
        study=study.study,
        tags={
            ORIGIN: digest(made_of),
            CONFIRMED: confirmed_at(study).strftime(TIME_FORMAT),
            "study": study.study,
            "study_uid": study.study_uid,
            "verdict": study.verdict.word,
        },
        lambdas={name: repr(value) for name, value in made_of["lambdas"].items()},
        says=answer.says,
    )


class Registry:
    """The versions of one registered model. To be used within the ledger's `reading`."""

    def __init__(self, client: "MlflowClient", store: Store, wanted: Entry) -> None:
        self._client, self._store, self._wanted = client, store, wanted
        open_registry(store)

    def lacking(self) -> list[str]:
        """What is not as it is to be, one phrase each."""
        version, name = self._version(), self._wanted.name
        if version is None:
            return [f"its model is not registered as {name}"]
        return (
            []
            if self._best(self._versions())
            else [f"no version of the model {name} is called {BEST}"]
        )

    def keep(self, model: Model, kept: Path, experiment_id: str, run_id: str) -> bool:
        """Have the model, kept in a folder, as a version and with the study's run; whether anything
        was written.
        """
        version, wanted = self._version(), self._wanted
        anew = version is None or version.tags.get(CONFIRMED) != wanted.tags[CONFIRMED]
        if version is None:
            logged = self._logged(experiment_id) or self._log(model, kept, experiment_id, run_id)
            self._show(logged.model_id, run_id)
            self._register(logged, run_id)
        elif anew:
            for key, value in wanted.tags.items():
                self._client.set_model_version_tag(wanted.name, version.version, key, value)
            self._client.update_model_version(wanted.name, version.version, wanted.says)
        return self._name_best(anew) or anew

    def _versions(self) -> list["ModelVersion"]:
        found: list[ModelVersion] = []
        token = None
        while True:
            page = self._client.search_model_versions(
                f"name = '{self._wanted.name}'", page_token=token
            )
            found += page
            token = page.token
            if not token:
                return found

    def _version(self) -> "ModelVersion | None":
        """The version of the study's model. Of several the same one whoever looks."""
        found = [
            version
            for version in self._versions()
            if version.tags.get(ORIGIN) == self._wanted.digest
        ]
        return min(found, key=lambda version: int(version.version), default=None)

    def _logged(self, experiment_id: str) -> "LoggedModel | None":
        """The logged model, where an earlier attempt got as far as that; what it left unfinished is
        deleted.
        """
        found = self._client.search_logged_models(
            [experiment_id], f"tags.{ORIGIN} = '{self._wanted.digest}'"
        )
        for logged in found:
            if logged.status != READY:
                self._client.delete_logged_model(logged.model_id)
        return min(
            (logged for logged in found if logged.status == READY),
            key=lambda logged: logged.model_id,
            default=None,
        )

    def _log(self, model: Model, kept: Path, experiment_id: str, run_id: str) -> "LoggedModel":
        from mlflow.models import Model as Metadata

        from experiments.model.flavor import write_flavor

        client, wanted = self._client, self._wanted
        name = re.sub(r"[/:.%\"']", "_", wanted.study)  # MLflow refuses these here
        logged = client.create_logged_model(
            experiment_id, name, run_id, tags=wanted.tags, params=wanted.lambdas
        )
        metadata = Metadata(
            artifact_path=logged.artifact_location,
            run_id=run_id,
            model_uuid=logged.model_id,
            model_id=logged.model_id,
        )
        with tempfile.TemporaryDirectory(prefix="sweeps-") as work:
            client.log_model_artifacts(
                logged.model_id, str(write_flavor(model, kept, Path(work), metadata))
            )
        return client.finalize_logged_model(logged.model_id, READY)

    def _show(self, model_id: str, run_id: str) -> None:
        """Have the run's page show the model."""
        from mlflow.entities import LoggedModelOutput

        outputs = self._client.get_run(run_id).outputs
        if model_id not in [
            output.model_id for output in (outputs.model_outputs if outputs else ())
        ]:
            self._client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])

    def _register(self, logged: "LoggedModel", run_id: str) -> None:
        from mlflow.exceptions import MlflowException

        client, wanted = self._client, self._wanted
        try:
            client.create_registered_model(wanted.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        # A database resolves models:/ with the client of whichever MLflow this process was last
        # told of; a server with its own.
        source = f"models:/{logged.model_id}" if self._store.is_server else logged.artifact_location
        version = client.create_model_version(
            wanted.name,
            source,
            run_id,
            tags=wanted.tags,
            description=wanted.says,
            model_id=logged.model_id,
            await_creation_for=0,
        )
        links = [{"name": wanted.name, "version": version.version}]
        if not client.get_logged_model(logged.model_id).tags.get(
            VERSIONS
        ):  # a server has done it already
            client.set_logged_model_tags(logged.model_id, {VERSIONS: json.dumps(links)})

    def _name_best(self, anew: bool) -> bool:
        """Give the alias to the newest confirmed version, where there is none, or after a
        confirmation; whether it moved. Whoever else does so at the same time looks again, as this
        does.
        """
        moved = False
        while True:
            versions = self._versions()
            holder = self._best(versions)
            if holder and not anew:
                return moved
            newest = max(versions, key=_age)
            if newest is holder:
                return moved
            self._client.set_registered_model_alias(self._wanted.name, BEST, newest.version)
            moved = True

    def _best(self, versions: list["ModelVersion"]) -> "ModelVersion | None":
        """The version that has the alias."""
        aliases = self._client.get_registered_model(self._wanted.name).aliases
        return next(
            (version for version in versions if str(version.version) == str(aliases.get(BEST))),
            None,
        )


def _age(version: Any) -> tuple[str, int]:
    """What is larger for a version that was confirmed later; one that somebody registered by hand
    never was.
    """
    return version.tags.get(CONFIRMED, ""), int(version.version)
