"""What a column holds: the table of docs/commands/new.md, row by row, and where it must not err."""

import re
import tempfile
import tomllib
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from experiments import datasets, experiment_file, template
from experiments.data_section import Data
from experiments.datasets import Preparation, identifiers, numbers
from experiments.datasets.dates import are_dates
from experiments.errors import DataError

ROWS = 60
DOCS = Path(__file__).parents[2] / "docs/commands/new.md"


def documented() -> list[tuple[str, ...]]:
    """The rows of the table: column, values, what it is read as, and the key."""
    table = DOCS.read_text(encoding="utf-8").partition("<!-- columns -->")[2].partition("\n\n")[0]
    rows = [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in table.splitlines()]
    return [row for row in rows if row and row[0].startswith("`")]


def column(cell: str) -> list[str]:
    """Rows with the values of a cell; three dots mean that every row has another value."""
    first, dots, others = (re.findall("`([^`]+)`", part) for part in cell.partition("..."))
    assert not dots
    if "..." not in cell:
        return list(islice(cycle(first), ROWS))
    step, values = 1 if "." in first[0] else _number(first[1]) - _number(first[0]), []
    for row in range(ROWS):
        number = f"{_number(first[0]) + step * row + (row % 2 if step > 1 else 0):g}"
        values.append(re.sub(r"[0-9.]+$", number, first[0]))
    return [*values[: ROWS - len(others)], *others]


def _number(text: str) -> float:
    return float(re.findall(r"[0-9.]+$", text)[0])


