"""Training: several networks in lockstep, each with its own penalties, on the same data.

A lane is one of these networks. Its numbers are the same, bit for bit, whatever lanes run beside
it; this holds for one BLAS thread, which is the caller's to set (OPENBLAS_NUM_THREADS=1, or
threadpoolctl).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nnreg.arrays import Bools, Float64s, Floats, Ints
from nnreg.checks import one_of, seed_number
from nnreg.config import TrainConfig
from nnreg.lambdas import Lambdas
from nnreg.lockstep import Lockstep
from nnreg.measuring import SIGNS
from nnreg.network import LayerParameters, Network
from nnreg.optimizers import learning_rate_of
from nnreg.split import Split

COPIED = 2_000_000
"""Numbers that lanes of several splits may copy. With more, one split after the other is faster: 5
folds of 1,600 rows and 100 features took 1.05 times as long together with 10 lanes, 1.5 times with
40; of 400 rows and 20 features 0.4 and 0.6 times."""


@dataclass(frozen=True, eq=False)
class Fit:
    """One lane's training. Each curve is (epochs,) float64, from the parameters at an epoch's end.

    data_loss                        mean cross-entropy on the training set, without penalty
    penalty_weight_l1 ... bias_l2    the four terms, each summed over the layers
    regularization_loss              their sum, added in this order
    total_loss                       data_loss + regularization_loss
    train_accuracy, val_accuracy     share of rows whose class has the largest probability
    val_data_loss                    as data_loss, on the validation set
    balanced_val_accuracy            mean share of rows found, over the classes in y_val
    near_zero_weights                share of weights (not biases) smaller than 1e-3 in size
    best_epoch                       the kept epoch, from 1
    parameters                       (weights (n_inputs, n_neurons), biases (1, n_neurons))
                                     per layer at the end of the kept epoch, in config.dtype
    diverged                         a loss or a parameter was not finite at the end of the kept
                                     epoch or of one before it

    From the epoch on in which a lane diverges its accuracies are 0, data_loss and val_data_loss are
    -log(1e-7), and its parameters are those of the last epoch's end (or the start) at which all was
    finite. No number here is ever NaN or infinite.
    """

    data_loss: Float64s
    regularization_loss: Float64s
    penalty_weight_l1: Float64s
    penalty_weight_l2: Float64s
    penalty_bias_l1: Float64s
    penalty_bias_l2: Float64s
    total_loss: Float64s
    train_accuracy: Float64s
    val_data_loss: Float64s
    val_accuracy: Float64s
    balanced_val_accuracy: Float64s
    near_zero_weights: Float64s
    best_epoch: int
    parameters: list[LayerParameters]
    diverged: bool


CURVE_NAMES = tuple(name for name, kind in Fit.__annotations__.items() if kind is Float64s)
"""Every curve of a `Fit`."""


def train(
    split: Split | Sequence[Split],
    config: TrainConfig,
    lambdas: Sequence[Lambdas | Sequence[Lambdas]],
    seeds: Sequence[int] | None = None,
    initial: Sequence[tuple[Floats, Floats]] | None = None,
    *,
    learning_rates: Sequence[float] | None = None,
    keep: str | None = None,
    together: int = 1,
    after_epoch: Callable[[], object] | None = None,
) -> list[Fit]:
    """Train one network per lane, and return the fits in the order of `lambdas`.

    split           the rows of all lanes, or one split per lane, for example the folds of a
                    cross-validation
    lambdas         one element per lane: `Lambdas` for all layers, or a tuple of one per layer
    seeds           one per lane, in place of config.seed; lanes of one seed share initial weights
                    and, with equally many rows, batches
    initial         (weights (n_inputs, n_neurons), biases (1, n_neurons)) of each layer, from which
                    all lanes start
    learning_rates  one per lane, in place of config.learning_rate
    keep            the curve by which an epoch is kept, "val_accuracy", "balanced_val_accuracy" or
                    "val_data_loss": the best, the first of equals; None keeps the last epoch
    together        so many lanes in a row share one kept epoch, the best of their mean curve
    after_epoch     called at each epoch's end; an exception that it raises ends the training

    The number of classes is the largest class number in the splits, plus 1. The last batch of an
    epoch may be smaller. A full batch keeps the rows in order. The arguments are not changed, and
    NumPy's global random state is not used.

    Raises TypeError if a type is wrong, ValueError if a shape or a value is. Divergence is no
    error: see `Fit`.
    """
    splits = {"split": split} if isinstance(split, Split) else _named(split)
    for name, value, kind in (
        *((name, one, Split) for name, one in splits.items()),
        ("config", config, TrainConfig),
    ):
        if not isinstance(value, kind):
            raise TypeError(
                f"{name} is a {type(value).__name__}; it must be a {kind.__name__}. Make one with"
                f" {kind.__name__}(...)."
            )
    strengths = _strengths(lambdas, layers=len(config.hidden) + 1)
    lanes = len(strengths)
    each = [split] * lanes if isinstance(split, Split) else list(split)
    sizes = _sizes(each, config, lanes)
    lane_seeds, rates = (
        _lane_seeds(seeds, config.seed, lanes),
        _rates(learning_rates, config, lanes),
    )
    kept = _Kept(keep, together, lanes)
    groups = [
        Lockstep(
            members,
            [each[lane] for lane in members],
            config,
            Network(sizes, strengths[members], np.dtype(config.dtype)),
            seeds=[lane_seeds[lane] for lane in members],
            rates=rates[members],
            initial=initial,
        )
        for members in _alike(each)
    ]
    # Each epoch is written whole: (names, epochs, lanes).
    measured = np.empty((len(CURVE_NAMES), config.epochs, lanes))
    curves = dict(zip(CURVE_NAMES, measured.swapaxes(1, 2), strict=True))

    # A lane that diverges goes on overflowing: that is measured, not warned of.
    with np.errstate(all="ignore"):
        for epoch in range(config.epochs):
            for group in groups:
                numbers = group.train_epoch()
                its = slice(None) if len(groups) == 1 else group.lanes
                measured[:, epoch, its] = [numbers[name] for name in CURVE_NAMES]
            better = kept.look(epoch, curves)
            for group in groups:
                group.note_kept(better)
            if after_epoch:
                after_epoch()
    lane_of = {lane: (group, place) for group in groups for place, lane in enumerate(group.lanes)}
    return [
        Fit(
            **{name: curve[lane].copy() for name, curve in curves.items()},
            best_epoch=int(kept.epochs[lane]) + 1,
            parameters=group.kept_parameters(place),
            diverged=bool(group.kept_diverged[place]),
        )
        for lane, (group, place) in sorted(lane_of.items())
    ]


class _Kept:
    """The kept epoch of each lane, from 0."""

    def __init__(self, curve: str | None, together: int, lanes: int) -> None:
        if curve is not None:
            one_of("keep", curve, tuple(SIGNS))
        if together < 1 or lanes % together:
            raise ValueError(
                f"together is {together}; it must divide the {lanes} lanes. Give the"
                " number of lanes that share one kept epoch."
            )
        self._curve, self._together = curve, together
        self._best = np.full(lanes, -np.inf)
        self.epochs: Ints = np.zeros(lanes, dtype=np.intp)

    def look(self, epoch: int, curves: Mapping[str, Float64s]) -> Bools | None:
        """Return for which lanes this epoch is better than all before; None: only the last is."""
        if self._curve is None:
            self.epochs[:] = epoch
            return None
        values = SIGNS[self._curve] * curves[self._curve][:, epoch].reshape(-1, self._together)
        # Rounded, so that equal means are equal in whatever order they were added.
        means = values.mean(axis=-1).round(12).repeat(self._together)
        better: Bools = means > self._best
        self._best[better], self.epochs[better] = means[better], epoch
        return better


def _named(splits: Sequence[Split]) -> dict[str, Split]:
    return {f"split[{lane}]": split for lane, split in enumerate(splits)}


def _alike(splits: Sequence[Split]) -> list[list[int]]:
    """Return the lanes that take each step together: their splits have equally many rows, and are
    one split if each lane's own copy of its rows would not fit the cache.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for lane, split in enumerate(splits):
        groups.setdefault((len(split.y_train), len(split.y_val)), []).append(lane)
    found = []
    for lanes in groups.values():
        split, by_split = splits[lanes[0]], dict[int, list[int]]()
        if len(lanes) * (split.x_train.size + split.x_val.size) <= COPIED:
            found.append(lanes)
            continue
        for lane in lanes:
            by_split.setdefault(id(splits[lane]), []).append(lane)
        found += by_split.values()
    return found


