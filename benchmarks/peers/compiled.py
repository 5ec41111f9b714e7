"""nnreg.train as a sweep uses it, with the loops that numba compiles."""

from benchmarks.cases import Case
from benchmarks.peers import ours
from benchmarks.sides import Prepared
from nnreg import use_compiled


def prepare(case: Case) -> Prepared:
    if reason := use_compiled():
        raise ImportError(reason, name="numba")
    import numba

    once, lanes, _ = ours.prepare(case)
    return once, lanes, f"numba {numba.__version__}"
