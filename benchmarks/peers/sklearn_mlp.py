"""scikit-learn's MLPClassifier, one network after the other; it has a penalty of one kind only, L2
on the weights.
"""

from typing import Any

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

from benchmarks.cases import Case, load, strengths
from benchmarks.sides import Prepared


def prepare(case: Case) -> Prepared:
    data = load(case)
    trials = strengths(case)[: 2 if case.data == "digits" else 1]

    def once() -> None:
        for each in trials:
            _train(case, *data, each[1])

    return once, len(trials), f"scikit-learn {sklearn.__version__}"


def _train(
    case: Case, x: Any, y: Any, x_val: Any, y_val: Any, weight_l2: float
) -> list[tuple[float, ...]]:
    # alpha/2 * sum w^2 is divided by the batch size there.
    alpha = 2 * weight_l2 * case.batch_size
    model = MLPClassifier(
        (case.hidden,),
        alpha=alpha,
        batch_size=min(case.batch_size, len(x)),
        epsilon=1e-7,
        random_state=0,
    )
    classes = np.arange(int(y.max()) + 1)
    curves: list[tuple[float, ...]] = []
    for _ in range(case.epochs):
        model.partial_fit(x, y, classes=classes)
        row: list[float] = []
        for rows, labels in ((x, y), (x_val, y_val)):
            p = model.predict_proba(rows)
            # By hand: scikit-learn's own log_loss and score check their arguments for longer than
            # this takes.
            losses = -np.log(np.clip(p[np.arange(len(labels)), labels], 1e-7, 1 - 1e-7))
            row += [float(losses.mean()), float((p.argmax(axis=1) == labels).mean())]
        curves.append(tuple(row))
    return curves
