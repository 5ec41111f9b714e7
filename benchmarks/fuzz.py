"""The fuzz: files that were changed, and what the commands make of them.

    python -m benchmarks.fuzz [--tiny] [--changes N] [--seed N] [--only FILE]

Each change is made to a copy of a workspace. The commands that read the file then run there as a
person types them, each in a process that was forked from this one, which has imported everything.
Their tables and labels must be those of the unchanged file, or of an earlier state of the study; or
they end with one sentence and status 1 or 2. Everything else is bad, and printed.
"""

import json
import os
import random
import re
import shutil
import sqlite3
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from sklearn.datasets import load_iris

from benchmarks.chaos import VARIES
from benchmarks.command import begin
from experiments.experiment_file import load
from experiments.tracking import Tracker, client
from sweeps import session, workspace
from sweeps.cli import app, main
from sweeps.storage.attributes import pack, unpack

NAME, TRIALS, LIMIT = "fuzzed", 6, 60
EXPERIMENT = f"""\
name = "{NAME}"
[data]
source = "iris"
[model]
hidden = [4]
[training]
epochs = 3
batch_size = 16
learning_rate = {{ low = 1e-3, high = 1e-1 }}
[sweep]
trials = {TRIALS}
generation = 2
baseline = 2
[lambdas]
bias_l1 = 0.0
[confirm]
seeds = 2
top = 1
references = false
"""
RUN = f"run {NAME}.toml --workers 1"
SEARCH = f"{RUN} --trials {TRIALS} --no-confirm"  # ends soon, whatever the file says
USED = ("jinja2", "optuna.importance", "sklearn.ensemble", "sweeps.sweep", "sweeps.checkup.doctor")
LOOK = ("status", "doctor", "export --to exported")
USE = ("predict rows.csv", RUN, "predict rows.csv")
FRESH = "sync --fresh"  # which nothing in MLflow's file can stop
MENDS = {"predict": "run", "doctor": "sync"}  # what finds fault, and what it must not come after
TOML_VALUE = re.compile(r"^(.*[=\[ ])([\d.e-]+|\"\w+\"|true|false)(.*)$", re.MULTILINE)
Other = Callable[[Any, random.Random], Any]
RIGHT, SENTENCE, BAD = "right", "one sentence", "bad"


@dataclass(frozen=True)
class Target:
    """A file, the commands that read it, in which workspace, and the bytes of its parts, which are
    moved about (0: they are lines).
    """

    file: str
    commands: tuple[str, ...]
    home: str = "finished"
    part: int = 0


JOURNAL, REPORTS = f"studies/{NAME}.journal", f"reports/{NAME}"
TARGETS = {
    "journal": Target(JOURNAL, (*LOOK, *USE)),
    "journal, interrupted": Target(JOURNAL, (*LOOK, *USE[1:]), home="interrupted"),
    "model.json": Target(f"{REPORTS}/model.json", ("doctor", *USE)),
    "model.npz": Target(f"{REPORTS}/model.npz", ("doctor", *USE), part=64),
    "experiment.toml": Target(f"{NAME}.toml", (SEARCH,)),
    "mlflow.db": Target("mlflow.db", (*LOOK, RUN, "sync", "doctor", FRESH, "doctor"), part=4096),
}


