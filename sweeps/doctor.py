"""The doctor: what is installed, what would be slow or wrong, and what to do about it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments import environment
from sweeps import installation
from sweeps.claim import Owner
from sweeps.executors import cores
from sweeps.workspace import Workspace

FINE, NOTE, WRONG = "fine", "note", "wrong"
HOLDS_BACK = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `level` is "fine", "note" (slow, or worth knowing) or "wrong"; `remedy` may be empty."""

    level: str
    what: str
    remedy: str = ""


def examine(place: Workspace, study: str | None = None) -> Iterator[Finding]:
    """Look at the installation, the machine and the directory."""
    yield from _installation()
    yield from _machine()
    yield from _directory(place, study)


def _installation() -> Iterator[Finding]:
    found = environment.versions()
    names = " ".join(f"{name} {found[name]}" for name in ("python", *environment.PACKAGES))
    yield Finding(FINE, f"sweeps {environment.installed('nnreg-sweeps') or '(not installed)'}, {names}")
    for stranger in installation.strangers():
        yield Finding(WRONG, stranger, installation.REMEDY)


def _machine() -> Iterator[Finding]:
    info = environment.blas_info()
    yield Finding(
        FINE,
        f"{cores()} cores with {environment.cpu() or 'no features that NumPy uses'}; "
        f"BLAS {environment.blas()}, {info.get('num_threads', '?')} threads here, 1 in each worker",
    )
    for name in HOLDS_BACK:
        if name in os.environ:
            yield Finding(
                NOTE,
                f"{name}={os.environ[name]} in the environment holds OpenBLAS to what it names, which may be slower",
                f"unset {name}",
            )


def _directory(place: Workspace, study: str | None) -> Iterator[Finding]:
    from sweeps.status import status

    if not os.access(_existing(place.directory), os.W_OK):
        yield Finding(WRONG, f"{place.directory} cannot be written", "check its permissions, or give another --directory")
    names = [place.choose(study)] if study else place.studies()
    if not names:
        yield Finding(FINE, f"no study in {place.directory} yet", "make one with: sweeps run digits")
    for name in names:
        state = status(place, name)
        yield Finding(FINE, f"study {name}: {state['finished']} of {state['trials']} trials{_driven(state['driver'])}")
        if changed := environment.differences(place.record(name).versions):
            yield Finding(NOTE, f"study {name} {changed}")
        missing = state["mlflow_missing"]
        if missing is None:
            yield Finding(
                NOTE, f"study {name}: MLflow does not answer", "start it, then write what is missing with: sweeps sync " + name
            )
        elif missing:
            yield Finding(WRONG, f"study {name}: {missing} trials are not on MLflow", f"write them with: sweeps sync {name}")
        yield from _tables(place, name, state["finished"])


def _driven(driver: dict[str, Any] | None) -> str:
    return f", driven by {Owner(**driver)}" if driver else ""


def _tables(place: Workspace, name: str, finished: int) -> Iterator[Finding]:
    import pandas as pd

    path = place.reports_of(name) / "trials.csv"
    if not path.exists():
        yield Finding(NOTE, f"study {name}: no trials.csv yet", f"write it with: sweeps export {name}")
    elif (rows := len(pd.read_csv(path))) != finished:
        yield Finding(
            WRONG,
            f"study {name}: trials.csv has {rows} rows, and the study {finished} trials",
            f"write it again with: sweeps export {name}",
        )


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
