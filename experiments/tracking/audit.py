"""The audit: how what MLflow has of a study differs from it, by the same equality as writing."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.records import StudyRecord
from experiments.tracking import database
from experiments.tracking.ledger import Ledger
from experiments.tracking.plan import CONFIRM, plans
from experiments.tracking.snapshot import Snapshot


@dataclass(frozen=True)
class Problem:
    """A run that is not there, is not as planned, is there more than once, or is not planned.

    `name` is a trial's number, or the name of a network's run; `differing` names what differs.
    """

    kind: str
    name: str
    run_ids: tuple[str, ...]
    differing: tuple[str, ...] = ()
    planned: bool = True


@dataclass(frozen=True)
class Audit:
    """How MLflow differs. `runs` are counts by kind, `model` is what the model's registration lacks.

    `location` is where MLflow looks for artifacts that are elsewhere, or empty.
    """

    runs: Counter[str]
    problems: tuple[Problem, ...]
    model: tuple[str, ...]
    experiment_deleted: bool
    location: str

    def missing(self, kind: str) -> list[str]:
        """The names of those that have no run as planned."""
        return [
            one.name
            for one in self.problems
            if one.kind == kind and one.planned and (one.differing or not one.run_ids)
        ]


def audit(ledger: Ledger, there: Snapshot, study: StudyRecord, model: Sequence[str]) -> Audit:
    """Compare a study with what MLflow has of it."""
    problems, rest = [], dict(there.runs)
    for plan in plans(study):
        kind, which = plan.key
        ids = sorted(run.run_id for run in rest.pop(plan.key, ()))
        chosen = ledger.chosen(there, plan)
        differing = plan.differences(chosen, ledger.parent(there, plan)) if chosen else []
        if differing or len(ids) != 1:
            name = plan.name if kind == CONFIRM else which
            problems.append(Problem(kind, name, tuple(ids), tuple(differing)))
    for (kind, which), runs in sorted(rest.items()):
        ids = sorted(run.run_id for run in runs)
        problems += [Problem(kind, which, tuple(ids), planned=False)] if ids else []
    return Audit(
        runs=Counter(kind for (kind, _), runs in there.runs.items() for _ in runs),
        problems=tuple(problems),
        model=tuple(model),
        experiment_deleted=there.deleted is not None,
        location=there.location if database.moved(ledger.store, there.location) else "",
    )
