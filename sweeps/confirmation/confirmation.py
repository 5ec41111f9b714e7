"""The confirmation of one study: choose on validation rows, claim on test rows, keep the verdict on
the study and its model in a folder.
"""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.datasets import Dataset, Sealed
from experiments.errors import WorkersError
from experiments.evaluation import Job
from experiments.model import Model, find_model, origin
from experiments.records import StudyRecord
from experiments.spec import Confirm
from experiments.verdict import (
    BASELINE,
    SAME,
    SEALED,
    UNDECIDED,
    Curse,
    Interval,
    LayerShare,
    Verdict,
)
from nnreg import LAMBDA_NAMES, Lambdas
from sweeps.confirmation import choice, tests
from sweeps.confirmation.choice import Choice
from sweeps.confirmation.crossed import Scores, Weighting, estimate
from sweeps.confirmation.replicates import Means, Replicates
from sweeps.executors.evaluator import Evaluator
from sweeps.search.study import Study, study_record
from sweeps.storage.attributes import VERDICT, verdict_json

VERSION = 1  # of the procedure: a verdict of another one is made again
LEVEL = 0.95  # of the interval of an accuracy


def basis(study: StudyRecord, settings: Confirm) -> dict[str, Any]:
    """Return what a verdict depends on beside the experiment."""
    return {
        "version": VERSION,
        "trials": len(study.trials),
        "confirm": settings.model_dump(mode="json"),
    }


def is_current(study: StudyRecord, settings: Confirm, *, open_test: bool) -> bool:
    """Return whether the verdict that is kept answers what is asked."""
    verdict = study.verdict
    if verdict is None or verdict.basis != basis(study, settings):
        return False
    return not open_test or verdict.word != SEALED


def confirmed(
    study: Study, data: Dataset, means: Means, *, open_test: bool, folder: Path
) -> Verdict | None:
    """Return the verdict on the trials that the study has now, and have its model in the folder;
    what is there already is not made again. None where there is no baseline to compare with.

    `open_test` allows looking at the sealed test rows. Raises WorkersError, DataError, ClaimError,
    StorageError, DirectoryError.
    """
    record = study_record(study.optuna)
    if not is_current(record, study.experiment.confirm, open_test=open_test):
        if not choice.candidates(record, study.experiment.confirm.top):
            return None
        verdict = _Confirmation(study, record, data, means).run(open_test=open_test)
        record = replace(record, verdict=verdict)
    if find_model(folder, record) is None:
        train_model(record, data, means).write(folder)
    return record.verdict


def train_model(study: StudyRecord, data: Dataset, means: Means) -> Model:
    """Train the lambdas to use on training and validation rows. Raises WorkersError."""
    assert study.verdict is not None
    spec = replace(means.spec, with_networks=True, all_rows=True)
    evaluator = Evaluator(means.executor, spec, lanes=lambda: 1)
    (result,) = evaluator.evaluate([Job(study.verdict.use, study.verdict.seeds[0])])
    if result.network is None:
        raise WorkersError(
            f"the model could not be trained ({result.error}); go on with: sweeps confirm"
            f" {study.study}"
        )
    return Model(
        parameters=result.network.parameters,
        preparation=data.preparation,
        classes=data.classes,
        target=data.target,
        label_type=data.label_type,
        example=data.example,
        origin=origin(study),
    )


