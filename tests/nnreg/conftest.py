"""Every test of the network runs with one BLAS thread, as every executor trains."""

from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from nnreg import Split


@pytest.fixture(autouse=True, scope="session")
def one_blas_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


@pytest.fixture
def split() -> Split:
    """Three overlapping clouds in five dimensions: 41 rows to train on, 23 to validate on."""
    rng = np.random.default_rng(7)
    y = rng.integers(0, 3, size=64)
    x = rng.normal(size=(64, 5)) + y[:, np.newaxis]
    return Split(x[:41], y[:41], x[41:], y[41:])
