"""A study whose records were changed is refused in one sentence, or goes on to the same table."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.errors import StorageError, SweepsError
from sweeps.search.study import Study
from sweeps.search.study_record import study_record
from sweeps.storage.storage import open_storage
from sweeps.workspace import workspace
from tests.sweeps.search.trials import experiment, grow, opened, table

TRIALS = 8
DEFINITION = experiment("sweep.sampler=random")
SAME_TABLE = "the same command again: what is missing is computed again, the same to the bit"


def finish(study: Study) -> None:
    """Record what a whole study has: trials and attributes, one of them written twice."""
    study.aim(TRIALS)
    for trials in (3, TRIALS):
        if study.finished < trials:
            grow(study, trials)
            study.keep("mixed_hardware", [str(trials)])
    for key in ("opening:1", "opening:2"):
        if key not in study.kept:
            study.keep(key, {"number": 1})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "s.journal"
    study = opened(path, DEFINITION)
    finish(study)
    study.close()
    return path


def outcome(path: Path) -> list[Any] | str:
    """What a driver makes of the study: its table and what it keeps, or one sentence."""
    try:
        study = opened(path, DEFINITION)
    except SweepsError as error:
        return str(error)
    try:
        finish(study)
        study_record(study.optuna)
        kept = {key: value for key, value in study.kept.items() if key != "sweep"}
        return [table(study), kept]  # one that lost its birth is born again
    except SweepsError as error:
        return str(error)
    finally:
        study.close()


REORDERED: dict[str, Callable[[list[bytes], int], None]] = {
    "removed": lambda lines, n: lines.__delitem__(n),
    "doubled": lambda lines, n: lines.insert(n, lines[n]),
    "swapped": lambda lines, n: lines.insert(n, lines.pop(n + 1 - len(lines))),
    "moved to the end": lambda lines, n: lines.append(lines.pop(n)),
    "again at the end": lambda lines, n: lines.append(lines[n]),
}


@pytest.mark.parametrize("how", REORDERED)
def test_lines_that_were_lost_or_moved_are_noticed(whole: Path, memory: Path, how: str) -> None:
    expected = outcome(whole)
    lines = whole.read_bytes().splitlines(keepends=True)
    refused = 0
    for number in range(len(lines)):
        changed = list(lines)
        REORDERED[how](changed, number)
        path = memory / "s.journal"
        path.write_bytes(b"".join(changed))
        found = outcome(path)
        refused += isinstance(found, str)
        assert isinstance(found, str) or found == expected, number
    assert refused >= TRIALS - 1  # any trial but the last, whose loss is a study half done


def test_a_record_of_another_study_is_noticed(whole: Path, memory: Path) -> None:
    other, path = memory / "other.journal", memory / "s.journal"
    opened(other, DEFINITION).close()
    births = [
        next(line for line in journal.read_bytes().splitlines() if b'"sweeps:1"' in line)
        for journal in (whole, other)
    ]
    path.write_bytes(whole.read_bytes().replace(*births))  # each is as it was recorded
    assert "its trials is not as it was recorded" in outcome(path)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to all values in a record that are neither object nor array, and to those."""
    yield path
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(one, (*path, key))


IGNORED = {"worker_id", "datetime_start", "datetime_complete"}  # sweeps keeps its own times


@settings(max_examples=60, deadline=None)  # disks may be busy
@given(data=st.data())
def test_values_that_were_changed_are_noticed(whole: Path, data: Any) -> None:
    lines = whole.read_bytes().splitlines(keepends=True)
    number = data.draw(st.integers(0, len(lines) - 1))
    record = json.loads(lines[number])
    paths = [path for path in leaves(record) if path and path[0] not in IGNORED]
    *parents, key = data.draw(st.sampled_from(paths))
    parent = record
    for one in parents:
        parent = parent[one]
    others = st.sampled_from([None, True, -1, 0, 1, 7, 1e300, "", "x", [], {}, [1], {"x": 1}])
    parent[key] = data.draw(others.filter(lambda value: value != parent[key]))
    lines[number] = json.dumps(record, separators=(",", ":")).encode() + b"\n"
    path = whole.with_name("changed.journal")
    path.write_bytes(b"".join(lines))
    found = outcome(path)
    assert isinstance(found, str) or found == outcome(whole)


