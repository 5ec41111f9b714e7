"""The driver: proposes a generation, has it evaluated, and records it in trial order."""

import logging
import math
from collections.abc import Callable
from dataclasses import replace

from experiments.evaluation import TrialResult, averaged
from experiments.records import TrialRecord
from sweeps.executors.evaluator import Evaluator
from sweeps.search.study import Study
from sweeps.search.study_record import UNSEEDED

logger = logging.getLogger(__name__)


def drive(
    study: Study,
    evaluator: Evaluator,
    *,
    trials: int,
    observe: Callable[[TrialRecord], None],
    note: Callable[[str], None] = logger.warning,
) -> None:
    """Go on until the study holds `trials` finished trials; `observe` gets each recorded one, and
    `note` what a person should know.

    What a task measures does not depend on its lanes, and results are taken in trial order, so
    an interruption leaves a prefix of the table of an uninterrupted run.
    """
    while study.finished < trials:
        proposals = study.propose()[: trials - study.finished]
        logger.info(
            "generation %d: %d trials to evaluate, %d recorded",
            proposals[0].generation,
            len(proposals),
            study.finished,
        )
        jobs = [study.experiment.job(proposal.setting) for proposal in proposals]
        spec = replace(evaluator.spec, medians=study.medians())
        # Again at the end, in a process that has trained others: a module's generator has moved on.
        again = jobs[:1] if spec.own and proposals[0].generation == 0 else []
        results = replace(evaluator, spec=spec).evaluate(jobs + again)
        records = []
        for proposal, networks in zip(proposals, results, strict=False):
            records.append(record := study.record(proposal, averaged(networks)))
            logger.debug("trial %d: %s, %.2f s", record.trial, record.state, record.seconds)
            observe(record)
        if again and (found := _difference(records[0], averaged(next(results)))):
            study.keep(UNSEEDED, found)
            note(
                f"two evaluations of trial {records[0].trial} differ ({found}), so your network"
                " uses random numbers that its seed does not decide: after an interruption a study"
                " goes on with others; use numpy.random, or the seed"
            )
    study.check_first()


def _difference(one: TrialResult, other: TrialResult) -> str:
    """Return where the curves of two evaluations of one trial differ first; empty if nowhere."""
    for name in one.curves:
        pairs = zip(one.curves[name], other.curves.get(name, ()), strict=False)
        for epoch, (first, second) in enumerate(pairs, start=1):
            if first != second and not (math.isnan(first) and math.isnan(second)):
                return f"{name} {first:g} and {second:g} at epoch {epoch}"
    return ""
