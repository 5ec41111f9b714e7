"""Passes: what a step of training does between its matrix products, and after each epoch, in NumPy.
`nnreg.compiled` does the same in fewer passes over memory.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnreg import kernels
from nnreg.arrays import Float64s, Floats, FloatType, Ints
from nnreg.kernels import blocks, classes_last, swap, zeros
from nnreg.losses import CategoricalCrossentropy, one_hot
from nnreg.optimizers import SGD, Adam, Optimizer

if TYPE_CHECKING:
    from nnreg.network import Network, Work

Targets = npt.NDArray[Any]
"""The classes of rows, in the form that the passes read; the rows are its last axis."""

Made = Callable[["Network"], "Passes"]

_compiled: dict[str, Made | str] = {}
"""By the name of a dtype: what makes compiled passes, or why they cannot be had."""

NEAR_ZERO = 1e-3
"""A weight smaller than this in size counts as near zero."""


def use_compiled(dtype: str = "float32") -> str:
    """Train networks of this dtype with compiled passes from now on, in this process; return why
    that cannot be, or an empty string.

    To load them takes half a second, and the first time on a machine four. The bits of all numbers
    stay the same.
    """
    if dtype not in _compiled:
        from nnreg.compiled import compiled

        make = compiled(np.dtype(dtype))
        if not isinstance(make, str) and not as_numpy(make, np.dtype(dtype)):
            make = "numba's numbers differ from NumPy's on this processor"
        _compiled[dtype] = make
    found = _compiled[dtype]
    return found if isinstance(found, str) else ""


def as_numpy(make: Made, dtype: FloatType) -> bool:
    """Whether steps of both optimizers end in the bits of NumPy's: a compiler that joined products
    and sums would be seen here.
    """
    from nnreg.network import Network

    rng = np.random.default_rng(0)
    network = Network((40, 30, 5), 10 ** rng.uniform(-4, 0, size=(3, 2, 4)), dtype)
    start, slopes = rng.normal(size=(2, *network.parameters.shape)).astype(dtype)
    ends = []
    for passes in (Passes(network), make(network)):
        network.parameters[:] = start
        for optimizer in (Adam(0.1), SGD(0.1, momentum=0.9)):
            update = passes.updater(optimizer)
            for _ in range(3):
                network.dparameters[:] = slopes
                update()
        ends.append(network.parameters.tobytes())
    return ends[0] == ends[1]


def passes_of(network: "Network") -> "Passes":
    """Return the passes for a network: compiled ones, if they are used for its dtype."""
    make = _compiled.get(network.dtype.name, "")
    return Passes(network) if isinstance(make, str) else make(network)


class Passes:
    """The passes over one network's arrays."""

    def __init__(self, network: "Network") -> None:
        self.network = network
        self._loss = CategoricalCrossentropy()
        self._sizes: Float64s = np.empty(network.parameters.shape)

    def targets(self, labels: Ints) -> Targets:
        """Return class numbers, (rows,) or (lanes, rows), for `loss_gradient`, the rows last."""
        return swap(one_hot(labels, self.network.classes, self.network.dtype))

    def loss_gradient(self, work: "Work", targets: Targets) -> None:
        """Put the gradient of the mean loss in the place of the logits."""
        logits = work.logits
        probabilities = classes_last(kernels.softmax_columns(logits, out=logits))
        self._loss.backward(probabilities, swap(targets), out=probabilities)

    def relu(self, hidden: Floats, nothing: Floats) -> None:
        """Put max(0, hidden) in its place; `nothing` are zeros, as many as one lane has."""
        kernels.relu(hidden, nothing, out=hidden)

    def relu_gradient(self, dvalues: Floats, output: Floats) -> None:
        """Put `dvalues` where output > 0, and 0 elsewhere, in the place of `output`, both
        (lanes, neurons + 1, batch); the last row of each lane are ones, and stay ones.
        """
        kernels.relu_gradient(dvalues, output, out=output)
        output[:, -1] = 1

    def updater(self, optimizer: Optimizer) -> Callable[[], None]:
        """Return what adds the penalties to the network's gradient and takes a step with it."""
        network = self.network
        shape, dtype = network.parameters.shape, network.dtype
        l1, twice_l2, m, v, work = (zeros(shape, dtype) for _ in range(5))
        for layer, a, b in zip(network.layers, network.cut(l1), network.cut(twice_l2), strict=True):
            # A strength beyond float32 is infinite there: its lane diverges at the first step.
            with np.errstate(over="ignore", under="ignore"):
                layer.write_strengths(a, b)
        arrays = (network.parameters, network.dparameters, m, v, work, l1, twice_l2)
        parts = blocks(*arrays, lanes=np.size(optimizer.learning_rate))

        def update() -> None:
            for p, g, m, v, work, l1, twice_l2 in parts:
                kernels.add_penalty_gradient(g, p, l1, twice_l2, work)
                optimizer.move(p, g, m, v, work)
            optimizer.iterations += 1

        return update

    def truth(self, labels: Ints) -> tuple[Ints, ...]:
        """Return class numbers (rows,) or (lanes, rows) as `losses_and_hits` reads them."""
        shape = self.network.lanes, labels.shape[-1]
        size = shape[0] * shape[1]
        return labels, labels.astype(np.intp) * size + np.arange(size).reshape(shape)

    def losses_and_hits(
        self, work: "Work", truth: tuple[Ints, ...], losses: Float64s, hits: Float64s
    ) -> None:
        """Write each row's loss, and 1 if its class was found, else 0; both (lanes, rows).

        The logits are overwritten.
        """
        losses[:], hits[:] = kernels.cross_entropies_and_hits(work.logits, *truth)

    def sizes(self) -> tuple[Float64s, Ints]:
        """Return the size of each parameter, (lanes, all parameters), and how many weights of each
        lane are near zero.
        """
        network = self.network
        sizes = self._sizes
        np.copyto(sizes, network.parameters)
        np.abs(sizes, out=sizes)
        small = np.zeros(network.lanes, dtype=np.intp)
        for layer in network.cut(sizes):
            near_zero = layer[:, :-1] < network.dtype.type(NEAR_ZERO)
            # Lane by lane, since NumPy counts a whole array faster than it sums along an axis.
            small += [np.count_nonzero(lane) for lane in near_zero]
        return sizes, small
