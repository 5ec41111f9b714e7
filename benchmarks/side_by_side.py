"""Side by side: several programs that do the same work, timed in turns on one core.

Each side is a child process of its own with a cleaned environment and one thread, told by a line on
its standard input to train once more. The turns are A B C A B C ..., so that a change of the
machine's pace meets all sides alike, and ratios are taken within a round.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "JAX_PLATFORMS": "cpu",
}

HELD_BACK = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
"""Variables that can hold OpenBLAS to slower kernels than the processor has."""

COMPILING = ("PYTHONDONTWRITEBYTECODE",)
"""With it every process compiles our files again, which an installed package does not."""

ELSEWHERE = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME")
"""Variables that would send what is measured to somebody's server."""

ROOT = Path(__file__).resolve().parent.parent


def environment() -> dict[str, str]:
    """This process's environment with one thread per side, no slow kernels, and no server."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in (*HELD_BACK, *COMPILING, *ELSEWHERE)
    }
    others = [
        path for path in kept.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", str(ROOT))
    ]
    return kept | ONE_THREAD | {"PYTHONPATH": os.pathsep.join([str(ROOT), *others])}


class Side:
    """A child that trains when told; `reason` says why it cannot, where it cannot."""

    def __init__(self, name: str, case: dict[str, Any], cpu: int | None = None) -> None:
        self.name = name
        command = [sys.executable, "-m", "benchmarks.sides", name, json.dumps(case)]
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )
        if cpu is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self._child.pid, {cpu})
        said = self._hear()
        self.reason: str | None = said.get("absent")
        self.versions: str = said.get("versions", "")

    def seconds(self) -> float:
        """Train all of the case's trials once; seconds per trial."""
        assert self._child.stdin is not None
        self._child.stdin.write("go\n")
        self._child.stdin.flush()
        return float(self._hear()["seconds"])

    def close(self) -> None:
        self._child.communicate()

    def _hear(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(
                f"the side {self.name!r} ended with status {self._child.wait()}; its own message"
                " stands above."
            )
        heard: dict[str, Any] = json.loads(line)
        return heard


@dataclass(frozen=True)
class Timings:
    """Seconds per trial of each side, round by round, and why other sides are missing."""

    seconds: dict[str, list[float]]
    absent: dict[str, str]
    versions: dict[str, str]

    def ratios(self, one: str, other: str) -> list[float]:
        """`one`'s time over `other`'s, a round each, in order of size."""
        return sorted(a / b for a, b in zip(self.seconds[one], self.seconds[other], strict=True))

    def milliseconds(self, side: str) -> float:
        return 1000 * statistics.median(self.seconds[side])


def alternate(names: Sequence[str], case: dict[str, Any], rounds: int) -> Timings:
    """Each side once a round; a side that cannot run here is left out, with its reason."""
    cpu = max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    sides = [Side(name, case, cpu) for name in names]
    try:
        there = [side for side in sides if side.reason is None]
        for side in there:
            side.seconds()  # compiles, and fills caches
        seconds: dict[str, list[float]] = {side.name: [] for side in there}
        for _ in range(rounds):
            for side in there:
                seconds[side.name].append(side.seconds())
    finally:
        for side in sides:
            side.close()
    return Timings(
        seconds,
        {side.name: side.reason for side in sides if side.reason is not None},
        {side.name: side.versions for side in there},
    )


def machine() -> str:
    """Cores, BLAS kernel and versions, as a cleaned child sees them."""
    code = (
        "import os, platform, numpy\ntry:\n from threadpoolctl import threadpool_info\n blas = ',"
        " '.join(f\"{b['internal_api']} {b['version']} {b.get('architecture', '')}\" for b in"
        " threadpool_info())\nexcept ImportError:\n blas = 'unknown (threadpoolctl is"
        " absent)'\nprint(f'{os.cpu_count()} cores, BLAS {blas}, Python"
        " {platform.python_version()}, NumPy {numpy.__version__}')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def spread(ratios: Sequence[float]) -> str:
    """Least, median and greatest."""
    return f"{ratios[0]:8.3f} {statistics.median(ratios):8.3f} {ratios[-1]:8.3f}"
