"""Odd input, made by hypothesis: an experiment file, edits and command lines end in a result or in
one sentence of status 2.
"""

import contextlib
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from experiments import experiment_file, wording
from experiments.errors import ExperimentError
from experiments.spec import Experiment
from sweeps.cli import main
from sweeps.search.space import Space

# as TOML has it: hypothesis could not show the number itself
HUGE = "a number of more digits than Python turns into text"
SCALARS = st.one_of(
    st.none().map(lambda _: ""),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([HUGE, -1, 0, 1, 2**32, 2**63, 5e-324, 1e308, float("nan"), float("inf")]),
    st.sampled_from(
        ["digits", "tpe", "full", "../x", "x.csv", "=1", "\0", "\u2028", "ﬁ", "CON", "x" * 300]
    ),
    st.text(max_size=8),
    st.dates(),
)
KEYS = st.one_of(
    st.sampled_from(["low", "high", "val", "test", "group", "x", ""]), st.text(max_size=4)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
SECTIONS = {
    name: list(getattr(field.annotation, "model_fields", ()))
    for name, field in Experiment.model_fields.items()
}
DOTTED = [f"{name}.{key}" for name, keys in SECTIONS.items() for key in keys] + list(SECTIONS)


def toml(value: Any) -> str:
    """A value as TOML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if value == HUGE:
        return "0x" + "f" * 5000
    if isinstance(value, str):
        return wording.toml(value.encode(errors="replace").decode())
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{toml(key)} = {toml(each)}' for key, each in value.items())} }}"
    return str(value)


def outcome(source: str | Path, edits: list[str] = []) -> None:  # never changed  # noqa: B006
    """The experiment can be used to its end, or one sentence says why not."""
    try:
        experiment = experiment_file.load(source, edits)
    except ExperimentError as error:
        sentence = str(error)
    else:
        sentence = ""
    event("a sentence" if sentence else "an experiment")
    if sentence:
        assert len(sentence.splitlines()) == 1
        return
    assert len(experiment.fingerprint) == 64
    experiment.train_config()
    space = Space.of(experiment.lambdas, experiment.sweep.off_decades)
    assert all(0 < axis.bottom <= axis.high for axis in space.axes.values())


@given(
    changes=st.dictionaries(st.sampled_from(DOTTED), VALUES, min_size=1, max_size=3),
    twice=st.booleans(),
)
@settings(max_examples=300, deadline=None, derandomize=True)
@example(changes={"training.epochs": HUGE}, twice=False)
@example(changes={"training.epochs": [HUGE]}, twice=False)
@example(
    changes={"sweep.off_decades": 100.0, "lambdas.weight_l1": {"low": 1e-300, "high": 1.0}},
    twice=False,
)
@example(changes={"model.hidden": [1] * 1000}, twice=False)
def test_an_odd_experiment_file(changes: dict[str, Any], twice: bool) -> None:
    lines = ["name = 'x'", "data.source = 'iris'"]
    lines = [line for line in lines if line.split()[0] not in changes] if not twice else lines
    lines += [f"{key} = {toml(value)}" for key, value in changes.items()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "odd.toml"
        path.write_text("\n".join(lines), encoding="utf-8", newline="")
        outcome(path)


@given(
    st.one_of(
        st.binary(max_size=200),
        st.sampled_from(
            [
                b"\xef\xbb\xbfname = 'x'\ndata.source = 'iris'",
                "name = 'x'".encode("utf-16"),
                b"a=" + b"[" * 100_000,
            ]
        ),
        st.integers(1, 3000).map(lambda depth: b"a." * depth + b"b = 1"),
        st.integers(1, 3000).map(lambda depth: b"a = " + b"{a=" * depth + b"1" + b"}" * depth),
        st.sampled_from(
            [
                b"a = 1" + b"0" * 5000,
                b"a = 1\na = 2",
                b"[a]\n[a]",
                b"a = 1e400",
                b"a = 0x" + b"f" * 9000,
            ]
        ),
    )
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_bytes_for_an_experiment_file(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "odd.toml"
        path.write_bytes(content)
        outcome(path)


@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from(DOTTED), st.text(max_size=6)),
            st.one_of(VALUES.map(toml), st.text()),
        )
    )
)
@settings(max_examples=300, deadline=None, derandomize=True)
@example([("training.epochs", "9" * 5000)])
def test_odd_edits(edits: list[tuple[str, str]]) -> None:
    outcome("iris", [f"{key}={value}" for key, value in edits])


COMMANDS = [
    "run",
    "status",
    "report",
    "export",
    "confirm",
    "sync",
    "ui",
    "doctor",
    "new",
    "predict",
    "nothing",
    "--help",
]
OPTIONS = [
    "--trials",
    "--study",
    "--workers",
    "--lanes",
    "--set",
    "--directory",
    "--storage",
    "--tracking-uri",
    "--json",
    "--to",
]
OPTIONS += [
    "--port",
    "--no-browser",
    "--target",
    "--output",
    "--open-test",
    "--keep-sealed",
    "--no-confirm",
    "--cluster",
    "-h",
    "--",
]
PLACES = [
    "",
    ".",
    "..",
    "x.toml",
    "x.csv",
    "rows.csv",
    "/dev/null",
    "nowhere/x.journal",
    "x" * 5000,
    "\udcff",
    "x/../y",
    "://",
    "a?b",
]
URLS = [
    "sqlite:///nowhere/x.db",
    "nosql://u:p@h",
    "http://[::1",
    "http://h:p",
    "postgresql+psycopg://h:p/d",
    "file:///x",
    "redis://h",
]
NUMBERS = ["0", "-1", "1e3", "9" * 5000, "nan", "99999"]
# What argv can hold. A command that would work is not the point here: nothing is named that is
# there.
WORDS = st.text(st.characters(exclude_characters="\0"), max_size=6).filter(
    lambda word: word not in experiment_file.catalog()
)


@given(
    st.sampled_from(COMMANDS),
    st.lists(
        st.one_of(st.sampled_from(OPTIONS), st.sampled_from(PLACES + URLS + NUMBERS), WORDS),
        max_size=5,
    ),
)
@settings(max_examples=250, deadline=None, derandomize=True)
@example("status", ["--directory", "x" * 5000])
@example("doctor", ["--directory", "x" * 5000])
@example("new", ["x" * 5000 + ".csv"])
@example("new", ["\udcff.csv"])
@example("run", ["iris", "--directory", "\udcff"])
@example("run", ["iris", "--tracking-uri", "http://[::1"])
@example("run", ["iris", "--tracking-uri", "postgresql://h:port/db"])
@example("run", ["iris", "--storage", "postgresql+psycopg://h:port/db"])
@example("run", ["iris", "--workers", "9" * 40])
@example("run", ["iris", "--study", "\U00020000" * 100])
def test_an_odd_command_line(command: str, words: list[str]) -> None:
    shown, said = io.StringIO(), io.StringIO()
    argv = sys.argv
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        try:
            sys.argv = ["sweeps", command, *words]
            with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(said):
                main()
        except SystemExit as end:
            status = end.code
        finally:
            sys.argv = argv
        made = list(Path(folder).rglob("*"))
    event(f"status {status}")
    assert status in (0, 1, 2)
    assert "mistake in sweeps" not in said.getvalue(), said.getvalue()
    assert "Traceback" not in said.getvalue() + shown.getvalue()
    assert not made
    if status:
        assert said.getvalue() or shown.getvalue()
