"""The confirmation of one study: chooses on validation rows, claims on test rows, and keeps the
verdict on the study.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.datasets import Dataset, Sealed, TestRows
from experiments.evaluation import EvaluationSpec, one_thread, row_answers
from experiments.model import find_model
from experiments.records import StudyRecord
from experiments.spec import Confirm, Experiment
from experiments.verdict import (
    BASELINE,
    SAME,
    SEALED,
    UNDECIDED,
    Comparison,
    Curse,
    LayerShare,
    Opening,
    TestScores,
    Verdict,
)
from nnreg import LAMBDA_NAMES, Lambdas
from sweeps.confirmation import choice, final, tests, tolerance
from sweeps.confirmation.choice import Choice, ScoresOf
from sweeps.confirmation.crossed import Scores, Weighting, estimate
from sweeps.confirmation.openings import Attributes, open_test_set
from sweeps.confirmation.replicates import Networks, Replicates, fresh_seeds
from sweeps.executors.evaluator import Lanes
from sweeps.interrupts import Interrupts
from sweeps.search.study import Study, study_record
from sweeps.storage.attributes import VERDICT, verdict_json

VERSION = 1  # of the procedure: a verdict of another one is made again
LEVEL = 0.95  # of the interval of an accuracy


def basis(study: StudyRecord, settings: Confirm) -> dict[str, Any]:
    """What a verdict depends on beside the experiment."""
    return {
        "version": VERSION,
        "trials": len(study.trials),
        "confirm": settings.model_dump(mode="json"),
    }


def is_current(study: StudyRecord, settings: Confirm, *, open_test: bool) -> bool:
    """Whether the verdict that is kept is the answer to what is asked."""
    verdict = study.verdict
    if verdict is None or verdict.basis != basis(study, settings):
        return False
    return not open_test or verdict.word != SEALED


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a confirmation works with. `others` gives the name and the attributes of every study
    there is; `observe` is told how many networks are trained, and of how many.
    """

    executor: Executor
    spec: EvaluationSpec
    lanes: Lanes
    interrupts: Interrupts
    others: Callable[[], Iterable[tuple[str, Attributes]]]
    observe: Callable[[int, int], None]


def confirmed(
    study: Study,
    experiment: Experiment,
    data: Dataset,
    means: Means,
    *,
    open_test: bool,
    folder: Path,
) -> Verdict | None:
    """The verdict on the trials that the study has now, and its model, written into `folder`; each
    is made if it is not there. None where there is no baseline to compare with.

    `open_test` is whether the sealed test rows may be looked at. Raises WorkersError, DataError,
    ClaimError, StorageError, DirectoryError.
    """
    record = study_record(study.optuna)
    verdict = record.verdict
    if verdict is None or not is_current(record, experiment.confirm, open_test=open_test):
        if not choice.candidates(record, experiment.confirm.top):
            return None
        verdict = _Confirmation(study, record, experiment, data, means).run(open_test=open_test)
    record = replace(record, verdict=verdict)
    if find_model(folder, record) is None:
        final.train_model(record, verdict, data, means.spec, means.executor).write(folder)
    return verdict