class _Confirmation:
    def __init__(self, study: Study, record: StudyRecord, data: Dataset, means: Means) -> None:
        self._study, self._record, self._data, self._means = study, record, data, means
        self._experiment = study.experiment
        self._replicates = Replicates(study, means)

    def run(self, *, open_test: bool) -> Verdict:
        verdict = self._chosen()
        if not verdict.rows["test"]:
            verdict = replace(verdict, word=UNDECIDED if verdict.recommended.on else SAME)
        elif open_test:
            verdict = self._claimed(verdict)
        with self._means.interrupts.protected():
            self._study.keep(VERDICT, verdict_json(verdict))
        return verdict

    def _choice(self, y: np.ndarray, groups: np.ndarray | None) -> Choice:
        balanced = self._record.objective == "balanced_val_accuracy"
        return Choice(Weighting(y if balanced else None, groups), by_hits=self._record.maximize)

    def _chosen(self) -> Verdict:
        """Return the verdict so far: what the validation rows say."""
        record, data, replicates = self._record, self._data, self._replicates
        trials = choice.candidates(record, self._experiment.confirm.top)
        chooser = self._choice(data.split.y_val, data.groups)
        scores = replicates.scores(trials)
        winner = chooser.winner(list(trials), scores)
        scores |= replicates.scores(choice.without(winner, name) for name in winner.on)
        recommended = chooser.recommended(winner, list(scores), scores)
        roles = choice.roles(trials, winner, recommended)
        scores |= replicates.scores(lambdas for _, lambdas in roles)
        settings = chooser.settings(roles, trials, scores)
        others = [scores[lambdas] for lambdas in trials if lambdas != winner]
        width = chooser.width(scores[winner], others)
        tied = choice.tied(record, settings[0].mean, width)
        alike = [*(trial.lambdas for trial in tied), winner, recommended]
        best = record.ranked[0]
        return Verdict(
            basis=basis(record, self._experiment.confirm),
            objective=record.objective,
            seeds=replicates.seeds,
            margin=self._experiment.confirm.margin,
            settings=settings,
            tied=tuple(trial.trial for trial in tied),
            tolerances=choice.tolerances(record, alike),
            layers=self._layers(recommended),
            curse=Curse(
                search=record.value(best),
                fresh=chooser.objective(scores[best.lambdas]),
            ),
            rows=data.rows,
            majority=float(np.bincount(data.split.y_val).max() / len(data.split.y_val)),
            diverged=sum(one.diverged for one in replicates.of(recommended)),
            word=SEALED,
        )

    def _layers(self, lambdas: Lambdas) -> tuple[LayerShare, ...]:
        """Return the penalties of a setting as shares of the total loss, mean over its seeds."""
        found = self._replicates.of(lambdas)
        totals = np.array([one.metrics.total_loss for one in found])[:, np.newaxis, np.newaxis]
        terms = np.array([[layer.penalties for layer in one.layers] for one in found])
        near_zero = [[layer.near_zero_weights for layer in one.layers] for one in found]
        means = zip((terms / totals).mean(axis=0), np.mean(near_zero, axis=0), strict=True)
        return tuple(
            LayerShare(
                layer=number,
                penalties=dict(zip(LAMBDA_NAMES, map(float, shares), strict=True)),
                near_zero_weights=float(share),
            )
            for number, (shares, share) in enumerate(means)
        )

    def _claimed(self, verdict: Verdict) -> Verdict:
        """Return the verdict with what the test rows say. Its comparisons are on the study before
        anybody looks at these.
        """
        recommended = verdict.recommended
        against = {BASELINE: Lambdas()} if recommended.on else {}
        against |= {name: choice.without(recommended, name) for name in recommended.on}
        settings = [setting.lambdas for setting in verdict.settings]
        self._replicates.prepare(settings)
        sealed = Sealed(self._experiment.data)
        plan = {
            "recommended": asdict(recommended),
            "against": {name: asdict(lambdas) for name, lambdas in against.items()},
            "objective": verdict.objective,
            "seeds": list(verdict.seeds),
        }
        opening = tests.open_test_set(self._study, sealed.digest, plan, self._means.others)

        rows = sealed.open(self._data.preparation, self._experiment.training.dtype)
        hits, losses = self._replicates.test(settings, rows)
        chooser = self._choice(rows.y, rows.groups)
        scores = hits if chooser.by_hits else {one: -each for one, each in losses.items()}
        estimates = {
            lambdas: chooser.claimed(scores[recommended], scores[lambdas])
            for lambdas in against.values()
        }
        comparisons = tests.compare(against, estimates, opening.alpha, verdict.margin)
        plain = Weighting(None, rows.groups)
        best = self._record.ranked[0].lambdas
        return replace(
            verdict,
            opening=opening,
            rarest=int(np.unique(rows.y, return_counts=True)[1].min()),
            curse=replace(verdict.curse, test=chooser.objective(scores[best])),
            comparisons=comparisons,
            word=comparisons[0].word if comparisons else SAME,
            accuracy=_accuracy(hits[recommended], plain),
            baseline_accuracy=_accuracy(hits[Lambdas()], plain),
        )


def _accuracy(hits: Scores, weighting: Weighting) -> Interval:
    return estimate(hits, weighting, counted=True).interval(LEVEL).within(0, 1)
