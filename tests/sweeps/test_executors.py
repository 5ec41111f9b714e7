"""The executors: what a worker is, and what it is not."""

import json
import multiprocessing
import multiprocessing.spawn
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from experiments import worker
from experiments.errors import WorkersError
from sweeps.executors import local
from sweeps.executors.worker_process import WorkerDied, WorkerProcess
from tests.processes import spawned

LOADED = """
import json, sys
from sweeps.executors import local
if "inline" in sys.argv:
    raise SystemExit("the script was run again in a worker")
sys.argv.append("inline")
with local.make(2) as pool:
    names = pool.submit(eval, "sorted(__import__('sys').modules)").result()
    threads = pool.submit(eval, "[__import__('os').environ[n] for n in ('OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS')]").result()
print(json.dumps([names, threads]))
"""


def test_a_worker_imports_little_and_not_the_script_that_started_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(LOADED))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    names, threads = json.loads(done.stdout)
    ours = {name for name in names if name.split(".")[0] in ("nnreg", "experiments", "sweeps")}
    assert not {name.split(".")[0] for name in names} & {
        "optuna", "mlflow", "pandas", "sklearn", "scipy", "plotly", "pydantic", "typer", "rich", "sqlalchemy"
    }  # fmt: skip
    assert {name for name in ours if name.startswith(("experiments", "sweeps"))} == {
        "experiments", "experiments.worker", "experiments.evaluation"
    }  # fmt: skip
    assert threads == ["1", "1"]


def test_the_environment_of_the_driver_is_left_as_it_was() -> None:
    before = dict(os.environ)
    with local.make(2) as pool:
        assert pool.submit(int, "3").result() == 3
    assert dict(os.environ) == before


def test_ctrl_c_while_a_worker_starts_is_not_its_business(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In a terminal it comes to the whole process group; the driver alone answers."""
    connection, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=worker.serve, args=(theirs,), daemon=True
    )
    with theirs, worker.spawning():
        process.start()
    assert process.pid
    os.kill(process.pid, signal.SIGINT)
    assert connection.recv() is None  # it is ready
    connection.close()
    process.join(60)
    assert (process.exitcode, capfd.readouterr().err) == (0, "")
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])  # we still hear it


def test_inline_waits_until_it_is_asked() -> None:
    with local.make(1) as inline:
        future = inline.submit(int, "3")
        assert not future.done()
        assert future.result() == future.result() == 3


def test_inline_raises_what_is_raised() -> None:
    with local.make(1) as inline, pytest.raises(ValueError, match="three"):
        inline.submit(int, "three").result()


DIE = "__import__('os').kill(__import__('os').getpid(), 9)"


def test_a_worker_that_dies_takes_its_own_call_along_and_no_other(tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    waiting = "import os, sys, time\nwhile not os.path.exists(path): time.sleep(0.01)"
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


def test_a_worker_that_dies_idle_costs_nothing() -> None:
    with local.make(2) as pool:
        first = pool.submit(os.getpid).result()
        os.kill(first, signal.SIGKILL)
        assert not psutil.wait_procs([psutil.Process(first)], timeout=20)[1]
        assert pool.submit(os.getpid).result() != first


def test_a_worker_that_was_ended_starts_no_more() -> None:
    """Ctrl-C may come while a thread is about to start one."""
    process = WorkerProcess()
    process.end()
    with pytest.raises(WorkersError, match="it was ended"):
        process.call(os.getpid)


def test_a_bug_in_a_worker_shows_where_it_is() -> None:
    with local.make(2) as pool, pytest.raises(ValueError, match="Expecting value") as raised:
        pool.submit(json.loads, "three").result()
    assert "decoder.py" in raised.value.__notes__[0]


@pytest.mark.parametrize("executable", ["false", "nowhere"])
def test_workers_that_cannot_start_are_one_sentence(executable: str) -> None:
    """A real program that ends at once in place of Python's, and one that is not there."""
    before = multiprocessing.spawn.get_executable()
    try:
        multiprocessing.set_executable(shutil.which(executable) or executable)
        with (
            local.make(2) as pool,
            pytest.raises(WorkersError, match=r"^no worker can be started: .*; free some memory"),
        ):
            pool.submit(int, "3").result()
    finally:
        multiprocessing.set_executable(before)


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS binds on Linux alone")
def test_a_system_without_room_for_a_thread_is_one_sentence() -> None:
    program = textwrap.dedent("""
        import resource
        from pathlib import Path
        from experiments.errors import WorkersError
        from sweeps.executors import local
        with local.make(2) as pool:
            room = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + 2**20
            resource.setrlimit(resource.RLIMIT_AS, (room, room))
            try:
                pool.submit(int, "3")
            except WorkersError as error:
                print(error)
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(
        "no worker can be started: can't start new thread; free some memory"
    )


@pytest.mark.parametrize("died", [False, True])
def test_an_interruption_ends_the_workers_at_once(died: bool) -> None:
    workers = []

    def interrupted() -> None:
        with local.make(2) as pool:
            if died:
                assert isinstance(pool.submit(eval, DIE).exception(), WorkerDied)
            pool.submit(int, "3").result()
            pool.submit(eval, "__import__('time').sleep(600)")
            workers.extend(spawned())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    gone, alive = psutil.wait_procs(workers, timeout=20)
    assert gone
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_a_worker_ends_with_a_driver_that_was_killed() -> None:
    program = textwrap.dedent("""
        import os
        from sweeps.executors import local
        with local.make(2) as pool:
            print(pool.submit(os.getpid).result(), flush=True)
            pool.submit(eval, "__import__('time').sleep(600)").result()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout
        worker = psutil.Process(int(driver.stdout.readline()))
        children = psutil.Process(driver.pid).children()
        assert worker in children
        os.kill(driver.pid, signal.SIGKILL)
    gone, alive = psutil.wait_procs(children, timeout=20)
    assert worker in gone
    assert not alive
