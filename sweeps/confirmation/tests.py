"""The claims on the test rows: which differences are real, which do not matter, and which cannot be
shown. Each look at a test set is counted: one that is looked at often is a validation set.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from experiments.digest import digest
from experiments.evaluation import Setting
from experiments.verdict import BETTER, NARROW, SAME, UNDECIDED, WORSE, Comparison, Opening
from sweeps.confirmation.crossed import Estimate
from sweeps.search.birth import BIRTH
from sweeps.search.study import Study

ALPHA = 0.05
"""The probability of any false "better" or "worse", over all openings of one test set, where what
is compared at one does not follow from what another showed."""
PREFIX = "opening:"  # of the attribute of the study that keeps one


def open_test_set(
    study: Study,
    rows: str,
    plan: Mapping[str, Any],
    others: Callable[[], Iterable[tuple[str, Mapping[str, Any] | None]]],
) -> Opening:
    """Note on the study, before anybody looks, what will be compared; return the look, counted.

    `rows` is the digest of the test rows, `plan` are the comparisons, as JSON; `others` yields the
    name of every study and what is kept on it. The same plan again is the same look.
    """
    key = PREFIX + digest([rows, plan])[:32]
    look = study.kept.get(key)
    if look is None:
        look = {"digest": rows, "opened": datetime.now(UTC).isoformat(), **plan}
        study.keep(key, look)  # first note it, then count: of two at once, each sees the other
    if "number" not in look:  # counted once, whatever is opened later and whatever clocks say
        found, this = list(others()), (study.kept[BIRTH]["study_uid"], key)
        looks = [
            (attributes[BIRTH]["study_uid"], name)
            for attributes in filter(None, [attributes for _, attributes in found])
            for name, other in attributes.items()
            if name.startswith(PREFIX) and other["digest"] == rows
        ]
        look["number"] = 1 + sum(one != this for one in looks)
        look["unread"] = sorted({name for name, attributes in found if attributes is None})
        study.keep(key, look)
    return Opening(
        number=look["number"],
        alpha=ALPHA / 2 ** look["number"],  # those of all looks add up to ALPHA
        opened=datetime.fromisoformat(look["opened"]),
        unread=tuple(look["unread"]),
    )


def levels(p_values: Sequence[float], alpha: float) -> list[float]:
    """Return the confidence level at which Holm's procedure (Scandinavian J. Statistics 6, 1979)
    tests each: its interval leaves 0 out where the procedure rejects, and only there.

    The smallest p is tested at alpha / n, the next at alpha / (n - 1), ... until one is not
    rejected; those after it are not, and keep its level.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    share, found, rejects = alpha, {}, True
    for rank, index in enumerate(order):
        if rejects:
            share = alpha / (len(order) - rank)
            rejects = p_values[index] <= share
        found[index] = 1 - share
    return [found[index] for index in range(len(p_values))]


def compare(
    against: Mapping[str, Setting],
    estimates: Mapping[Setting, Estimate],
    alpha: float,
    margin: float,
) -> tuple[Comparison, ...]:
    """Return the comparisons by name, from an estimate each; two names of a setting count once."""
    found = levels([estimate.p for estimate in estimates.values()], alpha)
    made = {
        setting: (estimate, level)
        for (setting, estimate), level in zip(estimates.items(), found, strict=True)
    }
    return tuple(comparison(name, *made[one], margin) for name, one in against.items())


def comparison(against: str, estimate: Estimate, level: float, margin: float) -> Comparison:
    """Return the comparison that an estimate gives, tested at a level, and its word."""
    gain, narrow = estimate.interval(level), estimate.interval(NARROW)
    if gain.low > 0:
        word = BETTER
    elif gain.high < 0:
        word = WORSE
    elif -margin < narrow.low and narrow.high < margin:
        word = SAME
    else:
        word = UNDECIDED
    detectable = estimate.detectable(1 - level)
    return Comparison(
        against=against, gain=gain, narrow=narrow, p=estimate.p, detectable=detectable, word=word
    )
