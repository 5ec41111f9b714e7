"""The files: each table of a study as CSV or Parquet in its folder, moved into place whole."""

import logging
import os
import re
import tempfile
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import unwritable
from experiments.records import StudyRecord
from experiments.reports import Format, frames

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")  # as OWASP lists them, with the full-width ones  # noqa: RUF001
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def export(
    study: StudyRecord,
    folder: Path,
    runs: Mapping[int, str] | None = None,
    formats: Collection[Format] = (Format.csv,),
) -> list[Path]:
    """Write trials.csv, history.csv, lambdas.csv, summary.csv, and confirm.csv where there was a
    confirmation, or the same as .parquet; the paths written.

    Raises DirectoryError.
    """
    tables = {
        "trials": frames.trials(study, runs),
        "history": frames.history(study),
        "lambdas": frames.lambdas(study),
        "summary": frames.summary(study),
    }
    if study.verdict:
        tables["confirm"] = frames.confirm(study)
    writers = {one: write for one, write in WRITERS.items() if one in formats}
    return [
        write(frame, folder / f"{name}.{one}")
        for one, write in writers.items()
        for name, frame in tables.items()
    ]


def there(folder: Path) -> set[Format]:
    """The formats that a folder has tables in."""
    return {one for one in WRITERS if (folder / f"trials.{one}").exists()}


def write_csv(frame: "pd.DataFrame", path: Path) -> Path:
    """UTF-8, comma, newline; floats by repr, booleans true and false, times in UTC, nothing for
    what is not there.
    """
    cells = _cells(frame)
    return write_whole(
        path,
        lambda temporary: cells.to_csv(
            temporary, index=False, lineterminator="\n", encoding="utf-8"
        ),
    )


def csv_text(frame: "pd.DataFrame") -> str:
    """What `write_csv` writes."""
    text: str = _cells(frame).to_csv(index=False, lineterminator="\n")
    return text


def _cells(frame: "pd.DataFrame") -> "pd.DataFrame":
    frame = frame.copy()
    for name in frame.columns:
        if frame[name].dtype == bool:
            frame[name] = frame[name].map({True: "true", False: "false"})
        elif str(frame[name].dtype).startswith("datetime"):
            frame[name] = frame[name].dt.strftime(TIME_FORMAT)
        elif frame[name].dtype == "str":
            frame[name] = frame[name].map(defused, na_action="ignore")
    return frame


def write_parquet(frame: "pd.DataFrame", path: Path) -> Path:
    """The columns and dtypes of the frame as they are: times in UTC, null for what is not there,
    and texts as they stand.
    """
    return write_whole(
        path, lambda temporary: frame.to_parquet(temporary, engine="pyarrow", index=False)
    )


WRITERS = {Format.csv: write_csv, Format.parquet: write_parquet}


def defused(text: str) -> str:
    """A text that no spreadsheet runs as a formula: one that begins like it gets a ' in front. To
    drop that is to read it back.

    Numbers are no texts and stay as they are. A text with such a ' of its own gets one more, so
    that nothing is lost but how its lines end.
    """
    text = text.replace("\r\n", "\n").replace(
        "\r", "\n"
    )  # csv quotes no cell for a \r, and readers end the row there
    return f"'{text}" if FORMULA.match(text) else text


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Have a file written under a temporary name beside it, then move it into place. Raises
    DirectoryError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        try:
            write(temporary)
            temporary.chmod(
                0o666 & ~_umask()
            )  # mkstemp makes it private, and a report is for others too
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise unwritable(path, error, f"check the permissions of {path.parent}") from None
    logger.debug("%s written", path)
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
