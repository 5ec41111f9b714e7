"""The resources: what a sweep trains on, and how many networks a task trains in lanes."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from experiments.errors import InputError
from experiments.spec import Experiment
from nnreg import Split, TrainConfig
from sweeps.executors import local

MOST_WORKERS, MOST_LANES = 1_000, 10_000
ADDRESS = re.compile(r"(tcp|tls)://(\[[^\]]+\]|[^\s/:]+):(\d{1,5})")

MOST = 16
"""More lanes gained nothing with any network that was measured (`python -m benchmarks.lanes`)."""

LEAST = 2
"""Two lanes gain even where they fit into no cache: they share the gathered batch."""

LAPTOP = 2 * 2**20  # bytes of cache for each worker of a laptop

WORTH_COMPILING = 2.0
"""Seconds of training for each worker from which on compiled loops save more than the half second
that it takes to load them."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """So many `workers` of this machine (None: as many as are useful), or the Dask `cluster` at an
    address, whose workers may differ if `mixed_hardware` is allowed; so many `lanes` per task
    (None: as many as fit). Raises InputError for what cannot be.
    """

    workers: int | None = None
    lanes: int | None = None
    cluster: str | None = None
    mixed_hardware: bool = False

    def __post_init__(self) -> None:
        for name, value, most in (
            ("workers", self.workers, MOST_WORKERS),
            ("lanes", self.lanes, MOST_LANES),
        ):
            if value is not None and not 1 <= value <= most:
                raise InputError(f"{name} is {value}; it must be at least 1 and at most {most:,}")
        if self.cluster is None:
            if self.mixed_hardware:
                raise InputError(
                    "mixed_hardware is for a cluster; name its address too, or leave it out"
                )
        elif not ADDRESS.fullmatch(self.cluster):
            raise InputError(
                f"--cluster {self.cluster}: not the address of a Dask scheduler; write"
                " tcp://host:8786, or tls://host:8786"
            )
        elif self.workers is not None:
            raise InputError(
                f"workers is {self.workers}, but a cluster has workers of its own; leave out one"
                " of the two"
            )

    def open(self, experiment: Experiment, note: Callable[[str], None]) -> local.Workers:
        """Make the executor for an experiment; `note` gets what a person should know.

        Raises WorkersError if no cluster answers, InputError if Dask is not installed.
        """
        if self.cluster is None:
            workers = self.workers or min(local.cores(), experiment.sweep.generation)
            return local.make(workers, inline=experiment.own is None)
        try:
            from sweeps.executors.cluster import ClusterExecutor
        except ImportError as error:
            raise InputError(
                f"--cluster {self.cluster}: the package {error.name} is missing; install it with:"
                " pip install 'nnreg-sweeps[cluster]'"
            ) from None
        return ClusterExecutor(
            self.cluster,
            mixed=self.mixed_hardware,
            in_processes=experiment.own is not None,
            note=note,
        )

    def lanes_of(self, experiment: Experiment, split: Split, size: int) -> int:
        """How many lanes a task has if `size` tasks run at a time."""
        if experiment.own:  # its networks are trained one after the other
            return 1
        config, generation = experiment.train_config(), experiment.sweep.generation
        return self.lanes or lanes_per_task(
            split,
            config,
            generation=generation,
            workers=size,
            networks=max(1, experiment.folds),
        )


def worth_compiling(split: Split, config: TrainConfig, *, networks: int, workers: int) -> bool:
    """Whether each worker will train for so long that it should load compiled loops."""
    return seconds_of_training(split, config, networks) / workers >= WORTH_COMPILING


def lanes_per_task(
    split: Split,
    config: TrainConfig,
    *,
    generation: int,
    workers: int,
    networks: int = 1,
    cache: int | None = None,
) -> int:
    """As many as fit into `cache` (bytes; None: measured), and few enough for every worker to have
    some trials, of so many `networks` each.
    """
    fitting = (cache or cache_per_worker(workers)) // bytes_per_lane(split, config)
    trials = min(MOST, -(-generation // workers))
    return max(1, min(max(LEAST, fitting), trials * networks))


def bytes_per_lane(split: Split, config: TrainConfig) -> int:
    """What a step of training touches for each lane: seven numbers per parameter (itself, its
    gradient, Adam's two moments, three work arrays), and two per hidden neuron and row of the batch
    (its output, and the gradient of it).
    """
    batch, parameters = _batch(split, config), _parameters(split, config)
    return int(np.dtype(config.dtype).itemsize * (7 * parameters + 2 * batch * sum(config.hidden)))


def seconds_of_training(split: Split, config: TrainConfig, networks: int) -> float:
    """Estimate the time of one core for so many networks, in lanes: 12 us per epoch, 3 us per step,
    and 55 ps for each row and parameter (within 1.2 times for 131 to 102,000 parameters).
    """
    rows = len(split.y_train)
    steps = -(-rows // _batch(split, config))
    epoch = 12e-6 + 3e-6 * steps + 55e-12 * rows * _parameters(split, config)
    return networks * config.epochs * epoch


def _batch(split: Split, config: TrainConfig) -> int:
    rows = len(split.y_train)
    return min(rows, config.batch_size or rows)


def _parameters(split: Split, config: TrainConfig) -> int:
    sizes = (split.x_train.shape[1], *config.hidden, split.classes)
    return sum((above + 1) * below for above, below in pairwise(sizes))


@functools.cache
def cache_per_worker(workers: int) -> int:
    """Bytes of cache per busy worker on Linux: its core's L2, or its share of the L3."""
    folder = Path("/sys/devices/system/cpu/cpu0/cache")
    try:
        own, shared = (
            int((folder / level / "size").read_text().strip().removesuffix("K")) * 2**10
            for level in ("index2", "index3")
        )
        cpus = (folder / "index3" / "shared_cpu_map").read_text().replace(",", "")
    except (OSError, ValueError):
        return LAPTOP
    return max(own, shared // min(workers, int(cpus, 16).bit_count()))
