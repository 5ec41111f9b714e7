"""A network of a user's own for tests: small, and trained in milliseconds."""

import random
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from experiments.evaluation import Setting, one_thread
from nnreg import Split

EDITS = (
    "training.epochs=3",
    "training.learning_rate={ low = 0.05, high = 0.5 }",
    "sweep.baseline=4",
    "sweep.generation=4",
    "confirm.seeds=2",
    "confirm.top=1",
    "confirm.references=false",
)
"""A sweep that takes seconds."""

NETWORK = textwrap.dedent("""
    import random

    import numpy as np


    class Net:
        def __init__(self, inputs, hidden, classes):
            self.w1, self.b1 = 0.5 * np.random.randn(inputs, hidden), np.zeros((1, hidden))
            self.w2, self.b2 = 0.5 * np.random.randn(hidden, classes), np.zeros((1, classes))

        def forward(self, x, keep=1.0):
            self.x = x
            self.h = np.maximum(0, x @ self.w1 + self.b1)
            if keep < 1:
                self.h *= np.random.binomial(1, keep, self.h.shape) / keep
            scores = self.h @ self.w2 + self.b2
            scores = np.exp(scores - scores.max(axis=1, keepdims=True))
            return scores / scores.sum(axis=1, keepdims=True)

        predict = forward

        def arrays(self):
            return {"w1": self.w1, "b1": self.b1, "w2": self.w2, "b2": self.b2}


    def load(arrays):
        network = Net(1, 1, 1)
        vars(network).update(arrays)
        return network


    def train(split, lambdas, *, seed, epochs, batch_size, learning_rate, hidden=8, dropout=0.0):
        x, y = split.x_train, split.y_train
        network, rows = Net(x.shape[1], hidden, split.classes), list(range(len(x)))
        for epoch in range(epochs):
            random.shuffle(rows)
            for start in range(0, len(rows), batch_size):
                batch = rows[start : start + batch_size]
                wrong = network.forward(x[batch], 1 - dropout)
                wrong[range(len(batch)), y[batch]] -= 1
                wrong /= len(batch)
                back = wrong @ network.w2.T * (network.h > 0)
                network.w2 -= learning_rate * (
                    network.h.T @ wrong + 2 * lambdas.weight_l2 * network.w2
                )
                network.b2 -= learning_rate * wrong.sum(axis=0, keepdims=True)
                network.w1 -= learning_rate * (
                    network.x.T @ back + 2 * lambdas.weight_l2 * network.w1
                )
                network.b1 -= learning_rate * back.sum(axis=0, keepdims=True)
            chances = network.predict(x)[range(len(x)), y]
            weights = (network.w1**2).sum() + (network.w2**2).sum()
            yield {
                "data_loss": -np.log(np.clip(chances, 1e-7, 1)).mean(),
                "regularization_loss": lambdas.weight_l2 * weights,
                "weights/size": np.abs(network.w1).mean(),
                "network": network,
            }
""")


def write_experiment(folder: Path, network: str = NETWORK, *lines: str) -> Path:
    """Write net.py, and an experiment file with further lines at its end; return that."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "net.py").write_text(network)
    text = ['name = "mine"', '[data]\nsource = "iris"', '[model]\nsource = "net.py"', *lines]
    (folder / "mine.toml").write_text("\n".join(text))
    return folder / "mine.toml"


def options(edits: Iterable[str] = EDITS) -> list[str]:
    """The edits as options of the command."""
    return [f"--set={edit}" for edit in edits]


def trained_alone(setting: Setting, seed: int, split: Split) -> Iterator[tuple[Any, float]]:
    """Yield the network, and the share of validation rows that it finds, at the end of each epoch,
    by the user's code alone.
    """
    module: dict[str, Any] = {"__name__": "net"}
    exec(NETWORK, module)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # as the book's code
    steps = module["train"](
        split, setting.lambdas, seed=seed, epochs=3, batch_size=128,
        learning_rate=setting.learning_rate, **dict(setting.parameters),
    )  # fmt: skip
    while True:
        with one_thread():  # never while a test has the network: one that fails would keep the lock
            network = next(({**one} for one in steps), {}).get("network")
            if network is None:
                return
            found = network.predict(split.x_val).argmax(axis=1)
        yield network, float((found == split.y_val).mean())
