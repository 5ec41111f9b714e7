"""The audit: how what MLflow has of a study differs from the study."""

from dataclasses import dataclass, field

from experiments.records import StudyRecord
from experiments.tracking import comparison
from experiments.tracking.page import Page


@dataclass(frozen=True)
class Audit:
    """The number of runs of trials, and every difference: by a trial's number run ids, or phrases on how its run differs.

    `study` are phrases on the study's own run; `experiment_deleted` is whether the whole experiment was deleted, `location`
    where MLflow looks for artifacts that are elsewhere, or empty.
    """

    runs: int = 0
    experiment_deleted: bool = False
    location: str = ""
    study: list[str] = field(default_factory=list)
    without_run: list[int] = field(default_factory=list)
    without_trial: dict[int, list[str]] = field(default_factory=dict)
    several: dict[int, list[str]] = field(default_factory=dict)
    differing: dict[int, list[str]] = field(default_factory=dict)


def audit(study: StudyRecord, there: Page, location: str) -> Audit:
    """Compare a study with what MLflow has of it. Of several runs of a trial the best is compared."""
    known = {trial.trial for trial in study.trials}
    differing = {}
    for trial in study.trials:
        of = [comparison.of_trial(study, trial, run, there.study) for run in there.trials.get(trial.trial, ())]
        if phrases := min(of, key=len, default=[]):
            differing[trial.trial] = phrases
    return Audit(
        runs=sum(map(len, there.trials.values())),
        experiment_deleted=there.deleted is not None,
        location=location,
        study=_study(study, there),
        without_run=[trial.trial for trial in study.trials if not there.trials.get(trial.trial)],
        without_trial={number: _ids(there, number) for number in sorted(there.trials.keys() - known)},
        several={number: _ids(there, number) for number in sorted(known) if len(there.trials.get(number, ())) > 1},
        differing=differing,
    )


def _study(study: StudyRecord, there: Page) -> list[str]:
    if there.study is None:
        return ["it is not there"] if study.trials else []
    several = [f"there are {len(there.studies)} of it"] if len(there.studies) > 1 else []
    return several + comparison.of_study(study, there.study)


def _ids(there: Page, number: int) -> list[str]:
    return sorted(run.run_id for run in there.trials[number])
