"""The claims: which differences on the test rows are real, which do not matter, and which these
rows cannot show.
"""

from collections.abc import Mapping, Sequence

from experiments.verdict import BETTER, NARROW, SAME, UNDECIDED, WORSE, Comparison
from sweeps.confirmation.crossed import Estimate

ALPHA = 0.05
"""The probability of any false "better" or "worse", over all openings of one test set, where what is compared at one does not
follow from what another showed."""


def alpha_of(opening: int) -> float:
    """The error rate that is left for the first, second, ... look at the same test rows: all of
    them add up to ALPHA.
    """
    return float(ALPHA / 2**opening)


def levels(p_values: Sequence[float], alpha: float) -> list[float]:
    """The confidence level at which Holm's procedure (Scandinavian J. Statistics 6, 1979) tests
    each: its interval leaves 0 out where the procedure rejects, and only there.

    The smallest p is tested at alpha / n, the next at alpha / (n - 1), ... until one is not
    rejected; those after it are not, and keep its level.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    share, found, going = alpha, {}, True
    for rank, index in enumerate(order):
        if going:
            share = alpha / (len(order) - rank)
            going = p_values[index] <= share
        found[index] = 1 - share
    return [found[index] for index in range(len(p_values))]


def compare(
    estimates: Mapping[str, Estimate], alpha: float, margin: float
) -> tuple[Comparison, ...]:
    """The comparisons, by what the recommended setting is compared with; those that are one and the
    same estimate count once.
    """
    distinct = list({id(estimate): estimate for estimate in estimates.values()}.values())
    level_of = dict(
        zip(map(id, distinct), levels([estimate.p for estimate in distinct], alpha), strict=True)
    )
    return tuple(
        _comparison(name, estimate, level_of[id(estimate)], margin)
        for name, estimate in estimates.items()
    )


def _comparison(against: str, estimate: Estimate, level: float, margin: float) -> Comparison:
    gain, narrow = estimate.interval(level), estimate.interval(NARROW)
    if gain.low > 0:
        word = BETTER
    elif gain.high < 0:
        word = WORSE
    elif -margin < narrow.low and narrow.high < margin:
        word = SAME
    else:
        word = UNDECIDED
    return Comparison(
        against=against,
        gain=gain,
        narrow=narrow,
        error=estimate.error,
        freedom=estimate.freedom,
        p=estimate.p,
        detectable=estimate.detectable(1 - level),
        word=word,
    )
