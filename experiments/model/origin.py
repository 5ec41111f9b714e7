"""The origin: what a model was made of, by which it is known again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from experiments.records import StudyRecord
    from experiments.verdict import Verdict


def origin(study: "StudyRecord", verdict: "Verdict") -> dict[str, Any]:
    """What the model of a verdict is, as JSON: that of other lambdas is another."""
    return {
        "study": study.study,
        "study_uid": study.study_uid,
        "fingerprint": study.fingerprint,
        "lambdas": asdict(verdict.use),
        "seed": verdict.seeds[0],
        "rows": verdict.rows["training"] + verdict.rows["validation"],
    }


def digest(made_of: Mapping[str, Any]) -> str:
    """SHA-256 of an origin as canonical JSON: sorted keys, no spaces."""
    return hashlib.sha256(
        json.dumps(made_of, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()


def confirmed_at(study: "StudyRecord") -> "datetime":
    """When the last thing that a study's verdict rests on was measured; there must be a verdict."""
    times = [one.finished for one in study.confirmed.values()]
    if study.verdict and study.verdict.opening:
        times.append(study.verdict.opening.opened)
    return max(times)