class _Confirmation:
    def __init__(
        self, study: Study, record: StudyRecord, experiment: Experiment, data: Dataset, means: Means
    ) -> None:
        self._study, self._record, self._experiment, self._data, self._means = (
            study,
            record,
            experiment,
            data,
            means,
        )
        self._objective = experiment.sweep.objective
        self._counted = self._objective != "val_data_loss"
        self._sign = 1 if self._counted else -1
        self._seeds = fresh_seeds(experiment.training.seed, experiment.confirm.seeds)
        self._replicates = Replicates(
            study,
            means.executor,
            means.spec,
            lanes=means.lanes,
            counted=self._counted,
            interrupts=means.interrupts,
            observe=means.observe,
        )

    def run(self, *, open_test: bool) -> Verdict:
        verdict = self._chosen()
        if open_test and verdict.rows["test"]:
            verdict = self._claimed(verdict)
        elif not verdict.rows["test"]:
            verdict = replace(verdict, word=SAME if not verdict.recommended.on else UNDECIDED)
        with self._means.interrupts.protected():
            self._study.keep(VERDICT, verdict_json(verdict))
        return verdict

    def _weighting(self, y: np.ndarray, groups: np.ndarray | None) -> Weighting:
        return Weighting(y if self._objective == "balanced_val_accuracy" else None, groups)

    def _chosen(self) -> Verdict:
        """The verdict so far: what the validation rows say."""
        record, split = self._record, self._data.split
        trials = choice.candidates(record, self._experiment.confirm.top)
        chooser = Choice(self._weighting(split.y_val, self._data.groups), self._counted)
        scores = self._replicates.train(trials, self._seeds)
        winner = chooser.winner(list(trials), scores)
        scores |= self._replicates.train(
            [choice.without(winner, name) for name in winner.on], self._seeds
        )
        recommended = chooser.recommended(winner, list(scores), scores)
        listed = choice.roles(trials, winner, recommended)
        scores |= self._replicates.train([lambdas for _, lambdas in listed], self._seeds)
        settings = choice.settings(listed, trials, scores, chooser, self._sign)
        spreads = [
            chooser.spread(scores[winner], scores[lambdas])
            for lambdas in trials
            if lambdas != winner
        ]
        width = tolerance.width(spreads)
        tied = tolerance.tied(record, settings[0].mean, width)
        best = record.ranked[0]
        return Verdict(
            basis=basis(record, self._experiment.confirm),
            objective=self._objective,
            seeds=self._seeds,
            margin=self._experiment.confirm.margin,
            settings=settings,
            width=width,
            tied=tuple(trial.trial for trial in tied),
            tolerances=tolerance.tolerances(
                record, [*(trial.lambdas for trial in tied), winner, recommended]
            ),
            layers=self._layers(recommended),
            curse=Curse(
                trial=best.trial,
                search=record.value(best),
                fresh=self._sign * chooser.mean(scores[best.lambdas]),
            ),
            rows=self._data.rows,
            majority=float(np.bincount(split.y_val).max() / len(split.y_val)),
            diverged=sum(
                self._replicates.replicate(recommended, seed).diverged for seed in self._seeds
            ),
            word=SEALED,
        )

    def _layers(self, lambdas: Lambdas) -> tuple[LayerShare, ...]:
        """The penalties of a setting, mean over its seeds of their shares of the total loss."""
        found = [self._replicates.replicate(lambdas, seed) for seed in self._seeds]
        totals = np.array([one.metrics.total_loss for one in found])
        terms = np.array(
            [[layer.penalties for layer in one.layers] for one in found]
        )  # (seeds, layers, 4)
        shares = (terms / totals[:, np.newaxis, np.newaxis]).mean(axis=0)
        near_zero = np.mean(
            [[layer.near_zero_weights for layer in one.layers] for one in found], axis=0
        )
        return tuple(
            LayerShare(
                layer=number,
                penalties=dict(zip(LAMBDA_NAMES, map(float, shares[number]), strict=True)),
                near_zero_weights=float(near_zero[number]),
            )
            for number in range(len(shares))
        )

    def _claimed(self, verdict: Verdict) -> Verdict:
        """The verdict with what the test rows say; its comparisons are on the study before these
        are looked at.
        """
        recommended = verdict.recommended
        against = {BASELINE: Lambdas()} if recommended.on else {}
        against |= {name: choice.without(recommended, name) for name in recommended.on}
        settings = [setting.lambdas for setting in verdict.settings]
        networks = self._replicates.parameters(settings, self._seeds)
        sealed = Sealed(self._experiment.data)
        opening = open_test_set(
            self._study, sealed.digest, self._plan(recommended, against), self._means.others
        )

        rows = sealed.open(self._data.preparation, self._experiment.training.dtype)
        weighting, plain = self._weighting(rows.y, rows.groups), Weighting(None, rows.groups)
        hits, losses = self._answers(rows, networks)
        scores = hits if self._counted else {lambdas: -each for lambdas, each in losses.items()}
        comparisons = self._comparisons(scores, recommended, against, weighting, opening)
        best = self._record.ranked[0].lambdas
        return replace(
            verdict,
            opening=opening,
            rarest=int(np.unique(rows.y, return_counts=True)[1].min()),
            curse=replace(
                verdict.curse, test=self._sign * float(weighting.means(scores[best]).mean())
            ),
            comparisons=comparisons,
            word=comparisons[0].word if comparisons else SAME,
            accuracy=estimate(hits[recommended], plain, counted=True).interval(LEVEL).within(0, 1),
            baseline_accuracy=estimate(hits[Lambdas()], plain, counted=True)
            .interval(LEVEL)
            .within(0, 1),
        )

    def _answers(
        self, rows: TestRows, networks: Networks
    ) -> tuple[dict[Lambdas, Scores], dict[Lambdas, Scores]]:
        """Hits and losses (seeds, rows) of each setting; what they come to is kept with the
        replicates.
        """
        balanced, found = Weighting(rows.y), {}
        for lambdas in dict.fromkeys(lambdas for lambdas, _ in networks):
            replicates = [self._replicates.replicate(lambdas, seed) for seed in self._seeds]
            with one_thread():  # the same numbers on every machine, as when training
                losses, hits = row_answers(
                    rows.x,
                    rows.y,
                    [(networks[lambdas, one.seed], one.diverged) for one in replicates],
                )
            found[lambdas] = hits.astype(np.float64), losses
            accuracies = zip(
                hits.mean(axis=1),
                balanced.means(found[lambdas][0]),
                losses.mean(axis=1),
                strict=True,
            )
            for one, (accuracy, balanced_accuracy, loss) in zip(
                replicates, accuracies, strict=True
            ):
                test = TestScores(
                    accuracy=float(accuracy),
                    balanced_accuracy=float(balanced_accuracy),
                    data_loss=float(loss),
                )
                self._replicates.keep(replace(one, test=test))
        return {lambdas: hits for lambdas, (hits, _) in found.items()}, {
            lambdas: losses for lambdas, (_, losses) in found.items()
        }

    def _plan(self, recommended: Lambdas, against: Mapping[str, Lambdas]) -> dict[str, Any]:
        return {
            "recommended": asdict(recommended),
            "against": {name: asdict(lambdas) for name, lambdas in against.items()},
            "objective": self._objective,
            "seeds": list(self._seeds),
        }

    def _comparisons(
        self,
        scores: ScoresOf,
        recommended: Lambdas,
        against: Mapping[str, Lambdas],
        weighting: Weighting,
        opening: Opening,
    ) -> tuple[Comparison, ...]:
        chooser = Choice(weighting, self._counted)
        distinct = {
            lambdas: chooser.claimed(scores[recommended], scores[lambdas])
            for lambdas in against.values()
        }
        estimates = {name: distinct[lambdas] for name, lambdas in against.items()}
        return tests.compare(estimates, opening.alpha, self._experiment.confirm.margin)
