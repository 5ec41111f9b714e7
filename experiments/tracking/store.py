"""The store: where MLflow keeps runs and artifacts, chosen from what was given."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import unquote, urlsplit

from experiments.errors import InputError
from experiments.redaction import masked_url

DATABASE, ARTIFACTS = "mlflow.db", "mlruns"  # where a plain `mlflow server` looks
SQLITE = "sqlite:///"
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")  # those that MLflow writes to by itself
OTHERS = ("http", "https", "databricks")
PLUGINS = "mlflow.tracking_store"  # entry points of packages that bring MLflow more stores


@dataclass(frozen=True)
class Store:
    """A tracking URI, an experiment there, and the folder for artifacts (None: the server)."""

    uri: str
    experiment: str
    artifacts: Path | None

    @property
    def is_server(self) -> bool:
        return self.uri.startswith(("http://", "https://"))

    @property
    def is_database(self) -> bool:
        """Whether MLflow writes to a database at the URI by itself."""
        return _scheme(self.uri) in DATABASES

    @property
    def file(self) -> Path | None:
        return Path(self.uri.removeprefix(SQLITE)) if self.uri.startswith(SQLITE) else None

    @property
    def is_own(self) -> bool:
        """Whether this is the database of the directory itself."""
        return self.artifacts is not None and self.file == self.artifacts.with_name(DATABASE)

    @property
    def artifact_location(self) -> str | None:
        if self.artifacts is None:
            return None
        folder = re.sub(r"[^\w .+-]", "_", self.experiment).lstrip(".")  # any name may be given
        return (self.artifacts / (folder or "_")).as_uri()

    @property
    def shown(self) -> str:
        return masked_url(self.uri)


def choose(
    directory: Path, experiment: str, *, uri: str | None = None, environ: Mapping[str, str]
) -> Store:
    """The store for an experiment of this name, whose files are in `directory`; nothing is touched.

    `uri`, the command's option, precedes MLFLOW_TRACKING_URI, and that the database in the
    directory. MLFLOW_EXPERIMENT_NAME precedes `experiment`. Relative SQLite paths are relative to
    the working directory, as MLflow has it. Raises InputError for a URI that MLflow cannot use.
    """
    directory = directory.resolve()
    given = uri or environ.get("MLFLOW_TRACKING_URI")
    where = "--tracking-uri" if uri else "MLFLOW_TRACKING_URI"
    store = Store(
        uri=_checked(given, where) if given else f"{SQLITE}{directory / DATABASE}",
        experiment=environ.get("MLFLOW_EXPERIMENT_NAME") or experiment,
        artifacts=directory / ARTIFACTS,
    )
    path = str(store.file or "")
    if "?" in path or unquote(path) != path:
        raise InputError(
            f"{path}: ? and %20 and the like have a meaning of their own in a database URL; choose"
            " another --directory"
        )
    return store if store.is_database else replace(store, artifacts=None)


def _checked(uri: str, where: str) -> str:
    wrong, scheme = "", uri.partition("://")[0]
    if uri.startswith("file:") or ("://" not in uri and uri != "databricks"):
        wrong = "MLflow no longer keeps runs in a folder"
    elif uri in ("sqlite://", SQLITE, f"{SQLITE}:memory:"):
        wrong = "a database in memory is gone when the command ends"
    elif _scheme(uri) not in (*DATABASES, *OTHERS) and not entry_points(group=PLUGINS, name=scheme):
        wrong = "MLflow knows no store of this kind"
    if wrong:
        raise InputError(
            f"{where} is {masked_url(uri)}: {wrong}; give a server such as http://127.0.0.1:5000,"
            f" or a database such as {SQLITE}{DATABASE}"
        )
    try:  # MLflow, or its client, would meet it as a ValueError later
        urlsplit(uri).port  # reading it checks it  # noqa: B018
    except ValueError:
        raise InputError(
            f"{where} is {masked_url(uri)}: not a URL; write http://HOST:PORT, and @ : / in a"
            " password as %40 %3A %2F"
        ) from None
    if not uri.startswith(SQLITE):
        return uri.rstrip("/")
    return f"{SQLITE}{Path(uri.removeprefix(SQLITE)).resolve()}"


def _scheme(uri: str) -> str:
    return re.split(r"[+:]", uri)[0]
