"""The confirmation: choose on validation rows, claim on test rows, keep verdict and model."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments.datasets import Dataset, Sealed, TestRows
from experiments.errors import WorkersError
from experiments.evaluation import Job
from experiments.model import Model, find_model, origin
from experiments.records import StudyRecord
from experiments.spec import Confirm
from experiments.verdict import BASELINE, SAME, SEALED, UNDECIDED, Interval, Verdict
from nnreg import Lambdas
from sweeps.confirmation import choice, tests
from sweeps.confirmation.choice import Choice
from sweeps.confirmation.crossed import Scores, Weighting, estimate
from sweeps.confirmation.replicates import Means, Replicates
from sweeps.executors.evaluator import Evaluator
from sweeps.search.study import Study
from sweeps.search.study_record import study_record
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

    Raises WorkersError, DataError, LockError, StorageError, DirectoryError.
    """
    record = study_record(study.optuna)
    if not is_current(record, study.experiment.confirm, open_test=open_test):
        if record.baseline is None:
            return None
        replicates = Replicates(study, means)
        verdict = _choose(record, data, replicates)
        if not data.rows["test"]:
            verdict = replace(verdict, word=UNDECIDED if verdict.recommended.on else SAME)
        elif open_test:
            verdict = _claim(verdict, record, data, replicates)
        with means.interrupts.protected():
            study.keep(VERDICT, verdict_json(verdict))
        record = replace(record, verdict=verdict)
    if find_model(folder, record) is None:
        _train_model(record, data, means).write(folder)
    return record.verdict


def _choose(record: StudyRecord, data: Dataset, replicates: Replicates) -> Verdict:
    """Return the verdict so far: what the validation rows say."""
    confirm, y = replicates.study.experiment.confirm, data.split.y_val
    chooser = Choice.by(record.objective, y, data.groups)
    trials = choice.candidates(record, confirm.top)
    scores = replicates.scores(trials)
    winner = chooser.winner(list(trials), scores)
    scores |= replicates.scores(choice.without(winner, name) for name in winner.on)
    recommended = chooser.recommended(winner, list(scores), scores)
    roles = choice.roles(trials, winner, recommended)
    scores |= replicates.scores(lambdas for _, lambdas in roles)
    settings = chooser.settings(roles, trials, scores)
    others = [scores[lambdas] for lambdas in trials if lambdas != winner]
    tied = choice.tied(record, settings[0].mean, chooser.width(scores[winner], others))
    alike = [*(trial.lambdas for trial in tied), winner, recommended]
    best = record.ranked[0]
    return Verdict(
        basis=basis(record, confirm),
        objective=record.objective,
        seeds=replicates.seeds,
        margin=confirm.margin,
        settings=settings,
        tied=tuple(trial.trial for trial in tied),
        tolerances=choice.tolerances(record, alike),
        best_in_search=record.value(best),
        best_on_fresh_seeds=chooser.objective(scores[best.lambdas]),
        rows=data.rows,
        majority=float(np.bincount(y).max() / len(y)),
        diverged=sum(one.diverged for one in replicates.of(recommended)),
        word=SEALED,
    )


def _claim(verdict: Verdict, record: StudyRecord, data: Dataset, replicates: Replicates) -> Verdict:
    """Return the verdict with what the test rows say."""
    recommended, experiment = verdict.recommended, replicates.study.experiment
    against = {BASELINE: Lambdas()} if recommended.on else {}
    against |= {name: choice.without(recommended, name) for name in recommended.on}
    settings = [setting.lambdas for setting in verdict.settings]
    replicates.prepare(settings)
    sealed = Sealed(experiment.data)
    plan = {
        "recommended": asdict(recommended),
        "against": {name: asdict(lambdas) for name, lambdas in against.items()},
        "objective": verdict.objective,
        "seeds": list(verdict.seeds),
    }
    opening = tests.open_test_set(replicates.study, sealed.digest, plan, replicates.means.others)

    rows = sealed.open(data.preparation, experiment.training.dtype)
    scores, hits = replicates.test(settings, rows)
    chooser = Choice.by(verdict.objective, rows.y, rows.groups)
    estimates = {
        lambdas: chooser.claimed(scores[recommended], scores[lambdas])
        for lambdas in against.values()
    }
    comparisons = tests.compare(against, estimates, opening.alpha, verdict.margin)
    return replace(
        verdict,
        opening=opening,
        comparisons=comparisons,
        word=comparisons[0].word if comparisons else SAME,
        accuracy=_accuracy(hits[recommended], rows),
        baseline_accuracy=_accuracy(hits[Lambdas()], rows),
        best_on_test=chooser.objective(scores[record.ranked[0].lambdas]),
        rarest=int(np.unique(rows.y, return_counts=True)[1].min()),
    )


def _accuracy(hits: Scores, rows: TestRows) -> Interval:
    weighting = Weighting(None, rows.groups)
    return estimate(hits, weighting, counted=True).interval(LEVEL).within(0, 1)


def _train_model(study: StudyRecord, data: Dataset, means: Means) -> Model:
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
