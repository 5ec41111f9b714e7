"""The command `sweeps`, warm: each call is a process of its own, forked from one that has imported
everything, 2 s sooner.

The console script as it is installed, cold and with the processes that it starts, is what
tests/test_cli.py calls.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    call = json.dumps([sys.argv, os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(server, [len(call).to_bytes(8, "big")], [0, 1, 2])
    server.sendall(call)
    sys.exit(server.recv(1)[0])
"""


@contextlib.contextmanager
def warm() -> Iterator[Path]:
    """A folder for the PATH, with a `sweeps` in it, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="warm-") as name:
        folder, address = Path(name), str(Path(name) / "socket")
        program = folder / "sweeps"
        program.write_text(PROGRAM.format(python=sys.executable, address=address))
        program.chmod(0o755)
        with subprocess.Popen(
            [sys.executable, "-m", "tests.warm", address], cwd=ROOT, stdout=subprocess.PIPE
        ) as server:
            try:
                assert server.stdout
                assert server.stdout.readline()  # it listens
                yield folder
            finally:
                server.terminate()


def serve(address: str) -> None:
    """Import what the commands import, and answer calls, one after the other."""

    from experiments.tracking import Tracker, client
    from sweeps import session, workspace

    client.load()
    session.TrackerProcess = workspace.TrackerProcess = Tracker  # type: ignore[assignment, misc]

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("listening", flush=True)
        while True:
            connection, _ = listener.accept()
            with connection:
                child = os.fork()
                if child == 0:
                    os._exit(_call(connection))
                connection.sendall(
                    bytes([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 0xFF])
                )


def _call(connection: socket.socket) -> int:
    """The command, as it was called: its words, directory, environment and files."""
    from sweeps import cli

    size, streams, _, _ = socket.recv_fds(connection, 8, 3)
    call = connection.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
    arguments, directory, environment = json.loads(call)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    # What they were when Python began may have been a file, which can be rewound.
    sys.stdout, sys.stderr = (os.fdopen(number, "w") for number in (1, 2))
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    try:
        cli.main()
    except SystemExit as end:
        status = end.code
    sys.stdout.flush()
    sys.stderr.flush()
    return int(status or 0)


if __name__ == "__main__":
    serve(sys.argv[1])
