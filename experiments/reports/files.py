"""The files: each table of a study in its folder, in any format, moved into place whole."""

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.records import StudyRecord
from experiments.reports import Format, frames, markdown
from experiments.reports.outer_folds import outer_folds
from experiments.writing import write_text, write_whole

if TYPE_CHECKING:
    import pandas as pd

FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")  # as OWASP lists them, with the full-width ones  # noqa: RUF001
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
ALWAYS = ("trials", "top", "history", "lambdas", "ranges", "summary")
CONFIRMED = ("confirm", "settings")
CSV: dict[str, Any] = {"index": False, "lineterminator": "\n", "date_format": TIME_FORMAT}


def plain(text: str) -> str:
    """A text with ends of lines as newlines: csv quotes no cell for a \\r, and readers end the row
    there.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n")


def defused(text: str) -> str:
    """A plain text that no spreadsheet runs as a formula: one that begins like it gets a ' in
    front, also after ' of its own, so that dropping one reads it back.
    """
    return f"'{plain(text)}" if FORMULA.match(text) else plain(text)


def export(
    study: StudyRecord,
    folder: Path,
    runs: Mapping[int, str] | None = None,
    formats: Collection[Format] = (Format.csv,),
) -> list[Path]:
    """Write the tables in each of the formats; the paths. Those of a confirmation are written if
    there is one, and the curves only for programs: people would scroll past thousands of rows.

    Raises DirectoryError.
    """
    made = {name: getattr(frames, name)(study) for name in ALWAYS}
    made |= {name: getattr(frames, name)(study) for name in CONFIRMED if study.verdict}
    if study.verdict and study.verdict.outer:
        made["outer"] = outer_folds(study)
    made["trials"] = frames.trials(study, runs)
    return [
        write(frame, folder / f"{name}.{one.ending}")
        for one, write in WRITERS.items()
        if one in formats
        for name, frame in made.items()
        if not (one.is_for_reading and name == "history")
    ]


def there(folder: Path) -> set[Format]:
    """The formats that a folder has tables in."""
    return {one for one in Format if (folder / f"trials.{one.ending}").exists()}


def csv_text(frame: "pd.DataFrame", text: Callable[[str], str] = defused) -> str:
    """A table as CSV: floats by repr, booleans true and false, times in UTC, nothing for null;
    `text` says how a text is written.
    """
    written: str = _prepared(frame, text).to_csv(**CSV)
    return written


def _prepared(frame: "pd.DataFrame", text: Callable[[str], str]) -> "pd.DataFrame":
    frame = frame.copy(deep=False)  # columns are replaced, never written into
    for name, column in frame.items():
        if column.dtype in (bool, "boolean"):
            frame[name] = column.map({True: "true", False: "false"}, na_action="ignore")
        elif column.dtype == "str":
            frame[name] = column.map({one: text(one) for one in column.dropna().unique()})
    return frame


def write_csv(frame: "pd.DataFrame", path: Path, text: Callable[[str], str] = defused) -> Path:
    """Write the same into a file, in UTF-8. Raises DirectoryError."""
    return write_whole(path, lambda temporary: _prepared(frame, text).to_csv(temporary, **CSV))


def _write_parquet(frame: "pd.DataFrame", path: Path) -> Path:
    return write_whole(path, lambda temporary: frame.to_parquet(temporary, index=False))


def _write_markdown(frame: "pd.DataFrame", path: Path) -> Path:
    shown = for_reading(frame)
    rows = shown.itertuples(index=False, name=None)
    return write_text(markdown.table(list(map(str, shown)), rows, numeric(frame)), path)


def _write_latex(frame: "pd.DataFrame", path: Path) -> Path:
    sides = "".join("r" if name in numeric(frame) else "l" for name in frame.columns)
    text = for_reading(frame).to_latex(index=False, escape=True, column_format=sides)
    return write_text(text, path)


def for_reading(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table as texts for people: numbers with four digits, each text on one line."""
    shown = _prepared(frame, lambda text: " ".join(text.split()))
    for name, column in shown.items():
        if column.dtype == "float64":
            shown[name] = column.map("{:.4g}".format, na_action="ignore")
        elif column.dtype.kind == "M":
            shown[name] = column.dt.strftime(TIME_FORMAT)
    return shown.astype("object").fillna("").astype("str")


def numeric(frame: "pd.DataFrame") -> list[str]:
    """Return the names of the columns of numbers, which are aligned on the right."""
    return [str(name) for name in frame.select_dtypes("number").columns]


WRITERS = {
    Format.csv: write_csv,
    Format.parquet: _write_parquet,
    Format.markdown: _write_markdown,
    Format.latex: _write_latex,
}
