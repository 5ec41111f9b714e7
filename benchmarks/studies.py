"""A study in this process: searched, confirmed and tested as `sweeps run` does it, in a folder of
its own, without MLflow and reports.
"""

import itertools
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy import stats

from benchmarks.in_process import searched
from benchmarks.simulated import Problem
from experiments import experiment_file
from experiments.datasets import Dataset, Sealed
from experiments.spec import Experiment
from experiments.verdict import BASELINE, BETTER, WINNER, WORSE, Comparison, Verdict
from sweeps.confirmation import Means, choice, confirmed, tests
from sweeps.confirmation.choice import Choice
from sweeps.confirmation.replicates import Replicates
from sweeps.search.study import Study

FALSE = (BETTER, WORSE)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a study. `forced` are the comparisons of the penalised arm's winner, as if it
    were recommended; `over_seeds` is the p-value of a t test over the seeds of that against the
    baseline, which forgets that rows vary.
    """

    word: str
    claimed: tuple[str, ...]
    forced: tuple[Comparison, ...]
    over_seeds: float
    seconds: float

    @property
    def false(self) -> bool:
        """Whether it claims anything that would be false in a null."""
        return any(word in FALSE for word in self.claimed)

    @property
    def false_when_forced(self) -> bool:
        return any(comparison.word in FALSE for comparison in self.forced)


def judged(experiment: Experiment, folder: Path, *, force: bool = False) -> Outcome:
    """Search, confirm and open the test set; then force a comparison, if that is asked for."""
    start = time.perf_counter()
    with searched(experiment, folder) as found:
        study, data, means = found.study, found.data, found.means
        reports = found.place.reports_of(experiment.name)
        verdict = confirmed(study, data, means, open_test=True, folder=reports)
        seconds = time.perf_counter() - start
        assert verdict is not None
        forced, over_seeds = _forced(study, data, means, verdict) if force else ((), 1.0)
    return Outcome(
        word=verdict.word,
        claimed=tuple(comparison.word for comparison in verdict.comparisons),
        forced=forced,
        over_seeds=over_seeds,
        seconds=seconds,
    )


def _forced(
    study: Study, data: Dataset, means: Means, verdict: Verdict
) -> tuple[tuple[Comparison, ...], float]:
    """Compare the penalised arm's winner on the test rows as if it were recommended."""
    experiment, replicates = study.experiment, Replicates(study, data, means)
    winner, baseline = verdict.confirmed(WINNER).setting, verdict.baseline
    tried = choice.alternatives(winner, baseline, experiment.rates)
    val_scores = replicates.scores(itertools.chain(*tried.values()))
    on_val = Choice.by(verdict.objective, data.y, data.groups)
    against = {BASELINE: baseline} | {
        name: on_val.winner(settings, val_scores) for name, settings in tried.items()
    }
    settings = [winner, *against.values()]
    replicates.prepare(settings)
    sealed, dtype = Sealed(experiment.data), experiment.training.dtype
    opened = [sealed.open(division.preparation, dtype) for division in data.divisions]
    scores, _ = replicates.test(settings, opened)
    rows = opened[0]
    chooser = Choice.by(verdict.objective, rows.y, rows.groups)
    estimates = {
        setting: chooser.claimed(scores[winner], scores[setting]) for setting in against.values()
    }
    by_seed = chooser.weighting.means(scores[winner] - scores[baseline])
    over_seeds = stats.ttest_1samp(by_seed, 0.0).pvalue if by_seed.any() else 1.0
    compared = tests.compare(against, estimates, tests.ALPHA / 2, experiment.confirm.margin)
    return compared, float(over_seeds)


def simulated(
    problem: Problem,
    number: int,
    *,
    sweep: Mapping[str, Any],
    confirm: Mapping[str, Any],
    force: bool = False,
) -> Outcome:
    """Judge the study of this number of a problem, with these settings."""
    with tempfile.TemporaryDirectory() as folder:
        experiment = problem.experiment(number, Path(folder), sweep, confirm)
        return judged(experiment, Path(folder), force=force)


def of_digits_noisy(edits: Sequence[str], number: int) -> Outcome:
    """Judge a study of `digits_noisy` with a split, training and sampler seed of its own."""
    own = [f"{key}={number}" for key in ("data.split.seed", "training.seed", "sweep.seed")]
    with tempfile.TemporaryDirectory() as folder:
        return judged(experiment_file.load("digits_noisy", [*own, *edits]), Path(folder))
