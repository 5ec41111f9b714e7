"""Sides: the same training by nnreg and by its peers, each run in a child by
`benchmarks.side_by_side`.

    python -m benchmarks.sides NAME CASE      one JSON line when ready, then one per line read

All of them: float32, Adam, minibatches in a new order every epoch, the four penalties, and after
every epoch the losses and accuracies on the training and on the validation rows.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks.cases import Case

HOMES = {
    "nnreg": "benchmarks.peers.ours",
    "compiled": "benchmarks.peers.compiled",
    "fixed": "benchmarks.peers.fixed",
    "gemms": "benchmarks.peers.gemms",
    "numpy": "benchmarks.peers.numpy_loop",
    "jax": "benchmarks.peers.jax_vmap",
    "torch": "benchmarks.peers.torch_eager",
    "sklearn": "benchmarks.peers.sklearn_mlp",
    "own": "benchmarks.peers.own_alone",
    "own, predicts": "benchmarks.peers.own_predicts",
    "own, trial": "benchmarks.peers.own_trial",
}

Prepared = tuple[Callable[[], None], int, str]
"""What trains once, how many trials that is, and the versions of what it uses."""


def main(name: str, case: Case) -> None:
    try:
        train, trials, versions = import_module(HOMES[name]).prepare(case)
    except ImportError as error:
        say(absent=f"{error.name} is not installed")
        return
    say(versions=versions)
    for _ in sys.stdin:
        start = time.perf_counter()
        train()
        say(seconds=(time.perf_counter() - start) / trials)


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Case(**json.loads(sys.argv[2])))
