"""Real servers of others: started on a free loopback port, waited for, and ended with all their processes."""

import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

SLOWEST_START = 120  # seconds, on a machine with 2 cores that runs other tests too


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer(url: str, path: str) -> str:
    """The body of the page; it must be there."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode()
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise LookupError(f"{url}{path} answered {response.status}: {body[:200]}")
    return body


@contextmanager
def running(command: Sequence[str], *, cwd: Path, url: str, path: str) -> Iterator[str]:
    """A server, from when it answers at `path`; its URL."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            deadline = time.monotonic() + SLOWEST_START
            while True:
                try:
                    answer(url, path)
                    break
                except (OSError, http.client.HTTPException, LookupError):
                    if process.poll() is not None or time.monotonic() > deadline:
                        log.seek(0)
                        raise RuntimeError(f"{command} did not answer: {log.read().decode(errors='replace')[-2000:]}") from None
                try:
                    process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
