"""Training: several networks in lockstep, each with its own penalties, on the same data.

A lane is one of these networks. Its numbers are the same, bit for bit, whatever lanes run beside
it; this holds for one BLAS thread, which is the caller's to set (OPENBLAS_NUM_THREADS=1, or
threadpoolctl).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nnreg.arrays import Bools, Float64s, Floats, FloatType, Ints
from nnreg.batches import WEIGHTS_STREAM, Batches, Table, random_stream
from nnreg.checks import one_of, seed_number
from nnreg.config import TrainConfig
from nnreg.kernels import softmax_columns
from nnreg.lambdas import Lambdas
from nnreg.losses import CategoricalCrossentropy
from nnreg.measuring import DIVERGED, SIGNS, Measured, Rows, measure, measure_parameters
from nnreg.network import LayerParameters, Network, classes_last
from nnreg.optimizers import LearningRate, learning_rate_of
from nnreg.split import Split


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
    split: Split,
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
    """Train one network per lane on `split`, and return the fits in the order of `lambdas`.

    lambdas         one element per lane: `Lambdas` for all layers, or a tuple of one per layer
    seeds           one per lane, in place of config.seed; lanes of one seed share initial weights
                    and batches
    initial         (weights (n_inputs, n_neurons), biases (1, n_neurons)) of each layer, from which
                    all lanes start
    learning_rates  one per lane, in place of config.learning_rate
    keep            the curve by which an epoch is kept, "val_accuracy", "balanced_val_accuracy" or
                    "val_data_loss": the best, the first of equals; None keeps the last epoch
    together        so many lanes in a row share one kept epoch, the best of their mean curve
    after_epoch     called at each epoch's end; an exception that it raises ends the training

    The number of classes is the largest class number in `split`, plus 1. The last batch of an epoch
    may be smaller. A full batch keeps the rows in order. The arguments are not changed, and NumPy's
    global random state is not used.

    Raises TypeError if a type is wrong, ValueError if a shape or a value is. Divergence is no
    error: see `Fit`.
    """
    for name, value, kind in (("split", split, Split), ("config", config, TrainConfig)):
        if not isinstance(value, kind):
            raise TypeError(
                f"{name} is a {type(value).__name__}; it must be a {kind.__name__}. Make one with"
                f" {kind.__name__}(...)."
            )
    dtype = np.dtype(config.dtype)
    sizes = (split.x_train.shape[1], *config.hidden, split.classes)
    network = Network(sizes, _strengths(lambdas, layers=len(sizes) - 1), dtype)
    lane_seeds = _lane_seeds(seeds, config.seed, network.lanes)
    kept = _Kept(keep, together, network)
    table = Table(_cast("x_train", split.x_train, dtype))
    val_table = Table(_cast("x_val", split.x_val, dtype))
    rows, val_rows = Rows(table, split.y_train, network), Rows(val_table, split.y_val, network)
    if initial is None:
        _draw(network, lane_seeds, config.initialization)
    else:
        _copy(initial, network)
    batches = Batches(table, split.y_train, network, config.batch_size, lane_seeds)
    optimizer = config.new_optimizer(_rate(learning_rates, config, network.lanes))
    loss = CategoricalCrossentropy()
    curves = {name: np.empty((network.lanes, config.epochs)) for name in CURVE_NAMES}
    diverged = np.zeros(network.lanes, dtype=np.bool_)
    last_finite = network.parameters.copy()

    # A lane that diverges goes on overflowing: that is measured, not warned of.
    with np.errstate(all="ignore"):
        for epoch in range(config.epochs):
            for batch, truth in batches:
                logits = batch.forward()
                probabilities = classes_last(softmax_columns(logits, out=logits))
                loss.backward(probabilities, truth, out=probabilities)
                batch.backward()
                optimizer.update(network)
            measured = measure(network, rows, val_rows)
            diverged |= ~_finite(measured, network)
            # Diverged lanes are trained on, which costs less than leaving them out, and put back.
            if diverged.any():
                np.copyto(network.parameters, last_finite, where=diverged[:, np.newaxis])
                measured |= measure_parameters(network)
                for name, number in DIVERGED.items():
                    np.copyto(measured[name], number, where=diverged)
            np.copyto(last_finite, network.parameters)
            kept.look(epoch, measured, diverged)
            measured["total_loss"] = measured["data_loss"] + measured["regularization_loss"]
            for name, curve in curves.items():
                curve[:, epoch] = measured[name]
            if after_epoch:
                after_epoch()

    np.copyto(network.parameters, kept.parameters)
    return [
        Fit(
            **{name: curve[lane].copy() for name, curve in curves.items()},
            best_epoch=int(kept.epochs[lane]) + 1,
            parameters=network.lane_parameters(lane),
            diverged=bool(kept.diverged[lane]),
        )
        for lane in range(network.lanes)
    ]


class _Kept:
    """What is kept of each lane: the epoch (from 0), the parameters, whether it had diverged."""

    def __init__(self, curve: str | None, together: int, network: Network) -> None:
        if curve is not None:
            one_of("keep", curve, tuple(SIGNS))
        if together < 1 or network.lanes % together:
            raise ValueError(
                f"together is {together}; it must divide the {network.lanes} lanes. Give the"
                " number of lanes that share one kept epoch."
            )
        self._curve, self._together, self._network = curve, together, network
        self._best = np.full(network.lanes, -np.inf)
        self.epochs: Ints = np.zeros(network.lanes, dtype=np.intp)
        self.diverged = np.zeros(network.lanes, dtype=np.bool_)
        self.parameters = network.parameters if curve is None else network.parameters.copy()

    def look(self, epoch: int, measured: Measured, diverged: Bools) -> None:
        """Keep this epoch's end of the lanes for which it is better than all before."""
        if self._curve is None:
            self.epochs[:], self.diverged[:] = epoch, diverged
            return
        values = SIGNS[self._curve] * measured[self._curve].reshape(-1, self._together)
        # Rounded, so that equal means are equal in whatever order they were added.
        means = values.mean(axis=-1).round(12).repeat(self._together)
        better = means > self._best
        self._best[better], self.epochs[better] = means[better], epoch
        self.diverged[better] = diverged[better]
        np.copyto(self.parameters, self._network.parameters, where=better[:, np.newaxis])