def written(folder: Path, name: str, values: object, **others: object) -> tuple[Data, list[str]]:
    usual = {"x": np.arange(ROWS) % 7, "label": ["no", "yes"] * (ROWS // 2)}
    frame = pd.DataFrame({name: values, **usual, **others})
    frame.to_csv(folder / "rows.csv", index=False)
    guessed = template.write(folder / "rows.csv", "label", folder / "rows.toml")
    return experiment_file.load(guessed.path).data, list(guessed.guesses)


@pytest.mark.parametrize("row", documented(), ids=lambda row: f"{row[0]} {row[1]}"[:40])
def test_the_documented_table_is_what_new_does(tmp_path: Path, row: tuple[str, ...]) -> None:
    name, (_, values, read, key) = row[0].strip("`"), row
    data, said = written(tmp_path, name, column(values))
    loaded = datasets.load(data)  # the file runs
    about = " ".join(sentence for sentence in said if repr(name) in sentence)
    for written_key, value in tomllib.loads(key.strip("`")).items():
        found = getattr(data, written_key)
        assert set(value) <= set(found) if written_key in ("missing", "drop") else found == value
    if not key:
        defaults = Data(source="x").model_dump(include={"decimal", "numbers", "missing", "drop"})
        assert data.model_dump(include=set(defaults)) == defaults
    if "left out" in read or "to decide" in read:
        assert about
        assert ("date" in about) == ("date" in read)
        assert about.startswith("decide") == ("decide" in read)
        return
    features = [each for each in loaded.features if each.startswith(name)]
    is_number = name in features
    assert is_number == ("numbers" in read)
    assert (len(features) > 1) == ("categories" in read or "missing" in read)
    assert bool(about) >= ("note" in read)


ASKED, PLAIN = "asked", "plain"


@pytest.mark.parametrize(
    ("separator", "values", "others", "expected"),
    [
        (",", ["59,417", "984"], [], "1,000.5"),
        (";", ["59,417", "51,791"], [], "1,5"),
        (";", ["59,417", "984"], [], ASKED),
        ("\t", ["59,417", "51,791"], [], ASKED),
        (";", ["59,417", "984"], ["0.5"], "1,000.5"),
        (",", ["5.941", "984"], ["0.5"], ASKED),
        (";", ["5.941", "984"], ["0.5"], ASKED),
        (";", ["5.941", "5.370"], ["0.5"], ASKED),
        (";", ["5.941", "984"], [], "1.000,5"),
        (",", ["5.941", "984"], ["0,5"], "1.000,5"),
        (",", ["5.941", "5.370"], [], PLAIN),
        (";", ["5.941", "0.370"], [], PLAIN),
        (",", ["1,670,857", "984"], ["0,5"], "1,000.5"),
        (",", ["1.500 kg", "984 kg"], [], ASKED),
        (",", ["5.941", "5.94"], [], PLAIN),
        (",", ["19M", "8.7M", "25k"], [], ASKED),
        (",", ["150 cm", "150"], [], ASKED),
        (",", ["150 cm", "151 CM"], [], ASKED),
        (";", ["1.234,50-", "3,20"], [], "1.000,5"),
        (",", ["20042A", "20013", "20011B"], [], PLAIN),
        (",", ["1st", "2nd"], [], PLAIN),
        (",", ["0%", "(0%)"], [], "1 %"),
        (",", ["(0)", "0"], [], "1.5"),
        (",", ["10.0.0.1", "10.0.0.2"], [], PLAIN),
        (";", ["1,629E+03", "1,885E+04"], ["0.5"], "1,5"),
        (",", ["1.629E+03", "1.885E+04"], ["0,5"], PLAIN),
    ],
)
def test_no_value_changes_by_a_thousand(
    separator: str, values: list[str], others: list[str], expected: str
) -> None:
    columns = {"a": pd.Series(values * 9), "b": pd.Series((others or ["7"]) * 9 * len(values))}
    found, _ = numbers.guess(pd.DataFrame(columns), ["a", "b"], Data(source="x"), separator)
    guess = found.get("a")
    if guess is None:
        assert expected == PLAIN
    elif guess.notation is None:
        assert expected == ASKED
        assert any(repr(value) in guess.question for value in values)
    else:
        assert guess.notation.example == expected


@pytest.mark.parametrize(
    "write",
    [
        lambda number: f"{number:,.2f}".translate(str.maketrans(",.", ".,")),
        lambda number: f"{number:.2f}".replace(".", ","),
        lambda number: f"${number:,.2f}",
        lambda number: f"{number:,.2f}".replace(",", "\u202f") + " kg",
        lambda number: f"({-number:.2f})" if number < 0 else f"{number:.2f}",
    ],
)
def test_numbers_are_the_same_however_they_are_written(tmp_path: Path, write: Any) -> None:
    """Also for new rows, when the preparation comes back from model.json."""
    plain = np.random.default_rng(0).normal(0, 3000, ROWS).round(2)
    (tmp_path / "plain").mkdir()
    usual, _ = written(tmp_path / "plain", "a", plain)
    data, _ = written(tmp_path, "a", [write(number) for number in plain])
    expected, found = datasets.load(usual), datasets.load(data)
    np.testing.assert_array_equal(found.split.x_train, expected.split.x_train)
    kept = TypeAdapter(Preparation).validate_python(asdict(found.preparation))
    new = pd.DataFrame({"a": [write(-1234.5), write(0.25), None], "x": 1})
    typed = pd.DataFrame({"a": [-1234.5, 0.25, None], "x": 1})
    np.testing.assert_array_equal(kept.apply(new), expected.preparation.apply(typed))
    np.testing.assert_array_equal(kept.apply(typed), expected.preparation.apply(typed))


POOLS = [
    *(["1", "2", "30", "0"], ["1.5", "0.25", "-3"], ["5,8", "6", "0,5"], ["1,234", "984", "0"]),
    *(["1.234,5", "3"], ["5.941", "984"], ["$5", "$1,000", "0"], ["(5%)", "3 %"], ["5 kg", "3 g"]),
    *(["N/A", "-", "null", ""], ["2019-03-14", "14.3.2019"], ["35b", "12", "A/5 1"], ["red", "é"]),
    *(["1e400", "inf", "nan"], ["none", "unknown"], ["9" * 20], ["true", "no"], ["20190314"]),
]


@st.composite
def columns(draw: st.DrawFn) -> list[str]:
    """Rows of one pool, or of several, or with a number at the end that tells them apart."""
    pools = draw(st.lists(st.sampled_from(POOLS), min_size=1, max_size=3))
    texts = st.sampled_from([text for pool in pools for text in pool])
    rows = draw(st.lists(texts, min_size=ROWS, max_size=ROWS))
    return [f"{text}{row}" for row, text in enumerate(rows)] if draw(st.booleans()) else rows


@given(st.dictionaries(st.sampled_from(["a", "id", "patient"]), columns(), min_size=1))
@settings(max_examples=25, deadline=None)
def test_new_writes_a_file_that_runs(columns: dict[str, list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        name, *others = columns
        data, said = written(
            Path(folder), name, columns[name], **{other: columns[other] for other in others}
        )
        assert not any("cannot run yet" in sentence for sentence in said)
        loaded = datasets.load(data)
        assert np.isfinite(loaded.split.x_train).all()
        assert "x" in loaded.features


def test_a_file_by_hand_is_told_all_columns_and_keys_at_once(tmp_path: Path) -> None:
    prices = [f"${number}.50" for number in range(ROWS)]
    written(tmp_path, "price", prices, size=[f"{number},5" for number in range(ROWS)])
    plain = Data(source=str(tmp_path / "rows.csv"), target="label")
    with pytest.raises(DataError, match=r"'price'.*'size'.*drop = ") as caught:
        datasets.load(plain)
    assert 'numbers = { price = "$1", size = "1,5" }' in str(caught.value)
    keys = {"numbers": {"price": "$1", "size": "1,5"}}
    assert len(datasets.load(plain.model_copy(update=keys)).features) == 3
    keys = {"numbers": {"price": "1,5"}}
    with pytest.raises(DataError, match=r"'price' holds '\$0.50' in row 1 .*data.missing"):
        datasets.load(plain.model_copy(update=keys))


def test_what_is_found_in_several_columns_is_said_at_once(tmp_path: Path) -> None:
    columns = {
        name: [mark, *np.arange(ROWS - 1) / 7]
        for name, mark in {"a": "N/A", "b": "null", "c": "-"}.items()
    }
    written(tmp_path, "d", 1, **columns)
    (tmp_path / "rows.toml").unlink()
    marks = r'missing = \["", "NA", "NaN", "\?", "N/A", "null", "-"\]'  # the usual ones stay
    with pytest.raises(DataError, match=marks):
        datasets.load(Data(source=str(tmp_path / "rows.csv"), target="label"))
    data, said = written(tmp_path, "id", [f"u{row}" for row in range(ROWS)], **columns)
    (sentence,) = [each for each in said if "'null'" in each]
    for word in ("'N/A'", "'-'", "'a'", "'b'", "'c'", "data.missing"):
        assert word in sentence
    assert {"a", "a is missing", "b", "c", "x"} <= set(datasets.load(data).features)
    orders = ["to test on", "data.drop: 'id'", "data.missing", "2 classes", "7 inputs"]
    places = [[word in each for each in said].index(True) for word in orders]
    assert places == sorted(places)


def test_words_that_are_labels_stay_labels(tmp_path: Path) -> None:
    data, _ = written(tmp_path, "a", ["none", "-", "7"] * 20, label=["none", "mild"] * 30)
    assert set(data.missing) - {"", "NA", "NaN", "?"} == {"-"}
    assert datasets.load(data).classes == ("mild", "none")


def test_a_region_that_is_called_na_is_pointed_out(tmp_path: Path) -> None:
    _, said = written(tmp_path, "region", ["EU", "NA", "AS"] * 20)
    assert [each for each in said if "'region'" in each and '"NA" out of data.missing' in each]
    (tmp_path / "rows.toml").unlink()
    _, said = written(tmp_path, "size", ["1.5", "NA", "AS"] * 20, grade=["high", "NA"] * 30)
    assert not [each for each in said if "out of data.missing" in each]


def test_which_whole_numbers_are_ids() -> None:
    rng = np.random.default_rng(0)
    measured = rng.choice(np.arange(2700.0, 6300), 40, replace=False)
    for name, column, word in (
        ("mass", measured, ""),
        ("width", measured, ""),  # has id in it
        ("PassengerId", measured, "different whole number"),
        ("userid", measured, "different whole number"),
        ("rank", rng.permutation(np.arange(40.0)), "without a gap"),
        ("mass", np.arange(5.0), ""),  # too few rows to tell
        ("patient", rng.permutation(np.arange(80.0)) // 2, 'split.group = "patient"'),
        ("age", rng.permutation(np.arange(80.0)) // 2, ""),
        ("store_id", rng.permutation(np.arange(80.0)) // 20, ""),  # few: codes
        ("id", measured / 3, ""),
    ):
        reason = identifiers.of_numbers(name, column)
        assert word in reason
        assert bool(word) == bool(reason)


@pytest.mark.parametrize(
    "text",
    [
        *("14/3/2019", "3/14/19", "2019-03-14T10:30:00.5+01:00", "14. März 2019", "Mar-19"),
        *("Thu, 14 Mar 2019 10:30:00", "Thursday, March 14, 2019", "10:30 PM", "2019-Q1"),
        *("1st May 2020", "Thu Mar 14 10:30:00 2019", "2024-01-01 10:30:00 UTC", "20.3.24 8:15"),
        *("14/Mar/2019:10:30:00 +0000", "14 Mar 2019"),
    ],
)
def test_what_is_a_date(text: str) -> None:
    assert are_dates([text])


@pytest.mark.parametrize("text", ["3 decks", "5 marks", "Mark 12", "12", "5.3", "35b", "90-45-17"])
def test_what_is_no_date(text: str) -> None:
    assert not are_dates([text])
