"""The confirmation: choose on validation rows, claim on test rows, keep verdict and model."""

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from experiments.datasets import Dataset, Sealed
from experiments.errors import WorkersError
from experiments.evaluation import BASELINE, PENALISED, Job
from experiments.model import Model, find_model, origin
from experiments.records import StudyRecord
from experiments.search_section import Confirm
from experiments.verdict import (
    BASELINE_CANDIDATE,
    BETTER,
    CANDIDATE,
    RECOMMENDED,
    RECOMMENDED_WITHOUT,
    SAME,
    SEALED,
    UNDECIDED,
    WINNER,
    Verdict,
)
from nnreg import Lambdas
from sweeps.confirmation import choice, outer, references, tests
from sweeps.confirmation.choice import Choice
from sweeps.confirmation.crossed import accuracy
from sweeps.confirmation.replicates import Means, Replicates
from sweeps.search.study import Study
from sweeps.search.study_record import UNKEPT, study_record
from sweeps.storage.attributes import VERDICT, verdict_json

VERSION = 2  # of the procedure: a verdict of another one is made again


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
    what is there already is not made again. None if an arm has no complete trial.

    Raises WorkersError, DataError, LockError, StorageError, DirectoryError.
    """
    record = study_record(study.optuna)
    if not is_current(record, study.experiment.confirm, open_test=open_test):
        if {trial.setting.arm for trial in record.complete} != {BASELINE, PENALISED}:
            return None
        replicates = Replicates(study, data, means)
        claim = None
        if open_test and study.experiment.outer_folds:
            claim = outer.claim(study, means.others)
        verdict = _choose(
            record, data, replicates, penalised=claim is not None and claim.word == BETTER
        )
        if claim:
            verdict = claim.made_in(verdict)
        elif data.rows["test"]:
            verdict = _claim(verdict, record, data, replicates) if open_test else verdict
        elif not study.experiment.outer_folds:
            verdict = replace(verdict, word=UNDECIDED if verdict.recommended.on else SAME)
        study.keep(VERDICT, verdict_json(verdict))
        record = replace(record, verdict=verdict)
    if find_model(folder, record) is None and record.unkept != origin(record):
        if model := _train_model(record, data, means):
            model.write(folder)
        else:
            study.keep(UNKEPT, origin(record))
    return record.verdict


def _choose(
    record: StudyRecord, data: Dataset, replicates: Replicates, *, penalised: bool
) -> Verdict:
    """Return the verdict so far: what the validation rows say. If it is known already that
    penalties are better, a setting with `penalised` lambdas is recommended.
    """
    experiment, y = replicates.study.experiment, data.y
    confirm = experiment.confirm
    chooser = Choice.by(record.objective, y, data.groups)
    trials = choice.candidates(record, confirm.top)
    scores = replicates.scores(trials)
    winner, baseline = (
        chooser.winner((one for one in trials if one.arm == arm), scores)
        for arm in (PENALISED, BASELINE)
    )
    best, subsets = chooser.winner(trials, scores), choice.subsets(winner)
    scores |= replicates.scores(subsets.values())
    recommended = chooser.recommended(
        [winner, *subsets.values(), *([] if penalised else [baseline])], scores
    )
    tried = choice.alternatives(recommended, baseline, experiment.rates)
    scores |= replicates.scores(chain(*tried.values()))
    roles = [(WINNER, winner)]
    roles += [(CANDIDATE, one) for one in trials if one.arm == PENALISED and one != winner]
    roles += [*subsets.items(), (RECOMMENDED, recommended)]
    roles += [
        (f"{RECOMMENDED_WITHOUT}{name}", chooser.winner(settings, scores))
        for name, settings in tried.items()
    ]
    roles += [(BASELINE, baseline)]
    roles += [
        (BASELINE_CANDIDATE, one) for one in trials if one.arm == BASELINE and one != baseline
    ]
    settings = chooser.settings(roles, trials, scores, replicates.best_epoch)
    width = chooser.width(scores[best], [scores[one] for one in trials if one != best])
    close = choice.indistinguishable(record, replicates.of(best), width)
    first = record.ranked[0]
    return Verdict(
        basis=basis(record, confirm),
        objective=record.objective,
        seeds=replicates.seeds,
        margin=confirm.margin,
        settings=settings,
        indistinguishable=tuple(trial.trial for trial in close),
        tolerances=choice.tolerances(
            record, [*(trial.setting for trial in close), best, recommended]
        ),
        undertrained=choice.undertrained(
            experiment,
            [replicates.best_by_curve(setting) for setting in trials],
            (recommended, baseline),
        ),
        best_in_search=record.value(first),
        best_on_fresh_seeds=chooser.objective(scores[first.setting]),
        rows=data.rows,
        majority=float(np.bincount(y).max() / len(y)),
        diverged=sum(one.diverged for one in replicates.of(recommended)),
        word=SEALED,
    )


def _claim(verdict: Verdict, record: StudyRecord, data: Dataset, replicates: Replicates) -> Verdict:
    """Return the verdict with what the test rows say."""
    recommended, baseline = verdict.recommended, verdict.baseline
    experiment = replicates.study.experiment
    against = {BASELINE: baseline} if recommended.on else {}
    against |= {
        name: verdict.confirmed(f"{RECOMMENDED_WITHOUT}{name}").setting for name in recommended.on
    }
    settings = [one.setting for one in verdict.settings]
    replicates.prepare(settings)
    sealed = Sealed(experiment.data)
    plan = {
        "recommended": recommended.as_json,
        "against": {name: setting.as_json for name, setting in against.items()},
        "objective": verdict.objective,
        "seeds": list(verdict.seeds),
    }
    opening = tests.open_test_set(replicates.study, sealed.digest, plan, replicates.means.others)

    dtype = experiment.training.dtype
    opened = [sealed.open(division.preparation, dtype) for division in data.divisions]
    scores, hits = replicates.test(settings, opened)
    rows = opened[0]
    if experiment.data.split.outer_fold:
        outer.keep_answers(replicates.study, verdict, scores, hits, rows, sealed.digest)
    chooser = Choice.by(verdict.objective, rows.y, rows.groups)
    estimates = {
        setting: chooser.claimed(scores[recommended], scores[setting])
        for setting in against.values()
    }
    comparisons = tests.compare(against, estimates, opening.alpha, verdict.margin)
    penalised = recommended if recommended.on else verdict.confirmed(WINNER).setting
    unfair = [penalised, replace(penalised, lambdas=Lambdas())]
    with_penalties, without = map(chooser.mean, replicates.at_the_last_epoch(unfair, opened))
    claimed = replace(
        verdict,
        opening=opening,
        comparisons=comparisons,
        word=comparisons[0].word if comparisons else SAME,
        accuracy=accuracy(hits[recommended], rows.groups),
        baseline_accuracy=accuracy(hits[baseline], rows.groups),
        best_on_test=chooser.objective(scores[record.ranked[0].setting]),
        rarest=int(np.unique(rows.y, return_counts=True)[1].min()),
        unfair_gain=with_penalties - without,
    )
    if not experiment.confirm.references:
        return claimed
    found, left_out = references.measure(
        replicates.means,
        data.first_repeat,
        data.y,
        opened,
        scores[claimed.use],
        chooser,
        opening.alpha,
        verdict.margin,
    )
    return replace(claimed, references=found, left_out=left_out)


def _train_model(study: StudyRecord, data: Dataset, means: Means) -> Model | None:
    """Return the model of the verdict; None if the user's own network cannot be kept as arrays."""
    assert study.verdict is not None
    used = study.verdict.used
    spec = means.evaluator.spec
    spec = replace(spec, with_networks=True, all_rows=True)
    evaluator = replace(means.evaluator, spec=spec)
    job = Job(used.setting, study.verdict.seeds[:1], used.best_epoch)
    ((result,),) = evaluator.evaluate([job])
    if result.network is None:
        raise WorkersError(
            f"the model could not be trained ({result.error}); continue with: sweeps confirm"
            f" {study.study}"
        )
    if spec.own and (result.network.arrays is None or not spec.own.has_file):
        return None
    return Model(
        parameters=result.network.parameters,
        network=spec.own,
        arrays=result.network.arrays or {},
        dtype=spec.config.dtype,
        preparation=data.preparation,
        classes=data.classes,
        target=data.target,
        label_type=data.label_type,
        example=data.example,
        origin=origin(study),
    )
