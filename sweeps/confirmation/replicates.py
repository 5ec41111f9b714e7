"""The replicates: settings trained again with fresh seeds, kept on the study setting by setting."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from experiments.datasets import Dataset, TestRows
from experiments.errors import WorkersError
from experiments.evaluation import (
    Evaluated,
    EvaluationSpec,
    Job,
    Setting,
    one_thread,
    row_answers,
)
from experiments.verdict import Replicate, TestScores
from nnreg.network import LayerParameters
from sweeps.confirmation.crossed import Scores, Weighting
from sweeps.executors.evaluator import Evaluator
from sweeps.search.study import Study
from sweeps.storage.attributes import (
    PREFIX,
    packed_replicates,
    packed_scores,
    replicates_of,
    scores_of,
)

logger = logging.getLogger(__name__)

FRESH = 0xF2E54  # the stream of a training seed that its fresh seeds are drawn from


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a confirmation works with. `others` yields the name of every study there is and what is
    kept on it, None if that cannot be read; `observe` is called with the number of networks
    trained and that of all.
    """

    evaluator: Evaluator
    others: Callable[[], Iterable[tuple[str, Mapping[str, Any] | None]]]
    observe: Callable[[int, int], None]


def fresh_seeds(training_seed: int, count: int) -> tuple[int, ...]:
    """Return seeds that the search has never used; fewer are the first of more."""
    drawn = np.random.SeedSequence(training_seed, spawn_key=(FRESH,)).generate_state(2 * count + 8)
    return tuple(dict.fromkeys(int(seed) for seed in drawn if seed != training_seed))[:count]


