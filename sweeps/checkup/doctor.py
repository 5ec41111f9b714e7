"""The doctor: what is installed, what would be slow or wrong, and what to do about it."""

import os
from collections.abc import Iterator
from importlib.util import find_spec

from experiments import environment
from experiments.cautions import further, leaks_of
from experiments.errors import ForeignStudyError, SweepsError, TrackingError
from nnreg import use_compiled
from sweeps.checkup import agreement
from sweeps.checkup.agreement import FINE, NOTE, WRONG, Finding
from sweeps.executors.local import cores
from sweeps.progress import counted
from sweeps.search.study_record import study_record
from sweeps.workspace import Workspace

HOLDS_BACK = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def examine(place: Workspace, study: str | None = None) -> Iterator[Finding]:
    """Look at the installation, the machine, and one study or all studies of the directory."""
    yield from _installation()
    yield from _directory(place)
    if not study and not place.studies():
        yield Finding(FINE, f"no study in {place.directory} yet", "run one: sweeps run digits")
    silent: dict[str, TrackingError] = {}
    for name, found in place.loaded(study):
        if isinstance(found, ForeignStudyError):
            what = "sweeps did not create or begin it; it is left alone"
            yield Finding(FINE, f"study {name}: {what}")
            continue
        if isinstance(found, SweepsError):
            yield Finding(WRONG, str(found))
            continue
        record = study_record(found)
        yield from agreement.examine(place, record, silent)
        if changed := environment.differences(record.versions):
            yield Finding(NOTE, f"study {name} {changed}")
        for what, remedy in leaks_of(record, place.options()):
            yield Finding(NOTE, f"study {name}: {what}", remedy)
        if hint := further(record, place.options()):
            what, command = hint
            yield Finding(NOTE, f"study {name}: {what}", f"train them further with: {command}")


def _installation() -> Iterator[Finding]:
    found = environment.versions()
    names = " ".join(f"{name} {found[name]}" for name in ("python", *environment.PACKAGES))
    ours = environment.installed(environment.DISTRIBUTION) or "(not installed)"
    yield Finding(FINE, f"sweeps {ours}, {names}")
    processor = f"{counted(cores(), 'core')} with {environment.cpu() or 'no features NumPy uses'}"
    threads = counted(environment.blas_info().get("num_threads", 0), "thread")
    blas = f"BLAS {environment.blas()}, {threads} here, 1 in each worker"
    yield Finding(FINE, f"{processor}; {blas}")
    if reason := use_compiled():
        missing = "install it with: pip install 'nnreg-sweeps[fast]'"
        remedy = missing if find_spec("numba") is None else ""
        yield Finding(NOTE, f"long searches train slower, in NumPy alone: {reason}", remedy)
    else:
        numba = environment.installed("numba")
        yield Finding(FINE, f"long searches train in loops that numba {numba} compiled")
    for name in HOLDS_BACK:
        if name in os.environ:
            what = f"{name}={os.environ[name]} in the environment may make OpenBLAS slower"
            remedy = f"unset {name}, unless it makes the processors of a cluster alike"
            yield Finding(NOTE, what, remedy)


def _directory(place: Workspace) -> Iterator[Finding]:
    parents = (place.directory, *place.directory.parents)
    if not os.access(next(folder for folder in parents if folder.exists()), os.W_OK):
        remedy = "check its permissions, or give another --directory"
        yield Finding(WRONG, f"{place.directory} cannot be written", remedy)
