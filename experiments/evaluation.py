"""One evaluation: lambdas and a seed in, measurements out; the pure function that travels to the
workers.
"""

import functools
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nnreg import Fit, Lambdas, Split, TrainConfig, losses_and_hits, penalties_by_layer, train
from nnreg.lambdas import per_layer
from nnreg.losses import WORST_LOSS
from nnreg.network import LayerParameters


@dataclass(frozen=True)
class EvaluationSpec:
    """All that a worker must know, picklable and free of heavy imports.

    `layers` is "all" or "hidden" (every layer but the last is penalised); `arrays` is a folder made
    by `stored`, or a key given to `hold`; `whole` is whether the networks themselves are asked for,
    beside what was measured; `all_rows` whether they are trained on the validation rows too.
    """

    config: TrainConfig
    layers: str
    arrays: str
    whole: bool = False
    all_rows: bool = False


@dataclass(frozen=True)
class Job:
    """One network to train."""

    lambdas: Lambdas
    seed: int


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The numbers of the last epoch, under the names that they have everywhere."""

    data_loss: float
    regularization_loss: float
    total_loss: float
    penalty_weight_l1: float
    penalty_weight_l2: float
    penalty_bias_l1: float
    penalty_bias_l2: float
    val_data_loss: float
    val_accuracy: float
    balanced_val_accuracy: float
    train_accuracy: float
    near_zero_weights: float


METRICS = tuple(Metrics.__dataclass_fields__)
CURVES = ("data_loss", "regularization_loss", "val_data_loss", "val_accuracy", "train_accuracy")


@dataclass(frozen=True, kw_only=True)
class LayerTerms:
    """A layer at the end of training: its penalties, in the order of the lambdas, and its share of
    near-zero weights.
    """

    penalties: tuple[float, ...]
    near_zero_weights: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Whole:
    """A network itself: its parameters, a layer each, and for every validation row its loss and
    whether its class was found.

    For one that diverged, what its accuracies and losses are by definition: no row found, and the
    largest loss.
    """

    parameters: list[LayerParameters]
    layers: tuple[LayerTerms, ...]
    losses: np.ndarray
    hits: np.ndarray


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """What one evaluation measured. Times are UTC; `seconds` is this network's share of its task's
    wall time.
    """

    metrics: Metrics | None
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    diverged: bool = False
    epochs: int
    seconds: float
    started: datetime
    finished: datetime
    error: str | None = None
    whole: Whole | None = None


_after_epoch: ContextVar[Callable[[], object] | None] = ContextVar("after_epoch", default=None)


@contextmanager
def after_epoch(call: Callable[[], object]) -> Iterator[None]:
    """Have `train` make a call at each epoch's end of all that this thread evaluates in this block."""
    token = _after_epoch.set(call)
    try:
        yield
    finally:
        _after_epoch.reset(token)


def evaluate(spec: EvaluationSpec, jobs: Sequence[Job]) -> list[TrialResult]:
    """Train one network a job, all at once, and measure each; the same numbers however the jobs are
    divided.
    """
    split = _with_all_rows(load_split(spec.arrays)) if spec.all_rows else load_split(spec.arrays)
    return evaluate_on(split, spec.config, spec.layers, jobs, whole=spec.whole)


def evaluate_on(
    split: Split, config: TrainConfig, layers: str, jobs: Sequence[Job], *, whole: bool = False
) -> list[TrialResult]:
    """As `evaluate`, of a split that is here."""
    strengths = [per_layer(job.lambdas, layers, len(config.hidden)) for job in jobs]
    started, clock = datetime.now(UTC), time.perf_counter()
    fits = train(
        split, config, strengths, seeds=[job.seed for job in jobs], after_epoch=_after_epoch.get()
    )
    seconds, finished = (time.perf_counter() - clock) / len(jobs), datetime.now(UTC)
    common = {"seconds": seconds, "started": started, "finished": finished, "epochs": config.epochs}
    wholes = _wholes(split, fits, strengths) if whole else [None] * len(fits)
    return [_result(fit, whole=whole, **common) for fit, whole in zip(fits, wholes, strict=True)]


