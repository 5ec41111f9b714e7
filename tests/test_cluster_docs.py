"""docs/cluster.md: its commands run, and what it says of settings is so."""

import contextlib
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.config
import distributed
import psutil
import psycopg
import pytest
import yaml

from experiments import environment
from experiments.errors import InputError, WorkersError
from sweeps.executors.cluster import ClusterExecutor
from sweeps.storage.storage import open_storage
from tests.postgres import postgres
from tests.servers import SLOWEST_START, free_port
from tests.snippets import INSTALLED, ROOT, Snippet, snippets

PAGE = ROOT / "docs" / "cluster.md"
BLOCKS = snippets(PAGE)
NO_TRACKER = "http://127.0.0.1:9"  # refused at once
SMALL = ["--no-confirm", "--trials=4", "--set=training.epochs=2", f"--tracking-uri={NO_TRACKER}"]
SRUN = """#!/bin/bash
# Stands in for Slurm's: so many times the command, all on this machine.
while [[ $1 == --* ]]; do [[ $1 == --ntasks=* ]] && count=${1#*=}; shift; done
trap 'kill $(jobs -p)' TERM
for ((task = 0; task < count; task++)); do "$@" & done
wait
"""
QUICK = {
    **os.environ,
    "PATH": f"{INSTALLED}{os.pathsep}{os.environ['PATH']}",
    "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "60s",  # no word of a busy machine
}


def marked(mark: str, value: str) -> list[Snippet]:
    return [block for block in BLOCKS if block.marks.get(mark) == value]


def content(name: str) -> str:
    """What the page says is in a file."""
    (block,) = marked("file", name)
    return block.text


