"""Studies as records, made without training: what tracking and reports are tested with."""

import dataclasses
import itertools
import uuid
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np

from experiments import verdict
from experiments.evaluation import (
    BASELINE,
    CURVES,
    DEVIATIONS,
    METRICS,
    LayerTerms,
    Metrics,
    Setting,
    TrialResult,
)
from experiments.records import COMPLETE, PRUNED, StudyRecord, TrialRecord
from experiments.spec import Experiment
from nnreg import LAMBDA_NAMES, Lambdas

LAYER = LayerTerms(penalties=(0.01, 0.01, 0.01, 0.01), near_zero_weights=0.1)
EPOCHS = 3
WEIGHT_L2 = Lambdas(weight_l2=3.1e-4)
Result = TypeVar("Result", bound=TrialResult)

OWN_CURVE = "weights/size"
PARAMETERS: dict[str, Any] = {
    "hidden": {"low": 4, "high": 32},
    "dropout": {"low": 0.0, "high": 0.5},
    "scale": {"low": 1e-3, "high": 1.0, "log": True},
    "activation": "relu",
}
MISSING = ("train_accuracy", "near_zero_weights", *(f"penalty_{name}" for name in LAMBDA_NAMES))
ROWS = {"training": 1078, "validation": 359, "test": 360}
FOLDED = {"training": 1437, "validation": 0, "test": 360}
BORN = datetime(2026, 11, 23, 7, 25, 49, 123456, tzinfo=UTC)


def make_trial(
    number: int, *, epochs: int = EPOCHS, lambdas: Lambdas | None = None, **changes: Any
) -> TrialRecord:
    """Trial 0 has all lambdas off; the numbers of the others are drawn, the same for the same
    number. The last epoch is kept.
    """
    rng = np.random.default_rng(number)
    curves = {name: tuple(rng.random(epochs).tolist()) for name in CURVES}
    numbers = {name: float(rng.random()) for name in METRICS}
    numbers |= {name: curve[-1] for name, curve in curves.items()}
    drawn = 10 ** rng.uniform(-7, -1, size=len(LAMBDA_NAMES)) * (number > 0)
    strengths = [float(s) if s >= 1e-6 else 0.0 for s in drawn]
    lambdas = lambdas or Lambdas(**dict(zip(LAMBDA_NAMES, strengths, strict=True)))
    started = BORN + timedelta(seconds=number)
    record = TrialRecord(
        trial=number,
        generation=number // 16,
        state=COMPLETE,
        setting=Setting(lambdas, float(10 ** rng.uniform(-3.5, -1))),
        metrics=Metrics(**numbers),
        curves=curves,
        epochs=epochs,
        best_epoch=epochs,
        seconds=0.25,
        started=started,
        finished=started + timedelta(milliseconds=700),
    )
    return dataclasses.replace(record, **changes)


def make_study(
    trials: int = 3, *, name: str = "digits", epochs: int = EPOCHS, **sections: Any
) -> StudyRecord:
    """A study of the experiment `digits`; `sections` are tables of the experiment file."""
    experiment = Experiment.model_validate(
        {"name": "digits", "data": {"source": "digits"}, **sections}
    )
    made = [make_trial(number, epochs=epochs) for number in range(trials)]
    if experiment.folds:
        deviations = dict.fromkeys(DEVIATIONS, 0.03125)
        made = [dataclasses.replace(trial, deviations=deviations) for trial in made]
    return StudyRecord(
        study=name,
        study_uid=uuid.uuid4().hex,
        experiment=experiment,
        # That of a user's own network has the text of its file.
        fingerprint="f" * 64 if experiment.own else experiment.fingerprint,
        versions={"python": "3.11.9", "numpy": "2.4.0", "blas": ""},
        aim=0,
        trials=tuple(made),
    )


def own_study(
    trials: int = 3,
    *,
    parameters: Mapping[str, Any] = PARAMETERS,
    missing: Collection[str] = MISSING,
    pruned: Collection[int] = (),
    **sections: Any,
) -> StudyRecord:
    """A study of a user's own network in net.py, with tuned parameters and a curve of its own. Its
    networks do not yield the metrics that are `missing`; the trials that are `pruned` ended at
    their first epoch.
    """
    model = {"source": "net.py", "parameters": dict(parameters)}
    study = make_study(trials, model=model, **sections)
    own = study.experiment.own
    assert own
    made = []
    for trial in study.trials:
        shares = np.random.default_rng(trial.trial).random(len(own.tuned))
        values = [
            (name, axis.at(share))
            for (name, axis), share in zip(own.tuned.items(), shares, strict=True)
        ]
        setting = dataclasses.replace(trial.setting, parameters=tuple(sorted(values)))
        one = of_own_network(dataclasses.replace(trial, setting=setting), missing)
        if one.trial in pruned:
            curves = {name: curve[:1] for name, curve in one.curves.items()}
            one = dataclasses.replace(one, state=PRUNED, curves=curves, epochs=1, best_epoch=1)
        made.append(one)
    return dataclasses.replace(study, trials=tuple(made))


