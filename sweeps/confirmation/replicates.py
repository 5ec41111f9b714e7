"""The replicates: settings trained again with fresh seeds, kept on the study one by one."""

import base64
import logging
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from experiments.datasets import TestRows
from experiments.errors import WorkersError
from experiments.evaluation import EvaluationSpec, Job, one_thread, row_answers
from experiments.verdict import Replicate, TestScores
from nnreg import Lambdas
from nnreg.network import LayerParameters
from sweeps.confirmation.crossed import Scores, Weighting
from sweeps.executors.evaluator import Evaluator, Lanes
from sweeps.interrupts import Interrupts
from sweeps.search.study import Study
from sweeps.storage.attributes import PREFIX, packed_replicate, replicate_of

logger = logging.getLogger(__name__)

FRESH = 0xF2E54  # the stream of a training seed that its fresh seeds are drawn from


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a confirmation works with. `others` yields the name and the attributes of every study
    there is; `observe` is called with the number of networks trained and that of all.
    """

    executor: Executor
    spec: EvaluationSpec
    lanes: Lanes
    interrupts: Interrupts
    others: Callable[[], Iterable[tuple[str, Mapping[str, Any]]]]
    observe: Callable[[int, int], None]


def fresh_seeds(training_seed: int, count: int) -> tuple[int, ...]:
    """Return seeds that the search has never used; fewer are the first of more."""
    drawn = np.random.SeedSequence(training_seed, spawn_key=(FRESH,)).generate_state(2 * count + 8)
    return tuple(dict.fromkeys(int(seed) for seed in drawn if seed != training_seed))[:count]


class Replicates:
    """The replicates of one study, with those of earlier confirmations. What trains raises
    WorkersError.

    The score of a row is a hit, or the loss with its sign turned where the objective is the loss.
    """

    def __init__(self, study: Study, means: Means) -> None:
        experiment = study.experiment
        self.seeds = fresh_seeds(experiment.training.seed, experiment.confirm.seeds)
        self.study, self.means, self._by_hits = study, means, experiment.maximize
        spec = replace(means.spec, with_networks=True)
        self._evaluator = Evaluator(means.executor, spec, means.lanes)
        self._kept: dict[Job, tuple[Replicate, np.ndarray]] = {}
        self._networks: dict[Job, list[LayerParameters]] = {}
        for name, value in study.optuna.user_attrs.items():
            if name.startswith(PREFIX):
                one = replicate_of(value)
                self._kept[Job(one.lambdas, one.seed)] = one, _unpack(value["scores"])
        self._wanted = self._done = 0

    def of(self, lambdas: Lambdas) -> list[Replicate]:
        return [self._kept[Job(lambdas, seed)][0] for seed in self.seeds]

    def scores(self, settings: Iterable[Lambdas]) -> dict[Lambdas, Scores]:
        """Return the scores (seeds, validation rows) of each setting, and train what is missing."""
        settings = list(settings)
        self._train([job for job in self._jobs(settings) if job not in self._kept])
        return {
            one: np.array([self._kept[Job(one, seed)][1] for seed in self.seeds], np.float64)
            for one in settings
        }

    def prepare(self, settings: Iterable[Lambdas]) -> None:
        """Train the networks that `test` needs: the study keeps none of an earlier run."""
        self._train([job for job in self._jobs(settings) if job not in self._networks])

    def test(
        self, settings: Iterable[Lambdas], rows: TestRows
    ) -> tuple[dict[Lambdas, Scores], dict[Lambdas, Scores]]:
        """Return scores and hits (seeds, test rows) of prepared settings, and keep their means."""
        balanced, all_scores, all_hits = Weighting(rows.y), {}, {}
        for lambdas in dict.fromkeys(settings):
            kept = [self._kept[Job(lambdas, seed)] for seed in self.seeds]
            fits = [(self._networks[Job(lambdas, one.seed)], one.diverged) for one, _ in kept]
            with one_thread():  # the same numbers on every machine, as in training
                losses, found = row_answers(rows.x, rows.y, fits)
            hits = found.astype(np.float64)
            all_scores[lambdas], all_hits[lambdas] = hits if self._by_hits else -losses, hits
            means = (hits.mean(axis=1), balanced.means(hits), losses.mean(axis=1))
            for (one, scores), *numbers in zip(kept, *means, strict=True):
                self._keep(replace(one, test=TestScores(*map(float, numbers))), scores)
        return all_scores, all_hits

    def _jobs(self, settings: Iterable[Lambdas]) -> list[Job]:
        """Return the networks by seed first: lanes of one seed share their batches."""
        distinct = dict.fromkeys(settings)
        return [Job(lambdas, seed) for seed in self.seeds for lambdas in distinct]

    def _train(self, jobs: Sequence[Job]) -> None:
        self._wanted += len(jobs)
        if jobs:
            logger.info("confirmation: %d networks to train", len(jobs))
        for job, result in zip(jobs, self._evaluator.evaluate(jobs), strict=True):
            if result.network is None or result.metrics is None:
                raise WorkersError(
                    "the confirmation cannot be finished: a network could not be trained"
                    f" ({result.error}); what was recorded is kept. Go on with: sweeps confirm"
                    f" {self.study.optuna.study_name}"
                )
            self._networks[job] = result.network.parameters
            if job not in self._kept:
                replicate = Replicate(
                    lambdas=job.lambdas,
                    seed=job.seed,
                    metrics=result.metrics,
                    curves=result.curves,
                    layers=result.network.layers,
                    diverged=result.diverged,
                    seconds=result.seconds,
                    started=result.started,
                    finished=result.finished,
                )
                scores = result.network.hits if self._by_hits else -result.network.losses
                # Rounded as they are kept: an interrupted confirmation goes on with the same.
                self._keep(replicate, scores.astype(np.float32))
            self._done += 1
            self.means.observe(self._done, self._wanted)

    def _keep(self, one: Replicate, scores: np.ndarray) -> None:
        self._kept[Job(one.lambdas, one.seed)] = one, scores
        packed = base64.b64encode(zlib.compress(scores.astype("<f4").tobytes())).decode()
        with self.means.interrupts.protected():
            kept = {"replicate": packed_replicate(one), "scores": packed}
            self.study.keep(PREFIX + one.identity, kept)


def _unpack(packed: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype="<f4")