def _finite(measured: Measured, network: Network) -> Bools:
    """Lanes whose losses and parameters are finite, the penalty in the network's own dtype."""
    total = measured["data_loss"] + measured["regularization_loss"]
    finite: Bools = (
        (total <= np.finfo(network.dtype).max)  # NaN is not
        & np.isfinite(measured["val_data_loss"])
        & np.isfinite(network.parameters).all(axis=-1)
    )
    return finite


def _draw(network: Network, seeds: Sequence[int], initialization: str) -> None:
    """Draw the initial weights of every seed in float64, so that both dtypes start alike."""
    for seed in set(seeds):
        generator = random_stream(seed, WEIGHTS_STREAM)
        lanes = np.flatnonzero(np.equal(seeds, seed))
        for layer in network.layers:
            n_inputs, n_neurons = layer.weights.shape[-2:]
            scale = np.sqrt(2 / n_inputs) if initialization == "he" else 0.01
            # Parameters hold no -0.0, which `add_penalty_gradient` relies on.
            layer.weights[lanes] = scale * generator.standard_normal((n_inputs, n_neurons)) + 0.0


def _copy(initial: Sequence[tuple[Floats, Floats]], network: Network) -> None:
    shapes = [(layer.weights.shape[1:], layer.biases.shape[1:]) for layer in network.layers]
    given = [tuple(np.shape(array) for array in pair) for pair in initial]
    if given != shapes:
        raise ValueError(
            f"initial has the shapes {given}; the layers have {shapes}. Give (weights, biases) for"
            " each layer of these features, hidden layers and classes."
        )
    for i, (pair, layer) in enumerate(zip(initial, network.layers, strict=True)):
        # Parameters hold no -0.0, as above.
        layer.weights = _cast(f"initial[{i}][0]", pair[0], network.dtype) + 0.0
        layer.biases = _cast(f"initial[{i}][1]", pair[1], network.dtype) + 0.0


def _cast(name: str, values: Floats, dtype: FloatType) -> Floats:
    """Return `values` in `dtype`, which must be able to hold them."""
    values = np.asarray(values)
    if values.dtype.kind not in "fiu":
        raise TypeError(f"{name} holds {values.dtype}; it must hold numbers. Give a float array.")
    with np.errstate(over="ignore", under="ignore"):
        result: Floats = values.astype(dtype, order="C", copy=False)
    if not np.isfinite(result).all():
        raise ValueError(
            f"{name} holds {values[~np.isfinite(result)].flat[0]}; every value must be finite in"
            f" {dtype}. Scale it, or use dtype 'float64'."
        )
    return result


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


def _rate(rates: Sequence[float] | None, config: TrainConfig, lanes: int) -> LearningRate:
    """Return one number if all lanes have the same learning rate, which is faster: (lanes, 1)."""
    if rates is None:
        return config.learning_rate
    _check_lanes("learning_rates", rates, lanes)
    each = [learning_rate_of(rate, f"learning_rates[{lane}]") for lane, rate in enumerate(rates)]
    return each[0] if len(set(each)) == 1 else np.array(each)[:, np.newaxis]


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