def of_own_network(one: Result, missing: Collection[str]) -> Result:
    """Return a result without the metrics that are missing, and with a curve more."""
    assert one.metrics
    metrics = dataclasses.replace(one.metrics, **dict.fromkeys(missing))
    curves = {name: curve for name, curve in one.curves.items() if name not in missing}
    curves[OWN_CURVE] = tuple(2 * value for value in one.curves["data_loss"])
    return dataclasses.replace(one, metrics=metrics, curves=curves)


def confirmed_study(
    study: StudyRecord | None = None,
    *,
    winner: int = 1,
    seeds: tuple[int, ...] = (4268029250, 11),
    look: int = 0,
    undertrained: tuple[str, ...] = (),
) -> StudyRecord:
    """A study of three trials with the verdict that one of them won; `look` is which look at the
    test rows this is, 0 for none.

    The winner is recommended too; the other trial is a candidate. Networks of an earlier verdict
    stay with the study.
    """
    study = study or make_study(3)
    trials = {trial.setting: trial.trial for trial in study.trials}
    won = study.trials[winner].setting
    baseline = next(one for one in trials if one.arm == BASELINE)
    listed = [
        (verdict.WINNER, won),
        *((verdict.CANDIDATE, one) for one in trials if one not in (won, baseline)),
    ]
    listed += [(f"without_{name}", without(won, name)) for name in won.on[:1]]
    listed += [(verdict.RECOMMENDED, won)]
    listed += [(f"recommended_without_{name}", without(won, name)) for name in won.on[:1]]
    listed += [(verdict.BASELINE, baseline)]
    settings = tuple(
        verdict.Confirmed(
            role=role,
            trial=trials.get(one),
            setting=one,
            best_epoch=_best_epoch(study, one),
            mean=0.9,
            behind=0.0,
            error=0.01,
        )
        for role, one in listed
    )
    networks = {(one.setting, one.seed, one.fold): one for one in study.replicates}
    trained = itertools.product(settings, _with_folds(study, seeds))
    for number, (one, (seed, fold)) in enumerate(trained):
        key = one.setting, seed, fold
        made = networks.get(key) or _replicate(one, seed, len(seeds), number)
        made = dataclasses.replace(made, fold=fold)
        if study.experiment.own and key not in networks:
            measured = study.trials[0].metrics
            assert measured
            missing = {name for name in METRICS if name not in measured.known}
            made = dataclasses.replace(of_own_network(made, missing), layers=())
        networks[key] = dataclasses.replace(made, test=_scores(*key[:2]) if look else None)
    found = _verdict(study, settings, seeds, winner, look)
    found = dataclasses.replace(found, undertrained=undertrained)
    return dataclasses.replace(study, verdict=found, replicates=tuple(networks.values()))


def _with_folds(study: StudyRecord, seeds: tuple[int, ...]) -> Iterator[tuple[int, int | None]]:
    """Yield each seed with the folds of its repeat."""
    split = study.experiment.data.split
    for place, seed in enumerate(seeds):
        first = place % split.repeats * (split.folds or 0)
        yield from ((seed, first + fold) for fold in range(1, 1 + (split.folds or 0)))
        if not split.folds:
            yield seed, None


def without(setting: Setting, name: str) -> Setting:
    return dataclasses.replace(setting, lambdas=dataclasses.replace(setting.lambdas, **{name: 0.0}))


def _best_epoch(study: StudyRecord, setting: Setting) -> int:
    experiment = study.experiment
    kept = EPOCHS - len(setting.on) % EPOCHS if experiment.kept_by else experiment.training.epochs
    return min(kept, experiment.training.epochs)


def _replicate(
    confirmed: verdict.Confirmed, seed: int, seeds: int, number: int
) -> verdict.Replicate:
    made = make_trial(1000 + number)
    return verdict.Replicate(
        setting=confirmed.setting,
        seed=seed,
        seeds=seeds,
        best_epoch=confirmed.best_epoch,
        metrics=made.metrics,
        curves=made.curves,
        layers=(LAYER,),
        epochs=made.epochs,
        seconds=made.seconds,
        started=made.started,
        finished=made.finished,
    )


