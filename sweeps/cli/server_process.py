"""The process of the MLflow server: MLflow's command line in a process group of its own, which ends
when its owner does, however that ends.

Its standard input is a pipe that nobody writes to, and that the owner alone holds open.
"""

import os
import runpy
import signal
import sys
import threading

from experiments.tracking.client import have_home


def end_with_owner() -> None:
    """Kill the process group when standard input ends. Its databases survive that."""
    os.read(sys.stdin.fileno(), 1)  # past the lock of `sys.stdin`, which Python needs to exit
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    have_home()
    threading.Thread(target=end_with_owner, daemon=True).start()
    runpy.run_module("mlflow", run_name="__main__", alter_sys=True)
