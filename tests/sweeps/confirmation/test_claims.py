"""The claims: Holm's procedure and its intervals say the same; the words mean what they say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from experiments.evaluation import Setting
from experiments.verdict import BETTER, SAME, UNDECIDED, WORSE
from nnreg import Lambdas
from sweeps.confirmation import tests
from sweeps.confirmation.crossed import Estimate
from sweeps.confirmation.tests import compare, levels
from tests.sweeps.search.trials import experiment, opened

OFF = Setting(Lambdas(), 0.01)


def holm(p_values: list[float], alpha: float) -> list[bool]:
    """Which are rejected, written down as in the textbook: by adjusted p-values."""
    order = np.argsort(p_values, kind="stable")
    adjusted = np.maximum.accumulate(
        [(len(order) - rank) * p_values[index] for rank, index in enumerate(order)]
    )
    rejected = dict(zip(order, adjusted <= alpha, strict=True))
    return [bool(rejected[index]) for index in range(len(p_values))]


@given(st.lists(st.floats(0, 0.03) | st.floats(0, 1), min_size=1, max_size=5))
@example([0.02, 0.02])  # the second is below its own share, and after one that was not rejected
def test_a_level_leaves_0_out_where_holm_rejects(p_values: list[float]) -> None:
    found = levels(p_values, 0.025)
    shares = [1 - level for level in found]
    rejected = [p <= share for p, share in zip(p_values, shares, strict=True)]
    # 1 - level rounds; a p-value within rounding of its bound may fall to either side.
    near = any(abs(p - 0.025 / n) < 1e-12 for p in p_values for n in range(1, 6))
    assert near or rejected == holm(p_values, 0.025)
    assert all(share <= 0.025 + 1e-12 for share in shares)


@pytest.mark.parametrize(
    ("mean", "error", "word"),
    [
        (0.03, 0.005, BETTER),
        (-0.03, 0.005, WORSE),
        (0.001, 0.004, SAME),
        (0.004, 0.0005, BETTER),  # too small to matter, but there: better comes first
        (0.001, 0.02, UNDECIDED),
        (0.0, 0.0, SAME),
    ],
)
def test_the_words(mean: float, error: float, word: str) -> None:
    estimates = {OFF: Estimate(mean, error, 200.0)}
    (made,) = compare({"baseline": OFF}, estimates, alpha=0.025, margin=0.01)
    assert made.word == word
    assert made.gain.low <= mean <= made.gain.high
    assert made.gain.level == pytest.approx(0.975)


def test_a_comparison_that_is_another_counts_once() -> None:
    """With one lambda on, to be without it is to be the baseline."""
    one, other = Estimate(0.02, 0.0085, 400.0), Setting(Lambdas(weight_l1=0.1), 0.01)
    names = {"baseline": OFF, "weight_l2": OFF}
    both = compare(names, {OFF: one}, alpha=0.025, margin=0.01)
    assert [each.gain.level for each in both] == [0.975, 0.975]
    apart = names | {"weight_l2": other}
    both = compare(apart, {OFF: one, other: one}, alpha=0.025, margin=0.01)
    assert both[0].gain.level == 0.9875


def test_a_look_that_goes_on_later_keeps_its_number(memory: Path) -> None:
    study = opened(memory / "s.journal", experiment())
    earlier = {"sweep": {"study_uid": "another"}, "opening:1": {"digest": "rows"}}
    of_other_rows = {"sweep": {"study_uid": "third"}, "opening:2": {"digest": "others"}}
    found: list[tuple[str, dict[str, Any] | None]] = [("a", earlier), ("b", of_other_rows)]

    def look(seed: int) -> tuple[int, float, tuple[str, ...]]:
        others = [("s", study.kept), ("broken", None), *found]
        look = tests.open_test_set(study, "rows", {"seeds": [seed]}, lambda: others)
        return look.number, look.alpha, look.unread

    assert look(seed=1) == (2, 0.0125, ("broken",))
    found.append(("later", earlier))
    assert look(seed=1) == (2, 0.0125, ("broken",))
    found.clear()
    assert look(seed=2) == (2, 0.0125, ("broken",))  # the study's own first look
    study.close()
