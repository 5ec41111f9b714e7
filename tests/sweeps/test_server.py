"""The server of MLflow's page: its port. A server that runs, and its end: tests/test_cli.py."""

import socket
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from experiments.errors import InputError, TrackingError
from experiments.tracking import choose
from sweeps.cli.server import HOST, PORTS, chosen_port, serving
from tests import servers


def test_a_server_that_cannot_start_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 100)
    before = psutil.Process().children(recursive=True)
    with (
        pytest.raises(TrackingError, match="the MLflow server ended with status 1; its output"),
        serving(choose(tmp_path, "digits", environ={}), servers.free_port()),
    ):
        pass
    assert psutil.Process().children(recursive=True) == before


def test_a_port_that_is_taken_or_none_is_refused() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"--port {port}: taken by another program"):
            chosen_port(port)
    assert chosen_port(port) == port
    for port in (0, -1, 65536):
        with pytest.raises(InputError, match=f"--port is {port}"):
            chosen_port(port)


def test_a_taken_port_5000_means_the_next_one() -> None:
    with ExitStack() as stack:
        for port in range(PORTS.start, PORTS.start + 2):
            with suppress(OSError):  # it is taken already
                stack.enter_context(socket.create_server((HOST, port)))
        assert chosen_port(None) in PORTS[2:]
