"""The environment: the versions, the BLAS kernel and the instructions that numbers depend on."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("numpy", "optuna", "mlflow", "pandas")
DECIDING = ("numpy", "optuna", "blas", "cpu")


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
    """Return what is not as in `old`, as `name: old -> new`; empty where all is."""
    pairs = {name: (value, new.get(name, "")) for name, value in old.items()}
    return ", ".join(f"{name}: {one} -> {two}" for name, (one, two) in pairs.items() if one != two)


def installed(package: str) -> str:
    """Return the version of an installed package; empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def blas_info() -> dict[str, Any]:
    """Return what threadpoolctl knows of NumPy's BLAS; empty where it knows none."""
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
