"""The openings: every look at a test set, counted over all studies, because one that is looked at
often is a validation set.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from experiments.verdict import Opening
from sweeps.confirmation.tests import alpha_of
from sweeps.search.study import Study

PREFIX = "opening:"  # of the attribute of the study that keeps one

Attributes = Mapping[str, Any]


def open_test_set(
    study: Study,
    digest: str,
    plan: Mapping[str, Any],
    others: Callable[[], Iterable[tuple[str, Attributes]]],
) -> Opening:
    """Note on the study, before anything is looked at, what will be compared, and say how many
    looks there were before.

    `plan` are the comparisons, as JSON; `others` gives the name and the attributes of every study
    there is. The same plan again is the same look: its numbers can only be the same.
    """
    identity = hashlib.sha256(json.dumps([digest, plan], sort_keys=True).encode()).hexdigest()
    key = PREFIX + identity[:32]
    kept = study.optuna.user_attrs.get(key)
    if kept is None:
        kept = {"digest": digest, "opened": datetime.now(UTC).isoformat(), **plan}
        study.keep(key, kept)  # first to note it, then to count: of two at once, one sees the other
    number = 1 + sum(earlier(attributes, kept) for _, attributes in others())
    return Opening(
        digest=digest,
        number=number,
        alpha=alpha_of(number),
        opened=datetime.fromisoformat(kept["opened"]),
    )


def earlier(attributes: Attributes, opening: Attributes) -> int:
    """How many looks at the same rows a study has had before this one."""
    looks = [
        value
        for key, value in attributes.items()
        if key.startswith(PREFIX) and isinstance(value, dict)
    ]
    return sum(
        look["digest"] == opening["digest"] and look["opened"] < opening["opened"] for look in looks
    )
