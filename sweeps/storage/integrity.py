"""The integrity of a study: each record carries a digest, so that a change to one is noticed.

A trial's digest covers the trial and the digest of the one before it. An attribute of the study is
kept with its order of writing, and attests the trials and the other attributes that were there.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial

from experiments.digest import digest
from experiments.errors import StorageError
from sweeps.storage.attributes import DIGEST, PACKED, RESULT

FIELDS = {"value", "order", "trials", "others", "digest"}  # of an attribute of the study


def trial_digest(before: str, number: int, trial: FrozenTrial) -> str:
    """Return the digest of a study's trial, counted from 0, and of all those before it."""
    distributions = {key: distribution_to_json(one) for key, one in trial.distributions.items()}
    recorded = [trial.state.name, trial.values, trial.params, distributions, trial.user_attrs]
    curve = sorted(trial.intermediate_values.items())
    return digest([before, number, *recorded, _result(trial).get(PACKED), curve])


def last_digest(trials: Sequence[FrozenTrial]) -> str:
    """Return the digest of all trials, which is that of the last one."""
    return _result(trials[-1])[DIGEST] if trials else ""


def attested(
    key: str, value: Any, attributes: Mapping[str, Any], trials: Sequence[FrozenTrial]
) -> dict[str, Any]:
    """Return what is kept of a value of JSON under a key, in place of an earlier one."""
    seal = {
        "value": value,
        "order": 1 + max((one["order"] for one in _ours(attributes).values()), default=0),
        "trials": last_digest(trials),
        "others": _others(key, attributes),
    }
    return seal | {"digest": digest([key, seal])}


def values_of(study: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of the attested attributes. Raises StorageError where one was changed."""
    for key, one in _ours(attributes).items():
        seal = {name: one[name] for name in FIELDS - {"digest"}}
        if one["digest"] != digest([key, seal]):
            raise damaged(study, f"its {key.partition(':')[0]}")
    return {key: one["value"] for key, one in _ours(attributes).items()}


def check(study: str, attributes: Mapping[str, Any], trials: Sequence[FrozenTrial]) -> None:
    """Raise StorageError where trials or attributes are not those that were recorded."""
    before, known = "", {""}
    for number, trial in enumerate(trials):
        before = trial_digest(before, number, trial)
        known.add(before)
        if _result(trial).get(DIGEST) != before:
            raise damaged(study, f"trial {trial.number}")
    values_of(study, attributes)
    key, last = max(_ours(attributes).items(), key=lambda item: item[1]["order"])
    if last["trials"] not in known or last["others"] != _others(key, attributes):
        raise damaged(study, f"what was recorded before its {key.partition(':')[0]}")


def _result(trial: FrozenTrial) -> Mapping[str, Any]:
    found = trial.system_attrs.get(RESULT)
    return found if isinstance(found, dict) else {}


def _others(key: str, attributes: Mapping[str, Any]) -> str:
    """Return the digest of all attributes but one."""
    ours = _ours(attributes).items()
    return digest({name: one["digest"] for name, one in ours if name != key})


def _ours(attributes: Mapping[str, Any]) -> dict[str, Any]:
    found = attributes.items()
    return {key: one for key, one in found if isinstance(one, dict) and one.keys() == FIELDS}


@contextmanager
def reading(study: str) -> Iterator[None]:
    """Raise what records of wrong types lead to as a StorageError."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise damaged(study, "a record") from error


def damaged(study: str, what: str) -> StorageError:
    """Return the error for something of a study that is not as it was recorded."""
    return StorageError(
        f"study {study}: {what} is not as it was recorded (a record was changed, lost, doubled or"
        " moved); put a copy of the storage back, or search again under another name with --study"
        " NAME: the same trials come out"
    )
