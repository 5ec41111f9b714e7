"""The store: where MLflow keeps runs and artifacts, chosen from what was given."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import unquote, urlsplit

from experiments.errors import InputError
from experiments.redaction import masked_url

DATABASE, ARTIFACTS = (
    "mlflow.db",
    "mlruns",
)  # the names that a plain `mlflow server` in the directory looks for
SQLITE = "sqlite:///"
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")  # those that MLflow writes to by itself
OTHERS = ("http", "https", "databricks")
# entry points of packages that bring MLflow another kind of store, by its scheme
PLUGINS = "mlflow.tracking_store"


@dataclass(frozen=True)
class Store:
    """An MLflow tracking URI and the name of an MLflow experiment there.

    `artifacts` is the folder for the artifacts of the experiments made here; None leaves the place
    to the server.
    """

    uri: str
    experiment: str
    artifacts: Path | None

    @property
    def is_server(self) -> bool:
        """Whether an MLflow server is at the URI, rather than a database."""
        return self.uri.startswith(("http://", "https://"))

    @property
    def is_database(self) -> bool:
        """Whether MLflow writes to a database at the URI by itself."""
        return _scheme(self.uri) in DATABASES

    @property
    def file(self) -> Path | None:
        """The SQLite file; None for anything else."""
        return Path(self.uri.removeprefix(SQLITE)) if self.uri.startswith(SQLITE) else None

    @property
    def artifact_location(self) -> str | None:
        """Where an experiment that is made here has its artifacts: absolute, so they are found from
        anywhere.
        """
        if self.artifacts is None:
            return None
        folder = re.sub(r"[^\w .+-]", "_", self.experiment).lstrip(
            "."
        )  # the name may come from the environment
        return (self.artifacts / (folder or "_")).as_uri()

    @property
    def shown(self) -> str:
        """The URI without secrets, as messages have it."""
        return masked_url(self.uri)


def choose(
    directory: Path, experiment: str, *, uri: str | None = None, environ: Mapping[str, str]
) -> Store:
    """The store for an experiment of this name, whose files are in `directory`; nothing is touched.

    `uri` is the command's option. It precedes MLFLOW_TRACKING_URI of the environment, and that the
    database in the directory. MLFLOW_EXPERIMENT_NAME precedes the name in the experiment file.
    Relative SQLite paths are relative to the working directory, as MLflow has it.

    Raises InputError for a URI that MLflow cannot use.
    """
    directory = directory.resolve()
    given = uri or environ.get("MLFLOW_TRACKING_URI")
    where = "--tracking-uri" if uri else "MLFLOW_TRACKING_URI"
    store = Store(
        uri=_absolute(given, where) if given else f"{SQLITE}{directory / DATABASE}",
        experiment=environ.get("MLFLOW_EXPERIMENT_NAME") or experiment,
        artifacts=directory / ARTIFACTS,
    )
    if store.file and "?" in str(store.file):
        raise InputError(
            f"{store.file}: a question mark ends the path in a database URL; choose another"
            " --directory"
        )
    if store.file and unquote(str(store.file)) != str(store.file):
        raise InputError(
            f"{store.file}: %20 and the like stand for another letter in a database URL; choose"
            " another --directory, or write the letter itself"
        )
    return store if store.is_database else replace(store, artifacts=None)


def _absolute(uri: str, where: str) -> str:
    if uri.startswith("file:") or ("://" not in uri and uri != "databricks"):
        raise InputError(
            f"{where} is {masked_url(uri)}: MLflow no longer keeps runs in a folder; give a server such"
            f" as http://127.0.0.1:5000, or a database such as {SQLITE}{DATABASE}"
        )
    if _scheme(uri) not in (*DATABASES, *OTHERS) and not entry_points(
        group=PLUGINS, name=uri.partition("://")[0]
    ):
        raise InputError(
            f"{where} is {masked_url(uri)}: MLflow knows no store of this kind; give a server such as"
            f" http://127.0.0.1:5000, or a database such as {SQLITE}{DATABASE}"
        )
    if uri in ("sqlite://", SQLITE, f"{SQLITE}:memory:"):
        raise InputError(
            f"{where} is {uri}: a database in memory is gone when the command ends; name a file,"
            f" {SQLITE}{DATABASE}"
        )
    _check_url(uri, where)
    if not uri.startswith(SQLITE):
        return uri.rstrip("/")
    return f"{SQLITE}{Path(uri.removeprefix(SQLITE)).resolve()}"


def _scheme(uri: str) -> str:
    """What is before the driver of a database, or the address."""
    return re.split(r"[+:]", uri)[0]


def _check_url(uri: str, where: str) -> None:
    """Raise InputError for what MLflow, or its client, would meet as a ValueError later."""
    try:
        urlsplit(uri).port  # reading it checks it  # noqa: B018
    except ValueError:
        raise InputError(
            f"{where} is {masked_url(uri)}: not a URL; write http://HOST:PORT, and @ : / in a password"
            " as %40 %3A %2F"
        ) from None
