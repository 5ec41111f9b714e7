"""Runs the scripts of the other tools whose packages are installed, a line each: `python -m docs.migration`.

The script of W&B needs an account or a server of theirs, so of it only the training runs, without a network.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NEEDS = {"scikit_learn": "sklearn", "ray_tune_search": "ray", "keras_tuner_search": "keras_tuner", "wandb_sweeps": "wandb"}
OFFLINE = """
import inspect, sys, wandb
sys.path.insert(0, {folder!r})
import wandb_sweeps as script
start = wandb.init
wandb.init = lambda: start(mode="offline", project="wine", config={{"alpha": 1e-3}})
script.train()
inspect.signature(wandb.sweep).bind({{}}, project="wine")
inspect.signature(wandb.agent).bind("id", function=script.train, count=32)
"""


def main() -> int:
    """Run each; the exit status is how many failed."""
    here, failed = Path(__file__).parent, 0
    for script, package in NEEDS.items():
        if importlib.util.find_spec(package) is None:
            print(f"{script}: {package} is not installed")
            continue
        program = ["-c", OFFLINE.format(folder=str(here))] if package == "wandb" else [str(here / f"{script}.py")]
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            environment = {"KERAS_BACKEND": "torch", **os.environ}
            done = subprocess.run([sys.executable, *program], cwd=folder, env=environment, capture_output=True, text=True)
        failed += done.returncode != 0
        last = (done.stdout if done.returncode == 0 else done.stderr).strip().rpartition("\n")[2]
        print(f"{script}: {'failed' if done.returncode else 'ran'} in {time.monotonic() - began:.0f} s: {last}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
