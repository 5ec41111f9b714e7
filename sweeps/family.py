"""The family of an experiment with outer folds: a search on all rows, which gives the setting to
use, and a search per outer fold. These give the verdict on searching with penalties.
"""

import time
from dataclasses import replace
from datetime import timedelta

from experiments.datasets import Sealed
from experiments.errors import InputError
from experiments.spec import Experiment
from sweeps.confirmation.outer import outer_study
from sweeps.progress import Progress
from sweeps.result import Sweep
from sweeps.search.search import Search
from sweeps.session import Steps
from sweeps.workspace import check_name


def check(experiment: Experiment, *, confirm: bool, keep_sealed: bool) -> None:
    """Raise InputError for what cannot be asked of a family."""
    for option, given in (("--keep-sealed", keep_sealed), ("--no-confirm", not confirm)):
        if given:
            raise InputError(
                f"{option} cannot be used with data.split.outer = {experiment.outer_folds}, whose"
                " verdict is about the test rows of all outer folds; leave it out, or write"
                " data.split.test in place of outer"
            )


def run(steps: Steps, search: Search, name: str, progress: Progress) -> Sweep:
    """Search on all rows, have a study search and test on each outer fold, and confirm the first
    search with what they found together. Each step goes on from where it stands.
    """
    experiment, began = search.experiment, time.monotonic()
    folds = experiment.outer_folds
    check_name(outer_study(name, folds))
    for fold in range(1, folds + 1):  # what cannot be divided is refused before anything is made
        Sealed(experiment.of_outer_fold(fold).data)
    progress.tell(
        f"{folds + 1} searches of {steps.trials} trials: one on all rows, for the setting to use,"
        f" and one per outer fold, for the verdict"
    )
    steps.run(search, name, progress.again(), confirm=False, open_test=False)
    for fold in range(1, folds + 1):
        of_fold = replace(search, experiment=experiment.of_outer_fold(fold))
        its = outer_study(name, fold)
        steps.run(of_fold, its, progress.again(), confirm=True, open_test=True)
        seconds = (time.monotonic() - began) * (folds - fold) / (fold + 1)
        left = f"; about {timedelta(seconds=round(seconds))} left" if fold < folds else ""
        progress.tell(f"{its}: done{left}")
    return steps.run(search, name, progress, confirm=True, open_test=True)
