"""The driver: proposes a generation, has it evaluated, and records it in trial order."""

import logging
from collections.abc import Callable

from experiments.evaluation import Job
from experiments.records import TrialRecord
from sweeps.executors.evaluator import Evaluator
from sweeps.search.study import Study

logger = logging.getLogger(__name__)


def drive(
    study: Study,
    evaluator: Evaluator,
    *,
    trials: int,
    observe: Callable[[TrialRecord], None],
) -> None:
    """Go on until the study holds `trials` finished trials; `observe` gets each recorded one.

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
        jobs = [Job(proposal.setting, (evaluator.spec.config.seed,)) for proposal in proposals]
        results = evaluator.evaluate(jobs)
        for proposal, (result,) in zip(proposals, results, strict=True):
            record = study.record(proposal, result)
            logger.debug("trial %d: %s, %.2f s", record.trial, record.state, record.seconds)
            observe(record)
