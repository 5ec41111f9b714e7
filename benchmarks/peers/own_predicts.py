"""The same, and the network predicts the validation rows after each epoch, which measuring it
needs.
"""

from benchmarks.cases import Case
from benchmarks.peers import own_alone
from benchmarks.sides import Prepared


def prepare(case: Case) -> Prepared:
    return own_alone.prepare(case, measured=True)
