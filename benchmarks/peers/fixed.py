"""nnreg.train with one learning rate for all lanes, and the last epoch kept."""

from benchmarks.cases import Case
from benchmarks.peers import ours
from benchmarks.sides import Prepared


def prepare(case: Case) -> Prepared:
    return ours.prepare(case, tuned=False)
