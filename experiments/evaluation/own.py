"""A user's own network: one function that yields its losses and its network once per epoch.

Networks are trained one after the other, each as if it were alone in its process. None is ever
copied: what a network answers is noted at the end of each epoch, and where the network itself is
needed later it is trained again up to there (docs/decisions/0028-own-networks-are-not-copied.md).
"""

import contextlib
import io
import logging
import math
import random
import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from experiments.evaluation.contract import (
    METRICS,
    Evaluated,
    EvaluationSpec,
    Job,
    Metrics,
    TrainedNetwork,
    TrialResult,
)
from experiments.evaluation.running import called_after_epoch
from experiments.network import OwnNetwork, functions, one_at_a_time, reason
from nnreg import LAMBDA_NAMES, Split
from nnreg.losses import CLIP, WORST_LOSS
from nnreg.measuring import DIVERGED, SIGNS

NAME = re.compile(r"[\w .:/-]{1,100}")  # what MLflow takes
TAKEN = {
    *LAMBDA_NAMES,
    "learning_rate",
    "best_epoch",
    "seconds",
    "ranking",
    "study",
    "trial",
    "epoch",
}
"""Numbers of a trial that have these names already, and columns of history.csv."""
MEASURED = ("val_data_loss", "val_accuracy", "balanced_val_accuracy", "total_loss")
"""The numbers that are measured or computed here, so that a function may not yield them."""
LOSSES = ("data_loss", "regularization_loss")
CLOSE = 1e-3  # how near to 1 the probabilities of a row must add up: those of float16 do

logger = logging.getLogger(__name__)


class ContractError(Exception):
    """What a user's code did cannot be used; the text says what, and what to do."""


@dataclass
class _Run:
    """One network: its curves so far, what it answered at each epoch's end (or only at the last),
    and how it ended. `diverged_at` is an epoch, from 0.
    """

    started: datetime
    curves: dict[str, list[float]] = field(default_factory=dict)
    answers: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    seconds: float = 0.0
    diverged_at: int | None = None
    how: str | None = None
    pruned: bool = False
    error: str | None = None
    arrays: Mapping[str, np.ndarray] | None = None

    @property
    def epochs(self) -> int:
        return len(self.curves.get("data_loss", ()))


def train_and_measure_own(
    own: OwnNetwork, split: Split, spec: EvaluationSpec, jobs: Sequence[Job]
) -> list[Evaluated]:
    """Train the networks of all jobs, one after the other, and measure each."""
    evaluated = []
    with one_at_a_time:
        for job in jobs:
            runs = [_run(own, split, spec, job, seed) for seed in job.seeds]
            kept = _kept_epoch(runs, spec, job)
            evaluated.append(tuple(_result(run, kept, runs, spec) for run in runs))
    return evaluated


def _run(own: OwnNetwork, split: Split, spec: EvaluationSpec, job: Job, seed: int) -> _Run:
    """Train one network. What goes wrong in the user's code is the error of the run."""
    run, clock = _Run(datetime.now(UTC)), time.perf_counter()
    load, network = functions(own).load, None
    try:
        with _alone(own, seed), contextlib.closing(_steps(own, split, spec, job, seed)) as steps:
            for yielded in islice(steps, job.stop or spec.config.epochs):
                network = yielded.get("network")
                _note(run, own, yielded, split, spec)
                if run.diverged_at is not None or run.pruned:
                    break
                if call := called_after_epoch():
                    call()
            if network is None:
                raise ContractError(f"{own.name}: {own.function} yields nothing; {HOW}")
            if spec.rows is not None and run.diverged_at is None:
                run.answers = [_answers(own, network, *spec.rows, split.classes) or _worst(spec)]
            if spec.with_networks and load is not None and hasattr(network, "arrays"):
                with _users_code(own):
                    run.arrays = {name: np.array(one) for name, one in network.arrays().items()}
    except ContractError as error:
        run.error = str(error)
    run.seconds = time.perf_counter() - clock
    return run


HOW = 'yield {"data_loss": ..., "regularization_loss": ..., "network": ...} after each epoch'


