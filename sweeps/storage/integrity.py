"""The integrity of a study: it is a log of sealed records, so that a change to one is noticed.

A record is a trial or a value that is kept. Its seal has its place in the log, the digest of the
record before it, and its own. None is ever replaced: of two values of one key the later one counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial

from experiments.digest import digest
from experiments.errors import StorageError
from sweeps.storage.attributes import PACKED, RESULT, SEAL

KEPT = "sweeps:"  # how the attributes of a study begin that hold a record; its place follows


class Seal(NamedTuple):
    """The place of a record in the log, from 1, the digest of the record before it, and its own."""

    place: int = 0
    before: str = ""
    digest: str = ""

    def next(self, content: Any) -> "Seal":
        """Return the seal of the record of JSON that follows."""
        place = self.place + 1
        return Seal(place, self.digest, digest([place, self.digest, content]))


def trial_content(number: int, trial: FrozenTrial) -> list[Any]:
    """Return what is sealed of the trial of this number among those of sweeps, from 0."""
    distributions = {key: distribution_to_json(one) for key, one in trial.distributions.items()}
    recorded = [trial.state.name, trial.values, trial.params, distributions, trial.user_attrs]
    curve = sorted(trial.intermediate_values.items())
    return [number, *recorded, trial.system_attrs[RESULT][PACKED], curve]


def kept_records(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the records of values, each with its key and seal, in the order of the log."""
    found = [record for name, record in attributes.items() if name.startswith(KEPT)]
    return sorted(found, key=lambda record: record[SEAL])


def check(study: str, attributes: Mapping[str, Any], trials: Sequence[FrozenTrial]) -> Seal:
    """Return the last seal. Raises StorageError if a record is not as it was written."""
    log = [
        (trial.system_attrs[RESULT][SEAL], trial_content(number, trial), f"trial {trial.number}")
        for number, trial in enumerate(trials)
    ]
    for record in kept_records(attributes):
        key = record["key"]
        log.append((record[SEAL], [key, record["value"]], f"its {key.partition(':')[0]}"))
    last = Seal()
    for seal, content, name in sorted(log, key=lambda record: record[0]):
        last = last.next(content)
        if last != tuple(seal):
            raise damaged(study, name)
    return last


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
        f"study {study}: {what} is not as it was recorded (a record was changed, lost,"
        " duplicated or moved); restore a copy of the storage, or search again under another name"
        " with --study NAME: the same trials come out"
    )
