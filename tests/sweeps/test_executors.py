"""The executors: what a worker is, and what it is not."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from sweeps import executors

LOADED = """
import json, sys
from sweeps import executors
if "inline" in sys.argv:
    raise SystemExit("the script was run again in a worker")
sys.argv.append("inline")
with executors.make(2) as pool:
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
    with executors.make(2) as pool:
        assert pool.submit(int, "3").result() == 3
    assert dict(os.environ) == before


def test_inline_waits_until_it_is_asked() -> None:
    with executors.make(1) as inline:
        future = inline.submit(int, "3")
        assert not future.done()
        assert future.result() == future.result() == 3


def test_inline_raises_what_is_raised() -> None:
    with executors.make(1) as inline, pytest.raises(ValueError, match="three"):
        inline.submit(int, "three").result()


def test_an_interruption_ends_the_workers_at_once() -> None:
    workers = []

    def interrupted() -> None:
        with executors.make(2) as pool:
            pool.submit(int, "3").result()
            pool.submit(eval, "__import__('time').sleep(600)")
            workers.extend(child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline()))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    gone, alive = psutil.wait_procs(workers, timeout=20)
    assert gone
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_a_worker_ends_with_a_driver_that_was_killed() -> None:
    program = textwrap.dedent("""
        import os
        from sweeps import executors
        with executors.make(2) as pool:
            print(pool.submit(os.getpid).result(), flush=True)
            pool.submit(eval, "__import__('time').sleep(600)").result()
    """)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout
        worker = psutil.Process(int(driver.stdout.readline()))
        children = psutil.Process(driver.pid).children()
        assert worker in children
        os.kill(driver.pid, signal.SIGKILL)
    gone, alive = psutil.wait_procs(children, timeout=20)
    assert worker in gone
    assert not alive