def sweeps(command: str, folder: Path) -> tuple[int | None, str, str]:
    """Carry out a command; its status (None: it did not end in time), and what it printed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:

        def carry_out() -> None:
            os.chdir(folder)
            sys.argv = ["sweeps", *command.split()]
            for number, file in ((1, out), (2, error)):
                os.dup2(file.fileno(), number)
            sys.stdout, sys.stderr = (os.fdopen(number, "w") for number in (1, 2))
            main()

        process = get_context("fork").Process(target=carry_out)
        process.start()
        process.join(LIMIT)
        status = process.exitcode
        process.kill()
        process.join()
        texts = []
        for file in (out, error):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return status, texts[0], texts[1]


def tables(folder: Path) -> dict[str, list[str]]:
    """The lines of the tables in a folder without times and run ids; of the summary, the claims."""
    found = {}
    for name in ("trials", "history", "confirm", "summary"):
        if not (folder / f"{name}.csv").exists():
            found[name] = list[str]()
            continue
        frame = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
        if name == "summary":
            frame = frame.filter(regex="^(recommended|gain|test|verdict|openings)")
        found[name] = frame.drop(columns=VARIES, errors="ignore").to_csv(index=False).splitlines()
    return found


class Fuzz:
    """A finished study and an interrupted one, whose files are changed in copies at one place."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.place = folder, folder / "place"
        self.place.mkdir()
        (self.place / f"{NAME}.toml").write_text(EXPERIMENT)
        load_iris(as_frame=True).data.to_csv(self.place / "rows.csv", index=False)
        self._done(f"{RUN} --trials {TRIALS - 1} --no-confirm")
        shutil.copytree(self.place, folder / "interrupted")
        self._done(RUN)
        shutil.copytree(self.place, folder / "finished")
        self.whole, self.labels = tables(self.place / REPORTS), self._done("predict rows.csv")
        untouched = self.outcome(Target(JOURNAL, (*LOOK, *USE, "sync", "doctor")), "untouched", "")
        if untouched != (RIGHT, ""):
            raise RuntimeError(f"without any change: {untouched}")

    def _done(self, command: str) -> str:
        status, out, error = sweeps(command, self.place)
        if status:
            raise RuntimeError(f"sweeps {command} ended with status {status}: {error}")
        return out

    def outcome(self, target: Target, kind: str, seed: str) -> tuple[str, str]:
        """Change a file in a copy of its workspace and run the commands; how it ended, and why."""
        place, ended = self.place, dict[str, int]()
        shutil.rmtree(place)
        shutil.copytree(self.folder / target.home, place)
        what, outcome = change(place / target.file, kind, target.part, random.Random(seed)), RIGHT
        for command in target.commands:
            verb = command.split()[0]
            status, out, error = sweeps(command, place)
            wrong = self._wrong(verb, status, out, error)
            if status and (command == FRESH or ended.get(MENDS.get(verb, "")) == 0):
                wrong = wrong or f"status {status}, though all was put right: {out}{error}"
            if wrong:
                return BAD, f"{kind} {what}: sweeps {command}: {wrong}"
            ended[verb] = status or 0
            outcome = SENTENCE if status else outcome
        return outcome, ""

    def _wrong(self, verb: str, status: int | None, out: str, error: str) -> str:
        """Return what is wrong with how a command ended; empty if nothing is."""
        if status not in (0, 1, 2) or "Traceback" in error or app.BUG in error:
            return f"status {status}: {error[-1500:]}"
        if status:
            found = verb == "doctor" and out  # its findings
            last = error.splitlines()[-1:] or [""]
            return "" if found or last[0].startswith("sweeps: ") else f"no sentence: {error}"
        if verb == "predict":
            return "" if out == self.labels else "status 0 with other labels"
        if verb == "export":  # maybe an earlier state
            there = tables(self.place / "exported")
            if not there["confirm"]:
                del there["summary"]  # nothing is claimed yet
            same = all(lines == self.whole[name][: len(lines)] for name, lines in there.items())
            return "" if same else f"status 0 with another table: {there}"
        if verb != "run":
            return ""
        name = load(self.place / f"{NAME}.toml").name
        there = tables(self.place / "reports" / name)
        same = there == self.whole if name == NAME else len(there["trials"]) == TRIALS + 1
        return "" if same else f"status 0 with another table: {there}"


def change(path: Path, kind: str, size: int, rng: random.Random) -> str:
    """Change a file; where, and to what."""
    if kind in VALUES:
        return IN[path.suffix](path, VALUES[kind], rng)
    if kind == "untouched":
        return ""
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    parts = [data[i : i + size] for i in range(0, len(data), size)] if size else lines
    here, there, byte, bit = map(rng.randrange, (len(parts), len(parts), len(data), 8))
    if kind == "cut":
        parts = [data[:byte]]
    elif kind == "flipped":
        parts = [data[:byte], bytes([data[byte] ^ 1 << bit]), data[byte + 1 :]]
    elif kind == "doubled":
        parts.insert(there, parts[here])
    elif kind == "removed":
        del parts[here]
    else:
        parts[here], parts[there] = parts[there], parts[here]
    path.write_bytes(b"".join(parts))
    return f"(byte {byte}, bit {bit}; part {here} of {len(lines) or size}, part {there})"


def retyped(value: Any, rng: random.Random) -> Any:
    """Return a value of another type."""
    nan, infinite = float("nan"), float("inf")
    others: list[Any] = [None, "x", "", -1, 10**30, 1.5, nan, infinite, [], {}, [None], True]
    return rng.choice([other for other in others if type(other) is not type(value)])


