"""Odd input, made by hypothesis: an experiment file, edits and command lines end in a result or in
one sentence of status 2.
"""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import typer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from experiments import experiment_file, wording
from experiments.errors import ExperimentError
from experiments.spec import Experiment
from sweeps.cli import whole_app
from sweeps.search.search import Space
from tests.commands import carried_out

examples = partial(settings, deadline=None, derandomize=True)
NUMBERS = [-1, 0, 1, 2**32, 2**63, 5e-324, 1e308, float("nan"), float("inf")]
TEXTS = ["digits", "tpe", "full", "../x", "x.csv", "=1", "\0", "\u2028", "ﬁ", "CON", "x" * 300]
SCALARS = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.dates(), st.text(max_size=8),
    st.sampled_from([*NUMBERS, *TEXTS]),
)  # fmt: skip
KEYS = st.sampled_from(["low", "high", "val", "test", "group", "x", ""]) | st.text(max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
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
    if isinstance(value, str):
        return wording.toml(value.encode(errors="replace").decode())
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{toml(key)} = {toml(each)}' for key, each in value.items())} }}"
    return str(value)


def outcome(source: str | Path, edits: Sequence[str] = ()) -> None:
    """The experiment can be used to its end, or one sentence says why not."""
    try:
        experiment = experiment_file.load(source, edits)
    except ExperimentError as error:
        sentence = str(error)
    else:
        sentence = "none"
        experiment.train_config()
        space = Space(experiment)
        assert all(0 < axis.low <= axis.high for axis in space.distributions.values())
    assert len(sentence.splitlines()) == 1


def file_outcome(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "odd.toml"
        path.write_bytes(content)
        outcome(path)


@examples(max_examples=100)
@given(st.dictionaries(st.sampled_from(DOTTED), VALUES, min_size=1, max_size=3))
@example({"sweep.off_decades": 100.0, "lambdas.weight_l1": {"low": 1e-300, "high": 1.0}})
@example({"model.hidden": [1] * 1000})
def test_an_odd_experiment_file(changes: dict[str, Any]) -> None:
    values = {"name": "x", "data.source": "iris"} | changes
    lines = [f"{key} = {toml(value)}" for key, value in values.items()]
    file_outcome("\n".join(lines).encode())


@examples(max_examples=50)
@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbfname = 'x'\ndata.source = 'iris'")
@example("name = 'x'".encode("utf-16"))
@example(b"a=" + b"[" * 100_000)
@example(b"a = " + b"{a=" * 3000 + b"1" + b"}" * 3000)
@example(b"a = 1" + b"0" * 5000)
@example(b"a = 1\na = 2")
@example(b"a = 1e400")
def test_any_bytes_for_an_experiment_file(content: bytes) -> None:
    file_outcome(content)


@examples(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from(DOTTED) | st.text(max_size=6), VALUES.map(toml) | st.text()))
)
@example([("training.epochs", "9" * 5000)])
def test_odd_edits(edits: list[tuple[str, str]]) -> None:
    outcome("iris", [f"{key}={value}" for key, value in edits])


APP: Any = typer.main.get_command(whole_app())
COMMANDS = [*APP.commands, "nothing", "--help"]
PARAMETERS = [parameter for command in APP.commands.values() for parameter in command.params]
OPTIONS = sorted({option for each in PARAMETERS for option in each.opts if option[0] == "-"})
PLACES = ["", ".", "x.toml", "x.csv", "/dev/null", "nowhere/x.journal", "x/../y", "a?b", "\udcff"]
URLS = ["sqlite:///nowhere/x.db", "nosql://u:p@h", "http://[::1", "http://h:p", "file:///x"]
COUNTS = ["0", "-1", "1e3", "9" * 5000, "nan", "99999", "x" * 5000]
# What argv can hold. No word is the name of an experiment: a command that works is not the point.
WORDS = st.text(st.characters(exclude_characters="\0"), max_size=6).filter(
    lambda word: word not in experiment_file.catalog()
)


@examples(max_examples=100)
@given(
    st.sampled_from(COMMANDS),
    st.lists(st.sampled_from(["--", *OPTIONS, *PLACES, *URLS, *COUNTS]) | WORDS, max_size=5),
)
@example("status", ["--directory", "x" * 5000])
@example("new", ["x" * 5000 + ".csv"])
@example("run", ["iris", "--directory", "\udcff"])
@example("run", ["iris", "--tracking-uri", "http://[::1"])
@example("run", ["iris", "--tracking-uri", "postgresql://h:port/db"])
@example("run", ["iris", "--storage", "postgresql+psycopg://h:port/db"])
@example("run", ["iris", "--workers", "9" * 40])
@example("run", ["iris", "--study", "\U00020000" * 100])
def test_an_odd_command_line(command: str, words: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = carried_out(command, *words, cwd=Path(folder))
        assert not list(Path(folder).rglob("*"))
    assert done.returncode in (0, 1, 2)
    assert "a bug in sweeps" not in done.stderr, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert done.returncode == 0 or done.stderr or done.stdout
