"""The choice: the simplest setting within one standard error of the winner, and what may be claimed of losses."""

import numpy as np
import pytest

from nnreg import Lambdas
from sweeps.confirmation.choice import Choice
from sweeps.confirmation.crossed import UNKNOWN, Weighting

ONE, TWO = Lambdas(weight_l2=1e-3), Lambdas(weight_l2=1e-3, bias_l1=1e-3)
HITS = Choice(Weighting(), counted=True)


def right(rows: int, of: int = 100) -> np.ndarray:
    """Hits of 5 seeds that agree."""
    return np.tile(np.arange(of) < rows, (5, 1)).astype(float)


def test_the_simplest_of_those_that_are_as_good_is_recommended() -> None:
    scores = {Lambdas(): right(60), ONE: right(89), TWO: right(90)}
    assert HITS.winner(list(scores), scores) == TWO
    assert HITS.recommended(TWO, list(scores), scores) == ONE
    assert HITS.recommended(TWO, list(scores), scores | {Lambdas(): right(89)}) == Lambdas()
    assert HITS.recommended(TWO, list(scores), scores | {ONE: right(80)}) == TWO


@pytest.mark.parametrize("rows", [29, 30])
def test_of_few_losses_nothing_is_claimed(rows: int) -> None:
    generator = np.random.default_rng(0)
    better, worse = generator.random((5, rows)), generator.random((5, rows)) - 5
    by_row = Choice(Weighting(), counted=False)
    assert by_row.difference(better, worse).p < 1e-6
    assert (by_row.claimed(better, worse).error == UNKNOWN) == (rows < 30)
    assert by_row.claimed(better, worse).mean == by_row.difference(better, worse).mean
    assert HITS.claimed(better, worse).error < UNKNOWN
    in_groups = Choice(Weighting(None, np.arange(rows) // 2), counted=False)
    assert in_groups.claimed(better, worse).error == UNKNOWN
