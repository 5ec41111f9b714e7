"""Compiled: the passes as loops that numba compiles, with the bits of those in NumPy.

Addition, multiplication, division and square root are exact in IEEE arithmetic, and nothing is
contracted, so a loop gives what NumPy's passes give. `exp`, `log`, and the sums that BLAS orders
stay NumPy's. Times are microseconds per step of 16 lanes of a 64-64-10 network on 128 rows in
float32: 570 with NumPy alone, 300 of them in products.
"""

import functools
from collections.abc import Callable, Mapping
from importlib.util import find_spec

import numpy as np

from nnreg.arrays import Float64s, Floats, FloatType, Ints
from nnreg.kernels import zeros
from nnreg.network import Network, Work
from nnreg.optimizers import Adam, Optimizer
from nnreg.passes import NEAR_ZERO, Passes, Targets


def adam(p: Floats, g: Floats, m: Floats, strengths: Floats, starts: Ints, now: Floats) -> None:
    """Move by the gradient and that of the penalties. Bought: 13 instead of 90.

    `m` are both moments; `strengths` (2, lanes, parts) l1 and twice l2 of each part of a lane's
    parameters, which begins at `starts`; `now` the numbers of the optimizer, in float64, then the
    learning rate of each lane or of all.
    """
    kind, rates = p.dtype.type, now[7:]
    beta_1, beta_2, epsilon = kind(now[4]), kind(now[5]), kind(now[6])
    for lane in range(p.shape[0]):
        rate = kind(rates[lane % rates.size] / now[0] * now[1] / now[2] / now[3])
        for part in range(starts.size - 1):
            l1, twice_l2 = strengths[0, lane, part], strengths[1, lane, part]
            own = slice(starts[part], starts[part + 1])
            ps, gs, ms, vs = p[lane, own], g[lane, own], m[0, lane, own], m[1, lane, own]
            for i in range(ps.size):
                slope = (gs[i] + ps[i] * twice_l2) + (-l1 if ps[i] < 0 else l1)
                ms[i] = ms[i] * beta_1 + slope
                vs[i] = vs[i] * beta_2 + slope * slope
                ps[i] -= (ms[i] / (np.sqrt(vs[i]) + epsilon)) * rate


def sgd(p: Floats, g: Floats, m: Floats, strengths: Floats, starts: Ints, now: Floats) -> None:
    """Do the same for gradient descent."""
    kind, rates = p.dtype.type, now[2:]
    momentum = kind(now[1])
    for lane in range(p.shape[0]):
        rate = kind(rates[lane % rates.size] / now[0])
        for part in range(starts.size - 1):
            l1, twice_l2 = strengths[0, lane, part], strengths[1, lane, part]
            own = slice(starts[part], starts[part + 1])
            ps, gs, ms = p[lane, own], g[lane, own], m[0, lane, own]
            for i in range(ps.size):
                slope = (gs[i] + ps[i] * twice_l2) + (-l1 if ps[i] < 0 else l1)
                ms[i] = ms[i] * momentum - slope * rate
                ps[i] += ms[i]


def relu(hidden: Floats) -> None:
    """See `Passes.relu`. Bought: 10 instead of 19."""
    values, zero = hidden.reshape(hidden.size), hidden.dtype.type(0)
    for i in range(values.size):
        values[i] = zero if values[i] <= 0 else values[i]


def relu_gradient(dvalues: Floats, output: Floats) -> None:
    """See `Passes.relu_gradient`. Bought: 8 instead of 22."""
    lanes, rows, batch = output.shape
    zero, size = output.dtype.type(0), (rows - 1) * batch
    for lane in range(lanes):
        values, slopes = output[lane].reshape(rows * batch), dvalues[lane].reshape(rows * batch)
        for i in range(size):
            values[i] = zero if values[i] <= 0 else slopes[i]