def _steps(
    own: OwnNetwork, split: Split, spec: EvaluationSpec, job: Job, seed: int
) -> Generator[Mapping[str, Any]]:
    """Yield what the user's function yields. Raises ContractError."""
    with _users_code(own):
        # Copies, so that a function may change its arrays, and no other network sees that.
        given = Split(*(array.copy() for array in vars(split).values()))
        yields = functions(own).train(
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
            with _users_code(own):
                yielded = next(yields, None)
            if yielded is None:
                return
            if not isinstance(yielded, Mapping):
                what = type(yielded).__name__
                raise ContractError(f"{own.name}: {own.function} yields a {what}; {HOW}")
            yield yielded
    finally:
        if hasattr(yields, "close"):
            with _users_code(own):
                yields.close()


@contextlib.contextmanager
def _users_code(own: OwnNetwork) -> Iterator[None]:
    """Raise what goes wrong in the user's code as a ContractError with file and line."""
    try:
        yield
    except (MemoryError, ContractError):  # memory is the worker's, and is tried again
        raise
    except (Exception, SystemExit) as error:
        raise ContractError(reason(own, error)) from None


def _note(
    run: _Run, own: OwnNetwork, yielded: Mapping[str, Any], split: Split, spec: EvaluationSpec
) -> None:
    """Measure the network at an epoch's end."""
    numbers = {str(name): float(one) for name, one in yielded.items() if _is_number(one)}
    _check(run, own, yielded, numbers)
    answers = _answers(own, yielded["network"], split.x_val, split.y_val, split.classes)
    finite = all(math.isfinite(numbers.get(name, 0.0)) for name in LOSSES)
    if not finite or answers is None:
        run.diverged_at = run.epochs
        bad = next((n for n in LOSSES if not math.isfinite(numbers.get(n, 0.0))), "predict")
        run.how = f"diverged at epoch {run.epochs + 1}: {bad} is not finite"
        numbers = {name: (run.curves.get(name) or [0.0])[-1] for name in numbers}
        numbers |= {name: value for name, value in DIVERGED.items() if name != "train_accuracy"}
        answers = _worst(spec, len(split.y_val))
    else:
        numbers |= _measured(*answers, split.y_val)
    for name, value in numbers.items():
        run.curves.setdefault(name, []).append(value)
    if spec.with_networks and spec.rows is None:
        if spec.keep is None:
            run.answers.clear()
        run.answers.append(answers)
    run.pruned = _is_worse(run, spec)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) or (isinstance(value, np.ndarray) and value.ndim == 0)


def _check(
    run: _Run, own: OwnNetwork, yielded: Mapping[str, Any], numbers: Mapping[str, float]
) -> None:
    """Raise ContractError unless what was yielded can be used."""
    problem = ""
    if "data_loss" not in numbers:
        problem = f"yields no data_loss that is a number ({', '.join(map(str, yielded))}); {HOW}"
    elif taken := [name for name in numbers if name in TAKEN or name in MEASURED]:
        problem = f"yields {taken[0]}, which the program records itself; give it another name"
    elif odd := [name for name in numbers if not NAME.fullmatch(name)]:
        problem = f"yields a number named {odd[0]!r}; a name has letters, digits, and _ . : / -"
    elif run.curves and set(numbers) != set(run.curves) - set(MEASURED):
        problem = "yields other numbers than at the first epoch; yield the same ones at each"
    elif not callable(getattr(yielded.get("network"), "predict", None)):
        problem = (
            f"yields a network without predict (a {type(yielded.get('network')).__name__}); give"
            " it predict(x), which returns probabilities (rows, classes), or yield for example"
            " types.SimpleNamespace(predict=predict)"
        )
    if problem:
        raise ContractError(f"{own.name}: {own.function} {problem}")


