"""The executors: where a task is evaluated; all are concurrent.futures executors."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class InlineExecutor(Executor):
    """Evaluates in this process, at submission, with one BLAS thread (results must not depend on how many there are)."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call at once; what it raises is raised here."""
        from threadpoolctl import threadpool_limits

        future: Future[Any] = Future()
        with threadpool_limits(1):
            future.set_result(fn(*args, **kwargs))
        return future
