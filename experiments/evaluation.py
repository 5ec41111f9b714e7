"""One evaluation: `evaluate`, the one place that knows how a network is trained."""

import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np

from nnreg import Fit, Lambdas, Split, TrainConfig, losses_and_hits, penalties_by_layer, train
from nnreg.lambdas import per_layer
from nnreg.losses import WORST_LOSS
from nnreg.network import LayerParameters


@dataclass(frozen=True)
class EvaluationSpec:
    """What all jobs have in common. `layers` is "all" or "hidden" (all but the last are penalised);
    `arrays` is a folder made by `stored`, or a key of HELD; `keep` is the curve whose best epoch is
    kept (None: the last epoch is); `with_networks` asks for the networks as well; `all_rows` trains
    on the validation rows too.
    """

    config: TrainConfig
    layers: str
    arrays: str
    keep: str | None = None
    with_networks: bool = False
    all_rows: bool = False


@dataclass(frozen=True)
class Setting:
    """What is tuned: the lambdas, and the nuisances."""

    lambdas: Lambdas
    learning_rate: float

    @property
    def on(self) -> tuple[str, ...]:
        """Names of the lambdas above 0, in order."""
        return self.lambdas.on

    @property
    def arm(self) -> str:
        return PENALISED if self.on else BASELINE

    @property
    def numbers(self) -> dict[str, float]:
        """The four lambdas and the learning rate, by their names."""
        return {**vars(self.lambdas), "learning_rate": self.learning_rate}


PENALISED, BASELINE = "penalised", "baseline"
"""The arms: at least one lambda is on, or all four are off."""


@dataclass(frozen=True)
class Job:
    """A setting to train once per seed; its networks share one kept epoch."""

    setting: Setting
    seeds: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """The numbers of the kept epoch, under the names that they have everywhere."""

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
    """A trained layer: its penalties, in the order of the lambdas, and share of weights near 0."""

    penalties: tuple[float, ...]
    near_zero_weights: float


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedNetwork:
    """A network, with the loss and the hit of each validation row (see `row_answers`)."""

    __pydantic_config__: ClassVar = {"arbitrary_types_allowed": True}

    parameters: list[LayerParameters]
    layers: tuple[LayerTerms, ...]
    losses: np.ndarray
    hits: np.ndarray


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """What was measured of one network. `best_epoch` is the kept one, from 1; 0 where there is no
    network. Networks trained in lockstep share their task's time: each gets an equal part of it,
    one after the other, from `started` to `finished` (UTC), which is `seconds` long.
    """

    metrics: Metrics | None
    curves: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    diverged: bool = False
    epochs: int
    best_epoch: int
    seconds: float
    started: datetime
    finished: datetime
    error: str | None = None
    network: TrainedNetwork | None = None


_after_epoch: ContextVar[Callable[[], object] | None] = ContextVar("after_epoch", default=None)


@contextmanager
def after_epoch(call: Callable[[], object]) -> Iterator[None]:
    """Call this after each epoch of what this thread evaluates in the block."""
    token = _after_epoch.set(call)
    try:
        yield
    finally:
        _after_epoch.reset(token)


