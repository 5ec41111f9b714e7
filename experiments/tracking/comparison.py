"""The comparison: what a run on MLflow lacks of what the study says, and what it has that can only
be thrown away.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from experiments.records import StudyRecord
from experiments.tracking import inputs, runs
from experiments.tracking.page import PARENT, Found
from experiments.tracking.runs import Planned, Point

Histories = Callable[
    [str, Collection[str]], Mapping[str, set[Point]]
]  # reads the points of a run's metrics of these names
NOTE = "mlflow.note.content"  # the description on MLflow's page, which people edit


def of_run(planned: Planned, run: Found, parent: Found | None) -> list[str]:
    """How a run below `parent` differs, one phrase each: nothing where it is whole. Of curves only
    the last points are known.

    What others added, such as tags, more metrics or another name, is no difference.
    """
    return [
        *_differing(planned.params, run.params),
        *_differing(planned.last, run.metrics),
        *(f"{name} is {run.metrics[name]}, and it has none" for name in _foreign(planned, run)),
        *_differing(_tags(planned.tags), run.tags),
        *(["no note"] if NOTE in planned.tags and NOTE not in run.tags else []),
        *(
            ["not below the run that it belongs to"]
            if parent is None or run.tags.get(PARENT) != parent.run_id
            else []
        ),
        *_ending(planned.status, planned.ended, run),
    ]


def of_study(study: StudyRecord, run: Found) -> list[str]:
    """How the run of a study differs from that of the study when it has ended, one phrase each. A
    note that somebody edited is no difference.
    """
    return [
        *_differing(runs.study_params(study), run.params),
        *_differing({**runs.study_tags(study), **runs.closing_tags(study)}, run.tags),
        *_differing({point.name: point.value for point in runs.verdict_points(study)}, run.metrics),
        *(f"no {one.context} data" for one in inputs.inputs(study) if one.key not in run.inputs),
        *(["no note"] if study.verdict and NOTE not in run.tags else []),
        *(_ending("FINISHED", runs.study_ended(study), run) if study.trials else []),
    ]


def _differing(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} is {there[name]}, not {value}" if name in there else f"no {name}"
        for name, value in wanted.items()
        if there.get(name) != value
    ]


def _tags(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if name != NOTE}


def _ending(status: str, ended: int, run: Found) -> list[str]:
    if run.status != status:
        return [f"it is {run.status}, not {status}"]
    return [] if run.ended == ended else ["another end time"]


def contradicts(wanted: Mapping[str, str], run: Found) -> bool:
    """Whether a run has a param with another value: MLflow has no way to change one."""
    return any(run.params.get(name, value) != value for name, value in wanted.items())


def _foreign(planned: Planned, run: Found) -> list[str]:
    """The measurements of a run that there are none of, such as those of a trial that failed."""
    return sorted(run.metrics.keys() & planned.absent)


def beyond_repair(read: Histories, planned: Planned, run: Found) -> bool:
    """Whether a run has something of ours that is not planned, and that MLflow has no way to take
    back.
    """
    if contradicts(planned.params, run) or _foreign(planned, run):
        return True
    curves, last = planned.curves.keys() & run.metrics.keys(), planned.last
    if any(
        run.metrics[name] != value
        for name, value in last.items()
        if name in run.metrics and name not in curves
    ):
        return True
    points = set(planned.points())
    return any(there - points for there in read(run.run_id, curves).values())


def curves_differ(read: Histories, planned: Planned, run: Found) -> bool:
    """Whether a point of a curve is missing from a run, or not planned."""
    curves: dict[str, set[Point]] = {name: set() for name in planned.curves}
    for point in planned.points() if curves else ():
        if point.name in curves:
            curves[point.name].add(point)
    there = read(run.run_id, curves.keys())
    return any(there[name] != points for name, points in curves.items() if points)
