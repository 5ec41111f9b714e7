"""Interrupts: between two records and never inside one; twice ends at once."""

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

from sweeps.interrupts import Interrupts, Terminated
from tests.processes import spawned, started

SLOWEST_END = 10  # seconds; on a quiet machine under 2, and the promise is 3, but here other tests take the cores


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_a_signal_waits_for_the_end_of_a_protected_block(number: signal.Signals, raised: type[BaseException]) -> None:
    done = []

    def record() -> None:
        with Interrupts().installed() as interrupts:
            with interrupts.protected():
                os.kill(os.getpid(), number)
                done.append("whole")
            done.append("not reached")

    with pytest.raises(raised):
        record()
    assert done == ["whole"]


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_a_signal_breaks_what_waits(number: signal.Signals, raised: type[BaseException]) -> None:
    def wait() -> None:
        with Interrupts().installed():
            os.kill(os.getpid(), number)
            threading.Event().wait(30)

    with pytest.raises(raised):
        wait()


@pytest.mark.parametrize("before", [True, False])
def test_a_pause_in_a_protected_block_is_broken(before: bool) -> None:
    def record() -> None:
        with Interrupts().installed() as interrupts, interrupts.protected():
            if before:
                os.kill(os.getpid(), signal.SIGINT)
            else:
                threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
            interrupts.pause(30)

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        record()
    assert time.monotonic() - start < SLOWEST_END


def test_the_handlers_of_others_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interrupts().installed():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_outside_the_main_thread_nothing_is_installed() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work() -> None:
        with Interrupts().installed() as interrupts, interrupts.protected():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_sweep_ends_within_seconds_whatever_its_processes_do(tmp_path: Path, number: signal.Signals) -> None:
    """Its workers train for hours, one of them and the process that writes to MLflow are stopped."""
    command = [str(Path(sys.executable).with_name("sweeps")), "run", "iris", "--workers", "2", "--set", "training.epochs=1000000"]
    with started(command, cwd=tmp_path) as process:
        trains: list[psutil.Process] = []
        while len(trains) < 2 and process.poll() is None:  # two that work, and one that waits for something to write
            family = spawned(process.pid)
            trains = [child for child in family if child.cpu_times().user > 1] if len(family) == 3 else []
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        for child in family[1:]:
            child.suspend()
        start = time.monotonic()
        process.send_signal(number)
        out, error = process.communicate(timeout=60)
        assert time.monotonic() - start < SLOWEST_END
    assert (process.returncode, out) == (128 + number, "")
    assert error.splitlines()[-1] == "stopped; 0 trials are kept. Go on with the same command."
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


def test_ctrl_c_twice_ends_at_once() -> None:
    program = textwrap.dedent("""
        import threading
        from sweeps.interrupts import Interrupts
        with Interrupts().installed():
            try:
                print("waiting", flush=True)
                threading.Event().wait()
            except KeyboardInterrupt:
                print("cleaning up", flush=True)
                threading.Event().wait()
    """)
    with started([sys.executable, "-c", program]) as process:
        assert process.stdout
        for line in ("waiting\n", "cleaning up\n"):
            assert process.stdout.readline() == line
            process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


def test_what_does_not_let_go_ends_by_force_after_a_while() -> None:
    program = textwrap.dedent("""
        import threading
        from sweeps import interrupts
        interrupts.PATIENCE = 0.5
        with interrupts.Interrupts().installed():
            try:
                print("waiting", flush=True)
                threading.Event().wait()
            finally:
                threading.Event().wait()
    """)
    with started([sys.executable, "-c", program]) as process:
        assert process.stdout
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=20)
    assert process.returncode == 143
    assert error == "stopped by force; what was recorded is kept. Go on with the same command.\n"


def test_nothing_is_ended_that_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr("sweeps.interrupts.PATIENCE", 0.2)
    monkeypatch.setattr("sweeps.interrupts._end_at_once", lambda number, frame: ended.append(number))
    with pytest.raises(Terminated), Interrupts().installed():
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.5)  # what is tested is that nothing comes of it
    assert ended == []
