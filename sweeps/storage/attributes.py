"""The attributes of trials and studies: results, replicates and the verdict, as JSON.

A database takes two statements per attribute of a trial and three per intermediate value, so a few
numbers are shown to Optuna's tools, and the whole result is one packed value.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial
from pydantic import TypeAdapter

from experiments.evaluation import Setting, TrialResult, parameters_of
from experiments.verdict import Replicate, Verdict
from nnreg import LAMBDA_NAMES, Lambdas

RESULT = "sweeps:result"  # a system attribute: Optuna's dashboard never breaks a user attribute
PACKED, SEAL = "packed", "seal"  # in it: the result, and what `integrity` checks
SHOWN = ("data_loss", "regularization_loss")  # metrics among the user attributes
PREFIX = "replicates:"  # of the attributes of a study that hold the replicates of a setting each
VERDICT = "verdict"

_RESULT, _VERDICT = TypeAdapter(TrialResult), TypeAdapter(Verdict)
_REPLICATES = TypeAdapter(tuple[Replicate, ...])


def pack(value: Any) -> str:
    """Return a value of JSON as one string, compressed, in ASCII."""
    return base64.b64encode(zlib.compress(json.dumps(value).encode())).decode()


def unpack(text: str) -> Any:
    """Return the value that `pack` packed."""
    return json.loads(zlib.decompress(base64.b64decode(text)))


def packed_scores(scores: np.ndarray, kind: str = "<f4") -> str:
    """Return scores (seeds, rows) as one string, rounded to float32 or another `kind`."""
    return base64.b64encode(zlib.compress(scores.astype(kind).tobytes())).decode()


def scores_of(text: str, seeds: int, kind: str = "<f4") -> np.ndarray:
    """Return the scores (seeds, rows) that `packed_scores` packed as this kind."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=kind).reshape(seeds, -1)


def user_attributes(setting: Setting, result: TrialResult) -> dict[str, Any]:
    """Return what Optuna's tools show of a trial: the effective setting and a few numbers."""
    known = result.metrics.known if result.metrics else {}
    numbers = {name: known[name] for name in SHOWN if name in known}
    return setting.numbers | numbers | ({"error": result.error} if result.error else {})


def system_attributes(result: TrialResult) -> dict[str, Any]:
    """Return the whole result of a trial, packed, without its seal."""
    return {RESULT: {PACKED: pack(_RESULT.dump_python(result, mode="json", exclude={"network"}))}}


def points(result: TrialResult, objective: str) -> dict[int, float]:
    """Return three points of the objective's curve by epoch, the first, the kept and the last: a
    database takes three statements for each, and all of them are in RESULT.
    """
    curve = result.curves.get(objective, ())
    epochs = sorted({1, result.best_epoch, len(curve)}) if curve else []
    return {epoch: curve[epoch - 1] for epoch in epochs}


def setting_of(numbers: Mapping[str, Any]) -> Setting:
    """Return the setting in its `numbers`, for example the user attributes of a trial."""
    lambdas = Lambdas(**{name: numbers[name] for name in LAMBDA_NAMES})
    return Setting(lambdas, numbers["learning_rate"], parameters_of(numbers))


def result_of(trial: FrozenTrial) -> TrialResult:
    """Return the result that `system_attributes` packed."""
    return _RESULT.validate_python(unpack(trial.system_attrs[RESULT][PACKED]))


def packed_replicates(of_one_setting: Sequence[Replicate]) -> str:
    """Return the replicates of a setting, packed."""
    return pack(_REPLICATES.dump_python(tuple(of_one_setting), mode="json"))


def replicates_of(value: Mapping[str, Any]) -> tuple[Replicate, ...]:
    """Return the replicates that an attribute of a study holds beside their scores."""
    return _REPLICATES.validate_python(unpack(value["replicates"]))


def replicates(attributes: Mapping[str, Any]) -> tuple[Replicate, ...]:
    """Return the replicates among the attributes of a study."""
    kept = [value for key, value in attributes.items() if key.startswith(PREFIX)]
    return tuple(replicate for value in kept for replicate in replicates_of(value))


def verdict(attributes: Mapping[str, Any]) -> Verdict | None:
    """Return the verdict among the attributes of a study."""
    value = attributes.get(VERDICT)
    return None if value is None else _VERDICT.validate_python(value)


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as JSON."""
    fields: dict[str, Any] = _VERDICT.dump_python(verdict, mode="json")
    return fields
