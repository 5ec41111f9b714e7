"""The worker process: one spawned process that makes calls, one at a time, and is replaced when it
died.
"""

import logging
import multiprocessing
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from experiments import worker
from experiments.errors import WorkersError

logger = logging.getLogger(__name__)

STARTS = 3  # in a row, before it is said that a worker cannot be started


class WorkerDied(BrokenExecutor):
    """The process ended in the middle of a call; the text says how. Its executor goes on.
    `attempts` is how many ended so.
    """

    def __init__(self, how: str, attempts: int = 1) -> None:
        super().__init__(how)
        self.attempts = attempts


class WorkerProcess:
    """Started by the first call, and by a call that finds it dead. A call is made from one thread
    at a time, `end` from any.
    """

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._connection: Connection
        self._starting = threading.Lock()
        self._ended = False

    def call(self, call: Callable[[], Any]) -> Any:
        """What the call returns there, or the exception that it raises, with the worker's traceback
        as a note.

        Raises WorkerDied, and WorkersError where no process starts.
        """
        if self._process is None or wait(
            [self._process.sentinel], 0
        ):  # one that died idle cost nothing
            self._start()
        try:
            self._connection.send(call)
        except OSError:
            raise self._died() from None
        error, result = self._receive()
        if error is not None:
            error.add_note(f"In a worker:\n{result}")
            raise error
        return result

    def end(self) -> None:
        """End the process at once, whatever it does, and start no other. Nothing is lost: it keeps
        nothing.
        """
        with self._starting:
            self._ended = True
        if self._process is not None:
            self._process.kill()  # not terminate(): one that is stopped would not hear it
            self._process.join()

    def _start(self) -> None:
        for _ in range(STARTS):
            try:
                self._spawn()
                self._receive()  # it is ready
                logger.debug("worker %s started", self._process and self._process.pid)
                return
            except (OSError, WorkerDied) as error:
                reason = error
        raise WorkersError(
            f"no worker can be started: {reason}; free some memory, or try fewer with --workers"
        ) from None

    def _spawn(self) -> None:
        context = multiprocessing.get_context("spawn")
        with self._starting:
            if self._ended:
                raise WorkerDied("it was ended")
            self._connection, theirs = context.Pipe()
            process = context.Process(
                target=worker.serve, args=(theirs,), name="worker", daemon=True
            )
            with (
                theirs,
                worker.spawning(),
            ):  # ours is closed: the end of the process is the end of the connection
                process.start()
            self._process = process

    def _receive(self) -> Any:
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            raise self._died() from None

    def _died(self) -> WorkerDied:
        assert self._process is not None
        self._connection.close()
        wait([self._process.sentinel])
        with (
            worker.spawning()
        ):  # a start in another thread would look after all children, and take the exit code
            self._process.join()
        return WorkerDied(f"its worker {_manner(self._process.exitcode)}")


def _manner(exitcode: int | None) -> str:
    """How a process ended."""
    if exitcode is None:  # something else here has asked the system, which tells only once
        return "ended"
    if exitcode >= 0:
        return f"ended with exit code {exitcode}"
    names = {each.value: each.name for each in signal.Signals}
    hint = ", perhaps out of memory" if names.get(-exitcode) == "SIGKILL" else ""
    return f"was killed by {names.get(-exitcode, f'signal {-exitcode}')}{hint}"
