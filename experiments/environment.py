"""The environment: the versions, the BLAS kernel and the processor's features that numbers depend
on.
"""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("numpy", "optuna", "mlflow", "pandas")
DECIDING = ("numpy", "optuna", "blas", "cpu")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages, and the BLAS with its kernel, as summary.csv has
    them; and `cpu`.
    """
    return {
        "python": platform.python_version(),
        **{name: installed(name) for name in PACKAGES},
        "blas": blas(),
        "cpu": cpu(),
    }


def differences(before: Mapping[str, str]) -> str:
    """What decides over the last bits of a number and is not as it was, as a clause; empty where
    all is as it was.
    """
    then, now = {name: before.get(name, "unknown") for name in DECIDING}, versions()
    changes = ", ".join(
        f"{name}: {then[name]} -> {now[name]}" for name in DECIDING if then[name] != now[name]
    )
    return (
        f"was begun elsewhere ({changes}), so the last bits of new trials may differ from what they"
        " would be there"
        if changes
        else ""
    )


def installed(package: str) -> str:
    """The version of an installed package; empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def blas_info() -> dict[str, Any]:
    """What threadpoolctl says of NumPy's BLAS: internal_api, version, architecture, num_threads;
    empty if it knows none.
    """
    import numpy  # loads the BLAS that is asked for  # noqa: F401
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return next((pool for pool in pools if "numpy" in pool["filepath"]), next(iter(pools), {}))


def blas() -> str:
    """For example `openblas 0.3.31 SkylakeX`."""
    info = blas_info()
    return " ".join(
        str(info[key]) for key in ("internal_api", "version", "architecture") if info.get(key)
    )


def cpu() -> str:
    """The groups of instructions that NumPy chose its loops by, for example `X86_V3 X86_V4`; empty
    where it had no choice.
    """
    from nnreg.kernels import cpu_features

    return " ".join(cpu_features())
