"""nnreg.train as a sweep uses it, with the loops that numba compiles."""

import numpy as np

from benchmarks.cases import Case
from benchmarks.peers import ours
from benchmarks.sides import Prepared
from nnreg.passes import use_compiled


def prepare(case: Case) -> Prepared:
    if reason := use_compiled(np.dtype(np.float32)):
        raise ImportError(reason, name="numba")
    import numba

    once, lanes, _ = ours.prepare(case)
    return once, lanes, f"numba {numba.__version__}"