def shift(logits: Floats, top: Floats) -> None:
    """Subtract from each column of (classes, columns) its largest number; there are as many columns
    as `top` has numbers. If one of a column is NaN, so is its sum, and all that is made with it.
    """
    top[:] = logits[0, : top.size]
    for c in range(1, logits.shape[0]):
        for i in range(top.size):
            top[i] = logits[c, i] if logits[c, i] > top[i] else top[i]
    for c in range(logits.shape[0]):
        for i in range(top.size):
            logits[c, i] -= top[i]


def add_up(logits: Floats, total: Floats) -> None:
    """Add up each column, from the first class to the last."""
    total[:] = logits[0, : total.size]
    for c in range(1, logits.shape[0]):
        total += logits[c, : total.size]


def loss_gradient(logits: Floats, labels: Ints, total: Floats, rows: float) -> None:
    """Put (share of the total - one_hot) / rows in the place of each value."""
    batch, zero, one = labels.shape[1], logits.dtype.type(0), logits.dtype.type(1)
    for lane in range(total.size // batch):
        own = slice(lane * batch, (lane + 1) * batch)
        ys, totals = labels[lane % labels.shape[0]], total[own]
        for c in range(logits.shape[0]):
            values = logits[c, own]
            for i in range(batch):
                hot = one if ys[i] == c else zero
                values[i] = (values[i] / totals[i] - hot) / rows


def pick(logits: Floats, labels: Ints, picked: Floats, largest: Ints) -> None:
    """Write the shifted logit of the true class, and the first class whose shifted logit is 0."""
    batch = labels.shape[1]
    for lane in range(picked.size // batch):
        own = slice(lane * batch, (lane + 1) * batch)
        ys, picks, firsts = labels[lane % labels.shape[0]], picked[own], largest[own]
        for i in range(batch):
            picks[i], firsts[i] = logits[ys[i], lane * batch + i], -1
        for c in range(logits.shape[0] - 1, -1, -1):
            number, values = np.int32(c), logits[c, own]
            for i in range(batch):
                firsts[i] = number if values[i] == 0 else firsts[i]


def compare(
    logs: Floats, picked: Floats, largest: Ints, labels: Ints, losses: Float64s, hits: Float64s
) -> None:
    """Write logs - picked, and whether the true class is the first of the largest."""
    for lane in range(losses.shape[0]):
        ys, start = labels[lane % labels.shape[0]], lane * labels.shape[1]
        for i in range(ys.size):
            loss = logs[start + i] - picked[start + i]
            hit = largest[start + i] == ys[i] and loss == loss
            losses[lane, i], hits[lane, i] = loss, 1.0 if hit else 0.0


def sizes(p: Floats, starts: Ints, near: float, size: Float64s, small: Ints) -> None:
    """Write each parameter's size, and count the weights, every other part, that are near zero."""
    for lane in range(p.shape[0]):
        small[lane] = 0
        for part in range(starts.size - 1):
            own = slice(starts[part], starts[part + 1])
            ps, found, count = p[lane, own], size[lane, own], 0
            for i in range(ps.size):
                found[i] = abs(ps[i])
                count += abs(ps[i]) < near
            small[lane] += count if part % 2 == 0 else 0


LOOPS: dict[Callable[..., None], str] = {
    adam: "(F[:,::1], F[:,::1], F[:,:,::1], F[:,:,::1], i8[::1], f8[::1])",
    sgd: "(F[:,::1], F[:,::1], F[:,:,::1], F[:,:,::1], i8[::1], f8[::1])",
    relu: "(F[:,:,::1],)",
    relu_gradient: "(F[:,:,::1], F[:,:,::1])",
    shift: "(F[:,::1], F[::1])",
    add_up: "(F[:,::1], F[::1])",
    loss_gradient: "(F[:,::1], i4[:,::1], F[::1], F)",
    pick: "(F[:,::1], i4[:,::1], F[::1], i4[::1])",
    compare: "(F[::1], F[::1], i4[::1], i4[:,::1], f8[:,:], f8[:,:])",
    sizes: "(F[:,::1], i8[::1], F, f8[:,::1], i8[::1])",
}
"""Each loop with the types of what it takes; F is the network's."""

Loops = Mapping[Callable[..., None], Callable[..., None]]


def compiled(dtype: FloatType) -> Callable[[Network], Passes] | str:
    """Return what makes compiled passes for networks of this dtype, or why there is nothing.

    The loops are compiled once per machine and dtype, then read from the disk.
    """
    if find_spec("numba") is None:
        return "numba is not installed"
    try:
        from numba import config, njit

        if getattr(config, "DISABLE_JIT", 0):  # set when numba is imported, so not typed
            return "NUMBA_DISABLE_JIT is set"
        types = {loop: named.replace("F", f"f{dtype.itemsize}") for loop, named in LOOPS.items()}
        # Python's error model, which looks for a division by 0, has no vectors.
        loops = {loop: njit(types[loop], cache=True, error_model="numpy")(loop) for loop in LOOPS}
    except Exception as error:  # whatever keeps numba from working here, NumPy does the same
        return f"numba does not work: {str(error).splitlines()[0]}"
    return functools.partial(Compiled, loops=loops)


class Compiled(Passes):
    """`Passes` with compiled loops."""

    def __init__(self, network: Network, loops: Loops) -> None:
        super().__init__(network)
        self._loops = loops
        parts = [part[0].size for layer in network.layers for part in (layer.weights, layer.biases)]
        self._starts = np.array([0, *np.cumsum(parts)], dtype=np.int64)
        self._small = np.empty(network.lanes, dtype=np.int64)

    def targets(self, labels: Ints) -> Targets:
        return np.ascontiguousarray(np.atleast_2d(labels), dtype=np.int32)

    def loss_gradient(self, work: Work, targets: Targets) -> None:
        total = np.empty(work.logits[0].size, self.network.dtype)
        self._loops[shift](work.columns, total)
        np.exp(work.logits, out=work.logits)
        self._loops[add_up](work.columns, total)
        rows = self.network.dtype.type(targets.shape[1])
        self._loops[loss_gradient](work.columns, np.ascontiguousarray(targets), total, rows)

    def relu(self, hidden: Floats, nothing: Floats) -> None:
        self._loops[relu](hidden)

    def relu_gradient(self, dvalues: Floats, output: Floats) -> None:
        self._loops[relu_gradient](dvalues, output)

    def updater(self, optimizer: Optimizer) -> Callable[[], None]:
        network, dtype = self.network, self.network.dtype
        with np.errstate(over="ignore", under="ignore"):  # as in NumPy
            l1_and_twice_l2 = network.strengths.reshape(network.lanes, -1, 2) * (1, 2)
            strengths = np.ascontiguousarray(np.moveaxis(l1_and_twice_l2, -1, 0), dtype)
        moments = zeros((2, *network.parameters.shape), dtype)
        count = len(optimizer.numbers())
        now = np.concatenate([np.zeros(count), np.ravel(optimizer.learning_rate)])
        arrays = network.parameters, network.dparameters, moments, strengths, self._starts, now
        loop = self._loops[adam if isinstance(optimizer, Adam) else sgd]

        def update() -> None:
            now[:count] = optimizer.numbers()
            loop(*arrays)
            optimizer.iterations += 1

        return update

    def truth(self, labels: Ints) -> tuple[Ints, ...]:
        return (self.targets(labels),)

    def losses_and_hits(
        self, work: Work, truth: tuple[Ints, ...], losses: Float64s, hits: Float64s
    ) -> None:
        count = work.logits[0].size
        total, picked = np.empty((2, count), self.network.dtype)
        largest = np.empty(count, dtype=np.int32)
        self._loops[shift](work.columns, total)
        self._loops[pick](work.columns, *truth, picked, largest)
        np.exp(work.logits, out=work.logits)
        self._loops[add_up](work.columns, total)
        self._loops[compare](np.log(total, out=total), picked, largest, *truth, losses, hits)

    def sizes(self) -> tuple[Float64s, Ints]:
        network, near = self.network, self.network.dtype.type(NEAR_ZERO)
        self._loops[sizes](network.parameters, self._starts, near, self._sizes, self._small)
        return self._sizes, self._small
