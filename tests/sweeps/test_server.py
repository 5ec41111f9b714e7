"""The server of MLflow's page: its ports, its processes and its end."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from experiments.errors import InputError, TrackingError
from experiments.tracking import choose
from sweeps.cli.server import HOST, Server, free_port, is_free

SERVE = (
    "import sys, pathlib; from experiments.tracking import choose; from sweeps.server import"
    " Server\nwith Server(choose(pathlib.Path(sys.argv[1]), 'digits', environ={})) as server:\n   "
    " print(server.port, flush=True)\n    server.wait()\n"
)


def test_a_server_ends_with_all_its_processes_when_its_owner_does(
    tmp_path: Path, made: Path
) -> None:
    """Two at once, which may want the same port: each gets its own, and answers for its own
    directory.
    """
    # The status, and seconds until none is there any more; Ctrl-C: tests/test_cli.py.
    endings = {signal.SIGTERM: (143, 0), signal.SIGKILL: (-signal.SIGKILL, 20)}
    started = []
    for number in endings:
        folder = tmp_path / number.name
        folder.mkdir()
        shutil.copy(made, folder)
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", SERVE, str(folder)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        ports = [int(process.stdout.readline()) for process in started if process.stdout]
        assert len(set(ports)) == 2
        for process, port, (number, (status, seconds)) in zip(
            started, ports, endings.items(), strict=True
        ):
            family = psutil.Process(process.pid).children(recursive=True)
            assert len(family) == 2  # light: MLflow's command and one worker
            sockets = [
                one
                for member in family
                for one in member.net_connections()
                if one.status == psutil.CONN_LISTEN
            ]
            assert {one.laddr for one in sockets} == {(HOST, port)}  # on this machine alone
            process.send_signal(number)
            process.wait(timeout=10)
            assert process.returncode == status
            _, alive = psutil.wait_procs(family, timeout=seconds)
            for one in alive:
                one.kill()
            assert not alive
    finally:
        for process in started:
            process.terminate()  # where an assertion came first, its server is not left behind
            process.communicate(timeout=10)


def test_a_port_that_is_taken_is_said_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(InputError, match=f"--port {port} is taken"):
            Server(choose(tmp_path, "digits", environ={}), port=port)
    assert is_free(port)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none_is_said(tmp_path: Path, port: int) -> None:
    with pytest.raises(InputError, match=f"--port is {port}"):
        Server(choose(tmp_path, "digits", environ={}), port=port)


def test_a_taken_port_5000_means_the_next_one() -> None:
    with ExitStack() as stack:
        while True:
            first = free_port()
            with suppress(OSError):  # another test has just taken it
                stack.enter_context(socket.create_server((HOST, first)))
                break
        assert free_port() > first


def test_a_server_needs_no_server(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is an MLflow server already") as caught:
        Server(choose(tmp_path, "digits", uri="https://me:s3cret@host", environ={}))
    assert "s3cret" not in str(caught.value)


def test_a_server_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 100)
    before = psutil.Process().children(recursive=True)
    with (
        pytest.raises(TrackingError, match="its last words"),
        Server(choose(tmp_path, "digits", environ={})),
    ):
        pass
    assert psutil.Process().children(recursive=True) == before
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert os.environ.get("MLFLOW_BACKEND_STORE_URI") is None
