"""The server of MLflow's page: its port. A server that runs, and its end: tests/test_cli.py."""

import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event

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


def test_of_two_servers_that_start_on_one_port_one_says_that_it_did_not(tmp_path: Path) -> None:
    port, alone = servers.free_port(), Event()

    def start(name: str) -> str:
        (tmp_path / name).mkdir()
        try:
            with serving(choose(tmp_path / name, "digits", environ={}), port):
                alone.wait(servers.SLOWEST_START)  # until the other one has ended
            return "ran"
        except TrackingError as error:
            alone.set()
            return str(error)

    with ThreadPoolExecutor(2) as threads:
        ends = sorted(threads.map(start, ["one", "other"]))
    assert ends[0] == "ran"
    assert ends[1].startswith("the MLflow server ended with status")


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