def _answers(
    own: OwnNetwork, network: Any, x: np.ndarray, y: np.ndarray, classes: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the loss of each row and whether its class was found, (rows,) both; None if what
    `predict` returns is not finite. Raises ContractError.
    """
    with _users_code(own):
        found = np.asarray(network.predict(x))
    expected = f"it must be probabilities, of the shape ({len(x)}, {classes})"
    if found.shape != (len(x), classes) or found.dtype.kind not in "fiu":
        what = f"{found.dtype} of the shape {found.shape}"
        what = f"{what}, which may be labels" if found.ndim == 1 else what
        raise ContractError(f"{own.name}: predict returns {what}; {expected}")
    if not np.isfinite(found).all():
        return None
    wrong = np.flatnonzero((np.abs(found.sum(axis=1) - 1) > CLOSE) | (found < -CLOSE).any(axis=1))
    if len(wrong):
        row = np.array2string(found[wrong[0]], precision=3, max_line_width=1000)
        raise ContractError(
            f"{own.name}: predict returns {row} for a row; {expected}: end with a softmax"
        )
    right = found[np.arange(len(y)), y].astype(np.float64)
    return -np.log(np.clip(right, CLIP, 1 - CLIP)), found.argmax(axis=1) == y


def _measured(losses: np.ndarray, hits: np.ndarray, y: np.ndarray) -> dict[str, float]:
    rows = np.bincount(y)
    recalls = np.bincount(y, weights=hits)[rows > 0] / rows[rows > 0]
    numbers = (losses.mean(), hits.sum() / len(hits), recalls.mean())
    return dict(zip(MEASURED, map(float, numbers), strict=False))


def _worst(spec: EvaluationSpec, rows: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the answers of a diverged network."""
    rows = len(spec.rows[1]) if spec.rows is not None else rows or 0
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


def _kept_epoch(runs: Sequence[_Run], spec: EvaluationSpec, job: Job) -> int:
    """Return the epoch that all networks of a job keep, from 0: the best of their mean curve. One
    that ended earlier stays as it was.
    """
    longest = max(run.epochs for run in runs)
    whole = [run for run in runs if run.epochs and run.error is None]
    if spec.keep is None or job.stop is not None or not whole:
        return max(0, longest - 1)
    curves = np.array([_padded(run.curves[spec.keep], longest) for run in whole])
    return int((SIGNS[spec.keep] * curves.mean(axis=0)).round(12).argmax())


def _padded(values: list[float], length: int) -> list[float]:
    return values + values[-1:] * (length - len(values))


def _result(run: _Run, kept: int, runs: Sequence[_Run], spec: EvaluationSpec) -> TrialResult:
    finished = run.started + timedelta(seconds=run.seconds)
    times: dict[str, Any] = {"seconds": run.seconds, "started": run.started, "finished": finished}
    if run.error is not None:
        return TrialResult(metrics=None, epochs=0, best_epoch=0, error=run.error, **times)
    longest = max(one.epochs for one in runs)
    curves = {name: tuple(_padded(values, longest)) for name, values in run.curves.items()}
    at_kept = {name: values[kept] for name, values in curves.items() if name in METRICS}
    if "regularization_loss" in at_kept:
        at_kept["total_loss"] = at_kept["data_loss"] + at_kept["regularization_loss"]
    diverged = run.diverged_at is not None and kept >= run.diverged_at
    network = None
    if spec.with_networks:
        losses, hits = run.answers[min(kept, len(run.answers) - 1)] if run.answers else _worst(spec)
        network = TrainedNetwork(losses=losses, hits=hits, arrays=run.arrays)
    return TrialResult(
        metrics=Metrics(**at_kept),
        curves=curves,
        diverged=diverged,
        error=run.how if diverged else None,
        epochs=run.epochs,
        best_epoch=kept + 1,
        pruned=run.pruned,
        network=network,
        **times,
    )


@contextlib.contextmanager
def _alone(own: OwnNetwork, seed: int) -> Iterator[None]:
    """Let a network be trained as in a process of its own: with its own random states, in its
    directory, and what it prints goes to the log.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002  # users' code
        if Path(own.directory).is_dir():  # it may not be there, on another machine
            stack.enter_context(contextlib.chdir(own.directory))
        log = _Log()
        stack.enter_context(contextlib.redirect_stdout(log))
        stack.enter_context(contextlib.redirect_stderr(log))
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002  # users' code uses it
        yield


class _Log(io.TextIOBase):
    """A file whose lines go to the log."""

    def write(self, text: str) -> int:
        for line in filter(None, map(str.strip, text.splitlines())):
            logger.info("%s", line)
        return len(text)
