"""The signature of a process: equal signatures make the same table, to the bit."""

import functools
import hashlib
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np

import nnreg
from experiments import environment

DISTRIBUTION = "nnreg-sweeps"
# No multiples of what kernels work in, and sums longer than a block of theirs.
PROBE_ROWS, PROBE_COLUMNS = 37, 1_531


@functools.cache
def signature() -> Mapping[str, str]:
    """Versions of what computes, BLAS kernel, CPU features, and a hash of a fixed probe."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # as where networks are trained: more threads add in another order
        probe = _digest(_probe())
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "numpy": np.__version__,
        DISTRIBUTION: version(DISTRIBUTION),
        "nnreg": _digest(
            path.read_bytes() for path in sorted(Path(nnreg.__file__).parent.glob("*.py"))
        ),
        "blas": environment.blas(),
        "cpu": environment.cpu(),
        "probe": probe,
    }


def _probe() -> Iterator[bytes]:
    """Yield products, exponentials and logarithms of numbers that are the same everywhere."""
    whole = np.arange(PROBE_ROWS * PROBE_COLUMNS).reshape(PROBE_ROWS, PROBE_COLUMNS)
    for dtype in (np.float32, np.float64):
        matrix = np.divide(whole * 7919 % 10_007 + 1, 10_007, dtype=dtype)
        yield (matrix @ matrix.T).tobytes()
        yield np.exp(matrix).tobytes()
        yield np.log(matrix).tobytes()


def _digest(parts: Iterator[bytes]) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]
