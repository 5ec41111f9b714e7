"""The comparison: several studies side by side, as a frame, in words, and as one page."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from experiments.card import card
from experiments.measures import MEASURES
from experiments.model_section import OwnModel
from experiments.records import StudyRecord
from experiments.reports import frames
from experiments.reports.snippets import template
from experiments.validation import folds

if TYPE_CHECKING:
    import pandas as pd

WORDS = ("study", "verdict", "difference", "lambdas", "data", "network")
NO_VERDICT = "none yet"


@dataclass(frozen=True)
class Compared:
    """A study that is compared: where it is, and the digest of its test rows if they were opened
    (empty if not).
    """

    record: StudyRecord
    storage: str
    test_digest: str

    @property
    def network(self) -> str:
        """Its hidden layers, such as `64-32`, or the file of a user's own."""
        model = self.record.experiment.model
        if isinstance(model, OwnModel):
            return model.name
        return "-".join(map(str, model.hidden)) or "no hidden layer"

    @property
    def data(self) -> str:
        """The name of the data, or of their file: the page may travel, and the path stays here."""
        return PurePath(self.record.experiment.data.source).name


def frame(studies: Sequence[Compared]) -> "pd.DataFrame":
    """One row per study; what a verdict adds is empty without one."""
    rows, own = [], dict[str, str]()
    for one in studies:
        record, verdict = one.record, one.record.verdict
        own |= frames.of_parameters(record, "recommended_")
        row: dict[str, Any] = frames.of_verdict(verdict) | vars(one)
        row |= {"study": record.study, "objective": record.objective, "trials": len(record.trials)}
        row |= {"data": one.data, "network": one.network}
        row |= {f"{part}_rows": rows for part, rows in record.data.get("rows", {}).items()}
        if record.experiment.folds:  # the training rows validate in turn
            row["validation_rows"] = None
        if verdict and verdict.gain:
            row["gain_level"] = verdict.gain.level
        rows.append(row)
    return frames.frame(frames.COMPARISON | own, rows)


def difference(studies: Sequence[Compared]) -> str:
    """Return why the numbers of these studies cannot be compared; empty if they can. Studies whose
    test rows are sealed have no numbers.
    """
    opened = [one for one in studies if one.test_digest]
    for one in opened[1:]:
        first, other = opened[0].record, one.record
        if one.test_digest != opened[0].test_digest:
            return f"{other.study} was tested on other rows than {first.study}"
        if other.experiment.data.target != first.experiment.data.target:
            return f"{other.study} predicts another column than {first.study}"
        if other.objective != first.objective:
            return (
                f"{other.study} is judged by {other.objective}, {first.study} by {first.objective}"
            )
    return ""


def in_words(studies: Sequence[Compared]) -> list[tuple[str, ...]]:
    """The same as `frame` for people: rows of WORDS, with `, ` between the parts of a text."""
    names = Counter(one.record.study for one in studies)
    rows: list[tuple[str, ...]] = []
    for one in studies:
        record, verdict = one.record, one.record.verdict
        name = record.study if names[record.study] == 1 else f"{record.study} ({one.storage})"
        test = record.data.get("rows", {}).get("test")
        parts = [one.data, folds(record.experiment), f"{test:,} test rows" if test else ""]
        made, changed = card(record), ""
        if verdict and verdict.against_baseline:
            changed = MEASURES[record.objective].claimed(verdict.against_baseline)
        lines = [
            f"{line.name} {line.setting}" for line in (made.lambdas if made else ()) if line.word
        ]
        lambdas = ", ".join(lines) or ("no penalty" if made else "")
        word = made.word if made else NO_VERDICT
        rows.append((name, word, changed, lambdas, ", ".join(filter(None, parts)), one.network))
    return rows


def render(studies: Sequence[Compared]) -> str:
    """The page of a comparison, as HTML with its style inside."""
    from experiments.reports.page import own

    return template("comparison.html.j2", escaped=True).render(
        headings=WORDS,
        rows=in_words(studies),
        studies=studies,
        differs=difference(studies),
        css=own("page.css"),
    )