_one_at_a_time = threading.Lock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Give BLAS one thread, as in a worker; blocks of several threads take turns."""
    from threadpoolctl import OpenBLASController, threadpool_limits

    with _one_at_a_time:
        # Since 3.8 only the thread that set a limit first may set one; others are ignored silently.
        if hasattr(OpenBLASController, "clear_controlling_thread"):
            OpenBLASController.clear_controlling_thread(force=True)
        with threadpool_limits(1):
            yield


Evaluated = tuple[TrialResult, ...]
"""The results of one job, one for each of its seeds."""


def evaluate(spec: EvaluationSpec, jobs: Sequence[Job]) -> list[Evaluated]:
    """Train the networks of all jobs, which have as many seeds each, and measure each network; how
    jobs are divided changes no number.
    """
    return evaluate_on(load_split(spec.arrays), spec, jobs)


def evaluate_on(split: Split, spec: EvaluationSpec, jobs: Sequence[Job]) -> list[Evaluated]:
    """Do as `evaluate` with a split that is in memory."""
    if spec.all_rows:
        x = np.concatenate([split.x_train, split.x_val])
        y = np.concatenate([split.y_train, split.y_val])
        split = Split(x, y, split.x_val, split.y_val)
    together, hidden = len(jobs[0].seeds), len(spec.config.hidden)
    settings = [job.setting for job in jobs for _ in job.seeds]
    strengths = [per_layer(setting.lambdas, spec.layers, hidden) for setting in settings]
    started, clock = datetime.now(UTC), time.perf_counter()
    fits = train(
        split,
        spec.config,
        strengths,
        seeds=[seed for job in jobs for seed in job.seeds],
        learning_rates=[setting.learning_rate for setting in settings],
        keep=spec.keep,
        together=together,
        after_epoch=_after_epoch.get(),
    )
    seconds = (time.perf_counter() - clock) / len(fits)
    times = [started + timedelta(seconds=seconds * number) for number in range(len(fits) + 1)]
    networks = _networks(split, fits, strengths) if spec.with_networks else [None] * len(fits)
    results = [
        TrialResult(
            metrics=Metrics(
                **{name: float(getattr(fit, name)[fit.best_epoch - 1]) for name in METRICS}
            ),
            # The last one may be the objective, whose curve is always kept.
            curves={
                name: tuple(getattr(fit, name).tolist())
                for name in (*CURVES, "balanced_val_accuracy")
            },
            diverged=fit.diverged,
            epochs=spec.config.epochs,
            best_epoch=fit.best_epoch,
            seconds=seconds,
            started=begin,
            finished=end,
            network=network,
        )
        for fit, network, (begin, end) in zip(fits, networks, pairwise(times), strict=True)
    ]
    starts = range(0, len(results), together)
    return [tuple(results[start : start + together]) for start in starts]


def row_answers(
    x: np.ndarray, y: np.ndarray, fits: Sequence[tuple[list[LayerParameters], bool]]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the loss of each row and whether its class was found, both (networks, rows), for
    networks given as parameters and whether they diverged: if so, no row is found, and each loss is
    the largest there is.
    """
    losses, hits = losses_and_hits(x, y, [parameters for parameters, _ in fits])
    diverged = np.array([diverged for _, diverged in fits])
    losses[diverged], hits[diverged] = WORST_LOSS, False
    return losses, hits


def _networks(
    split: Split, fits: Sequence[Fit], strengths: Sequence[Sequence[Lambdas]]
) -> list[TrainedNetwork]:
    answers = row_answers(
        split.x_val, split.y_val, [(fit.parameters, fit.diverged) for fit in fits]
    )
    return [
        TrainedNetwork(
            parameters=fit.parameters,
            layers=tuple(
                LayerTerms(penalties=terms, near_zero_weights=near_zero)
                for terms, near_zero in penalties_by_layer(fit.parameters, lambdas)
            ),
            losses=losses,
            hits=hits,
        )
        for fit, lambdas, losses, hits in zip(fits, strengths, *answers, strict=True)
    ]


@contextmanager
def stored(split: Split) -> Iterator[str]:
    """Store a split in a temporary folder, for workers to map. Raises DirectoryError."""
    from experiments.errors import unwritable  # a worker imports this module, and needs neither
    from experiments.temporary import temporary_folder

    with ExitStack() as stack:
        try:
            folder = stack.enter_context(temporary_folder())
            for name, array in asdict(split).items():
                _save(array, folder / f"{name}.npy")
        except OSError as error:
            raise unwritable(
                "the temporary folder",
                error,
                "set TMPDIR to a folder that can be",
                full="make room there, or set TMPDIR to another",
            ) from None
        yield str(folder)


def _save(array: np.ndarray, path: Path) -> None:
    """Do as np.save, which on a full disk may lose an array's last bytes silently (NumPy 2.4)."""
    array = np.ascontiguousarray(array)
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)


HELD: dict[str, Split] = {}
"""Splits by key, in a worker of a cluster, which sees no folder of the driver's."""


def load_split(arrays: str) -> Split:
    """Return the split behind `EvaluationSpec.arrays`."""
    return HELD.get(arrays) or _mapped(arrays)


@functools.lru_cache(maxsize=2)
def _mapped(folder: str) -> Split:
    """Map what `stored` wrote, rather than read it: the workers of a machine share its memory."""
    arrays = {
        name: np.load(Path(folder) / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        for name in Split.__dataclass_fields__
    }
    # np.asarray takes the memmap's subclass off, whose overhead is paid at every slice.
    return Split(**{name: np.asarray(array) for name, array in arrays.items()})
