"""MLflow's page as a user sees it: a real server, a real browser."""

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
from experiments.tracking import Tracker, Writer, choose
from sweeps.server import HOST, Server, free_port, is_free, view_link
from tests.browser import Browser, browser
from tests.studies import make_study

COLUMNS = ["val_accuracy", "data_loss", "regularization_loss", "weight_l1", "weight_l2", "bias_l1", "bias_l2"]


def shown(page: Browser, objective: str) -> list[tuple[str, str]]:
    """The table as it is on the screen, from top to bottom: run name and objective."""
    script = """
        const rows = {};
        for (const cell of document.querySelectorAll('.ag-row [col-id]')) {
            const index = cell.closest('.ag-row').getAttribute('row-index');
            (rows[index] = rows[index] || {})[cell.getAttribute('col-id')] = cell.innerText.trim();
        }
        return Object.keys(rows).map(Number).sort((a, b) => a - b).map(index => rows[index]);
    """
    rows = page.driver.execute_script(script)
    # Above the name is the color of its dot, for those who cannot see it.
    return [(row["attributes.`Run Name`"].split()[-1], row[f"metrics.`{objective}`"]) for row in rows]


def columns(page: Browser) -> list[str]:
    """The metric columns, from left to right."""
    script = """
        const cells = [...document.querySelectorAll('.ag-header-cell[col-id^="metrics."]')];
        cells.sort((a, b) => a.getBoundingClientRect().left - b.getBoundingClientRect().left);
        return cells.map(cell => cell.getAttribute('col-id').replace(/^metrics\\.`|`$/g, ''));
    """
    return list(page.driver.execute_script(script))


def test_the_link_opens_the_trials_of_the_study_best_first(tmp_path: Path) -> None:
    store = choose(tmp_path, "digits", environ={})
    small, large = (
        make_study(100, epochs=2),
        make_study(1_000, name="digits-large", epochs=1, sweep={"objective": "val_data_loss"}),
    )
    Tracker(store, small).sync(small)
    writer = Writer(Tracker(store, large))  # while the server and the browser start
    for trial in large.trials:
        writer.put(trial)
    with Server(store) as server, browser(tmp_path / "profile") as page:
        assert writer.close().unwritten == ()
        for study in (small, large):
            tracker = Tracker(store, study)
            link = view_link(server.url, tracker)
            assert view_link(server.url, tracker) == link
            page.open(link)
            wanted = [(f"trial-{trial.trial:05d}", str(study.value(trial))) for trial in study.ranked[:10]]
            page.wait_for(lambda study=study, wanted=wanted: shown(page, study.objective)[:10] == wanted)
            page.screenshot(tmp_path / f"{len(study.trials)}.png")
            assert columns(page) == list(dict.fromkeys([study.objective, *COLUMNS]))
            assert {name.partition("-")[0] for name, _ in shown(page, study.objective)} == {"trial"}
            assert "100 matching runs" in " ".join(page.texts("body")[0].split())  # the first hundred; there is "load more"
        assert page.hosts() == {HOST}  # no request left the machine


SERVE = (
    "import sys, pathlib; from experiments.tracking import choose; from sweeps.server import Server\n"
    "with Server(choose(pathlib.Path(sys.argv[1]), 'digits', environ={})) as server:\n"
    "    print(server.port, flush=True)\n"
    "    server.wait()\n"
)


def test_a_server_ends_with_all_its_processes_when_its_owner_does(tmp_path: Path, made: Path) -> None:
    """Two at once, which may want the same port: each gets its own, and answers for its own directory."""
    # The status, and seconds until none is there any more; Ctrl-C: tests/test_cli.py.
    endings = {signal.SIGTERM: (143, 0), signal.SIGKILL: (-signal.SIGKILL, 20)}
    started = []
    for number in endings:
        folder = tmp_path / number.name
        folder.mkdir()
        shutil.copy(made, folder)
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", SERVE, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
    try:
        ports = [int(process.stdout.readline()) for process in started if process.stdout]
        assert len(set(ports)) == 2
        for process, port, (number, (status, seconds)) in zip(started, ports, endings.items(), strict=True):
            family = psutil.Process(process.pid).children(recursive=True)
            assert len(family) == 2  # light: MLflow's command and one worker
            sockets = [one for member in family for one in member.net_connections() if one.status == psutil.CONN_LISTEN]
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
    with pytest.raises(TrackingError, match="its last words"), Server(choose(tmp_path, "digits", environ={})):
        pass
    assert psutil.Process().children(recursive=True) == before
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert os.environ.get("MLFLOW_BACKEND_STORE_URI") is None
