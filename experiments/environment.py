"""The environment: the versions and the BLAS kernel that numbers depend on."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("numpy", "optuna", "mlflow", "pandas")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages, and the BLAS with its kernel, as summary.csv has them."""
    return {"python": platform.python_version(), **{name: installed(name) for name in PACKAGES}, "blas": blas()}


def installed(package: str) -> str:
    """The version of an installed package; empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def blas_info() -> dict[str, Any]:
    """What threadpoolctl says of NumPy's BLAS: internal_api, version, architecture, num_threads; empty if it knows none."""
    import numpy  # noqa: F401  # loads the BLAS that is asked for
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return next((pool for pool in pools if "numpy" in pool["filepath"]), next(iter(pools), {}))


def blas() -> str:
    """For example `openblas 0.3.31 SkylakeX`."""
    info = blas_info()
    return " ".join(str(info[key]) for key in ("internal_api", "version", "architecture") if info.get(key))
