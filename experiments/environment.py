"""The environment: the versions, the BLAS kernel and the instructions that numbers depend on."""

import functools
import hashlib
import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "optuna", "mlflow", "pandas")
DECIDING = ("numpy", "optuna", "blas", "cpu")
DISTRIBUTION = "nnreg-sweeps"
# No multiples of what kernels work in, and sums longer than a block of theirs.
PROBE_ROWS, PROBE_COLUMNS = 37, 1_531


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages, the BLAS with its kernel, and the CPU."""
    packages = {name: installed(name) for name in PACKAGES}
    return {"python": platform.python_version(), **packages, "blas": blas(), "cpu": cpu()}


def differences(before: Mapping[str, str]) -> str:
    """Return what decides the last bits of a number and has changed, as a clause; or nothing."""
    changed = changes({name: before.get(name, "unknown") for name in DECIDING}, versions())
    effect = "so the last bits of new trials may differ from what they would be there"
    return f"was begun elsewhere ({changed}), {effect}" if changed else ""


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Return what is not as in `old`, as `name: old -> new`; empty if all is."""
    pairs = {name: (value, new.get(name, "")) for name, value in old.items()}
    return ", ".join(f"{name}: {one} -> {two}" for name, (one, two) in pairs.items() if one != two)


def installed(package: str) -> str:
    """Return the version of an installed package; empty if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def blas_info() -> dict[str, Any]:
    """Return what threadpoolctl knows of NumPy's BLAS; empty if it knows none."""
    import numpy  # loads the BLAS that is asked for  # noqa: F401
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return next((pool for pool in pools if "numpy" in pool["filepath"]), next(iter(pools), {}))


def blas() -> str:
    """Return the BLAS and its kernel, for example `openblas 0.3.31 SkylakeX`."""
    info = blas_info()
    parts = (info.get(key) for key in ("internal_api", "version", "architecture"))
    return " ".join(str(part) for part in parts if part)


def cpu() -> str:
    """Return the groups of instructions that NumPy chose its loops by, such as `X86_V3 X86_V4`."""
    from nnreg.kernels import cpu_features

    return " ".join(cpu_features())


@functools.cache
def signature() -> Mapping[str, str]:
    """Return the versions of what computes, BLAS kernel, CPU features, and a hash of a fixed probe:
    processes with equal signatures make the same table, to the bit.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits

    import nnreg

    with threadpool_limits(1):  # as where networks are trained: more threads add in another order
        probe = _digest(_probe())
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "numpy": np.__version__,
        DISTRIBUTION: version(DISTRIBUTION),
        "nnreg": _digest(
            path.read_bytes() for path in sorted(Path(nnreg.__file__).parent.glob("*.py"))
        ),
        "blas": blas(),
        "cpu": cpu(),
        "probe": probe,
    }


def _probe() -> Iterator[bytes]:
    """Yield products, exponentials and logarithms of numbers that are the same everywhere."""
    import numpy as np

    whole = np.arange(PROBE_ROWS * PROBE_COLUMNS).reshape(PROBE_ROWS, PROBE_COLUMNS)
    for dtype in (np.float32, np.float64):
        matrix = np.divide(whole * 7919 % 10_007 + 1, 10_007, dtype=dtype)
        yield (matrix @ matrix.T).tobytes()
        yield np.exp(matrix).tobytes()
        yield np.log(matrix).tobytes()


def _digest(parts: Iterator[bytes]) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]
