"""The executors of this machine: what a worker is, what it is not, and how it ends."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from experiments.errors import WorkersError
from experiments.worker import ONE_THREAD, TRIES
from sweeps.executors import local
from sweeps.executors.local import ProcessExecutor, WorkerDied
from tests.processes import spawned

DIE = "__import__('os').kill(__import__('os').getpid(), 9)"
FORK = """
import os, time
if not (child := os.fork()):
    time.sleep(600)
open(path, "w").write(str(child))
os.kill(os.getpid(), 9)
"""
SLEEP = "__import__('time').sleep(600)"
SCRIPT = """
import json, os, sys
from sweeps.executors import local
if "inline" in sys.argv:
    raise SystemExit("the script was run again in a worker")
sys.argv.append("inline")
before = dict(os.environ)
with local.make(2) as pool:
    names = pool.submit(eval, "sorted(__import__('sys').modules)").result()
    environ = pool.submit(eval, "dict(__import__('os').environ)").result()
assert dict(os.environ) == before
print(json.dumps([names, environ]))
"""


def test_a_worker_imports_little_and_not_the_script_that_started_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    names, environ = json.loads(done.stdout)
    heavy = [
        "optuna",
        "mlflow",
        "pandas",
        "sklearn",
        "scipy",
        "plotly",
        "pydantic",
        "typer",
        "rich",
    ]
    assert not {name.split(".")[0] for name in names} & set(heavy)
    packages = {".".join(name.split(".")[:2]) for name in names}
    assert {name for name in packages if name.startswith(("experiments", "sweeps"))} == {
        "experiments",
        "experiments.worker",
        "experiments.evaluation",
    }
    assert ONE_THREAD.items() <= environ.items()


def test_ctrl_c_in_a_terminal_does_not_reach_a_worker() -> None:
    """A terminal sends it to the whole process group of the driver, from the first instant on."""
    with local.make(2) as pool:
        pool.submit(int, "3")
        while not (workers := spawned()):
            pass
        assert os.getpgid(workers[0].pid) != os.getpgid(0)


def test_inline_evaluates_when_it_is_asked() -> None:
    with local.make(1) as inline:
        future = inline.submit(int, "3")
        assert not future.done()
        assert future.result() == future.result() == 3
        with pytest.raises(ValueError, match="three"):
            inline.submit(int, "three").result()


def test_a_worker_that_dies_takes_its_own_call_along_and_no_other(tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    waiting = "import os, time\nwhile not os.path.exists(path): time.sleep(0.01)"
    with local.make(2) as pool:
        neighbour = pool.submit(exec, waiting, {"path": str(go_on)})
        for code, reason in (
            (DIE, "killed by SIGKILL, perhaps out of memory"),
            ("__import__('os')._exit(3)", "exit code 3"),
        ):
            with pytest.raises(WorkerDied, match=reason):
                pool.submit(eval, code).result()
            assert pool.submit(int, "3").result() == 3
        assert not neighbour.done()
        go_on.touch()
        assert neighbour.result() is None
        with pytest.raises(ValueError, match="Expecting value") as raised:
            pool.submit(json.loads, "three").result()
        assert "decoder.py" in raised.value.__notes__[0]


def test_a_worker_that_dies_takes_along_what_its_call_started(tmp_path: Path) -> None:
    """Whose copy of the connection hides nothing: the call is lost at once."""
    with ProcessExecutor(1) as pool:
        with pytest.raises(WorkerDied, match="killed by SIGKILL"):
            pool.submit(exec, FORK, {"path": str(tmp_path / "child")}).result(timeout=20)
        with suppress(psutil.NoSuchProcess):
            child = psutil.Process(int((tmp_path / "child").read_text()))
            while child.status() != psutil.STATUS_ZOMBIE:  # which nobody may wait for
                pass


def test_what_a_worker_starts_prints_into_the_log(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "sweeps")  # whatever a command set in this process
    with ProcessExecutor(1) as pool:
        assert pool.submit(os.system, "echo hi; echo ho >&2").result() == 0
        while not {"hi", "ho"} <= set(caplog.messages):  # it comes by a thread
            pool.submit(len, "").result()
    assert capfd.readouterr().out == ""  # a command run before may have the log on standard error


def test_a_worker_that_dies_idle_costs_nothing() -> None:
    with ProcessExecutor(1) as pool:
        first = pool.submit(os.getpid).result()
        os.kill(first, signal.SIGKILL)
        assert not psutil.wait_procs([psutil.Process(first)], timeout=20)[1]
        assert pool.submit(os.getpid).result() != first


@pytest.mark.parametrize("kills", [TRIES - 1, TRIES])
def test_a_worker_that_is_killed_while_it_starts_is_started_again(kills: int) -> None:
    killed: set[int] = set()
    with ProcessExecutor(1) as pool:
        answer = pool.submit(int, "3")
        while len(killed) < kills and not answer.done():
            for child in spawned():
                if child.pid not in killed:
                    child.kill()
                    killed.add(child.pid)
        if kills < TRIES:
            assert answer.result() == 3
        else:
            with pytest.raises(WorkersError, match="one was killed by SIGKILL"):
                answer.result()
    assert len(killed) == kills


@pytest.mark.parametrize("executable", [shutil.which("false"), "/nowhere"])
def test_workers_that_cannot_start_are_one_sentence(
    executable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    with (
        local.make(2) as pool,
        pytest.raises(WorkersError, match=r"^no worker process can be started: .+; free some"),
    ):
        pool.submit(int, "3").result()


@pytest.mark.parametrize("died", [False, True])
def test_an_interruption_ends_the_workers_at_once(died: bool) -> None:
    workers = []

    def interrupted() -> None:
        with local.make(2) as pool:
            if died:
                assert isinstance(pool.submit(eval, DIE).exception(), WorkerDied)
            pool.submit(int, "3").result()
            pool.submit(eval, SLEEP)
            workers.extend(spawned())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert workers
    assert not any(worker.is_running() for worker in workers)


def test_workers_end_with_a_driver_that_was_killed() -> None:
    """Both train, and one is stopped. What they print comes here as the log."""
    train = f"print(__import__('os').getpid(), flush=True); {SLEEP}"
    program = textwrap.dedent(f"""
        import logging, sys
        from sweeps.executors import local
        logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
        with local.make(2) as pool:
            pool.submit(exec, {train!r})
            pool.submit(exec, {train!r}).result()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout
        workers = [psutil.Process(int(driver.stdout.readline())) for _ in range(2)]
        workers[0].suspend()
        while workers[0].status() != psutil.STATUS_STOPPED:  # the system wakes whom it finds so
            os.sched_yield()
        os.kill(driver.pid, signal.SIGKILL)
    assert not psutil.wait_procs(workers, timeout=20)[1]