def revalued(value: Any, rng: random.Random) -> Any:
    """Return another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return rng.choice([value + 1, -value - 1, value * 2 + 1, 10**9 * (value + 1), value / 3])
    if isinstance(value, str):
        return rng.choice([value[::-1] + "x", value[:-1], value.replace("0", "1") + "2"])
    return retyped(value, rng)


def in_json(value: Any, other: Other, rng: random.Random) -> Any:
    """Return a value of JSON in which one is another, also within what is packed in a string."""
    if isinstance(value, dict | list) and value and rng.random() < 0.95:
        key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        value[key] = in_json(value[key], other, rng)
        return value
    if isinstance(value, str) and len(value) > 100:
        with suppress(ValueError, zlib.error):  # it is not packed
            return pack(in_json(unpack(value), other, rng))
    return other(value, rng)


def in_lines_of_json(path: Path, other: Other, rng: random.Random) -> str:
    text = path.read_text()
    lines = text.splitlines() if path.suffix == ".journal" else [text]
    number = rng.randrange(len(lines))
    lines[number] = json.dumps(in_json(json.loads(lines[number]), other, rng))
    path.write_text("".join(f"{line}\n" for line in lines))
    return f"line {number}: {lines[number]}"


def in_toml(path: Path, other: Other, rng: random.Random) -> str:
    before, value, after = rng.choice(list(TOML_VALUE.finditer(path.read_text()))).groups()
    new = other(json.loads(value), rng)
    text = str(new) if isinstance(new, float) else json.dumps(new)
    path.write_text(path.read_text().replace(before + value + after, before + text + after))
    return before + text + after


def in_arrays(path: Path, other: Other, rng: random.Random) -> str:
    with np.load(path) as file:
        arrays = dict(file)
    name = rng.choice(list(arrays))
    array, at = arrays[name], rng.randrange(arrays[name].size)
    if other is retyped:
        others = [array.astype(kind) for kind in ("f8", "i4", "U9", "c8", "M8[s]")]
        arrays[name] = rng.choice([*others, array[0], array.T[:0], np.vstack([array, array])])
    else:
        array.flat[at] = rng.choice([np.nan, np.inf, 1e30, -array.flat[at] - 1])
    np.savez(path, allow_pickle=False, **arrays)
    return f"{name}, {at}: {arrays[name].dtype} {arrays[name].shape}"


def in_database(path: Path, other: Other, rng: random.Random) -> str:
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = [
            name for (name,) in tables if connection.execute(f"SELECT * FROM {name}").fetchone()
        ]
        while True:
            table = rng.choice(names)
            found = connection.execute(f"SELECT rowid, * FROM {table}")
            column = rng.randrange(1, len(found.description))
            row = rng.choice(found.fetchall())
            new = other(row[column], rng)
            new = new if isinstance(new, str | float | None) else str(new)
            statement = f"UPDATE {table} SET {found.description[column][0]} = ? WHERE rowid = ?"
            with suppress(sqlite3.IntegrityError), connection:
                connection.execute(statement, (new, row[0]))
                return f"{statement}: {new!r}, {row}"


VALUES: dict[str, Other] = {"retyped": retyped, "revalued": revalued}
TINY = 2  # changes of each file: of all files together, each kind
KINDS = ("cut", "doubled", "swapped", "removed", "flipped", *VALUES)
IN: dict[str, Callable[[Path, Other, random.Random], str]] = {
    ".journal": in_lines_of_json,
    ".json": in_lines_of_json,
    ".toml": in_toml,
    ".npz": in_arrays,
    ".db": in_database,
}


def fuzz(changes: int, seed: int, folder: Path, only: str = "") -> Counter[tuple[str, str, str]]:
    """Make so many changes to each file, or to one; how often a change of a kind ended how."""
    client.load()
    for name in USED:
        import_module(name)
    counts: Counter[tuple[str, str, str]] = Counter()
    # A process of its own would import MLflow for each command.
    with (
        patch.multiple(session, TrackerProcess=Tracker),
        patch.multiple(workspace, TrackerProcess=Tracker),
    ):
        made = Fuzz(folder)
        for position, (name, target) in enumerate(TARGETS.items()):
            for number in range(changes if only in ("", name) else 0):
                kind = KINDS[(position + number) % len(KINDS)]
                outcome, why = made.outcome(target, kind, f"{seed} {name} {number}")
                counts[name, kind, outcome] += 1
                if why:
                    print(f"{name}, change {number}, {why}", flush=True)
    return counts


def _main() -> None:
    chosen = begin(
        __doc__, changes=(300, "of each file"), seed=(0, "of the changes"), only=("", "this file")
    )
    changes = TINY if chosen.tiny else chosen.changes
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        counts = fuzz(changes, chosen.seed, Path(folder), chosen.only)
    outcomes = (RIGHT, SENTENCE, BAD)
    print(f"\n{'file':22s} {'changes':10s}", *(f"{outcome:>14s}" for outcome in outcomes))
    for name in dict.fromkeys(name for name, *_ in counts):
        for kind in (*KINDS, ""):
            ends = Counter[str]()
            for (file, one, outcome), number in counts.items():
                ends[outcome] += number * (file == name and kind in (one, ""))
            print(f"{name:22s} {kind:10s}", *(f"{ends[outcome]:14d}" for outcome in outcomes))
    sys.exit(any(outcome == BAD for *_, outcome in counts))


if __name__ == "__main__":
    _main()
