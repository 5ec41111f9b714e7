"""The template: a data file becomes an experiment file that loads, runs and says everything."""

import tempfile
import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_wine

from experiments import datasets, experiment_file, network_file, template
from experiments.data_section import Spiral
from experiments.errors import DataError, DirectoryError, ExperimentError, InputError
from experiments.names import name_from, valid_name
from experiments.section import Section, tables
from experiments.spec import OF_BUILT_IN, OF_OWN, OF_PROGRAM, Experiment

ROWS = 60


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": [f"u{i}" for i in range(ROWS)],
            "seen": [f"2024-02-{i % 28 + 1:02d}" for i in range(ROWS)],
            "size": np.random.default_rng(0).normal(size=ROWS).round(3),
            "grade": np.arange(ROWS) % 5,
            "label": ["no", "yes"] * (ROWS // 2),
        }
    )


def keys(model: type[Section], own: bool, prefix: str = "") -> set[str]:
    """Every key of the experiment file, by its dotted name, with a user's own network or ours."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        kinds = tables(field.annotation)
        if kinds == [Spiral]:  # options of bundled data, which no data file has
            continue
        found |= keys(kinds[-own], own, f"{prefix}{name}.") if kinds else {f"{prefix}{name}"}
    others = OF_BUILT_IN if own else OF_OWN
    return found - {".".join(key) for key in others} - {f"{prefix}{OF_PROGRAM}", f"{prefix}val"}


def written(
    folder: Path, frame: pd.DataFrame, name: str = "rows.csv", model: Path | None = None
) -> template.Written:
    frame.to_csv(folder / name, index=False)
    output = folder / ("own.toml" if model else "mine.toml")
    return template.write(folder / name, "label", output, model)


def test_a_written_file_loads_and_its_data_too(tmp_path: Path) -> None:
    guessed = written(tmp_path, table())
    experiment = experiment_file.load(guessed.path)
    assert datasets.load(experiment.data).features == ("size", "grade")
    source = str(tmp_path / "rows.csv")
    drop, split = ["id", "seen"], {"folds": 5}
    data = {"source": source, "target": "label", "drop": drop, "split": split}
    expected = {"name": "rows", "data": data, "training": {"batch_size": 16}}
    assert experiment == Experiment.model_validate(expected)  # the rest is at its defaults
    said = "\n".join(guessed.guesses)
    for word in ("60 rows", "'no', 'yes'", "'id'", "'seen'", "dates", "'grade'", "batch_size = 16"):
        assert word in said
    assert "suit 38 rows to train on" in said
    assert "to predict later rows from earlier ones, sort them by 'seen'" in said
    assert (
        "data.split.folds = 5, for fewer than 2,000 rows; trains 4 to 5 times as long as val"
        in said
    )
    assert all(len(sentence.splitlines()) == 1 for sentence in guessed.guesses)


@pytest.mark.parametrize("own", [False, True])
def test_every_key_is_there_once_with_a_line_that_explains_it(tmp_path: Path, own: bool) -> None:
    model = network_file.write_example(tmp_path / "my_network.py") if own else None
    text = written(tmp_path, table(), model=model).path.read_text()
    examples = tomllib.loads(text.replace("#: ", ""))
    del examples["data"]["validation"], examples["data"]["split"]["outer"]  # excluded by others
    if own:
        del examples["sweep"]["pruner"]
    Experiment.model_validate(examples)  # they are valid
    lines = text.splitlines()
    section, found = "", []
    for before, line in pairwise(lines):
        if line.startswith("["):
            section = line.strip("[]") + "."
        name, equals, _ = line.removeprefix("#: ").partition(" = ")
        if equals and (not line.startswith("#") or line.startswith("#: ")):
            found.append(section + name)
            assert before.startswith("# ")
    assert sorted(found) == sorted(keys(Experiment, own))


def test_the_file_of_a_network_is_read_but_not_run(tmp_path: Path) -> None:
    (tmp_path / "networks").mkdir()
    model = tmp_path / "networks" / "mine.py"
    keywords = 'depth, seed, size=64, act="relu", at=(1, 2), **_'
    model.write_text(f"1 / 0\ndef train(split, lambdas, *, {keywords}): pass")
    guessed = written(tmp_path, table(), model=model)
    assert guessed.guesses[0].startswith("it cannot run yet")
    assert guessed.guesses[0].endswith("for depth")
    assert 'model.parameters = { size = 64, act = "relu" }' in guessed.guesses[-1]
    assert 'source = "networks/mine.py"' in guessed.path.read_text()
    own = experiment_file.load(guessed.path).own
    assert own is not None
    assert (own.source, own.directory) == (str(model), str(tmp_path))
    assert own.parameters == {"size": 64, "act": "relu"}
    for_ours = written(tmp_path, table())
    given = experiment_file.load(for_ours.path, model=model).own  # in place of hidden, ...
    assert given is not None
    assert (given.source, given.parameters) == (str(model), {})
    with pytest.raises(ExperimentError, match=r"model\.hidden.*goes with this program's network"):
        experiment_file.load(for_ours.path, ["model.source=networks/mine.py"])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("gone.py", None, "gone.py.*sweeps new-model gone.py"),
        ("net.txt", "", "net.txt.*ends with .py"),
        ("net.py", "def fit(split, lambdas): pass", "net.py.*no function 'train'.*train = "),
        ("net.py", "def train(:", "net.py.*line 1"),
        ("json.py", "def train(split, lambdas): pass", "json.py.*name json.*rename"),
        ("my.net.py", "def train(split, lambdas): pass", r"my\.net.py.*a dot; rename"),
    ],
)
def test_a_file_without_a_network(tmp_path: Path, name: str, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ExperimentError, match=words):
        written(tmp_path, table(), model=tmp_path / name)
    assert not (tmp_path / "own.toml").exists()


@pytest.mark.parametrize("text", ["from other import train", "fit = max\ntrain = fit"])
def test_a_function_may_come_from_elsewhere(tmp_path: Path, text: str) -> None:
    (tmp_path / "net.py").write_text(text)
    assert (
        'source = "net.py"'
        in written(tmp_path, table(), model=tmp_path / "net.py").path.read_text()
    )


@pytest.mark.parametrize("name", ["net.txt", "my-net.py", "json.py", "gone/net.py", "there.py"])
def test_an_example_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "there.py").write_text("mine")
    with pytest.raises(InputError, match=f"{name}.*new-model"):
        network_file.write_example(tmp_path / name)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    guessed = written(tmp_path, table())
    guessed.path.write_text("mine")
    with pytest.raises(InputError, match=r"mine\.toml.*--output"):
        template.write(tmp_path / "rows.csv", "label", guessed.path)
    assert guessed.path.read_text() == "mine"


def test_by_default_it_is_written_here_with_the_data_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    table().to_csv(tmp_path / "my rows.csv", index=False)
    monkeypatch.chdir(tmp_path / "here")
    guessed = template.write(Path("../my rows.csv"), "label")
    assert guessed.path == Path("my rows.toml")
    assert tomllib.loads(guessed.path.read_text())["data"]["source"] == "../my rows.csv"
    assert experiment_file.load("my rows.toml").data.source == str(tmp_path / "my rows.csv")


@pytest.mark.parametrize(
    ("output", "error", "word"),
    [
        ("rows.csv", InputError, "rows.csv.toml"),
        ("gone/mine.toml", InputError, "gone"),
        ("folder.toml", InputError, "--output"),
        ("/proc/mine.toml", DirectoryError, "cannot be written"),
    ],
)
def test_an_output_that_cannot_be(
    tmp_path: Path, output: str, error: type[Exception], word: str
) -> None:
    (tmp_path / "folder.toml").mkdir()
    table().to_csv(tmp_path / "data.csv", index=False)
    with pytest.raises(error, match=word):
        template.write(tmp_path / "data.csv", "label", tmp_path / output)


def test_bad_data_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    for content, word in (
        ("", "empty"),
        ("a,b\n1,2\n", "'label'"),
        ("a,label\n1,x\n2,x\n", "one class"),
    ):
        (tmp_path / "rows.csv").write_text(content)
        with pytest.raises(DataError, match=word):
            template.write(tmp_path / "rows.csv", "label", tmp_path / "mine.toml")
        assert not (tmp_path / "mine.toml").exists()


def test_what_keeps_a_table_from_being_used_is_said_first(tmp_path: Path) -> None:
    guessed = written(tmp_path, table()[["id", "seen", "label"]])
    assert "cannot run yet" in guessed.guesses[0]
    assert "no column is left" in guessed.guesses[0]
    assert experiment_file.load(guessed.path).data.drop == ("id", "seen")


@pytest.mark.parametrize(
    ("encoding", "guess"), [("latin-1", "cp1252"), ("utf-16", "utf-16"), ("utf-8", "utf-8-sig")]
)
def test_the_encoding_and_the_separator_are_found(
    tmp_path: Path, encoding: str, guess: str
) -> None:
    frame = table().assign(label=["così", "né"] * (ROWS // 2))
    for name in ("odd", "even"):  # a text of even length could be UTF-16 as well
        frame = frame.set_axis(["id", "seen", "size", name, "label"], axis="columns")
        path = tmp_path / f"{name}.csv"
        frame.to_csv(path, index=False, sep=";", encoding=encoding)
        guessed = template.write(path, "label", tmp_path / f"{name}.toml")
        data = experiment_file.load(guessed.path).data
        assert data.encoding == guess
        assert datasets.load(data).classes == ("così", "né")
        assert any("';'" in sentence for sentence in guessed.guesses)


def test_arrays_and_parquet_need_no_more(tmp_path: Path) -> None:
    wine = load_wine()
    np.savez(tmp_path / "arrays.npz", X=wine.data, y=wine.target)
    table().to_parquet(tmp_path / "rows.parquet")
    arrays = template.write(tmp_path / "arrays.npz", output=tmp_path / "arrays.toml")
    data = experiment_file.load(arrays.path).data
    assert data.target is None
    assert datasets.load(data).rows == {"training": 142, "validation": 0, "test": 36}
    rows = template.write(tmp_path / "rows.parquet", "label", tmp_path / "rows.toml")
    assert experiment_file.load(rows.path).data.drop == ("id", "seen")


@pytest.mark.parametrize(
    ("rows", "classes", "folds"), [(1_999, 2, 5), (2_000, 2, None), (60, 6, 5), (60, 7, None)]
)
def test_few_rows_are_folded_unless_every_class_is_small(
    tmp_path: Path, rows: int, classes: int, folds: int | None
) -> None:
    label = [f"c{i % classes}" for i in range(rows)]
    guessed = written(tmp_path, pd.DataFrame({"size": np.arange(rows) % 11, "label": label}))
    experiment = experiment_file.load(guessed.path)
    assert experiment.data.split.folds == folds
    assert any("data.split.folds = 5" in each for each in guessed.guesses) == bool(folds)
    assert ("\nval = 0.2" in guessed.path.read_text()) == (folds is None)
    datasets.load(experiment.data)


@pytest.mark.parametrize(
    ("rows", "size", "epochs"),
    [
        *((1, 16, 100), (106, 16, 100), (300, 32, 100), (1036, 128, 100)),
        *((3242, 128, 90), (6000, 128, 50), (10**6, 128, 20)),
    ],
)
def test_the_training_suits_the_rows(rows: int, size: int, epochs: int) -> None:
    suited = template.suited(rows)
    assert (suited.batch_size, suited.epochs, suited.keep) == (size, epochs, "best")


@given(st.text())
@example("\u00b9")  # a digit above the line
@example("aux.rows")
@example("\U00020000" * 100)
@example("x" * 99 + " .")
def test_any_stem_becomes_a_name(stem: str) -> None:
    assert valid_name(name_from(stem))


ODD = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(st.lists(ODD, min_size=3, max_size=6, unique=True))
@settings(max_examples=30, deadline=None)
def test_names_of_columns_come_back_whatever_is_in_them(names: list[str]) -> None:
    target, number, *ids = names
    columns = {name: [f"u{i}" for i in range(ROWS)] for name in ids}
    others = {number: np.arange(ROWS) % 5, target: ["no", "yes"] * (ROWS // 2)}
    frame = pd.DataFrame({**columns, **others})
    with tempfile.TemporaryDirectory() as folder:
        frame.to_parquet(Path(folder) / "rows.parquet")
        output = Path(folder) / "rows.toml"
        template.write(Path(folder) / "rows.parquet", target, output)
        data = experiment_file.load(output).data
        assert data.target == target
        assert data.drop == tuple(ids)
        assert datasets.load(data).features == (number,)
