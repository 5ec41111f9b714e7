"""The audit: how what MLflow has of a study differs from the study."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from experiments.records import StudyRecord
from experiments.tracking import comparison, runs
from experiments.tracking.page import Page
from experiments.tracking.runs import CONFIRM, TRIAL, Planned

Name = TypeVar("Name", int, str)


@dataclass(frozen=True)
class Children(Generic[Name]):
    """The number of runs of one kind below a study's, and every difference by name: run ids, or
    phrases on how its run differs.

    `missing` have no run, `strangers` are of nothing in the study.
    """

    runs: int
    missing: list[Name]
    strangers: dict[Name, list[str]]
    several: dict[Name, list[str]]
    differing: dict[Name, list[str]]


@dataclass(frozen=True)
class Audit:
    """How MLflow differs: in the runs of trials by number, and in those of the confirmation's
    networks by their names.

    `study` are phrases on the study's own run, `model` on its verdict's model; `experiment_deleted`
    is whether the whole experiment was deleted, `location` where MLflow looks for artifacts that
    are elsewhere, or empty.
    """

    trials: Children[int]
    confirmation: Children[str]
    experiment_deleted: bool = False
    location: str = ""
    study: list[str] = field(default_factory=list)
    model: list[str] = field(default_factory=list)


def audit(study: StudyRecord, there: Page, location: str) -> Audit:
    """Compare a study with what MLflow has of it. Of several runs of one thing the best is
    compared.
    """
    confirmation = runs.confirmation(study)
    names = {one.key[1]: one.name for one in confirmation}
    return Audit(
        trials=_children(
            TRIAL, int, [runs.of_trial(study, trial) for trial in study.trials], there
        ),
        confirmation=_children(
            CONFIRM, lambda identity: names.get(identity, identity), confirmation, there
        ),
        experiment_deleted=there.deleted is not None,
        location=location,
        study=_study(study, there),
    )


def _children(
    kind: str, name: Callable[[str], Name], planned: Iterable[Planned], there: Page
) -> Children[Name]:
    found = {
        name(key[1]): children
        for key, children in there.children.items()
        if key[0] == kind and children
    }
    wanted = {name(one.key[1]): one for one in planned}
    ids = {which: sorted(run.run_id for run in children) for which, children in found.items()}
    differing = {}
    for which, one in wanted.items():
        if phrases := min(
            (comparison.of_run(one, run, there.above(one.key)) for run in found.get(which, ())),
            key=len,
            default=[],
        ):
            differing[which] = phrases
    return Children(
        runs=sum(map(len, ids.values())),
        missing=[which for which in wanted if which not in ids],
        strangers={which: ids[which] for which in sorted(ids.keys() - wanted.keys())},
        several={which: ids[which] for which in wanted if len(ids.get(which, ())) > 1},
        differing=differing,
    )


def _study(study: StudyRecord, there: Page) -> list[str]:
    if there.study is None:
        return ["it is not there"] if study.trials else []
    several = [f"there are {len(there.studies)} of it"] if len(there.studies) > 1 else []
    return several + comparison.of_study(study, there.study)
