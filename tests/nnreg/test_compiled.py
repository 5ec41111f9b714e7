"""Compiled loops against NumPy's passes, to the bit."""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import nnreg
import nnreg.passes as passes_module
from nnreg import SGD, Adam, use_compiled
from nnreg.compiled import LOOPS, Compiled, adam
from nnreg.network import Network, Pass
from nnreg.passes import Passes, as_numpy, passes_of
from tests.nnreg.trainings import Training, same_bits, trained, trainings

DTYPES = [np.dtype(np.float32), np.dtype(np.float64)]


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    assert [use_compiled(dtype.name) for dtype in DTYPES] == ["", ""]


def passes(network: Network) -> tuple[Passes, Passes]:
    return Passes(network), passes_of(network)


# Derandomised, so that a run in CI is the same everywhere.
@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(trainings(lanes=(1, 2, 5, 33)), st.sampled_from([None, "val_accuracy", "val_data_loss"]))
def test_fits_are_the_same(training: Training, keep: str | None) -> None:
    """Both dtypes and optimizers, odd widths, full and partial batches, rates and seeds of each
    lane, and lanes that diverge.
    """
    fits = trained(*training, keep=keep)
    with mock.patch.dict(passes_module._compiled, clear=True):
        expected = trained(*training, keep=keep)
    assert all(same_bits(one, other) for one, other in zip(fits, expected, strict=True))


def numbers(dtype: np.dtype[Any], *shape: int) -> st.SearchStrategy[Any]:
    """Arrays of zeros of both signs, denormals, numbers that overflow when squared, infinities and
    NaN among others.
    """
    tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    special = [0.0, -0.0, 1.0, -1.5, float(tiny), -float(tiny), float(huge), -float(huge)]
    elements = st.sampled_from([*special, np.inf, -np.inf, np.nan]) | st.floats(
        -10, 10, width=8 * dtype.itemsize
    )
    return arrays.arrays(dtype, shape, elements=elements)


def same(one: Any, other: Any) -> bool:
    """The same bits, but for those of NaN, whose sign has no meaning."""
    places = np.isnan(one)
    same_places = np.array_equal(places, np.isnan(other))
    return same_places and one[~places].tobytes() == other[~places].tobytes()


LANES, ROWS, SIZES = 3, 7, (5, 9, 4)
SHAPE = (LANES, 6 * 9 + 10 * 4)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_steps_with_extreme_numbers(dtype: np.dtype[Any], data: st.DataObject) -> None:
    strengths = data.draw(
        arrays.arrays(float, (LANES, 2, 4), elements=st.sampled_from([0.0, 1e-6, 0.3, 1.7e308]))
    )
    network = Network(SIZES, strengths, dtype)
    start, slopes = data.draw(numbers(dtype, *SHAPE)) + 0.0, data.draw(numbers(dtype, *SHAPE))
    rates = data.draw(st.sampled_from([0.1, 1e-30, np.array([[0.1], [1e3], [1e-3]])]))
    for optimizer in (Adam, SGD):
        ends = []
        for one in passes(network):
            network.parameters[:] = start
            update = one.updater(optimizer(rates))
            with np.errstate(all="ignore"):
                for _ in range(2):
                    network.dparameters[:] = slopes
                    update()
                size, small = one.sizes()
            ends.append((network.parameters.copy(), size.copy(), small.copy()))
        assert all(same(one, other) for one, other in zip(*ends, strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_passes_over_extreme_numbers(dtype: np.dtype[Any], data: st.DataObject) -> None:
    lanes = data.draw(st.sampled_from([1, LANES]))
    network = Network(SIZES, np.zeros((lanes, 2, 4)), dtype)
    work = Pass(network, np.ones((ROWS, SIZES[0] + 1), dtype)).forward()
    logits = data.draw(numbers(dtype, *work.logits.shape))
    hidden = data.draw(numbers(dtype, *work.hidden[0].shape))
    dvalues = data.draw(numbers(dtype, *hidden.shape))
    labels = data.draw(arrays.arrays(int, (lanes, ROWS), elements=st.integers(0, 3)))
    labels = labels[0] if data.draw(st.booleans()) else labels
    ends = []
    for one in passes(network):
        with np.errstate(all="ignore"):
            work.logits[:] = logits
            one.loss_gradient(work, one.targets(labels))
            gradient = work.logits.copy()
            work.logits[:] = logits
            losses, hits = np.full((2, lanes, ROWS + 2), 5.0)
            one.losses_and_hits(work, one.truth(labels), losses[:, 1:-1], hits[:, 1:-1])
            output = hidden.copy()
            one.relu(output, np.zeros_like(output[0]))
            # A lane with NaN here has diverged, and which zero its gradient has does not matter.
            slopes = np.nan_to_num(output)
            slopes[:, -1] = 1
            one.relu_gradient(dvalues, slopes)
        ends.append((gradient, losses, hits, output, slopes))
    assert all(same(one, other) for one, other in zip(*ends, strict=True))


def test_a_compiler_that_joins_products_and_sums_is_noticed() -> None:
    """As with fastmath, on any processor that can."""
    from numba import njit

    dtype = np.dtype(np.float32)
    loops: dict[Any, Any] = {loop: loop for loop in LOOPS}
    types = LOOPS[adam].replace("F", "f4")
    for fastmath in (False, True):
        loops[adam] = njit(types, fastmath=fastmath, error_model="numpy")(adam)
        assert as_numpy(partial(Compiled, loops=loops), dtype) is not fastmath


LOAD = """
import sys
if "hidden" in sys.argv:
    sys.modules["numba"] = None
import numpy as np
from nnreg import Lambdas, Split, TrainConfig, train, use_compiled
x, y = np.eye(4), np.arange(4)
print(use_compiled())
train(Split(x, y, x, y), TrainConfig(epochs=1), [Lambdas()])
"""


@pytest.mark.parametrize(
    ("hidden", "variables", "reason"),
    [
        (["hidden"], {}, "numba is not installed"),
        ([], {"NUMBA_DISABLE_JIT": "1"}, "NUMBA_DISABLE_JIT is set"),
        ([], {}, "numba does not work: cannot cache function"),
    ],
)
def test_where_it_cannot_be_numpy_trains(
    tmp_path: Path, hidden: list[str], variables: dict[str, str], reason: str
) -> None:
    """Without numba, or with it switched off; and where no folder takes what is compiled."""
    package = Path(nnreg.__file__).parent
    shutil.copytree(package, tmp_path / "nnreg", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "nnreg/__pycache__").write_text("no folder")
    places = {"HOME": os.devnull, "XDG_CACHE_HOME": os.devnull, "PYTHONPATH": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-c", LOAD, *hidden],
        cwd=tmp_path,
        env=os.environ | places | variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.startswith(reason)
