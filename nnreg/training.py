"""Training: a skeleton that trains one lane after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnreg.lambdas import LAMBDA_NAMES, Lambdas


@dataclass(frozen=True)
class Split:
    """Training and validation rows."""

    x_train: Any
    y_train: Any
    x_val: Any
    y_val: Any


@dataclass(frozen=True)
class TrainConfig:
    """How to train."""

    hidden: tuple[int, ...] = (64,)
    epochs: int = 30
    batch_size: int | None = 128
    learning_rate: float = 1e-3
    decay: float = 0.0
    optimizer: str = "adam"
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    momentum: float = 0.9
    initialization: str = "he"
    dtype: str = "float32"
    seed: int = 0


class Fit:
    """One trained network."""

    diverged = False
    parameters: list[Any]

    def __init__(self) -> None:
        self.curves: dict[str, list[float]] = {}

    def __getattr__(self, name: str) -> Any:
        return np.array(self.curves[name])


def train(split: Split, config: TrainConfig, lambdas: Sequence[Any], seeds: Any = None, initial: Any = None) -> list[Fit]:
    """Train one network a lane."""
    seeds = [config.seed] * len(lambdas) if seeds is None else seeds
    return [_one(split, config, strengths, seed) for strengths, seed in zip(lambdas, seeds, strict=True)]


def _one(split: Split, config: TrainConfig, strengths: tuple[Lambdas, ...], seed: int) -> Fit:
    rng = np.random.default_rng(seed)
    sizes = (split.x_train.shape[1], *config.hidden, int(split.y_train.max()) + 1)
    theta = []
    for n, m in zip(sizes[:-1], sizes[1:], strict=True):
        theta += [(rng.standard_normal((n, m)) * np.sqrt(2 / n)).astype(config.dtype), np.zeros((1, m), config.dtype)]
    m1, m2, step = [np.zeros_like(p) for p in theta], [np.zeros_like(p) for p in theta], 0
    fit = Fit()

    def forward(x: Any) -> list[Any]:
        outs = [x]
        for i in range(0, len(theta), 2):
            z = outs[-1] @ theta[i] + theta[i + 1]
            outs.append(np.maximum(z, 0) if i + 2 < len(theta) else z)
        e = np.exp(outs[-1] - outs[-1].max(1, keepdims=True))
        outs[-1] = e / e.sum(1, keepdims=True)
        return outs

    rows = len(split.y_train)
    for _ in range(config.epochs):
        order = rng.permutation(rows)
        for start in range(0, rows, config.batch_size or rows):
            batch = order[start : start + (config.batch_size or rows)]
            outs = forward(split.x_train[batch])
            delta = outs[-1].copy()
            delta[np.arange(len(batch)), split.y_train[batch]] -= 1
            delta /= len(batch)
            step += 1
            for i in range(len(theta) - 2, -1, -2):
                lam = strengths[i // 2]
                grads = [outs[i // 2].T @ delta, delta.sum(0, keepdims=True)]
                if i:
                    delta = (delta @ theta[i].T) * (outs[i // 2] > 0)
                for j, (l1, l2) in enumerate(((lam.weight_l1, lam.weight_l2), (lam.bias_l1, lam.bias_l2))):
                    g = grads[j] + l1 * np.where(theta[i + j] < 0, -1, 1) + 2 * l2 * theta[i + j]
                    m1[i + j] = 0.9 * m1[i + j] + 0.1 * g
                    m2[i + j] = 0.999 * m2[i + j] + 0.001 * g * g
                    root = np.sqrt(m2[i + j] / (1 - 0.999**step)) + config.epsilon
                    theta[i + j] = (theta[i + j] - config.learning_rate * m1[i + j] / (1 - 0.9**step) / root).astype(config.dtype)
        row: dict[str, float] = {}
        for prefix, x, y in (("", split.x_train, split.y_train), ("val_", split.x_val, split.y_val)):
            p = forward(x)[-1]
            row[f"{prefix}data_loss"] = float(-np.log(np.clip(p[np.arange(len(y)), y], 1e-7, 1 - 1e-7)).mean())
            row["val_accuracy" if prefix else "train_accuracy"] = float((p.argmax(1) == y).mean())
        row["balanced_val_accuracy"] = row["val_accuracy"]
        terms = dict.fromkeys(LAMBDA_NAMES, 0.0)
        for i, lam in enumerate(strengths):
            for j, kind in enumerate(("weight", "bias")):
                terms[f"{kind}_l1"] += getattr(lam, f"{kind}_l1") * float(np.abs(theta[2 * i + j]).sum())
                terms[f"{kind}_l2"] += getattr(lam, f"{kind}_l2") * float((theta[2 * i + j] ** 2).sum())
        row |= {f"penalty_{name}": value for name, value in terms.items()}
        row["regularization_loss"] = sum(terms.values())
        row["total_loss"] = row["data_loss"] + row["regularization_loss"]
        row["near_zero_weights"] = float(np.mean(np.concatenate([np.abs(w).ravel() for w in theta[::2]]) < 1e-3))
        for name, value in row.items():
            fit.curves.setdefault(name, []).append(value)
    return fit
