"""The server's process: MLflow's command line, which ends with all its processes when whoever
started it is gone.

Its standard input is a pipe that nobody writes to: the end of the pipe is the end of its owner, by
whatever.
"""

import os
import runpy
import signal
import sys
import threading


def end_with_owner() -> None:
    """End the process group when standard input ends. SQLite, which is all that it writes, bears
    that.
    """
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=end_with_owner, daemon=True).start()
    runpy.run_module("mlflow", run_name="__main__", alter_sys=True)
