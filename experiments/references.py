"""The references: models of scikit-learn on the same rows, which show what a network is worth."""

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from experiments.evaluation import load_splits
from nnreg.losses import CategoricalCrossentropy

MOST_FREQUENT, LOGISTIC_REGRESSION = "most_frequent", "logistic_regression"
GRADIENT_BOOSTING = "gradient_boosting"
REFERENCES = {
    MOST_FREQUENT: "most frequent class",
    LOGISTIC_REGRESSION: "logistic regression",
    GRADIENT_BOOSTING: "gradient boosting",
}
"""What they are called in a sentence."""

ENOUGH_STEPS = 1_000  # scikit-learn's 100 are too few for images: 6,000 of MNIST take 125


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """The loss of each row, (rows,), and whether its class was found, on the validation rows and on
    the test rows; when fitting began and answering ended (UTC).
    """

    val_losses: np.ndarray
    val_hits: np.ndarray
    losses: np.ndarray
    hits: np.ndarray
    started: datetime
    finished: datetime


def answer(arrays: str, name: str, fold: int, x: np.ndarray, y: np.ndarray) -> Answers | str:
    """Fit one of REFERENCES on the training rows of a fold, from 0, and return how it answers the
    validation rows and x (rows, features), y (rows,); or in a sentence why it cannot be fitted.
    Pure, for a worker.

    The same rows give the same numbers: one thread, and a fixed random state. Raises MemoryError.
    """
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    makers = {
        # It answers as "most_frequent" does, and its loss is that of the classes' shares.
        MOST_FREQUENT: lambda: DummyClassifier(strategy="prior"),
        LOGISTIC_REGRESSION: lambda: LogisticRegression(max_iter=ENOUGH_STEPS),
        GRADIENT_BOOSTING: lambda: HistGradientBoostingClassifier(random_state=0),
    }
    split, started = load_splits(arrays).folds[fold], datetime.now(UTC)
    # A model that did not quite converge still shows what is within easy reach, and a warning would
    # break the progress bar. The limit is for OpenMP, which was not loaded before scikit-learn.
    with warnings.catch_warnings(action="ignore"), threadpool_limits(1):
        try:
            model = makers[name]().fit(split.x_train, split.y_train)
            val_losses, val_hits = _losses_and_hits(model, split.classes, split.x_val, split.y_val)
            losses, hits = _losses_and_hits(model, split.classes, x, y)
        except MemoryError:  # may have had too little for its neighbours' sake: see LOST
            raise
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return Answers(
        val_losses=val_losses,
        val_hits=val_hits,
        losses=losses,
        hits=hits,
        started=started,
        finished=datetime.now(UTC),
    )


def _losses_and_hits(
    model: Any, classes: int, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Do as `nnreg.losses_and_hits`, for a fitted classifier of scikit-learn."""
    probabilities = np.zeros((len(x), classes))  # a class without training rows keeps 0
    probabilities[:, model.classes_] = model.predict_proba(x)
    losses = CategoricalCrossentropy().forward(probabilities, y)
    return losses, probabilities.argmax(axis=1) == y
