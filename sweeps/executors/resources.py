"""The resources: what a sweep trains on, as a person asks for it."""

from collections.abc import Callable
from dataclasses import dataclass

from experiments.errors import InputError
from experiments.spec import Experiment
from nnreg import Split
from sweeps.executors import local
from sweeps.executors.cluster import ClusterExecutor
from sweeps.executors.cluster_client import checked
from sweeps.executors.lanes import lanes_a_task

MOST_WORKERS, MOST_LANES = 1_000, 10_000


@dataclass(frozen=True, kw_only=True)
class Resources:
    """So many `workers` of this machine (None: as many as are useful), or the Dask `cluster` at an
    address, whose workers may differ where `mixed_hardware` is allowed; so many `lanes` a task
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
        if self.cluster is not None:
            checked(self.cluster)
            if self.workers is not None:
                raise InputError(
                    f"workers is {self.workers}, but a cluster has workers of its own; leave out"
                    " one of the two"
                )
        elif self.mixed_hardware:
            raise InputError(
                "mixed_hardware is for a cluster; name its address too, or leave it out"
            )

    def open(self, experiment: Experiment, note: Callable[[str], None]) -> local.Workers:
        """The executor for an experiment, which is there to be entered; `note` is told what a
        person should know.

        Raises WorkersError where no cluster answers, InputError.
        """
        if self.cluster is not None:
            return ClusterExecutor(self.cluster, mixed=self.mixed_hardware, note=note)
        return local.make(self.workers or min(local.cores(), experiment.sweep.generation))

    def lanes_of(self, experiment: Experiment, split: Split, size: int) -> int:
        """How many lanes a task has where `size` tasks run at a time."""
        generation = experiment.sweep.generation
        return self.lanes or lanes_a_task(
            split, experiment.train_config(), generation=generation, workers=max(1, size)
        )
