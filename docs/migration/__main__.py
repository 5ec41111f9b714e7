"""Run the scripts of the other tools whose packages are installed, one line each.

    python -m docs.migration [--short] [NAME ...]

The script of W&B needs an account or one of their servers, so only its training runs, offline; of
the calls to the server, the arguments are checked.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NEEDS = {
    "scikit_learn": "sklearn",
    "ray_tune_search": "ray",
    "keras_tuner_search": "keras_tuner",
    "wandb_sweeps": "wandb",
}
QUIET = {
    "KERAS_BACKEND": "torch",
    "RAY_USAGE_STATS_ENABLED": "0",
    "WANDB_ERROR_REPORTING": "false",
}  # no statistics are sent
TRIALS, FEW = "=32", "=2"
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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="which, if not all")
    parser.add_argument("--short", action="store_true", help="two trials each, to see that it runs")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.names if name not in NEEDS]:
        parser.error(f"there is no script {unknown[0]}; there are {', '.join(NEEDS)}")
    here, failed = Path(__file__).parent, 0
    for script in arguments.names or NEEDS:
        if importlib.util.find_spec(NEEDS[script]) is None:
            print(f"{script}: {NEEDS[script]} is not installed")
            continue
        program = (
            OFFLINE.format(folder=str(here))
            if script == "wandb_sweeps"
            else (here / f"{script}.py").read_text()
        )
        if arguments.short:
            program = program.replace(TRIALS, FEW)
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, **QUIET, "HOME": folder}  # where some leave their results
            done = subprocess.run(
                [sys.executable, "-c", program],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
            )
        failed += done.returncode != 0
        last = (done.stdout if done.returncode == 0 else done.stderr).strip().rpartition("\n")[2]
        print(
            f"{script}: {'failed' if done.returncode else 'ran'} in {time.monotonic() - began:.0f}"
            f" s: {last}"
        )
    return failed


if __name__ == "__main__":
    sys.exit(main())
