"""What a user's own function yields, and what its network predicts: checked, and measured."""

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np

from experiments.evaluation.contract import DEVIATIONS, PARAMETER
from experiments.loading import reason
from experiments.network import OwnNetwork
from nnreg import LAMBDA_NAMES
from nnreg.losses import CLIP

PART = r"(?!\.{1,2}(?:/|$))[\w .:-]+"
NAME = re.compile(rf"(?=.{{1,100}}$)(?!\.\.){PART}(?:/{PART})*")  # what MLflow takes
BEGINNINGS = (PARAMETER, "log10_")  # of the names of other numbers on MLflow
TAKEN = {
    *LAMBDA_NAMES,
    "learning_rate",
    "best_epoch",
    "seconds",
    "ranking",
    "study",
    "trial",
    "epoch",
    *DEVIATIONS,
}
"""Numbers of a trial that have these names already, and columns of history.csv."""
MEASURED = ("val_data_loss", "val_accuracy", "balanced_val_accuracy", "total_loss")
"""The numbers that are measured or computed here, so that a function may not yield them."""
CLOSE = 1e-3  # how near to 1 the probabilities of a row must add up: those of float16 do

HOW = 'yield {"data_loss": ..., "regularization_loss": ..., "network": ...} after each epoch'

Answers = tuple[np.ndarray, np.ndarray]
"""The loss of each row and whether its class was found, (rows,) both."""


class ContractError(Exception):
    """What a user's code did cannot be used; the text says what, and what to do."""


@contextlib.contextmanager
def users_code(own: OwnNetwork) -> Iterator[None]:
    """Raise what goes wrong in the user's code as a ContractError with file and line."""
    try:
        yield
    except (MemoryError, ContractError):  # memory is the worker's, and is tried again
        raise
    except (Exception, SystemExit) as error:
        raise ContractError(reason(own, error)) from None


def numbers_of(yielded: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers in what was yielded."""
    return {str(name): float(one) for name, one in yielded.items() if _is_number(one)}


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) or (isinstance(value, np.ndarray) and value.ndim == 0)


def _is_taken(name: str) -> bool:
    return name in TAKEN or name in MEASURED or name.startswith(BEGINNINGS)


def check(own: OwnNetwork, yielded: Mapping[str, Any], before: Collection[str]) -> None:
    """Raise ContractError unless what was yielded can be used; `before` are the names of the
    numbers at the first epoch.
    """
    numbers = numbers_of(yielded)
    problem = ""
    if "data_loss" not in numbers:
        problem = f"yields no data_loss that is a number ({', '.join(map(str, yielded))}); {HOW}"
    elif taken := [name for name in numbers if _is_taken(name)]:
        problem = f"yields {taken[0]}, which the program records itself; give it another name"
    elif odd := [name for name in numbers if not NAME.fullmatch(name)]:
        problem = (
            f"yields a number named {odd[0]!r}; a name has letters, digits, and _ . : / -, and a"
            " part before and after each /"
        )
    elif before and set(numbers) != set(before) - set(MEASURED):
        problem = "yields other numbers than at the first epoch; yield the same ones at each"
    elif not callable(getattr(yielded.get("network"), "predict", None)):
        problem = (
            f"yields a network without predict (a {type(yielded.get('network')).__name__}); give"
            " it predict(x), which returns probabilities (rows, classes), or yield for example"
            " types.SimpleNamespace(predict=predict)"
        )
    if problem:
        raise ContractError(f"{own.name}: {own.function} {problem}")


def answers_of(
    own: OwnNetwork, network: Any, x: np.ndarray, y: np.ndarray, classes: int
) -> Answers | None:
    """Return the loss of each row and whether its class was found, (rows,) both; None if what
    `predict` returns is not finite. Raises ContractError.
    """
    with users_code(own):
        found = np.asarray(network.predict(x))
    expected = f"it must be probabilities, of the shape ({len(x)}, {classes})"
    if found.shape != (len(x), classes) or found.dtype.kind not in "fiu":
        what = f"{found.dtype} of the shape {found.shape}"
        what = f"{what}, which may be labels" if found.ndim == 1 else what
        raise ContractError(f"{own.name}: predict returns {what}; {expected}")
    if not np.isfinite(found).all():
        return None
    wrong = np.flatnonzero((np.abs(found.sum(axis=1) - 1) > CLOSE) | (found < -CLOSE).any(axis=1))
    if len(wrong):
        row = np.array2string(found[wrong[0]], precision=3, max_line_width=1000)
        raise ContractError(
            f"{own.name}: predict returns {row} for a row; {expected}: end with a softmax"
        )
    known = y < classes  # the first rows in time need not have all classes
    right = np.where(known, found[np.arange(len(y)), np.where(known, y, 0)], 0).astype(np.float64)
    return -np.log(np.clip(right, CLIP, 1 - CLIP)), found.argmax(axis=1) == y


def measured(losses: np.ndarray, hits: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return the curves' numbers from answers to rows of classes y."""
    rows = np.bincount(y)
    recalls = np.bincount(y, weights=hits)[rows > 0] / rows[rows > 0]
    numbers = (losses.mean(), hits.sum() / len(hits), recalls.mean())
    return dict(zip(MEASURED[:3], map(float, numbers), strict=True))
