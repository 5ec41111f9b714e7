"""Lockstep: lanes whose splits have equally many rows take each step of training together."""

from collections.abc import Sequence

import numpy as np

from nnreg.arrays import Bools, Float64s, Floats, FloatType
from nnreg.batches import WEIGHTS_STREAM, Batches, Table, random_stream
from nnreg.config import TrainConfig
from nnreg.measuring import DIVERGED, Measured, Rows, measure, measure_parameters
from nnreg.network import LayerParameters, Network
from nnreg.split import Split


class Lockstep:
    """`lanes` are their numbers among all lanes; `splits`, `seeds` and `rates` (lanes,) are theirs.

    `kept_diverged` is whether each had diverged at its kept epoch.
    """

    def __init__(
        self,
        lanes: Sequence[int],
        splits: Sequence[Split],
        config: TrainConfig,
        network: Network,
        *,
        seeds: Sequence[int],
        rates: Float64s,
        initial: Sequence[tuple[Floats, Floats]] | None,
    ) -> None:
        self.lanes, self._network = lanes, network
        if initial is None:
            _draw(network, seeds, config.initialization)
        else:
            _copy(initial, network)
        distinct = {id(split): split for split in splits}
        which = [list(distinct).index(id(split)) for split in splits]
        table, val_table = (
            Table(
                [
                    (
                        cast(f"x_{part}", getattr(one, f"x_{part}"), network.dtype),
                        getattr(one, f"y_{part}"),
                    )
                    for one in distinct.values()
                ],
                which,
            )
            for part in ("train", "val")
        )
        self._rows, self._val_rows = Rows(table, network), Rows(val_table, network)
        self._batches = Batches(table, network, config.batch_size, seeds)
        # One number if all lanes have the same learning rate, which is faster.
        rate = rates.item(0) if len(set(rates.tolist())) == 1 else rates[:, np.newaxis]
        self._update = network.passes.updater(config.new_optimizer(rate))
        self._last_finite, self._kept = network.parameters.copy(), network.parameters
        self._diverged = self.kept_diverged = np.zeros(network.lanes, dtype=np.bool_)

    def train_epoch(self) -> Measured:
        """Take all steps of one epoch, and return every curve's numbers at its end."""
        network = self._network
        for batch, targets in self._batches:
            batch.forward()
            batch.backward(targets)
            self._update()
        measured = measure(network, self._rows, self._val_rows)
        self._diverged |= ~_finite(measured, network)
        # Diverged lanes are trained on, which costs less than leaving them out, and put back.
        if self._diverged.any():
            diverged = self._diverged
            np.copyto(network.parameters, self._last_finite, where=diverged[:, np.newaxis])
            measured |= measure_parameters(network)
            for name, number in DIVERGED.items():
                np.copyto(measured[name], number, where=diverged)
        np.copyto(self._last_finite, network.parameters)
        measured["total_loss"] = measured["data_loss"] + measured["regularization_loss"]
        return measured

    def note_kept(self, better: Bools | None) -> None:
        """Keep this epoch's end of those of all lanes for which it is better; None: of the last."""
        if better is None:
            return
        if self._kept is self._network.parameters:
            self._kept, self.kept_diverged = self._kept.copy(), self._diverged.copy()
        chosen = better[self.lanes]
        self.kept_diverged[chosen] = self._diverged[chosen]
        self._kept[chosen] = self._network.parameters[chosen]

    def kept_parameters(self, place: int) -> list[LayerParameters]:
        """Return copies of a lane's weights and biases at its kept epoch, layer by layer."""
        if self._kept is not self._network.parameters:
            np.copyto(self._network.parameters, self._kept)
            self._kept = self._network.parameters  # once for all lanes
        return self._network.lane_parameters(place)


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
        layer.weights = cast(f"initial[{i}][0]", pair[0], network.dtype) + 0.0
        layer.biases = cast(f"initial[{i}][1]", pair[1], network.dtype) + 0.0


def cast(name: str, values: Floats, dtype: FloatType) -> Floats:
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
