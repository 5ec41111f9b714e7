"""Studies as records, made without training: what tracking and reports are tested with."""

import dataclasses
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from experiments.evaluation import CURVES, METRICS, LayerTerms, Metrics
from experiments.records import COMPLETE, StudyRecord, TrialRecord
from experiments.spec import Experiment
from experiments.verdict import (
    BASELINE,
    BETTER,
    RECOMMENDED,
    RECOMMENDED_WITHOUT,
    SEALED,
    WINNER,
    WITHOUT,
    Comparison,
    Curse,
    Interval,
    LayerShare,
    Opening,
    Replicate,
    Setting,
    Tolerance,
    Verdict,
)
from nnreg import LAMBDA_NAMES, Lambdas

BORN = datetime(2026, 11, 23, 7, 25, 49, 123456, tzinfo=UTC)


def make_trial(number: int, *, epochs: int = 3, **changes: Any) -> TrialRecord:
    """Trial 0 has all lambdas off; the numbers of the others are drawn, the same for the same number."""
    rng = np.random.default_rng(number)
    curves = {name: tuple(rng.random(epochs).tolist()) for name in CURVES}
    numbers = {name: float(rng.random()) for name in METRICS} | {name: curve[-1] for name, curve in curves.items()}
    strengths = 10 ** rng.uniform(-7, -1, size=len(LAMBDA_NAMES)) if number else np.zeros(len(LAMBDA_NAMES))
    started = BORN + timedelta(seconds=number)
    record = TrialRecord(
        trial=number,
        generation=number // 16,
        state=COMPLETE,
        lambdas=Lambdas(**{name: float(s) if s >= 1e-6 else 0.0 for name, s in zip(LAMBDA_NAMES, strengths, strict=True)}),
        metrics=Metrics(**numbers),
        curves=curves,
        epochs=epochs,
        seconds=0.25,
        started=started,
        finished=started + timedelta(milliseconds=700),
    )
    return dataclasses.replace(record, **changes)


def make_study(trials: int = 3, *, name: str = "digits", epochs: int = 3, **sections: Any) -> StudyRecord:
    """A study of the experiment `digits`; `sections` are tables of the experiment file."""
    experiment = Experiment.model_validate({"name": "digits", "data": {"source": "digits"}, **sections})
    return StudyRecord(
        study=name,
        study_uid=uuid.uuid4().hex,
        experiment=experiment.name,
        fingerprint=experiment.fingerprint,
        spec=experiment.model_dump(mode="json"),
        versions={"python": "3.11.9", "numpy": "2.4.0", "blas": ""},
        aim=0,
        trials=tuple(make_trial(number, epochs=epochs) for number in range(trials)),
    )


def confirmed_study(trials: int = 12, *, sealed: bool = False, **changes: Any) -> StudyRecord:
    """A study with a verdict and its replicates: the best trial won, and is recommended without weight_l1."""
    study = make_study(trials, **changes)
    best = study.best
    assert best
    recommended = dataclasses.replace(best.lambdas, weight_l1=0.0)
    listed = [(WINNER, best.lambdas), *((f"{WITHOUT}{name}", _without(best.lambdas, name)) for name in best.lambdas.on)]
    listed += [(RECOMMENDED, recommended)]
    listed += [(f"{RECOMMENDED_WITHOUT}{name}", _without(recommended, name)) for name in recommended.on]
    listed += [(BASELINE, Lambdas())]
    numbers = {best.lambdas: best.trial, Lambdas(): 0}
    settings = [
        Setting(role=role, trial=numbers.get(lambdas), lambdas=lambdas, mean=0.9 - at / 64, behind=at / 64, error=0.01)
        for at, (role, lambdas) in enumerate(listed)
    ]
    seeds = tuple(range(100, 103))
    verdict = Verdict(
        basis={"trials": trials},
        objective=study.objective,
        seeds=seeds,
        margin=0.01,
        settings=tuple(settings),
        width=0.01,
        tied=(best.trial,),
        tolerances=tuple(Tolerance(name=name, low=1e-5, high=1e-3, off=False) for name in LAMBDA_NAMES),
        layers=tuple(LayerShare(layer=n, penalties=dict.fromkeys(LAMBDA_NAMES, 0.02), near_zero_weights=0.1) for n in (0, 1)),
        curse=Curse(trial=best.trial, search=0.95, fresh=0.9),
        rows={"training": 300, "validation": 100, "test": 100},
        majority=0.2,
        diverged=0,
        word=SEALED if sealed else BETTER,
    )
    if not sealed:
        gain = Interval(mean=0.05, low=0.02, high=0.08, level=0.95)
        compared = [
            Comparison(against=name, gain=gain, narrow=gain, error=0.01, freedom=20.0, p=0.001, detectable=0.03, word=BETTER)
            for name in (BASELINE, *recommended.on)
        ]
        opening = Opening(digest="0" * 64, number=1, alpha=0.025, opened=BORN)
        accuracy = Interval(mean=0.9, low=0.85, high=0.95, level=0.95)
        verdict = dataclasses.replace(
            verdict, opening=opening, comparisons=tuple(compared), accuracy=accuracy, baseline_accuracy=accuracy, rarest=20
        )
    replicates = tuple(
        _replicate(lambdas, seed) for seed in seeds for lambdas in dict.fromkeys(setting.lambdas for setting in settings)
    )
    return dataclasses.replace(study, verdict=verdict, replicates=replicates)


def _without(lambdas: Lambdas, name: str) -> Lambdas:
    return dataclasses.replace(lambdas, **{name: 0.0})


def _replicate(lambdas: Lambdas, seed: int) -> Replicate:
    network = make_trial(seed)
    assert network.metrics
    return Replicate(
        lambdas=lambdas,
        seed=seed,
        metrics=network.metrics,
        curves=network.curves,
        layers=(LayerTerms(penalties=(0.1, 0.1, 0.0, 0.0), near_zero_weights=0.1),) * 2,
        diverged=False,
        seconds=0.1,
        started=network.started,
        finished=network.finished,
    )
