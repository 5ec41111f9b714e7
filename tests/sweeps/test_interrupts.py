"""Interrupts: between two records and never inside one; twice, or for too long, end by force."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from sweeps import interrupts
from sweeps.cli.app import STOPPED
from sweeps.interrupts import Interrupts, Terminated
from tests.commands import SWEEPS
from tests.processes import spawned, started

BOTH = pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)]
)
PROMISED_END = 3.0  # seconds


@BOTH
def test_a_signal_waits_for_the_end_of_a_protected_block(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    done = []

    def record() -> None:
        with Interrupts().installed() as installed:
            with installed.protected():
                os.kill(os.getpid(), number)
                done.append("whole")
            done.append("not reached")

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(raised):
        record()
    assert done == ["whole"]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@BOTH
def test_a_signal_breaks_what_waits(number: signal.Signals, raised: type[BaseException]) -> None:
    threading.Timer(0.2, os.kill, (os.getpid(), number)).start()
    with pytest.raises(raised), Interrupts().installed():
        threading.Event().wait(30)


def test_outside_the_main_thread_nothing_is_installed() -> None:
    before, seen = signal.getsignal(signal.SIGINT), []

    def work() -> None:
        with Interrupts().installed() as installed, installed.protected():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def queued(pid: int) -> float:
    """Seconds for which a process has waited for a core that others had; 0 where that is unknown.

    It is what a busy machine adds to the time that the process takes.
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def test_a_sweep_ends_within_seconds_whatever_its_processes_do(tmp_path: Path) -> None:
    """Its workers train for hours; one is stopped, and the one that writes to MLflow."""
    command = [SWEEPS, "run", "iris", "--workers=2", "--set=training.epochs=1000000"]
    with started(command, cwd=tmp_path) as process:
        trains: list[psutil.Process] = []
        while len(trains) < 2 and process.poll() is None:
            family = spawned(process.pid)  # two that train, and one that writes to MLflow
            if len(family) == 3:
                trains = [child for child in family if child.cpu_times().user > 1]
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        for child in family[1:]:
            child.suspend()
        start, before = time.monotonic(), queued(process.pid)
        waited = before
        process.send_signal(signal.SIGINT)
        while process.poll() is None:
            waited = max(waited, queued(process.pid))
            time.sleep(0.01)
        took = time.monotonic() - start - (waited - before)
        out, error = process.communicate()
        assert took < PROMISED_END
    assert (process.returncode, out) == (130, "")
    assert error.splitlines()[-1] == STOPPED
    assert not psutil.wait_procs(family, timeout=10)[1]


@pytest.mark.parametrize(
    ("sent", "patience", "status", "said"),
    [
        ([signal.SIGINT, signal.SIGINT], 20, -signal.SIGINT, ""),
        ([signal.SIGINT], 0.3, 130, "stopped by force; what was recorded is kept. "),
        ([signal.SIGTERM], 0.3, 143, "stopped by force; what was recorded is kept. "),
    ],
)
def test_what_does_not_let_go_is_ended_by_force(
    sent: list[signal.Signals], patience: float, status: int, said: str
) -> None:
    """As a lock that an interrupted function of the standard library left locked would not."""
    assert interrupts.PATIENCE == 20  # seconds: the promise
    program = textwrap.dedent(f"""
        import threading
        from sweeps import interrupts
        interrupts.PATIENCE = {patience}
        with interrupts.Interrupts().installed():
            try:
                print("waiting", flush=True)
                threading.Event().wait()
            finally:
                print("holding on", flush=True)
                threading.Event().wait()
    """)
    with started([sys.executable, "-c", program]) as process:
        assert process.stdout
        for number, line in zip(sent, ("waiting\n", "holding on\n"), strict=False):
            assert process.stdout.readline() == line
            process.send_signal(number)
        error = process.communicate(timeout=20)[1]
    assert process.returncode == status
    assert error.startswith(said)
    assert bool(error) == bool(said)


def test_nothing_is_ended_that_let_go() -> None:
    program = textwrap.dedent("""
        import os, signal, time
        from contextlib import suppress
        from sweeps import interrupts
        interrupts.PATIENCE = 0.2
        with suppress(KeyboardInterrupt), interrupts.Interrupts().installed():
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)
        print("still here")
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("still here\n", "", 0)