def _sizes(splits: Sequence[Split], config: TrainConfig, lanes: int) -> tuple[int, ...]:
    """Return features, neurons of each hidden layer, classes."""
    _check_lanes("split", splits, lanes)
    distinct = {id(split): split for split in splits}.values()
    features = sorted({split.x_train.shape[1] for split in distinct})
    if len(features) > 1:
        raise ValueError(
            f"the splits have {features} features; all lanes have the same layers. Give each split"
            " the same columns."
        )
    return (*features, *config.hidden, max(split.classes for split in distinct))


def _strengths(lambdas: Sequence[Lambdas | Sequence[Lambdas]], layers: int) -> Float64s:
    """Return (lanes, layers, 4) in the order of LAMBDA_NAMES."""
    if isinstance(lambdas, Lambdas) or len(lambdas) == 0:
        raise ValueError(
            f"lambdas is {lambdas!r}; it must be a list with one element per lane. For one lane,"
            " use [Lambdas(...)]."
        )
    rows: list[list[tuple[float, ...]]] = []
    for lane, element in enumerate(lambdas):
        each = [element] * layers if isinstance(element, Lambdas) else list(element)
        if len(each) != layers or not all(isinstance(one, Lambdas) for one in each):
            raise ValueError(
                f"lambdas[{lane}] is {element!r}; it must be one Lambdas for all {layers} layers,"
                " or a tuple of one per layer."
            )
        rows.append([one.as_tuple() for one in each])
    return np.array(rows, dtype=np.float64)


def _rates(rates: Sequence[float] | None, config: TrainConfig, lanes: int) -> Float64s:
    """Return the learning rate of each lane, (lanes,)."""
    if rates is None:
        return np.full(lanes, config.learning_rate)
    _check_lanes("learning_rates", rates, lanes)
    return np.array(
        [learning_rate_of(rate, f"learning_rates[{lane}]") for lane, rate in enumerate(rates)]
    )


def _lane_seeds(seeds: Sequence[int] | None, seed: int, lanes: int) -> list[int]:
    if seeds is None:
        return [seed] * lanes
    _check_lanes("seeds", seeds, lanes)
    return [seed_number(f"seeds[{lane}]", each) for lane, each in enumerate(seeds)]


def _check_lanes(name: str, values: Sequence[object], lanes: int) -> None:
    if len(values) != lanes:
        raise ValueError(
            f"{name} has {len(values)} elements and lambdas has {lanes}; give one per lane, or"
            " none."
        )
