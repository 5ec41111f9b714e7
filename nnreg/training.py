"""Training: several networks in lockstep, each with its own penalties, on the same data.

A lane is one of these networks. Its numbers are the same, bit for bit, whatever lanes run beside
it; this holds for one BLAS thread, which is the caller's to set (OPENBLAS_NUM_THREADS=1, or
threadpoolctl).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nnreg.arrays import Bools, Float64s, Floats, FloatType, Ints
from nnreg.config import TrainConfig, check_seed
from nnreg.kernels import softmax_columns
from nnreg.lambdas import LAMBDA_NAMES, Lambdas
from nnreg.losses import CategoricalCrossentropy, one_hot
from nnreg.measuring import CURVE_NAMES, Measured, Rows, measure, measure_parameters, worst
from nnreg.network import LayerParameters, Network, Pass, classes_last
from nnreg.split import Split
from nnreg.tables import Table

WEIGHTS_STREAM, ORDER_STREAM = 0, 1
"""Each seed gives two independent streams of random numbers: the initial weights, and the order of rows."""


@dataclass(frozen=True, eq=False)
class Fit:
    """One lane's training. Each curve of CURVE_NAMES is (epochs,) float64, from the parameters at
    the end of the epoch.

    data_loss                        mean cross-entropy on the whole training set, without penalty
    penalty_weight_l1 ... bias_l2    the four terms, each summed over the layers regularization_loss
    their sum, added in this order total_loss                       data_loss + regularization_loss
    train_accuracy, val_accuracy     share of rows whose class has the largest probability
    val_data_loss                    as data_loss, on the validation set balanced_val_accuracy
    mean over the classes present in y_val of the share of their rows that was found
    near_zero_weights                share of the weights (not biases) smaller than 1e-3 in size
    parameters                       (weights (n_inputs, n_neurons), biases (1, n_neurons)) a layer,
    in config.dtype diverged                         a loss or a parameter was not finite at some
    epoch's end

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
    parameters: list[LayerParameters]
    diverged: bool


