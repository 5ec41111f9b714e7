"""The table of the outer folds: what the search of each came to on its own test rows."""

from typing import TYPE_CHECKING

from experiments.records import StudyRecord
from experiments.reports.frames import INTEGER, NUMBER, TEXT, frame, of_parameters
from nnreg import LAMBDA_NAMES

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    {"study": TEXT, "fold": INTEGER, "outer_study": TEXT, "rows": INTEGER}
    | dict.fromkeys(("with_penalties", "without", "difference"), NUMBER)
    | dict.fromkeys((*LAMBDA_NAMES, "learning_rate", "baseline_learning_rate"), NUMBER)
)


def outer_folds(study: StudyRecord) -> "pd.DataFrame":
    """One row per outer fold: the mean objective with penalties and without on its test rows, and
    the best setting of each arm.
    """
    rows = [
        vars(one)
        | one.penalised.numbers
        | {f"baseline_{name}": value for name, value in one.baseline.numbers.items()}
        | {"study": study.study, "fold": fold, "outer_study": one.study}
        | {"difference": one.with_penalties - one.without}
        for fold, one in enumerate(study.verdict.outer if study.verdict else (), start=1)
    ]
    own = of_parameters(study) | of_parameters(study, "baseline_")
    return frame(COLUMNS | own, rows)
