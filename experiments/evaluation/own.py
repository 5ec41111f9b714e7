"""A user's own network: one function that yields its losses and its network once per epoch.

Networks are trained one after the other, each as if it were alone in its process. None is ever
copied: what a network answers is noted at the end of each epoch, and where the network itself is
needed later it is trained again up to there (docs/decisions/0028-own-networks-are-not-copied.md).
"""

import contextlib
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np

from experiments.alone import alone
from experiments.evaluation.contract import (
    Evaluated,
    EvaluationSpec,
    Job,
    TrainedNetwork,
    TrialResult,
)
from experiments.evaluation.running import called_after_epoch
from experiments.evaluation.shared_epoch import with_shared_epoch
from experiments.evaluation.yielded import (
    HOW,
    MEASURED,
    Answers,
    ContractError,
    answers_of,
    check,
    measured,
    numbers_of,
    users_code,
)
from experiments.loading import functions
from experiments.network import OwnNetwork
from nnreg import Split
from nnreg.losses import WORST_LOSS
from nnreg.measuring import DIVERGED, SIGNS

LOSSES = ("data_loss", "regularization_loss")


@dataclass
class _Run:
    """One network: its curves so far, what it answered at each epoch's end (or only at the last),
    and how it ended.
    """

    curves: dict[str, list[float]] = field(default_factory=dict)
    answers: list[Answers] = field(default_factory=list)
    diverged: str | None = None
    pruned: bool = False
    arrays: Mapping[str, np.ndarray] | None = None

    @property
    def epochs(self) -> int:
        return len(self.curves.get("data_loss", ()))


def train_and_measure_own(
    own: OwnNetwork, folds: Sequence[Split], spec: EvaluationSpec, jobs: Sequence[Job]
) -> list[Evaluated]:
    """Train the networks of all jobs, one after the other, and measure each."""
    return [
        with_shared_epoch(
            [
                _train(own, folds[fold], _of_fold(spec, fold), job, seed)
                for seed, fold in job.networks
            ],
            spec,
            job,
        )
        for job in jobs
    ]


def _of_fold(spec: EvaluationSpec, fold: int) -> EvaluationSpec:
    return replace(spec, rows=spec.rows[fold : fold + 1])


def _train(own: OwnNetwork, split: Split, spec: EvaluationSpec, job: Job, seed: int) -> TrialResult:
    """Train one network, and return its curves, and what it answered at the end of each epoch; the
    kept epoch is not chosen yet. What goes wrong in the user's code is the error.
    """
    run, started, clock = _Run(), datetime.now(UTC), time.perf_counter()
    own_functions, error = functions(own), None
    steps = _steps(own, own_functions.train, split, spec, job, seed)
    try:
        with alone(own.directory, seed), contextlib.closing(steps):
            network = _follow(run, own, steps, split, spec, job)
            if spec.with_networks and own_functions.load and hasattr(network, "arrays"):
                with users_code(own):
                    run.arrays = {name: np.array(one) for name, one in network.arrays().items()}
    except ContractError as problem:
        error = str(problem)
    seconds = time.perf_counter() - clock
    trained = None
    if spec.with_networks and error is None:
        losses, hits = run.answers[-1] if run.answers else _worst(spec)
        answers = tuple(run.answers)
        trained = TrainedNetwork(
            losses=losses, hits=hits, by_epoch=answers, diverged=run.diverged, arrays=run.arrays
        )
    return TrialResult(
        metrics=None,
        curves={} if error else {name: tuple(values) for name, values in run.curves.items()},
        diverged=run.diverged is not None,
        epochs=0 if error else run.epochs,
        best_epoch=0,
        pruned=run.pruned,
        seconds=seconds,
        started=started,
        finished=started + timedelta(seconds=seconds),
        error=error or run.diverged,
        network=trained,
    )


