"""Labels: which texts are one class, what `sweeps new` says of them, and quantities as a target."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import datasets, experiment_file, template
from experiments.data_section import Data
from experiments.datasets import labels, load
from experiments.datasets.files import RawTable
from experiments.errors import DataError

ROWS = 60


def written(folder: Path, target: Any, name: str = "rows.csv") -> Path:
    numbers = np.random.default_rng(0).normal(size=len(target)).round(3)
    pd.DataFrame({"a": numbers, "label": target}).to_csv(folder / name, index=False)
    return folder / name


def cycle(*texts: str, rows: int = ROWS) -> list[str]:
    return [texts[index % len(texts)] for index in range(rows)]


def said(path: Path) -> str:
    path.with_suffix(".toml").unlink(missing_ok=True)
    return "\n".join(template.write(path, "label", path.with_suffix(".toml")).guesses)


def refusal(path: Path, **keys: Any) -> str:
    with pytest.raises(DataError) as caught:
        load(Data.model_validate({"source": str(path), "target": "label", **keys}))
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_labels_that_differ_in_spelling_are_pointed_out_and_the_remedy_makes_them_one(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, cycle("Yes", "yes", "no", "YES ", "yes.", "no"))
    found = said(path)
    assert "5 classes" in found
    (remedy,) = re.findall(r"(?m)in pandas: (.*)$", found)
    table = pd.read_csv(path)
    exec(remedy, {"table": table})
    table.to_csv(path, index=False)
    assert "2 classes in 'label': 'no', 'yes'" in said(path)
    assert "differ only" not in said(path)


def test_whole_numbers_with_and_without_a_point_are_one_class(tmp_path: Path) -> None:
    path = written(tmp_path, cycle("0", "0.0", "1", "1.0"))
    assert "whole numbers, so 1 and 1.0 are one class" in said(path)
    data = Data(source=str(path), target="label")
    assert load(data).classes == ("0", "1")
    assert load(data).label_type == "int"
    mixed = written(tmp_path, cycle("0", "0.0", "one"), "mixed.csv")
    assert "the classes '0', '0.0' differ only" in said(mixed)


@pytest.mark.parametrize(("ours", "theirs"), [(("0", "1"), ("0.0", "1.0")), (("0.0", "1.0"),) * 2])
def test_another_file_may_have_the_point_or_not(
    tmp_path: Path, ours: tuple[str, str], theirs: tuple[str, str]
) -> None:
    source = written(tmp_path, cycle(*ours))
    other = written(tmp_path, cycle(*theirs[::-1]), "other.csv")
    data = Data(source=str(source), target="label", validation=str(other), test=str(other))
    assert load(data).classes == ours  # as they stand in the training file
    assert load(data).split.y_val.tolist() == [1, 0] * (ROWS // 2)


@pytest.mark.parametrize(
    ("label", "near"), [("YES", "yes"), ("no.", "no"), ("maibe", "maybe"), ("1.0", "'no', 'yes'")]
)
def test_an_unknown_label_is_answered_with_the_nearest(
    tmp_path: Path, label: str, near: str
) -> None:
    source = written(tmp_path, cycle("yes", "no", "maybe"))
    other = written(tmp_path, [*cycle("yes", "no"), label], "other.csv")
    sentence = refusal(source, validation=str(other))
    assert re.search(f"other.csv.*'{label}' in row 61 .*{near}.*correct it", sentence)


def test_rows_without_a_label(tmp_path: Path) -> None:
    path = written(tmp_path, [*cycle("x", "y"), "", "NA", "x"])
    assert re.search(
        '2 of 63 rows have no label.*row 61 .*unlabelled = "drop" under', refusal(path)
    )
    assert """data.unlabelled = "drop", because 2 of 63 rows have no label in 'label'""" in said(
        path
    )
    data = experiment_file.load(path.with_suffix(".toml")).data
    assert data.unlabelled == "drop"
    assert sum(load(data).rows.values()) == 61
    other = written(tmp_path, ["x", "", "y", "z"], "other.csv")
    drop = {"unlabelled": "drop"}
    assert "'z' in row 4 " in refusal(path, validation=str(other), **drop)
    assert "2 of 2 rows" in refusal(written(tmp_path, ["", ""]), **drop)
    assert "unlabelled" not in said(written(tmp_path, cycle("x", "y")))


def test_rare_classes_stay_in_training(tmp_path: Path) -> None:
    path = written(tmp_path, [*cycle("x", "y"), "rare", "rare"])
    found = said(path)
    assert "fewer than 10 rows have the class 'rare'" in found
    dataset = load(Data(source=str(path), target="label"))
    for part in ("validation", "test"):
        assert f"no {part} row has the class 'rare'" in " ".join(dataset.notes)
    assert (dataset.split.y_train == dataset.classes.index("rare")).sum() == 2
    few = written(tmp_path, [*cycle("x"), "y", "y"])
    assert "'y' has 2 of the at least 3 rows" in refusal(few)
    names = written(tmp_path, [f"u{index}" for index in range(ROWS)])
    assert "'u0' has 1 of the at least 3 rows" in refusal(names)


def test_imbalance_is_said_from_seven_tenths_on(tmp_path: Path) -> None:
    for most, expected in ((42, True), (41, False)):
        found = said(written(tmp_path, ["ok"] * most + ["bad"] * (ROWS - most)))
        assert (f"{most} of 60 rows are 'ok'" in found) is expected
        assert ("balanced_val_accuracy" in found) is expected


AMOUNTS: dict[str, Any] = {
    "decimals": [f"{index % 25 / 4}" for index in range(200)],
    "scores": [str(index * 7 % 101) for index in range(400)],
    "ages": [str(18 + index % 60) for index in range(900)],
    "mostly zero": ["0"] * 300 + [str(index) for index in range(2, 60)],
    "mostly the largest": ["0"] * 300 + [str(-index) for index in range(2, 60)],
    "exponents": [f"{index}e-3" for index in range(60)],
    "negative": [str(index - 30.5) for index in range(60)],
    "dollars": [f"${index},{index + 100}.50" for index in range(1, 60)],
    "decimal commas": [f"{index},5" for index in range(60)],
    "euros": [f"1.{index + 100},5 €" for index in range(60)],
    "thousands": [f"{index}.000" for index in range(1, 60)],
    "unit": [f"{index} cm" for index in range(100, 160)],
}


@pytest.mark.parametrize("kind", AMOUNTS)
def test_a_quantity_is_refused_and_the_remedy_makes_classes(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, AMOUNTS[kind])
    sentence = refusal(path)
    assert re.search("'label'.*different numbers in.*quantity", sentence)
    _, remedy = sentence.split("in pandas: ")
    table = pd.read_csv(path)
    before = table["label"].tolist()
    exec(remedy, {"table": table, "pd": pd})
    table.to_csv(path, index=False)
    assert set(load(Data(source=str(path), target="label")).classes) <= {"low", "middle", "high"}
    assert table["label"].notna().all()
    assert table["label"].tolist() != before


CLASSES = {
    "counted from 0": cycle(*map(str, range(40)), rows=400),
    "counted from 1": cycle(*map(str, range(1, 31)), rows=150),
    "codes": cycle(*(f"k{index}" for index in range(0, 60, 2)), rows=300),
    "codes with gaps, many rows each": cycle(*map(str, range(0, 60, 2)), rows=1500),
    "half stars": cycle(*map(str, np.arange(0.5, 5.5, 0.5)), rows=100),
}


@pytest.mark.parametrize("kind", CLASSES)
def test_numbers_of_classes_are_no_quantity(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, CLASSES[kind])
    assert len(load(Data(source=str(path), target="label")).classes) == len(set(CLASSES[kind]))


@given(st.lists(st.text(max_size=6), min_size=2, max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_labels_are_classes_or_one_sentence(texts: list[str]) -> None:
    table = RawTable(where="it", frame=pd.DataFrame({"y": texts}, dtype="str"), target="y")
    data = Data(source="it.csv", target="y", unlabelled="drop")
    sentence = ""
    try:
        kept = labels.labelled(table, data)
        classes = labels.find_classes(kept, data.missing)
    except DataError as error:
        sentence = str(error)
    assert len(sentence.splitlines()) <= 1
    if sentence:
        return
    numbers = labels.class_numbers(kept, data.missing, classes)
    assert sorted(set(numbers.tolist())) == list(range(len(classes)))
    assert all(len(note.splitlines()) == 1 for note in labels.notes(kept, classes, data.missing))


def test_the_same_labels_are_the_same_classes_in_any_format(tmp_path: Path) -> None:
    numbers = pd.DataFrame({"a": range(ROWS), "label": [0, 1] * (ROWS // 2)})
    numbers.to_parquet(tmp_path / "rows.parquet")
    numbers.to_csv(tmp_path / "rows.csv", index=False)
    numbers.astype({"label": float}).to_csv(tmp_path / "floats.csv", index=False)
    numbers.to_excel(tmp_path / "rows.xlsx", index=False)
    files = [tmp_path / name for name in ("rows.parquet", "rows.csv", "floats.csv", "rows.xlsx")]
    for source in files:
        for other in files:
            data = Data(source=str(source), target="label", validation=str(other))
            assert datasets.load(data).split.y_val.tolist() == [0, 1] * (ROWS // 2)