def remove(path: Path, older: Path) -> None:
    path.unlink()


def shorten(path: Path, older: Path) -> None:
    os.truncate(path, older.stat().st_size)


def put_back(path: Path, older: Path) -> None:
    shutil.copyfile(older, path)


def move_over(path: Path, older: Path) -> None:
    shutil.copyfile(older, path.with_name("copy"))
    path.with_name("copy").replace(path)


def rename_folder(path: Path, older: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def delete_study(path: Path, older: Path) -> None:
    optuna.delete_study(study_name="s", storage=open_storage(url(path)))


def url(path: Path) -> str:
    return str(path) if path.suffix == ".journal" else f"sqlite:///{path}"


def contents(folder: Path) -> dict[Path, bytes]:
    """What is in a folder, without the owner that the lock names."""
    return {path: path.read_bytes() for path in folder.glob("s.*") if path.suffix != ".driver"}


@pytest.mark.parametrize("at_the_end", [False, True])
@pytest.mark.parametrize("name", ["s.journal", "s.db"])
@pytest.mark.parametrize(
    "change", [remove, shorten, put_back, move_over, rename_folder, delete_study]
)
def test_a_storage_that_changes_under_its_driver(
    change: Callable[[Path, Path], None], name: str, at_the_end: bool, memory: Path
) -> None:
    path, older = memory / "studies" / name, memory / "older"
    path.parent.mkdir()
    study = opened(url(path), DEFINITION)
    grow(study, 2)
    shutil.copyfile(path, older)
    grow(study, TRIALS)
    change(path, older)
    there = contents(path.parent)
    write = study.reread if at_the_end else lambda: grow(study, TRIALS + 1)
    with pytest.raises(StorageError, match=f"{SAME_TABLE}|does not answer"):
        write()
    study.close()
    # A journal takes a record of a study that was deleted, and gives it to nobody.
    assert change is delete_study or contents(path.parent) == there


def test_a_journal_with_half_a_record_of_another_program(memory: Path) -> None:
    study = opened(memory / "s.journal", DEFINITION)
    grow(study, 2)
    os.truncate(memory / "s.journal", (memory / "s.journal").stat().st_size + 100)
    with pytest.raises(StorageError, match=SAME_TABLE):
        grow(study, 3)
    study.close()


def test_a_turned_direction_is_noticed(whole: Path, memory: Path) -> None:
    path = memory / "s.journal"
    path.write_bytes(whole.read_bytes().replace(b'"directions":[2]', b'"directions":[1]'))
    assert "its direction is not as it was recorded" in outcome(path)


def test_no_study_is_made_beside_one_whose_name_was_changed(whole: Path, memory: Path) -> None:
    path = memory / "studies" / "s.journal"
    path.parent.mkdir()
    path.write_bytes(whole.read_bytes().replace(b'"study_name":"s"', b'"study_name":"r"'))
    changed = path.read_bytes()
    with pytest.raises(StorageError, match="it holds study r, because"):
        workspace(memory).open("s", DEFINITION)
    assert path.read_bytes() == changed


def test_a_time_that_was_removed_is_noticed(memory: Path) -> None:
    place, path = workspace(memory), memory / "studies" / "s.journal"
    with closing(place.open("s", DEFINITION)) as study:
        grow(study, 10)  # a whole generation behind the baseline
    path.write_bytes(re.sub(rb'("datetime_start":)"[^"]+"', rb"\1null", path.read_bytes()))
    noticed = "a record is not as it was recorded"
    with pytest.raises(StorageError, match=noticed):
        place.record("s")
    with closing(place.open("s", DEFINITION)) as study, pytest.raises(StorageError, match=noticed):
        study.propose()
