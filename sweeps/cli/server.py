"""The MLflow page: a `mlflow server` that only this machine reaches, and that ends with us."""

import http.client
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from experiments.errors import InputError, TrackingError
from experiments.tracking import Store

HOST = "127.0.0.1"
PORTS = range(5000, 5100)
SLOWEST_START = 120.0  # seconds; 5 to 7 on an idle machine
LIGHT = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # 2 processes instead of 15
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "PYTHONWARNINGS": "ignore",  # of the libraries below MLflow
}
CLOSED = {  # to pages of other sites, also where the user's environment opens a server of theirs
    "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": "",
    "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "false",
    "MLFLOW_SERVER_X_FRAME_OPTIONS": "SAMEORIGIN",
}


class Server(NamedTuple):
    """A server that answers at this address."""

    url: str
    process: "subprocess.Popen[bytes]"


@contextmanager
def serving(store: Store, wanted: int | None = None) -> Iterator[Server]:
    """Run an MLflow server on a store, from when it answers until the end of the block.

    Raises InputError if the wanted port cannot be used, TrackingError if the server does not start.
    """
    port = chosen_port(wanted)
    command = [
        *(sys.executable, "-P", "-m", "sweeps.cli.server_process", "server"),
        *("--host", HOST, "--port", str(port), "--workers", "1"),
        *("--uvicorn-opts", "--log-level warning"),
    ]
    # The URI may hold a password: unlike an argument, the environment is not shown by `ps`.
    environment = {**os.environ, **LIGHT, **CLOSED, "MLFLOW_BACKEND_STORE_URI": store.uri}
    environment["MLFLOW_REGISTRY_STORE_URI"] = store.uri  # whatever the user's environment has
    # By default MLflow takes any name that begins as an address of a private network: 10.evil.com.
    name = f"sweeps-{secrets.token_hex(4)}.invalid"  # that no other server answers to
    environment["MLFLOW_SERVER_ALLOWED_HOSTS"] = f"{HOST}:{port},localhost:{port},{name}"
    environment.pop("MLFLOW_TRACKING_URI", None)
    if store.artifacts:
        environment["MLFLOW_ARTIFACTS_DESTINATION"] = str(store.artifacts)
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,  # all processes of the server end when this pipe is closed
        stdout=sys.__stderr__,
        start_new_session=True,  # Ctrl-C reaches only us
    ) as process:
        try:
            deadline = time.monotonic() + SLOWEST_START
            while not _answers(port, name):
                if time.monotonic() > deadline:
                    raise TrackingError(f"the MLflow server did not answer in {SLOWEST_START:g} s")
                with suppress(subprocess.TimeoutExpired):
                    raise ended(process.wait(0.05))
            yield Server(f"http://{HOST}:{port}", process)
        finally:
            process.communicate()  # closes the pipe, and waits


def chosen_port(wanted: int | None) -> int:
    """Return the wanted port, or the first free one of PORTS. Raises InputError."""
    if wanted is not None and not 1 <= wanted <= 65535:
        raise InputError(f"--port is {wanted}; a port is a number from 1 to 65535")
    free = next(filter(_is_free, [wanted] if wanted else PORTS), None)
    if free is None:
        taken = wanted or f"{PORTS.start} to {PORTS.stop - 1}"
        raise InputError(f"--port {taken}: taken by another program; name a free one with --port")
    return free


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server((HOST, port)):
        return True
    return False


def ended(status: int) -> TrackingError:
    """Return the error for a server that ended by itself."""
    return TrackingError(f"the MLflow server ended with status {status}; its output is above")


def _answers(port: int, name: str) -> bool:
    """Return whether a server that knows itself by this name answers, asked without any proxy.

    Another server that took the port meanwhile refuses the name. (`/health` would answer to any.)
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(f"http://{HOST}:{port}/", headers={"Host": name})
    with suppress(OSError, http.client.HTTPException), opener.open(request, timeout=5):
        return True
    return False
