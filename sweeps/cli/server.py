"""The server: MLflow's page on the directory's database, light, on this machine only, gone when we
are.
"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import IO, Self

from experiments.errors import InputError, TrackingError
from experiments.redaction import redacted
from experiments.tracking import Store

HOST = "127.0.0.1"
# Where processes of the server look for our packages: not in the working directory, where a user
# may have some of the same names.
OURS = {"PYTHONSAFEPATH": "1", "UVICORN_APP_DIR": str(Path(__file__).parents[2])}
# MLflow's page as experiments.tracking.page_app opens it: an entry point in pyproject.toml
APP = "nnreg-sweeps"
PORTS = range(5000, 5100)
SLOWEST_START = 120.0  # seconds; 5 to 7 on a quiet machine
ATTEMPTS = 5  # at a port, where others start servers too
TAKEN = "address already in use"  # as the system says it, and the server's log with it
GRACE = 5.0  # seconds for the server to end by itself
LIGHT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 2 processes instead of 15
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


class PortTaken(TrackingError):
    """Another program took the port while ours was starting; it may be gone by now."""


class Server:
    """An MLflow server of ours, as a context: it answers inside, and is gone with all its processes
    outside.

    In the main thread a SIGTERM inside ends the context too, with SystemExit(143), unless somebody
    else handles it.
    """

    def __init__(self, store: Store, *, port: int | None = None) -> None:
        """`port` None takes the first free one from 5000 on.

        Raises InputError where the store is a server already, or where the port is taken.
        """
        if store.is_server:
            raise InputError(f"{store.shown} is an MLflow server already; open it in a browser")
        self._store, self._any_port = store, port is None
        self.port = free_port() if port is None else checked(port)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        """Start, and wait until it answers. Raises TrackingError where it does not."""
        with ExitStack() as stack:
            stack.enter_context(ending_on_sigterm())
            for attempt in range(ATTEMPTS):
                try:
                    self._start(stack)
                    break
                except PortTaken:
                    if not self._any_port or attempt == ATTEMPTS - 1:
                        raise
                    self.port = free_port()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the server and its children."""
        self._process = None
        self._stack.close()

    def wait(self) -> int:
        """Wait until the server ends by itself; its exit status."""
        if self._process is None:
            raise RuntimeError("the server is not running; use it as a context")
        return self._process.wait()

    def _start(self, stack: ExitStack) -> None:
        log = stack.enter_context(tempfile.TemporaryFile())  # the stack is its context  # noqa: SIM115
        self._process = process = stack.enter_context(self._spawn(log))
        stack.callback(end_group, process)
        deadline = time.monotonic() + SLOWEST_START
        while not self._answers(log):
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
                raise TrackingError(
                    f"the MLflow server did not answer within {SLOWEST_START:g}"
                    f" s{last_words(log, self._store.uri)}"
                ) from None
            kind = PortTaken if TAKEN in text_of(log) else TrackingError
            raise kind(f"the MLflow server ended at once{last_words(log, self._store.uri)}")

    def _spawn(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        command = [
            sys.executable,
            # packages of the user in the working directory that are named as ours do not matter
            "-P",
            "-m",
            "sweeps.cli.server_process",
            "server",
            "--host",
            HOST,
            "--port",
            str(self.port),
            "--workers",
            "1",
            "--app-name",
            APP,
        ]
        # The URI may hold a password: unlike an argument, the environment is not shown by `ps`.
        environment = {**os.environ, **LIGHT, **OURS, "MLFLOW_BACKEND_STORE_URI": self._store.uri}
        environment.pop("MLFLOW_TRACKING_URI", None)
        if self._store.artifacts:
            environment["MLFLOW_ARTIFACTS_DESTINATION"] = str(self._store.artifacts)
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,  # ends with us
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C comes to us alone, and we end the whole group
        )

    def _answers(self, log: IO[bytes]) -> bool:
        """Whether it is well, and it is ours: on the same port there may be the server of another
        directory.
        """
        return f"running on {self.url}" in text_of(log) and is_well(self.port)


def is_free(port: int) -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # what a server that has just ended leaves is no obstacle
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """The first free one of PORTS. Raises InputError."""
    for port in PORTS:
        if is_free(port):
            return port
    raise InputError(
        f"the ports {PORTS.start} to {PORTS.stop - 1} are all taken; name a free one with --port"
    )


def checked(port: int) -> int:
    """A port that was asked for. Raises InputError."""
    if not 1 <= port <= 65535:
        raise InputError(f"--port is {port}; a port is a number from 1 to 65535")
    if not is_free(port):
        raise InputError(
            f"--port {port} is taken by another program; name another one, or leave it out to have"
            " a free one chosen"
        )
    return port


def is_well(port: int) -> bool:
    """Whether MLflow says that it is well."""
    connection = http.client.HTTPConnection(
        HOST, port, timeout=5
    )  # by hand: a proxy of the environment is not for this machine
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def text_of(log: IO[bytes]) -> str:
    """What a process has written so far to its log. The position is the process' own too, so it is
    left alone.
    """
    return os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode(errors="replace")


def last_words(log: IO[bytes], uri: str) -> str:
    """The last line of a log, as the end of a message."""
    lines = [line for line in text_of(log).splitlines() if line.strip()]
    return f"; its last words: {redacted(lines[-1], uri)[:300]}" if lines else ""


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """End a process that leads its own group, and all of the group: by SIGTERM, and what is left
    after GRACE by SIGKILL.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        deadline = time.monotonic() + GRACE
        while has_group(process):
            if time.monotonic() > deadline:
                break  # by force
            time.sleep(0.02)  # the end of a process that is not our child can only be looked for
        else:
            return


def has_group(process: "subprocess.Popen[bytes]") -> bool:
    """Whether there is still anybody in the group of a process."""
    process.poll()  # a dead leader that nobody has asked about still counts
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Have SIGTERM raise SystemExit(143) inside, as Ctrl-C raises KeyboardInterrupt, so that what
    is open gets closed.
    """
    in_charge = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if not in_charge:
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
