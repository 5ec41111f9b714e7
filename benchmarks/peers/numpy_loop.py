"""One network at a time, as one writes it by hand in NumPy after the book "Neural Networks from
Scratch".
"""

from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.cases import Case, load, strengths
from benchmarks.sides import Prepared


def prepare(case: Case) -> Prepared:
    data, lambdas = load(case), strengths(case)

    def once() -> None:
        for each in lambdas:
            _train(case, *data, each)

    return once, case.lanes, ""


def _train(
    case: Case, x: Any, y: Any, x_val: Any, y_val: Any, lambdas: tuple[float, ...]
) -> list[tuple[float, ...]]:
    rng = np.random.default_rng(0)
    sizes = (x.shape[1], case.hidden, int(y.max()) + 1)
    weights = [
        (np.sqrt(2 / a) * rng.standard_normal((a, b))).astype(np.float32)
        for a, b in pairwise(sizes)
    ]
    biases = [np.zeros((1, b), dtype=np.float32) for b in sizes[1:]]
    parameters = [weights[0], biases[0], weights[1], biases[1]]
    moments = [np.zeros_like(p) for p in parameters]
    squares = [np.zeros_like(p) for p in parameters]
    weight_l1, weight_l2, bias_l1, bias_l2 = lambdas
    penalties = [(weight_l1, weight_l2), (bias_l1, bias_l2)] * 2
    curves: list[tuple[float, ...]] = []
    t = 0

    def forward(rows: Any) -> tuple[Any, Any]:
        h = np.maximum(0, rows @ parameters[0] + parameters[1])
        z = h @ parameters[2] + parameters[3]
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return h, e / e.sum(axis=1, keepdims=True)

    def evaluate(rows: Any, labels: Any) -> tuple[float, float]:
        _, p = forward(rows)
        loss = -np.log(np.clip(p[range(len(labels)), labels], 1e-7, 1 - 1e-7)).mean()
        return float(loss), float((p.argmax(axis=1) == labels).mean())

    for _ in range(case.epochs):
        order = rng.permutation(len(x))
        for at in range(0, len(x), case.batch_size):
            chosen = order[at : at + case.batch_size]
            rows, labels = x[chosen], y[chosen]
            h, d = forward(rows)
            d[range(len(labels)), labels] -= 1
            d /= len(labels)
            dh = d @ parameters[2].T
            dh[h <= 0] = 0
            gradients = [
                rows.T @ dh,
                dh.sum(axis=0, keepdims=True),
                h.T @ d,
                d.sum(axis=0, keepdims=True),
            ]
            t += 1
            for k, (l1, l2) in enumerate(penalties):
                sign = np.ones_like(parameters[k])
                sign[parameters[k] < 0] = -1
                g = gradients[k] + l1 * sign + 2 * l2 * parameters[k]
                moments[k] = 0.9 * moments[k] + 0.1 * g
                squares[k] = 0.999 * squares[k] + 0.001 * g**2
                corrected = moments[k] / (1 - 0.9**t)
                parameters[k] = parameters[k] - 1e-3 * corrected / (
                    np.sqrt(squares[k] / (1 - 0.999**t)) + 1e-7
                )
        penalty = sum(
            l1 * float(np.abs(p).sum()) + l2 * float((p**2).sum())
            for p, (l1, l2) in zip(parameters, penalties, strict=True)
        )
        curves.append((*evaluate(x, y), *evaluate(x_val, y_val), penalty))
    return curves
