"""The cluster's worker: what a process of a Dask cluster does for a sweep."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from experiments import evaluation
from experiments.signature import signature
from nnreg import Split


@dataclass(frozen=True)
class Stranger:
    """The answer of a worker that lacks splits: it has come, or has been started anew, since others
    were given them. One that is started anew has another id, though it may have the same address.
    """

    worker_id: str
    address: str
    lacking: tuple[str, ...]


def introduce(splits: Mapping[str, Split]) -> Mapping[str, str]:
    """Hold these splits by their keys; what numbers depend on here is the answer.

    From now on BLAS has one thread in this process, whatever started it: the bits of a product
    depend on how many it has.
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    for key, split in splits.items():
        evaluation.HELD[key] = split
    return signature()


def forget(keys: Collection[str]) -> None:
    """Hold these splits no more."""
    for key in keys:
        evaluation.HELD.pop(key, None)


def call(topic: str, name: str, keys: Collection[str], function: Callable[[], Any]) -> Any:
    """What a call returns that needs these splits, or a Stranger who does not have them. That it is
    begun is told first, by its name in the events of this topic, and waited for until it is known:
    this process may end by it. Dask forgets a task that was cancelled and lets it run on; ours ends
    with its epoch, so that a worker is not kept for hours by what nobody waits for.
    """
    from distributed import Reschedule, get_worker
    from distributed.utils import sync

    worker = get_worker()
    lacking = tuple(key for key in keys if key not in evaluation.HELD)
    if lacking:
        return Stranger(worker.id, worker.address, lacking)
    with suppress(
        OSError
    ):  # a worker whose scheduler is gone ends by itself; the call has not failed by that
        sync(worker.loop, worker.scheduler.log_event, topic=topic, msg=name)
    task = worker.state.tasks[worker.get_current_task()]

    def end_if_cancelled() -> None:
        if task.state == "cancelled":
            raise Reschedule  # Dask's word for a call that has no result

    with evaluation.after_epoch(end_if_cancelled):
        return function()
