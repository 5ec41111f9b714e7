"""A password is looked for in everything that real runs print, write and start."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, quote

import psutil
import pytest

from experiments.errors import SweepsError, TrackingError
from experiments.redaction import masked_url, redacted
from experiments.tracking import Store
from sweeps.cli import server
from sweeps.storage.storage import open_storage
from tests.commands import carried_out
from tests.postgres import postgres
from tests.servers import free_port

CANARY = "cAnarY7"
PROGRAM = """
import json, sys
from sweeps.cli import main
for command in json.load(sys.stdin):
    sys.argv = ["sweeps", *command]
    try:
        main()
    except SystemExit as end:
        print("status", int(end.code), flush=True)
"""
VARIABLES = {"MLFLOW_TRACKING_PASSWORD": f"{CANARY}2", "MLFLOW_TRACKING_TOKEN": f"{CANARY}3"}


@pytest.fixture
def database() -> Iterator[tuple[str, Path]]:
    """The URL of a database with a password (it lets everybody in), and its folder."""
    with postgres() as url:
        scheme, _, place = url.partition("://")
        folder = Path(parse_qs(place.partition("?")[2])["host"][0])  # its socket is there too
        assert (folder / "PG_VERSION").exists()
        yield f"{scheme}://postgres:{CANARY}@{place.rpartition('@')[2]}", folder


def titles(process: psutil.Process) -> Iterator[str]:
    """The command lines of a process and of all that it started."""
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.Error):  # it has just ended
            yield " ".join(one.cmdline())


def holders(folder: Path) -> list[str]:
    """The files below a folder that hold the password."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [str(path) for path in files if CANARY.encode() in path.read_bytes()]


def test_a_password_stays_where_it_was_given(
    database: tuple[str, Path], made: Path, tmp_path: Path
) -> None:
    """A study on PostgreSQL, its runs in a file, then an MLflow that does not answer."""
    storage, data = database
    shutil.copy(made, tmp_path)
    away = ["--tracking-uri", f"http://me:{CANARY}@127.0.0.1:1"]
    small = ["--trials=4", "--workers=2", "--set=training.epochs=1", "--no-confirm"]
    lines = [
        ["run", "iris", *small],
        ["status", "--json"],
        ["doctor", *away],
        ["sync", *away],
        ["sync", "--tracking-uri", storage],  # Optuna and MLflow do not share a database
    ]
    seen: set[str] = set()
    with (tmp_path / "printed").open("wb") as printed:
        process = psutil.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=tmp_path,
            env={**os.environ, **VARIABLES},
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        process.stdin.write(json.dumps([[*line, "--storage", storage] for line in lines]).encode())
        process.stdin.close()
        while process.poll() is None:
            seen.update(titles(process))
            with suppress(psutil.TimeoutExpired):
                process.wait(0.1)  # to look is dear where there are many processes
    text = (tmp_path / "printed").read_text()
    assert re.findall("status (.*)", text) == ["0", "0", "0", "1", "1"], text
    assert '"mlflow_missing": 0' in text
    assert "does not answer" in text
    assert "--storage" in text  # in the commands that are proposed
    assert len(seen) > 1, seen  # workers
    assert CANARY not in text
    assert not [title for title in seen if CANARY in title]
    assert holders(tmp_path) == []
    assert holders(data) == []


def test_the_server_of_the_page_is_given_no_password_on_its_command_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: set[str] = set()
    monkeypatch.setattr(server, "SLOWEST_START", 1.0)
    monkeypatch.setattr(server, "_answers", lambda *_: seen.update(titles(psutil.Process())))
    store = Store(f"postgresql+psycopg://me:{CANARY}@127.0.0.1:1/db", "digits", None)
    with pytest.raises(TrackingError), server.serving(store, free_port()):
        pass
    assert any("server --host 127.0.0.1" in title for title in seen), seen
    assert not [title for title in seen if CANARY in title]
    assert CANARY not in capfd.readouterr().err


URLS = [
    f"postgresql+psycopg://me:{CANARY}@127.0.0.1:1/db",
    f"postgresql+psycopg://me:{CANARY}@nowhere.invalid/db",
    f"postgresql+psycopg://me:{CANARY}@{CANARY}@127.0.0.1:1/db",
    f"postgresql+psycopg://me:{quote('ü@')}{CANARY}@127.0.0.1:1/db",
    f"postgresql+psycopg://me:{CANARY}/{CANARY}@127.0.0.1:1/db",
    f"postgresql+psycopg://me:{CANARY}?{CANARY}@127.0.0.1:1/db",
    f"postgresql+psycopg://127.0.0.1:1/db?user=me&password={CANARY}",
    f"postgresql+psycopg://127.0.0.1:1/db?secret={CANARY}",
    f"postgresql+psycopg://me:{CANARY}@127.0.0.1:{CANARY}@x/db",
    f"nosql://me:{CANARY}@127.0.0.1/db",
    f"mysql+mysqldb://me:{CANARY}@127.0.0.1/db",
    f"redis://:{CANARY}@127.0.0.1/0",
    f"me:{CANARY}@127.0.0.1/db",
    f"sqlite://me:{CANARY}@127.0.0.1/db",
]


@pytest.mark.parametrize("url", URLS)
def test_a_storage_that_cannot_be_opened_is_named_without_its_password(url: str) -> None:
    with pytest.raises(SweepsError) as caught:
        open_storage(url)
    assert CANARY not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_no_secret_is_shown() -> None:
    database = "postgresql+psycopg://me@host:1/db?host=/tmp/x&sslmode=require"
    for url in ("sqlite:////a/b c.db", database, "/a:b/c.journal", "x"):
        assert masked_url(url) == url
    shown = "postgresql://me:***@host/db?sslcert=***"
    assert masked_url("postgresql://me:p@host/db?sslcert=s") == shown
    assert masked_url("https://me:p@host:1/x") == "https://host:1/x"
    assert redacted("at http://p@host, again", "http://p@host") == "at http://host, again"


def test_a_bug_of_ours_is_printed_without_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError(f"cannot read {CANARY} {CANARY} of sqlite://me:{CANARY}@host/db")

    monkeypatch.setattr("sweeps.checkup.status.statuses", fail)
    url = f"sqlite://me:{CANARY} {CANARY}@host/db"
    done = carried_out("status", f"--storage={url}", cwd=tmp_path)
    assert (done.returncode, done.stderr.partition(",")[0]) == (1, "this is a bug in sweeps")
    assert "cannot read" in done.stderr
    assert CANARY not in done.stderr
