"""The lanes: how many trials a task trains in lockstep; a matter of speed alone."""

import functools
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from nnreg import Split, TrainConfig

MOST = 16
"""More than this gained nothing with any network that was measured (`python -m benchmarks.lanes`)."""

LEAST = 2
"""Two lanes gain even where they fit into no cache: they share the gathered batch."""


@dataclass(frozen=True)
class Caches:
    """Bytes of cache: `core` of a core's own (L2), `shared` by `sharers` cores (L3)."""

    core: int
    shared: int
    sharers: int

    def for_each(self, workers: int) -> int:
        """What one of so many busy workers has: the larger of its own, and its share of the shared."""
        return max(self.core, self.shared // max(1, min(workers, self.sharers)))


UNKNOWN = Caches(core=2**20, shared=8 * 2**20, sharers=4)
"""A laptop's, where the system does not tell."""


def lanes_a_task(
    split: Split,
    config: TrainConfig,
    *,
    generation: int,
    workers: int,
    caches: Caches | None = None,
) -> int:
    """As many as fit into a worker's cache, and so few that every worker gets a share of a
    generation.
    """
    fitting = (caches or this_machine()).for_each(workers) // bytes_a_lane(split, config)
    return max(1, min(max(LEAST, fitting), MOST, -(-generation // workers)))


def bytes_a_lane(split: Split, config: TrainConfig) -> int:
    """What a step of training touches for each lane.

    Seven numbers a parameter: itself, its gradient, Adam's two moments and three work arrays. Two
    numbers a hidden neuron and row of the batch: its output, and the gradient of it.
    """
    rows, features = split.x_train.shape
    sizes = (features, *config.hidden, split.classes)
    parameters = sum((above + 1) * below for above, below in pairwise(sizes))
    batch = min(rows, config.batch_size or rows)
    return int(np.dtype(config.dtype).itemsize * (7 * parameters + 2 * batch * sum(config.hidden)))


@functools.cache
def this_machine() -> Caches:
    """The caches as Linux tells them; elsewhere a laptop's."""
    found = {}
    for folder in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        with suppress(OSError, ValueError):
            kind, level, size, cpus = (
                (folder / name).read_text().strip()
                for name in ("type", "level", "size", "shared_cpu_list")
            )
            if kind != "Instruction":
                found[int(level)] = (int(size.removesuffix("K")) * 2**10, _count(cpus))
    if 2 not in found:
        return UNKNOWN
    return Caches(found[2][0], *found.get(3, found[2]))


def _count(cpus: str) -> int:
    """How many a list such as 0-3,8 names."""
    ends = [part.split("-") for part in cpus.split(",")]
    return sum(int(part[-1]) - int(part[0]) + 1 for part in ends)