def _with_all_rows(split: Split) -> Split:
    """The split that trains on all rows it has."""
    x, y = (
        np.concatenate([split.x_train, split.x_val]),
        np.concatenate([split.y_train, split.y_val]),
    )
    return Split(x, y, split.x_val, split.y_val)


def row_answers(
    x: np.ndarray, y: np.ndarray, fits: Sequence[tuple[list[LayerParameters], bool]]
) -> tuple[np.ndarray, np.ndarray]:
    """The loss of each row and whether its class was found, (networks, rows) both; of parameters,
    and whether they diverged.
    """
    losses, hits = losses_and_hits(x, y, [parameters for parameters, _ in fits])
    diverged = np.array([diverged for _, diverged in fits])
    losses[diverged], hits[diverged] = WORST_LOSS, False
    return losses, hits


def _wholes(
    split: Split, fits: Sequence[Fit], strengths: Sequence[Sequence[Lambdas]]
) -> list[Whole]:
    losses, hits = row_answers(
        split.x_val, split.y_val, [(fit.parameters, fit.diverged) for fit in fits]
    )
    layers = [
        tuple(
            LayerTerms(penalties=terms, near_zero_weights=near_zero)
            for terms, near_zero in penalties_by_layer(fit.parameters, each)
        )
        for fit, each in zip(fits, strengths, strict=True)
    ]
    return [
        Whole(parameters=fit.parameters, layers=layers[lane], losses=losses[lane], hits=hits[lane])
        for lane, fit in enumerate(fits)
    ]


def _result(fit: Fit, **common: Any) -> TrialResult:
    metrics = Metrics(**{name: float(getattr(fit, name)[-1]) for name in METRICS})
    names = (
        *CURVES,
        "balanced_val_accuracy",
    )  # the last may be the objective, whose curve is always kept
    curves = {name: tuple(getattr(fit, name).tolist()) for name in names}
    return TrialResult(metrics=metrics, curves=curves, diverged=fit.diverged, **common)


@contextmanager
def stored(split: Split) -> Iterator[str]:
    """The arrays of a split where workers map them into memory, in a temporary folder, as
    `EvaluationSpec.arrays` has it.

    Raises DirectoryError where they cannot be written.
    """
    from experiments.errors import (
        unwritable,  # a worker imports this module, and needs no sentences
    )

    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sweeps-"))
            for name, array in asdict(split).items():
                _save(array, Path(folder) / f"{name}.npy")
        except OSError as error:
            raise unwritable(
                "the temporary folder",
                error,
                "set TMPDIR to a folder that can be",
                full="make room there, or set TMPDIR to another",
            ) from None
        yield folder


def _save(array: np.ndarray, path: Path) -> None:
    """As np.save, which on a full disk may lose the last bytes of an array and say nothing (NumPy
    2.4).
    """
    array = np.ascontiguousarray(array)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)


_held: dict[str, Split] = {}  # by key, in a worker that sees no folder of the driver's
MOST_HELD = 4


def hold(key: str, split: Split) -> None:
    """Have `load_split` find a split by a key in this process; of more than MOST_HELD the eldest
    goes.
    """
    _held[key] = split
    for eldest in list(_held)[:-MOST_HELD]:
        del _held[eldest]


def let_go(key: str) -> None:
    """The end of `hold`."""
    _held.pop(key, None)


def holds(key: str) -> bool:
    """Whether `load_split` would find a key."""
    return key in _held


def load_split(arrays: str) -> Split:
    """The split behind `EvaluationSpec.arrays`."""
    return _held.get(arrays) or _mapped(arrays)


@functools.lru_cache(maxsize=2)
def _mapped(folder: str) -> Split:
    """The split that `stored` wrote, mapped rather than read: workers of one machine share its
    memory.
    """
    names = Split.__dataclass_fields__
    arrays = {
        name: np.load(Path(folder) / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in names
    }
    # np.asarray takes the memmap's subclass off (its overhead is paid at every slice); the memory
    # stays mapped.
    return Split(**{name: np.asarray(array) for name, array in arrays.items()})
