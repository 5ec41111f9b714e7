"""What is kept on a trial and on a study: numbers and curves, the replicates, the verdict; as JSON
and read back.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from experiments.evaluation import CURVES, TrialResult
from experiments.verdict import Replicate, Verdict
from nnreg import Lambdas

PREFIX = "replicate:"  # of the attribute of the study that keeps one
VERDICT = "verdict"
CURVES_KEY = "sweeps:curves"

_REPLICATE, _VERDICT = TypeAdapter(Replicate), TypeAdapter(Verdict)


def pack(curves: Mapping[str, Sequence[float]]) -> str:
    """Curves as one attribute: JSON, compressed, as ASCII."""
    return base64.b64encode(zlib.compress(json.dumps(curves).encode())).decode()


def unpack(attribute: str) -> dict[str, tuple[float, ...]]:
    """The curves that `pack` packed."""
    return {
        name: tuple(curve)
        for name, curve in json.loads(zlib.decompress(base64.b64decode(attribute))).items()
    }


def trial_attributes(lambdas: Lambdas, result: TrialResult) -> dict[str, Any]:
    """The user attributes of a trial of ours: every number beside its value."""
    attributes: dict[str, Any] = asdict(lambdas) | (
        asdict(result.metrics) if result.metrics else {}
    )
    attributes |= {"diverged": result.diverged, "epochs": result.epochs, "seconds": result.seconds}
    attributes |= {"started": result.started.isoformat(), "finished": result.finished.isoformat()}
    return attributes if result.error is None else attributes | {"error": result.error}


def packed_curves(result: TrialResult, objective: str) -> dict[str, str]:
    """The system attribute of a trial of ours: its curves, but for that of the objective, which are
    its intermediate values.

    Optuna's dashboard shows user attributes on lines that never break: this one would make the page
    a hundred times as wide.
    """
    return (
        {CURVES_KEY: pack({name: result.curves[name] for name in CURVES if name != objective})}
        if result.curves
        else {}
    )


def curves_of(attributes: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """The curves that `packed_curves` packed, from the system attributes of a trial."""
    return unpack(attributes[CURVES_KEY]) if CURVES_KEY in attributes else {}


def as_json(one: Replicate) -> dict[str, Any]:
    """A replicate as JSON."""
    fields: dict[str, Any] = _REPLICATE.dump_python(one, mode="json")
    return {"replicate": fields | {"curves": pack(one.curves)}}


def as_replicate(value: Mapping[str, Any]) -> Replicate:
    """The replicate that `as_json` made JSON of."""
    fields = value["replicate"]
    return _REPLICATE.validate_python(fields | {"curves": unpack(fields["curves"])})


def replicates(attributes: Mapping[str, Any]) -> tuple[Replicate, ...]:
    """The replicates that a study keeps, from its attributes."""
    return tuple(as_replicate(value) for key, value in attributes.items() if key.startswith(PREFIX))


def verdict(attributes: Mapping[str, Any]) -> Verdict | None:
    """The verdict that a study keeps, from its attributes."""
    value = attributes.get(VERDICT)
    return None if value is None else _VERDICT.validate_python(value)


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON."""
    fields: dict[str, Any] = _VERDICT.dump_python(verdict, mode="json")
    return fields
