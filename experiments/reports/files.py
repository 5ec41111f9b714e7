"""The files: each table of a study as CSV or Parquet in its folder, moved into place whole."""

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.records import StudyRecord
from experiments.reports import Format, frames
from experiments.writing import write_whole

if TYPE_CHECKING:
    import pandas as pd

FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")  # as OWASP lists them, with the full-width ones  # noqa: RUF001
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
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
    """Write the tables that have rows, as .csv or .parquet; the paths. Raises DirectoryError."""
    tables = {"trials": frames.trials(study, runs), "history": frames.history(study)}
    tables |= {"lambdas": frames.lambdas(study), "summary": frames.summary(study)}
    tables |= {"confirm": frames.confirm(study)} if study.verdict else {}
    return [
        write(frame, folder / f"{name}.{one}")
        for one, write in WRITERS.items()
        if one in formats
        for name, frame in tables.items()
    ]


def there(folder: Path) -> set[Format]:
    """The formats that a folder has tables in."""
    return {one for one in Format if (folder / f"trials.{one}").exists()}


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


WRITERS = {Format.csv: write_csv, Format.parquet: _write_parquet}