def train(
    split: Split,
    config: TrainConfig,
    lambdas: Sequence[Lambdas | Sequence[Lambdas]],
    seeds: Sequence[int] | None = None,
    initial: Sequence[tuple[Floats, Floats]] | None = None,
    *,
    after_epoch: Callable[[], object] | None = None,
) -> list[Fit]:
    """One network a lane, trained on `split` as `config` says; the fits are in the order of
    `lambdas`.

    lambdas       one element a lane: `Lambdas` for all layers, or a tuple of them, one a layer
    seeds         one a lane, else config.seed for all; lanes of one seed share initial weights and
    batches initial       (weights (n_inputs, n_neurons), biases (1, n_neurons)) of each layer, to
    start all lanes from after_epoch   called at each epoch's end; what it raises ends the training,
    and comes out of it

    The number of classes is the largest class number in `split`, plus 1. The last batch of an epoch
    may be smaller. A full batch keeps the rows in order. Nothing given is changed, and NumPy's
    global random state is not used.

    Raises TypeError where a type is wrong, ValueError where a shape or a value is. Divergence is no
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
    table, val_table = (
        Table(_cast(name, getattr(split, name), dtype)) for name in ("x_train", "x_val")
    )
    rows, val_rows = Rows(table, split.y_train, network), Rows(val_table, split.y_val, network)
    if initial is None:
        _draw(network, lane_seeds, config.initialization)
    else:
        _copy(initial, network)
    batches = _Batches(table, split.y_train, network, config.batch_size, lane_seeds)
    optimizer = config.new_optimizer()
    loss = CategoricalCrossentropy()
    curves = {name: np.empty((network.lanes, config.epochs)) for name in CURVE_NAMES}
    diverged = np.zeros(network.lanes, dtype=np.bool_)
    last_finite = network.parameters.copy()

    # A lane that diverges overflows, and goes on overflowing: that is measured at every epoch's
    # end, not warned of.
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
            # Diverged lanes are trained on, since that costs less than leaving them out, and put
            # back each time.
            if diverged.any():
                np.copyto(network.parameters, last_finite, where=diverged[:, np.newaxis])
                measured |= measure_parameters(network)
                for name, numbers in worst(network.lanes).items():
                    np.copyto(measured[name], numbers, where=diverged)
            np.copyto(last_finite, network.parameters)
            measured["total_loss"] = measured["data_loss"] + measured["regularization_loss"]
            for name, curve in curves.items():
                curve[:, epoch] = measured[name]
            if after_epoch:
                after_epoch()

    return [
        Fit(
            **{name: curve[lane].copy() for name, curve in curves.items()},
            parameters=network.lane_parameters(lane),
            diverged=bool(diverged[lane]),
        )
        for lane in range(network.lanes)
    ]


class _Batches:
    """One epoch's steps at each iteration: a pass with its inputs in place, and the classes as
    one-hot rows.
    """

    def __init__(
        self,
        table: Table,
        labels: Ints,
        network: Network,
        batch_size: int | None,
        seeds: Sequence[int],
    ) -> None:
        self._table, self._labels, self._network = table, labels, network
        self._classes = network.layers[-1].weights.shape[-1]
        self._total = len(labels)
        self._size = min(batch_size or self._total, self._total)
        self._generators = {seed: _generator(seed, ORDER_STREAM) for seed in seeds}
        self._seeds = seeds
        self._passes: dict[int, tuple[Floats, Pass]] = {}
        """By the number of rows: inputs to write into, and the pass that reads them."""

    def __iter__(self) -> Iterator[tuple[Pass, Floats]]:
        if self._size == self._total:
            if not self._passes:
                inputs = self._table.part(slice(None))
                self._passes[self._total] = inputs, Pass(self._network, inputs)
            yield (
                self._passes[self._total][1],
                one_hot(self._labels, self._classes, self._network.dtype),
            )
            return
        order = self._order()
        truth = one_hot(self._labels[order], self._classes, self._network.dtype)
        for start in range(0, self._total, self._size):
            some = slice(start, start + self._size)
            yield self._pass(order[..., some]), truth[..., some, :]

    def _pass(self, chosen: Ints) -> Pass:
        rows = chosen.shape[-1]
        if rows not in self._passes:
            inputs = np.ones((*chosen.shape, self._table.columns), dtype=self._network.dtype)
            self._passes[rows] = inputs, Pass(self._network, inputs)
        inputs, one = self._passes[rows]
        self._table.gather(chosen, out=inputs)
        return one

    def _order(self) -> Ints:
        """An epoch's order of rows: (rows,) where all lanes have one seed, else (lanes, rows)."""
        orders = {
            seed: generator.permutation(self._total) for seed, generator in self._generators.items()
        }
        if len(orders) == 1:
            return orders[self._seeds[0]]
        return np.stack([orders[seed] for seed in self._seeds])


def _finite(measured: Measured, network: Network) -> Bools:
    """Lanes whose losses and parameters are finite; a penalty must be so in the network's own
    dtype.
    """
    total = measured["data_loss"] + measured["regularization_loss"]
    finite: Bools = (
        (total <= np.finfo(network.dtype).max)  # NaN is not
        & np.isfinite(measured["val_data_loss"])
        & np.isfinite(network.parameters).all(axis=-1)
    )
    return finite


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream,)))


def _draw(network: Network, seeds: Sequence[int], initialization: str) -> None:
    """Initial weights of every lane, one draw a seed; drawn in float64, so that both dtypes start
    alike.
    """
    for seed in set(seeds):
        generator = _generator(seed, WEIGHTS_STREAM)
        lanes = np.flatnonzero([other == seed for other in seeds])
        for layer in network.layers:
            n_inputs, n_neurons = layer.weights.shape[-2:]
            scale = np.sqrt(2 / n_inputs) if initialization == "he" else 0.01
            # Parameters hold no -0.0, which `add_penalty_gradient` relies on.
            layer.weights[lanes] = scale * generator.standard_normal((n_inputs, n_neurons)) + 0.0


