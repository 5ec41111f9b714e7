"""Compare studies: find them, in one directory or several, and put them side by side."""

from pathlib import Path
from typing import TYPE_CHECKING

from experiments.errors import InputError
from experiments.reports import comparison
from experiments.reports.comparison import Compared
from sweeps.confirmation.tests import PREFIX
from sweeps.result import Sweep
from sweeps.search.study_record import study_record
from sweeps.storage.storage import SUFFIX, answering
from sweeps.workspace import Workspace, workspace

if TYPE_CHECKING:
    import pandas as pd


def compare(
    *studies: "str | Path | Sweep",
    directory: "str | Path" = ".",
    storage: str | None = None,
    allow_different: bool = False,
) -> "pd.DataFrame":
    """Compare studies; return one row per study, with the columns of `sweeps compare --format csv`.

    A study is a `Sweep`, the name of a study in `directory` or `storage`, `DIRECTORY/STUDY`, a
    directory with one study, or the path of a journal.

    Raises InputError if there are fewer than two, and, unless `allow_different`, where their
    numbers are of different test rows, target columns or objectives.
    """
    place = workspace(directory, storage)
    return comparison.frame(compared(studies, place, allow_different=allow_different))


def compared(
    studies: "tuple[str | Path | Sweep, ...]", place: Workspace, *, allow_different: bool
) -> list[Compared]:
    """Return the studies to compare, in their order. Raises InputError as `compare` does."""
    if len(studies) < 2:
        raise InputError(
            f"{len(studies) or 'no'} study to compare; give two or more, such as: sweeps compare"
            " digits digits-wider"
        )
    found = [_read(*_find(one, place)) for one in studies]
    if (why := comparison.difference(found)) and not allow_different:
        raise InputError(
            f"study {why}, so their numbers cannot be compared; to see them side by side all the"
            " same, add --allow-different"
        )
    return found


def _find(study: "str | Path | Sweep", place: Workspace) -> tuple[Workspace, str]:
    """Return the place of a study and its name there."""
    if isinstance(study, Sweep):
        return study.workspace, study.record.study
    word, path = str(study), Path(study)
    if word in place.studies():
        return place, word
    if word.endswith(SUFFIX):
        place = workspace(place.directory, word)
        return place, place.choose(None)
    if (path / "studies").is_dir():
        place = workspace(path)
        return place, place.choose(None)
    if path.name != word:
        place = workspace(path.parent)
    return place, place.choose(path.name)


def _read(place: Workspace, name: str) -> Compared:
    study = place.load(name)
    with answering(place.storage_of(name)):
        record = study_record(study)
    looks = [look["digest"] for key, look in study.kept.items() if key.startswith(PREFIX)]
    opened = record.verdict is not None and record.verdict.opening is not None
    return Compared(record, place.shown_storage(name), looks[0] if opened else "")