def _scores(setting: Setting, seed: int) -> verdict.TestScores:
    drawn = np.random.default_rng([seed, len(setting.on)]).random(3)
    return verdict.TestScores(*drawn.tolist())


def _verdict(
    study: StudyRecord,
    settings: tuple[verdict.Confirmed, ...],
    seeds: tuple[int, ...],
    winner: int,
    look: int,
) -> verdict.Verdict:
    confirm = study.experiment.confirm.model_dump(mode="json")
    gain = verdict.Interval(mean=0.02 + 0.001 * look, low=0.006, high=0.04, level=0.975)
    comparison = verdict.Comparison(
        against=verdict.BASELINE,
        gain=gain,
        narrow=gain,
        p=0.001,
        detectable=0.02,
        word=verdict.BETTER,
    )
    opened = BORN + timedelta(hours=look)
    opening = verdict.Opening(number=look, alpha=0.05 / 2**look, opened=opened)
    claimed: dict[str, Any] = {
        "word": verdict.BETTER,
        "opening": opening,
        "comparisons": (comparison,),
        "accuracy": verdict.Interval(mean=0.9 + 0.001 * look, low=0.88, high=0.93, level=0.95),
        "baseline_accuracy": verdict.Interval(mean=0.88, low=0.85, high=0.91, level=0.95),
        "best_on_test": 0.9,
        "rarest": 100,
        "unfair_gain": 0.05,
    }
    return verdict.Verdict(
        basis={"version": 1, "trials": len(study.trials), "confirm": confirm},
        objective=study.objective,
        seeds=seeds,
        margin=0.01,
        settings=settings,
        indistinguishable=(winner,),
        tolerances=tuple(
            verdict.Tolerance(name=name, low=1e-5, high=1e-3, off=False) for name in LAMBDA_NAMES
        ),
        undertrained=(),
        best_in_search=0.95,
        best_on_fresh_seeds=0.9,
        rows=FOLDED if study.experiment.folds else ROWS,
        majority=0.1,
        diverged=0,
        **(claimed if look else {"word": verdict.SEALED}),
    )


def compared(against: str, word: str, mean: float, low: float, high: float) -> verdict.Comparison:
    """What comparing the recommended setting with another found."""
    gain = verdict.Interval(mean=mean, low=low, high=high, level=0.975)
    narrow = verdict.Interval(mean=mean, low=low / 2, high=high / 2, level=0.9)
    return verdict.Comparison(
        against=against, gain=gain, narrow=narrow, p=0.01, detectable=0.031, word=word
    )


def reference(name: str, accuracy: float, word: str) -> verdict.Reference:
    """A model of scikit-learn beside a network that is right in 90 of 100 cases."""
    gain = verdict.Interval(
        mean=0.9 - accuracy, low=0.88 - accuracy, high=0.92 - accuracy, level=0.9975
    )
    return verdict.Reference(
        name=name,
        val_accuracy=0.5,
        balanced_val_accuracy=0.25,
        val_data_loss=0.75,
        test=verdict.TestScores(accuracy=accuracy, balanced_accuracy=0.125, data_loss=1.5),
        accuracy=verdict.Interval(
            mean=accuracy, low=accuracy - 0.02, high=accuracy + 0.01, level=0.95
        ),
        comparison=verdict.Comparison(
            against=name, gain=gain, narrow=gain, p=0.001, detectable=0.02, word=word
        ),
        started=BORN,
        finished=BORN + timedelta(seconds=1.5),
    )


def study_with(
    word: str,
    *comparisons: verdict.Comparison,
    recommended: Lambdas = WEIGHT_L2,
    training: dict[str, Any] | None = None,
    split: dict[str, Any] | None = None,
    **changes: Any,
) -> StudyRecord:
    """A study whose winner, recommended too, is one setting."""
    data = {"source": "digits", "split": split or {}}
    made = make_study(3, training=training or {}, data=data)
    trials = (
        dataclasses.replace(make_trial(0), setting=Setting(Lambdas(), 0.003)),
        dataclasses.replace(make_trial(1), setting=Setting(recommended, 0.0104)),
        make_trial(2),
    )
    trials = tuple(
        dataclasses.replace(trial, deviations=one.deviations)
        for trial, one in zip(trials, made.trials, strict=True)
    )
    study = dataclasses.replace(made, trials=trials)
    confirmed = confirmed_study(study, look=1)
    assert confirmed.verdict
    found = dataclasses.replace(confirmed.verdict, word=word, comparisons=comparisons, **changes)
    return dataclasses.replace(confirmed, verdict=found)
