"""The environment: what numbers depend on, as a study keeps it."""

import os
import subprocess
import sys

import numpy as np
from threadpoolctl import threadpool_info

from experiments import environment


def test_the_versions_name_the_kernel_and_the_processors_features() -> None:
    versions = environment.versions()
    assert versions["numpy"] == np.__version__
    chosen = np._core._multiarray_umath
    assert set(versions["cpu"].split()) == {
        name for name in chosen.__cpu_dispatch__ if chosen.__cpu_features__[name]
    }
    assert versions["blas"].split()[-1] in {pool.get("architecture") for pool in threadpool_info()}
    assert all(version for name, version in versions.items() if name != "cpu")


def test_only_what_decides_over_a_number_is_a_difference() -> None:
    now = environment.versions()
    assert environment.differences(now | {"pandas": "0.1"}) == ""
    for name in ("numpy", "optuna", "blas", "cpu"):
        changed = environment.differences(now | {name: "another"})
        assert f"({name}: another -> {now[name]})" in changed
    assert "(numpy: unknown -> " in environment.differences({})


def test_the_features_are_those_that_numpy_uses_not_those_that_there_are() -> None:
    found = environment.cpu().split()
    code = "from experiments import environment; print(environment.cpu())"
    variables = os.environ | {"NPY_DISABLE_CPU_FEATURES": " ".join(found)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True
    )
    assert not set(done.stdout.split()) & set(found)