class Replicates:
    """The replicates of one study, with those of earlier confirmations of as many seeds. What
    trains raises WorkersError.

    The score of a row is a hit, or the loss with its sign turned where the objective is the loss.
    With folds, each seed trains the folds of one repeat, which validate each row once; and a seed's
    score of a test row is the mean of their scores.
    """

    def __init__(self, study: Study, data: Dataset, means: Means) -> None:
        experiment = study.experiment
        self.seeds = fresh_seeds(experiment.training.seed, experiment.confirm.seeds)
        self.study, self.means, self._by_hits = study, means, experiment.maximize
        self._data, repeats = data, experiment.data.split.repeats
        self._folds = len(data.divisions) // repeats
        self._which = tuple(
            place % repeats * self._folds + fold
            for place in range(len(self.seeds))
            for fold in range(self._folds)
        )
        self._spec = replace(means.evaluator.spec, with_networks=True)
        self._kept: dict[Setting, tuple[tuple[Replicate, ...], np.ndarray]] = {}
        self._networks: dict[Setting, list[list[LayerParameters]]] = {}
        for name, value in study.kept.items():
            if name.startswith(PREFIX):
                kept = replicates_of(value)
                if kept[0].seeds == len(self.seeds):  # others share another kept epoch
                    scores = scores_of(value["scores"], len(self.seeds))
                    self._kept[kept[0].setting] = kept, scores
        self._wanted = self._done = 0

    def of(self, setting: Setting) -> tuple[Replicate, ...]:
        return self._kept[setting][0]

    def best_epoch(self, setting: Setting) -> int:
        """Return the kept epoch of a setting, which all its networks share."""
        return self.of(setting)[0].best_epoch

    def best_by_curve(self, setting: Setting) -> int:
        """Return the epoch, from 1, that is best by the mean curve, whether it is kept or not."""
        objective, sign = self.study.experiment.sweep.objective, 1 if self._by_hits else -1
        curves = np.array([one.curves[objective] for one in self.of(setting)])
        return 1 + int((sign * curves.mean(axis=0).round(12)).argmax())

    def scores(self, settings: Iterable[Setting]) -> dict[Setting, Scores]:
        """Return the scores (seeds, validation rows) of each setting, and train what is missing."""
        settings = list(dict.fromkeys(settings))
        self._train([setting for setting in settings if setting not in self._kept])
        return {setting: self._kept[setting][1].astype(np.float64) for setting in settings}

    def prepare(self, settings: Iterable[Setting]) -> None:
        """Train the networks that `test` needs: the study keeps none of an earlier run."""
        if self._spec.own:  # its networks are trained again for the test rows themselves
            return
        distinct = dict.fromkeys(settings)
        self._train([setting for setting in distinct if setting not in self._networks])

    def test(
        self, settings: Iterable[Setting], rows: Sequence[TestRows]
    ) -> tuple[dict[Setting, Scores], dict[Setting, Scores]]:
        """Return scores and hits (seeds, test rows) of prepared settings, and keep their means.
        `rows` are the test rows as each division prepares them.
        """
        balanced, all_scores, all_hits = Weighting(rows[0].y), {}, {}
        distinct = list(dict.fromkeys(settings))
        for setting, (losses, hits) in zip(distinct, self._on_test(distinct, rows), strict=True):
            kept, on_validation_rows = self._kept[setting]
            all_scores[setting] = self._per_seed(hits if self._by_hits else -losses)
            all_hits[setting] = self._per_seed(hits)
            means = zip(hits.mean(axis=1), balanced.means(hits), losses.mean(axis=1), strict=True)
            tested = [
                replace(one, test=TestScores(*map(float, numbers)))
                for one, numbers in zip(kept, means, strict=True)
            ]
            self._keep(tested, on_validation_rows)
        return all_scores, all_hits

    def at_the_last_epoch(
        self, settings: Sequence[Setting], rows: Sequence[TestRows]
    ) -> list[Scores]:
        """Return scores (seeds, test rows) of settings trained again that keep the last epoch."""
        jobs, spec = [self._job(one) for one in settings], replace(self._spec, keep=None)
        if self._spec.own:
            found = self._answered(jobs, spec, rows)
        else:
            found = (
                self._answers(
                    [(one.network.parameters, one.diverged) for one in results if one.network], rows
                )
                for results in self._evaluated(jobs, spec)
            )
        return [self._per_seed(hits if self._by_hits else -losses) for losses, hits in found]

    def _job(self, setting: Setting, stop: int | None = None) -> Job:
        """Return what trains the networks of a setting, seed by seed."""
        seeds = tuple(seed for seed in self.seeds for _ in range(self._folds))
        return Job(setting, seeds, stop, self._which)

    def _per_seed(self, scores: Scores) -> Scores:
        """Return (seeds, rows), the means over the folds of each seed, of (networks, rows)."""
        mean: Scores = scores.reshape(len(self.seeds), self._folds, -1).mean(axis=1)
        return mean

    def _by_row(self, answers: Sequence[np.ndarray]) -> np.ndarray:
        """Return (seeds, validation rows) of what each network answered to those of its fold."""
        by_row = np.empty((len(self.seeds), len(self._data.y)), np.float32)
        for network, (fold, answer) in enumerate(zip(self._which, answers, strict=True)):
            by_row[network // self._folds, self._data.divisions[fold].validated] = answer
        return by_row

    def _on_test(
        self, settings: Sequence[Setting], rows: Sequence[TestRows]
    ) -> Iterator[tuple[Scores, Scores]]:
        """Yield losses and hits (networks, test rows) of the networks of each setting."""
        if self._spec.own:
            jobs = [self._job(one, self.best_epoch(one)) for one in settings]
            yield from self._answered(jobs, self._spec, rows)
            return
        for setting in settings:
            diverged = [one.diverged for one in self.of(setting)]
            fits = list(zip(self._networks[setting], diverged, strict=True))
            yield self._answers(fits, rows)

    def _answered(
        self, jobs: Sequence[Job], spec: EvaluationSpec, rows: Sequence[TestRows]
    ) -> Iterator[tuple[Scores, Scores]]:
        """Yield losses and hits (networks, rows) of a user's own networks, which answer where they
        are trained.
        """
        for results in self._evaluated(jobs, replace(spec, rows=_arrays(rows))):
            networks = [one.network for one in results if one.network]
            losses = np.array([one.losses for one in networks])
            yield losses, np.array([one.hits for one in networks], np.float64)

    def _answers(
        self, fits: Sequence[tuple[list[LayerParameters], bool]], rows: Sequence[TestRows]
    ) -> tuple[Scores, Scores]:
        with one_thread():  # the same numbers on every machine, as in training
            answers = row_answers(_arrays(rows), self._which, fits)
        losses, found = map(np.array, zip(*answers, strict=True))
        return losses, found.astype(np.float64)

    def _evaluated(self, jobs: Sequence[Job], spec: EvaluationSpec) -> Iterator[Evaluated]:
        """Yield the networks of each job; all of them are there."""
        self._wanted += len(jobs) * len(self._which)
        logger.info("confirmation: %d settings to train", len(jobs))
        evaluator = replace(self.means.evaluator, spec=spec)
        for results in evaluator.evaluate(jobs):
            lost = [one.error for one in results if one.network is None]
            if lost:
                raise WorkersError(
                    "the confirmation cannot be finished: a network could not be trained"
                    f" ({lost[0]}); what was recorded is kept. Continue with: sweeps confirm"
                    f" {self.study.optuna.study_name}"
                )
            yield results
            self._done += len(results)
            self.means.observe(self._done, self._wanted)

    def _train(self, settings: Sequence[Setting]) -> None:
        evaluated = self._evaluated([self._job(one) for one in settings], self._spec)
        for results, setting in zip(evaluated, settings, strict=True):
            networks = [one.network for one in results if one.network]
            self._networks[setting] = [one.parameters for one in networks]
            if setting not in self._kept:
                replicates = [
                    Replicate(
                        setting=setting,
                        seed=self.seeds[network // self._folds],
                        seeds=len(self.seeds),
                        fold=self._which[network] + 1 if len(self._data.divisions) > 1 else None,
                        layers=result.network.layers,
                        **(vars(result) | {"network": None}),
                    )
                    for network, result in enumerate(results)
                    if result.network and result.metrics
                ]
                scores = [one.hits if self._by_hits else -one.losses for one in networks]
                # Rounded as they are kept: an interrupted confirmation goes on with the same.
                self._keep(replicates, self._by_row(scores))

    def _keep(self, replicates: Sequence[Replicate], scores: np.ndarray) -> None:
        setting = replicates[0].setting
        self._kept[setting] = tuple(replicates), scores
        kept = {"replicates": packed_replicates(replicates), "scores": packed_scores(scores)}
        key = ":".join(map(repr, [len(self.seeds), *setting.numbers.values()]))
        self.study.keep(PREFIX + key, kept)


def _arrays(rows: Sequence[TestRows]) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    return tuple((one.x, one.y) for one in rows)
