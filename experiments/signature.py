"""The signature: what decides over the bits of a number in this process; two processes with the
same one make the same table.
"""

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
PROBE_ROWS, PROBE_COLUMNS = (
    37,
    1_531,
)  # no multiples of what kernels work in, and sums longer than a block of theirs


@functools.cache
def signature() -> Mapping[str, str]:
    """Versions of what computes, the BLAS kernel, NumPy's CPU features, and a hash over a fixed
    probe.
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(
        1
    ):  # as where networks are trained: with more threads BLAS adds in another order
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


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """What is not the same, as `name: here -> there`; empty where all is."""
    return ", ".join(
        f"{name}: {value} -> {there.get(name, '')}"
        for name, value in here.items()
        if there.get(name) != value
    )


def _probe() -> Iterator[bytes]:
    """Products, exponentials and logarithms in both dtypes. The numbers that go in are integers,
    divided: alike everywhere.
    """
    whole = np.arange(PROBE_ROWS * PROBE_COLUMNS).reshape(PROBE_ROWS, PROBE_COLUMNS)
    for dtype in (np.float32, np.float64):
        matrix = np.divide(whole * 7919 % 10_007 + 1, 10_007, dtype=dtype)
        yield (matrix @ matrix.T).tobytes()
        yield np.exp(matrix).tobytes()
        yield np.log(matrix).tobytes()


def _digest(parts: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:12]