@contextlib.contextmanager
def background(
    command: str, folder: Path, environ: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """A command of the page that does not end by itself; at the end of the block it is ended with
    all that it started.
    """
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            ["bash", "-c", command], cwd=folder, env=environ, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def three_terminals(step: int, folder: Path) -> Iterator[tuple[str, str]]:
    """The scheduler and one worker of a step, on a port of their own: the driver's command, and the
    address.
    """
    scheduler, workers, driver = (
        marked("terminal", name)[step].text.strip() for name in ("scheduler", "workers", "driver")
    )
    port = str(free_port())
    one = workers.replace("8786", port).replace("--nworkers -1", "--nworkers 1")
    with (
        background(f"{scheduler} --port {port}", folder, QUICK),
        background(f"{one} --local-directory {folder}", folder, QUICK),
    ):
        yield driver.replace("8786", port), shlex.split(driver)[-1].replace("8786", port)


def sweep(command: str, folder: Path) -> None:
    """Run the driver's command, on less."""
    small = f"{command} {shlex.join(SMALL)}".replace("run digits", "run iris")
    done = subprocess.run(
        ["bash", "-c", small], cwd=folder, env=QUICK, capture_output=True, text=True,
        timeout=SLOWEST_START,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + (folder / "log").read_text()
    assert "4/4 trials" in done.stderr
    assert (folder / "reports" / "iris" / "report.html").exists()


def listened() -> set[str]:
    """The addresses at which processes of this one can be reached from elsewhere."""
    sockets = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            sockets += process.net_connections("inet")
    return {socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN}


def test_a_sweep_in_three_terminals(tmp_path: Path) -> None:
    with three_terminals(0, tmp_path) as (driver, _):
        sweep(driver, tmp_path)
        assert listened() == {"127.0.0.1"}


def certificates(folder: Path) -> dict[str, Any]:
    """Make certificates as the page does: Dask's configuration with absolute paths."""
    (made,) = marked("tls", "certificates")
    subprocess.run(["bash", "-euc", made.text], cwd=folder, check=True, capture_output=True)
    comm = yaml.safe_load(content("dask/sweeps.yaml"))["distributed"]["comm"]
    return {
        "distributed.comm.require-encryption": comm["require-encryption"],
        "distributed.comm.tls.ca-file": str(folder / comm["tls"]["ca-file"]),
        **{
            f"distributed.comm.tls.client.{what}": str(folder / path)
            for what, path in comm["tls"]["client"].items()
        },
    }


def test_an_encrypted_cluster_and_who_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    (folder / "dask").mkdir(parents=True)
    elsewhere.mkdir()
    (folder / "dask" / "sweeps.yaml").write_text(content("dask/sweeps.yaml"))
    ours, others = certificates(folder), certificates(elsewhere)
    assert all(stat.S_IMODE(key.stat().st_mode) == 0o600 for key in folder.glob("tls/*.key"))
    gone = ours | {"distributed.comm.tls.client.key": "gone.key"}
    with three_terminals(1, folder) as (driver, address):
        sweep(driver, folder)
        assert "Register worker addr: tls://127.0.0.1" in (folder / "log").read_text()
        assert listened() == {"127.0.0.1"}
        monkeypatch.setattr("sweeps.executors.cluster.CONNECT", 1.0)
        plain = address.replace("tls", "tcp")
        for settings, where, error, words in (
            (
                others,
                address,
                WorkersError,
                r"no Dask scheduler answers.*TLS certificate does not match",
            ),
            (gone, address, InputError, "No such file"),
            ({}, address, InputError, "check your TLS configuration"),
            ({}, plain, WorkersError, "no Dask scheduler answers"),  # it hangs up
            (ours, plain, InputError, "encryption required by Dask configuration"),
        ):
            with dask.config.set(settings), pytest.raises(error, match=words):
                ClusterExecutor(where)


def test_the_script_for_slurm(tmp_path: Path) -> None:
    """With a stand-in for srun, which has one worker for three tasks."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "activate").write_text(f"PATH={shlex.quote(str(bin_folder))}:$PATH\n")
    (bin_folder / "srun").write_text(SRUN)
    (bin_folder / "srun").chmod(0o755)
    (tmp_path / "sweeps.sbatch").write_text(content("sweeps.sbatch"))
    environ = {**QUICK, "SWEEPS_VENV": str(tmp_path), "TMPDIR": str(tmp_path)}
    environ |= {"SLURM_NTASKS": "3", "SLURM_JOB_ID": "7"}
    command = shlex.join(["bash", "sweeps.sbatch", "iris", *SMALL])
    with background(command, tmp_path, environ) as process:
        process.wait(SLOWEST_START)
        said = (tmp_path / "log").read_text()
    assert process.returncode == 0, said
    assert "4/4 trials" in said
    assert said.count("Registered to") == 1
    assert not (tmp_path / "scheduler-7.json").exists()


def test_the_databases_are_made_for_the_url() -> None:
    (url,) = set(re.findall(r"postgresql\+psycopg://\w+@[\w.]+/\w+", PAGE.read_text()))
    user, host = re.split("[/@]", url)[2:4]
    with postgres() as administrator:
        with psycopg.connect(administrator.replace("+psycopg", ""), autocommit=True) as connection:
            for statement in content("databases.sql").splitlines():
                connection.execute(statement)
            owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'sweeps'"
            assert connection.execute(owner).fetchone() == (user,)
        open_storage(f"{url.replace(host, '')}?host={administrator.partition('host=')[2]}")


def test_the_settings_are_as_the_page_says() -> None:
    written = yaml.safe_load(Path(distributed.__file__).with_name("distributed.yaml").read_text())
    defaults = written["distributed"]
    rows = re.findall(
        r"^\| `scheduler\.([\w-]+)` \| ([\w ]+?) \|", PAGE.read_text(), flags=re.MULTILINE
    )
    assert {name: str(defaults["scheduler"][name]) for name, _ in rows} == dict(rows) != {}
    memory = defaults["worker"]["memory"]
    assert (memory["pause"], memory["terminate"]) == (0.80, 0.95)
    ours = yaml.safe_load(content("dask/sweeps.yaml"))["distributed"]
    assert set(ours["comm"]) <= {*defaults["comm"], "require-encryption"}
    assert set(ours["comm"]["tls"]) <= set(defaults["comm"]["tls"])


def test_processors_can_be_made_alike() -> None:
    if "X86_V3" not in environment.cpu():
        pytest.skip("no x86 processor with AVX2")
    (block,) = marked("environment", "alike")
    program = "from experiments import environment as e; print(e.blas(), e.cpu())"
    done = subprocess.run(
        ["bash", "-euc", f"{block.text} {shlex.join([sys.executable, '-c', program])}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split()[-2:] == ["Haswell", "X86_V3"]