def _copy(initial: Sequence[tuple[Floats, Floats]], network: Network) -> None:
    """The given parameters into every lane."""
    if len(initial) != len(network.layers):
        raise ValueError(
            f"initial has {len(initial)} pairs and the network has {len(network.layers)} layers; "
            "give one (weights, biases) a layer."
        )
    for i, (pair, layer) in enumerate(zip(initial, network.layers, strict=True)):
        if len(pair) != 2:
            raise ValueError(
                f"initial[{i}] has {len(pair)} elements; it must be a pair. Give (weights, biases)."
            )
        for name, given, here in zip(
            ("weights", "biases"), pair, (layer.weights, layer.biases), strict=True
        ):
            values = np.asarray(given)
            if values.dtype.kind not in "fiu":
                raise TypeError(
                    f"initial[{i}]'s {name} hold {values.dtype}; they must hold real numbers. Give"
                    " float arrays."
                )
            if values.shape != here.shape[1:]:
                raise ValueError(
                    f"initial[{i}]'s {name} have the shape {values.shape}; the layer's have"
                    f" {here.shape[1:]}. Give arrays for these features, hidden layers and classes."
                )
            here[...] = (
                _cast(f"initial[{i}]'s {name}", values, network.dtype) + 0.0
            )  # no -0.0, as above


def _cast(name: str, values: Floats, dtype: FloatType) -> Floats:
    """`values` in `dtype`, which must be able to hold them; no copy where they are in it already."""
    if values.dtype == dtype and name.startswith("x_"):
        return values  # `Split` has looked at them
    with np.errstate(over="ignore", under="ignore"):
        result: Floats = values.astype(dtype, order="C")
    if not np.isfinite(result).all():
        worst_value = values[~np.isfinite(result)].flat[0]
        raise ValueError(
            f"{name} holds {worst_value}; every value must be finite in {dtype}. Scale it, or use"
            " dtype 'float64'."
        )
    return result


def _strengths(lambdas: Sequence[Lambdas | Sequence[Lambdas]], layers: int) -> Float64s:
    """(lanes, layers, 4) in the order of LAMBDA_NAMES."""
    if isinstance(lambdas, Lambdas):
        raise TypeError(
            f"lambdas is {lambdas!r}; it must be a list with one element a lane. For one lane, use"
            " [lambdas]."
        )
    if len(lambdas) == 0:
        raise ValueError(
            "lambdas is empty; it must have one element a lane. For one unpenalised lane, use"
            " [Lambdas()]."
        )
    rows: list[list[tuple[float, ...]]] = []
    for lane, element in enumerate(lambdas):
        per_layer = [element] * layers if isinstance(element, Lambdas) else element
        if not isinstance(per_layer, Sequence) or not all(
            isinstance(each, Lambdas) for each in per_layer
        ):
            raise TypeError(
                f"lambdas[{lane}] is {element!r}; it must be Lambdas, or a tuple of them, one a"
                f" layer. Use Lambdas({LAMBDA_NAMES[0]}=...)."
            )
        if len(per_layer) != layers:
            raise ValueError(
                f"lambdas[{lane}] has {len(per_layer)} Lambdas and the network has {layers} layers;"
                " give one a layer, or one Lambdas for all."
            )
        rows.append([each.as_tuple() for each in per_layer])
    return np.array(rows, dtype=np.float64)


def _lane_seeds(seeds: Sequence[int] | None, seed: int, lanes: int) -> list[int]:
    if seeds is None:
        return [seed] * lanes
    if len(seeds) != lanes:
        raise ValueError(
            f"seeds has {len(seeds)} elements and lambdas has {lanes}; give one seed a lane, or"
            " none."
        )
    return [check_seed(f"seeds[{lane}]", each) for lane, each in enumerate(seeds)]