def _follow(
    run: _Run, own: OwnNetwork, steps: Iterator[Any], split: Split, spec: EvaluationSpec, job: Job
) -> Any:
    """Measure a network at the end of each epoch until it ends, and return it. Raises
    ContractError.
    """
    network = None
    for yielded in islice(steps, job.stop or spec.config.epochs):
        network = yielded.get("network")
        _note(run, own, yielded, split, spec)
        if run.diverged or run.pruned:
            break
        if call := called_after_epoch():
            call()
    if network is None:
        raise ContractError(f"{own.name}: {own.function} yields nothing; {HOW}")
    if spec.rows and not run.diverged:
        run.answers = [answers_of(own, network, *spec.rows[0], split.classes) or _worst(spec)]
    return network


def _steps(
    own: OwnNetwork,
    train: Callable[..., Any],
    split: Split,
    spec: EvaluationSpec,
    job: Job,
    seed: int,
) -> Generator[Mapping[str, Any]]:
    """Yield what the user's function yields. Raises ContractError."""
    with users_code(own):
        # Copies, so that a function may change its arrays, and no other network sees that.
        given = Split(*(array.copy() for array in vars(split).values()))
        yields = train(
            given,
            job.setting.lambdas,
            seed=seed,
            epochs=spec.config.epochs,
            batch_size=min(spec.config.batch_size or math.inf, len(split.y_train)),
            learning_rate=job.setting.learning_rate,
            **{**own.parameters, **dict(job.setting.parameters)},
        )
        yields = iter([yields] if isinstance(yields, Mapping) else yields or [])
    try:
        while True:
            with users_code(own):
                yielded = next(yields, None)
            if yielded is None:
                return
            if not isinstance(yielded, Mapping):
                what = type(yielded).__name__
                raise ContractError(f"{own.name}: {own.function} yields a {what}; {HOW}")
            yield yielded
    finally:
        if hasattr(yields, "close"):
            with users_code(own):
                yields.close()


def _note(
    run: _Run, own: OwnNetwork, yielded: Mapping[str, Any], split: Split, spec: EvaluationSpec
) -> None:
    """Measure the network at an epoch's end."""
    numbers = numbers_of(yielded)
    check(own, yielded, run.curves)
    answers = answers_of(own, yielded["network"], split.x_val, split.y_val, split.classes)
    finite = all(math.isfinite(numbers.get(name, 0.0)) for name in LOSSES)
    if not finite or answers is None:
        bad = next((n for n in LOSSES if not math.isfinite(numbers.get(n, 0.0))), "predict")
        run.diverged = f"diverged at epoch {run.epochs + 1}: {bad} is not finite"
        numbers = {name: (run.curves.get(name) or [0.0])[-1] for name in numbers}
        numbers |= {name: DIVERGED[name] for name in DIVERGED if name in (*numbers, *MEASURED)}
        answers = _worst(spec, len(split.y_val))
    else:
        numbers |= measured(*answers, split.y_val)
    for name, value in numbers.items():
        run.curves.setdefault(name, []).append(value)
    if spec.with_networks and not spec.rows:
        if spec.keep is None:
            run.answers.clear()
        run.answers.append(answers)
    run.pruned = _is_worse(run, spec)


def _worst(spec: EvaluationSpec, rows: int | None = None) -> Answers:
    """Return the answers of a diverged network."""
    rows = len(spec.rows[0][1]) if spec.rows else rows or 0
    return np.full(rows, WORST_LOSS), np.zeros(rows, dtype=np.bool_)


def _is_worse(run: _Run, spec: EvaluationSpec) -> bool:
    """Whether the best so far is worse than the median of earlier generations at this epoch: the
    rule of Optuna's MedianPruner.
    """
    epoch = run.epochs - 1
    if spec.keep is None or epoch >= len(spec.medians):
        return False
    sign = SIGNS[spec.keep]
    best = max(sign * value for value in run.curves[spec.keep])
    return best < sign * spec.medians[epoch]
