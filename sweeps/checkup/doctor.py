"""The doctor: what is installed, what would be slow or wrong, and what to do about it."""

import os
from collections.abc import Iterator
from pathlib import Path

from experiments import environment
from experiments.errors import StrangerError
from sweeps.checkup import agreement, installation
from sweeps.checkup.findings import FINE, NOTE, WRONG, Finding
from sweeps.executors.local import cores
from sweeps.plural import many
from sweeps.search.study import study_record
from sweeps.workspace import Workspace

HOLDS_BACK = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def examine(place: Workspace, study: str | None = None) -> Iterator[Finding]:
    """Look at the installation, the machine and the directory."""
    yield from _installation()
    yield from _machine()
    yield from _directory(place, study)


def _installation() -> Iterator[Finding]:
    found = environment.versions()
    names = " ".join(f"{name} {found[name]}" for name in ("python", *environment.PACKAGES))
    yield Finding(
        FINE, f"sweeps {environment.installed('nnreg-sweeps') or '(not installed)'}, {names}"
    )
    for stranger in installation.strangers():
        yield Finding(WRONG, stranger, installation.REMEDY)


def _machine() -> Iterator[Finding]:
    info = environment.blas_info()
    yield Finding(
        FINE,
        f"{many(cores(), 'core')} with {environment.cpu() or 'no features that NumPy uses'}; BLAS"
        f" {environment.blas()}, {many(info.get('num_threads', 0), 'thread')} here, 1 in each"
        " worker",
    )
    for name in HOLDS_BACK:
        if name in os.environ:
            yield Finding(
                NOTE,
                f"{name}={os.environ[name]} in the environment holds OpenBLAS to what it names,"
                " which may be slower",
                f"unset {name}, unless it makes the processors of a cluster alike",
            )


def _directory(place: Workspace, study: str | None) -> Iterator[Finding]:
    if not os.access(_existing(place.directory), os.W_OK):
        yield Finding(
            WRONG,
            f"{place.directory} cannot be written",
            "check its permissions, or give another --directory",
        )
    names = [place.choose(study)] if study else place.studies()
    if not names:
        yield Finding(
            FINE, f"no study in {place.directory} yet", "make one with: sweeps run digits"
        )
    silent: set[str] = set()
    for name in names:
        try:
            begun = place.load(name)
        except StrangerError:
            if study:
                raise
            yield Finding(
                FINE,
                f"study {name}: sweeps did not make it, or was stopped before it began; it is left"
                " alone",
            )
            continue
        yield from agreement.examine(place, name, silent)
        if changed := environment.differences(study_record(begun).versions):
            yield Finding(NOTE, f"study {name} {changed}")


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
