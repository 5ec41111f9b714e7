"""Real servers of others: started on a free loopback port, waited for, and ended with all their
processes.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

# MLflow's server alone starts a dozen processes more, for jobs that nothing here asks for.
QUIET = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
SLOWEST_START = 120  # seconds, on a machine with 2 cores that runs other tests too


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer(url: str, path: str) -> str:
    """The body of the page; it must be there."""
    opener = build_opener(ProxyHandler({}))  # none of the environment's
    with opener.open(f"{url}{path}", timeout=30) as response:
        return str(response.read().decode())


def answers(url: str, path: str) -> bool:
    """Whether the page is there."""
    with contextlib.suppress(OSError, HTTPException):
        answer(url, path)
        return True
    return False


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    url: str
    process: "subprocess.Popen[bytes]"

    def end(self) -> None:
        """End it with all its processes; nothing happens if it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    cwd: Path,
    url: str,
    path: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """A server, from when it answers at `path` until the end of the block."""
    environ = {**QUIET, **(environment or {})}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, cwd=cwd, env=environ, stdout=log, stderr=log, start_new_session=True
        )
        server = Running(url, process)
        try:
            deadline = time.monotonic() + SLOWEST_START
            while not answers(url, path):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    said = log.read().decode(errors="replace")[-2000:]
                    raise RuntimeError(f"{command} did not answer: {said}")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.1)
            yield server
        finally:
            server.end()


def plain_mlflow(
    folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> contextlib.AbstractContextManager[Running]:
    """A plain `mlflow server` as somebody starts it by hand in a folder, with the stores that it
    finds there, or those of the options.
    """
    port = str(free_port())
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", port, *options]
    url = f"http://127.0.0.1:{port}"
    return running(command, cwd=folder, url=url, path="/health", environment=environment)
