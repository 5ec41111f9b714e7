"""Files as people have them: what is read, as what, and the sentence for what is not."""

import gzip
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from experiments import datasets, experiment_file, template
from experiments.data_section import Data
from experiments.datasets import Sealed, load, shapes
from experiments.errors import DataError

ROWS = 40
TABLE = pd.DataFrame(
    {
        "a": [index % 7 + 0.5 for index in range(ROWS)],
        "b": [index % 3 for index in range(ROWS)],
        "colour": ["red, dark" if index % 4 else "blue" for index in range(ROWS)],
        "label": ["no", "yes"] * (ROWS // 2),
    }
)
PLAIN = TABLE.to_csv(index=False)
HEADER, *LINES = PLAIN.splitlines(keepends=True)
FORMATS = ("csv", "csv.gz", "tsv", "xlsx", "CSV.GZ")


def written(folder: Path, content: str | bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def saved(folder: Path, suffix: str, stem: str = "rows") -> Path:
    path = folder / f"{stem}.{suffix}"
    if suffix == "xlsx":
        TABLE.to_excel(path, index=False)
    else:
        text = TABLE.to_csv(index=False, sep="\t" if suffix == "tsv" else ",").encode()
        path.write_bytes(gzip.compress(text) if suffix.lower().endswith("gz") else text)
    return path


def outcome(path: Path, **keys: Any) -> tuple[Any, ...]:
    """All that is learned from: arrays, classes, names, and the digest of the sealed rows."""
    data = Data.model_validate({"source": str(path), "target": "label", **keys})
    loaded = load(data)
    split = loaded.split
    arrays = tuple(
        (each.shape, each.tobytes())
        for each in (split.x_train, split.y_train, split.x_val, split.y_val)
    )
    return arrays, loaded.classes, loaded.features, loaded.label_type, Sealed(data).digest


def guessed(path: Path) -> tuple[str, Data]:
    """What `sweeps new` says, and the data of the file that it writes."""
    output = path.with_name("mine.toml")
    output.unlink(missing_ok=True)
    said = template.write(path, "label", output).guesses
    assert not any("cannot run" in sentence for sentence in said)
    return "\n".join(said), experiment_file.load(output).data


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_table_from_each_format(tmp_path: Path, suffix: str) -> None:
    usual = outcome(written(tmp_path, PLAIN, "usual.csv"))
    path = saved(tmp_path, suffix)
    assert outcome(path) == usual
    test = written(tmp_path, PLAIN, "test.csv")
    assert (
        outcome(path, test=str(saved(tmp_path, suffix, "test")))[-1]
        == Sealed(Data(source=str(test), target="label", test=str(test))).digest
    )
    assert experiment_file.load(template.write(path, "label", tmp_path / "x.toml").path).name == (
        "rows"
    )


SHAPES: dict[str, tuple[str | bytes, str]] = {
    "sep line": ("sep=;\r\n" + TABLE.to_csv(index=False, sep=";"), "line 1.*';'"),
    "sep line in quotes": ('"sep=,"\n' + PLAIN, "line 1"),
    "comment": ("# exported, 2024\n#\n" + PLAIN, "line 3.*exported"),
    "comments with commas": ("# source,date,by,for\n# UCI,2024,x,y\n" + PLAIN, "line 3.*source"),
    "names again": (PLAIN + HEADER, r"of names again \(1\)"),
    "title": ("Monthly report 2024\n\n" + PLAIN, "line 3.*Monthly report 2024"),
    "title of Excel": ("Report 2024,,,\n,,,\n" + PLAIN, "line 3.*Report 2024"),
    "title in quotes": ('"Report\n""2024"""\n \n' + PLAIN, "line 4.*Report"),
    "trailing separators": (
        PLAIN.replace("\n", ",,\n"),
        r"columns without a name and any value \(2\)",
    ),
    "trailing in the header": (PLAIN.replace("label\n", "label,\n"), ""),
    "trailing in the rows": (HEADER + "".join(LINES).replace("\n", ",\n"), r"columns .* \(1\)"),
    "empty rows": (PLAIN + ",,,\n" * 5, r"rows without any value.*\(5\)"),
    "empty row within": (HEADER + ",, ,\n" + "".join(LINES), r"rows without any value.*\(1\)"),
    "backslash": (PLAIN.replace("red, dark", 'red \\"dark\\", deep'), "backslash"),
    "gzip": (gzip.compress(PLAIN.encode()), "gzip"),
    "utf-16 without a mark": (PLAIN.encode("utf-16-le"), 'encoding = "utf-16-le"'),
    "utf-16, the other way": (PLAIN.encode("utf-16-be"), 'encoding = "utf-16-be"'),
    "old Mac": (PLAIN.replace("\n", "\r").encode(), ""),
    "old Mac with a title": (("Title\n" + PLAIN).replace("\n", "\r").encode(), "line 2"),
    "index of pandas": (TABLE.to_csv(), "an index without a name, 0 to "),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_what_is_around_a_table_is_no_part_of_it(tmp_path: Path, kind: str) -> None:
    content, pattern = SHAPES[kind]
    said, data = guessed(written(tmp_path, content))
    assert re.search(pattern, said)
    changed = kind == "backslash"  # only the texts of the categories differ
    usual, found = (
        outcome(written(tmp_path, PLAIN, "usual.csv")),
        outcome(tmp_path / "rows.csv", encoding=data.encoding),
    )
    assert found[0] == usual[0]
    assert changed or found == usual


def test_rows_to_answer_keep_their_places(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + LINES[0] + ",,,\n" + LINES[1] + ",,,\n" * 3)
    data = Data(source=str(path))
    assert len(datasets.files.read(path, data, labelled=False).frame) == 3


def test_names_of_rows_are_a_column(tmp_path: Path) -> None:
    """R writes them, without a name (write.csv) or with one name too few (write.table)."""
    rows = "".join(f"r{index},{line}" for index, line in enumerate(LINES))
    for header in ("," + HEADER, HEADER):
        data = Data(source=str(written(tmp_path, header + rows)), target="label")
        with pytest.raises(DataError, match="'Unnamed: 0' has 40 different"):
            load(data)
        dropped = data.model_copy(update={"drop": ("Unnamed: 0",)})
        assert load(dropped).features == ("a", "b", "colour=blue", "colour=red, dark")


def test_a_workbook(tmp_path: Path) -> None:
    path = tmp_path / "rows.xlsx"
    with pd.ExcelWriter(path) as book:
        dated = TABLE.assign(day=pd.Timestamp("2024-05-01"), good=TABLE["b"] > 0)
        dated.to_excel(book, sheet_name="First", index=False, startrow=2, startcol=0)
        book.sheets["First"]["A1"] = "Monthly report"
        TABLE.to_excel(book, sheet_name="Second", index=False)
    table = datasets.files.read(path, Data(source=str(path), target="label"))
    assert any("'First', 'Second'" in note for note in table.notes)
    assert table.frame.iloc[0].tolist() == ["0.5", "0", "blue", "no", "2024-05-01", "False"]
    with pytest.raises(DataError, match=r"'class'.*'First', 'Second' the first is read; to read"):
        datasets.files.read(path, Data(source=str(path), target="class"))


def test_without_openpyxl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, "xlsx")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError, match=r"pip install 'nnreg-sweeps\[excel\]'"):
        load(Data(source=str(path), target="label"))


def sentence(path: Path, **keys: Any) -> str:
    with pytest.raises(DataError) as caught:
        load(Data.model_validate({"source": str(path), "target": "label", **keys}))
    text = str(caught.value)
    assert text.startswith(str(path))
    assert len(text.splitlines()) == 1
    return text


OTHERS: dict[str, tuple[str | bytes, str]] = {
    "archive": (b"PK\x03\x04 and so on", r"Excel.*\.xlsx"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", r"old.*save it as \.xlsx or \.csv"),
    "web page": ("\n<!DOCTYPE html>\n<html>", "web page; download"),
    "JSON": ('[{"a": 1,\n"b": 2}]', r"JSON; save the table as \.csv"),
    "blanks between": (PLAIN.replace("red, dark", "red").replace(",", " "), "'label'.*separator"),
    "PDF": ("%PDF-1.4\n", "PDF; export"),
    "parquet": (b"PAR1....", r"name it \.parquet"),
    "NUL": (HEADER + LINES[0] + "1,2,\0,no\n", "line 3 holds a NUL.*damaged"),
    "cut gzip": (gzip.compress(PLAIN.encode())[:-20], "end-of-stream"),
    "cut line": (PLAIN[: PLAIN.rindex(",")], "line 41 has 3 fields.*4 column names.*line 1.*cut"),
    "a comma too many": (HEADER + LINES[0] + "1,2,3,4,no\n" + LINES[1] * 9, "line 3 has 5 fields"),
    "below a title": (
        "Title\n" + HEADER + LINES[0] * 9 + "1,2\n" + LINES[0],
        "line 12 has 2.*line 2",
    ),
    "names are lacking": ("a,b\n" + "".join(LINES), "line 1 has 2 fields.*have 4"),
    "another separator": (PLAIN.replace(",", "^"), "'label'.*there are"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_table_is_one_sentence(tmp_path: Path, kind: str) -> None:
    content, pattern = OTHERS[kind]
    path = written(tmp_path, content)
    assert re.search(pattern, sentence(path))
    with pytest.raises(DataError):
        template.write(path, "label", tmp_path / "mine.toml")


def test_a_broken_workbook_is_one_sentence(tmp_path: Path) -> None:
    content = saved(tmp_path, "xlsx").read_bytes()
    for odd in (b"", PLAIN.encode(), *(content[:end] for end in range(1, len(content), 499))):
        assert re.search(r"\.xlsx|empty", sentence(written(tmp_path, odd, "odd.xlsx")))
    assert "locked" in sentence(written(tmp_path, b"\xd0\xcf\x11\xe0", "odd.xlsx"))


NAMELESS = {
    "numbers": ("".join(LINES), {}),
    "the target is a value": ("".join(LINES), {"target": "no"}),
    "names twice": ("1,1,0,yes\n2,0,1,no\n" * 20, {"target": "yes"}),
    "text": ("red,round,no\nblue,flat,yes\nred,flat,no\nblue,round,no\n" * 9, {}),
}


@pytest.mark.parametrize("kind", NAMELESS)
def test_a_file_without_names_of_columns(tmp_path: Path, kind: str) -> None:
    content, keys = NAMELESS[kind]
    text = sentence(written(tmp_path, content), **keys)
    assert re.search("first row looks like data.*write a line of names above it", text)


def test_columns_that_are_counted_have_names(tmp_path: Path) -> None:
    """NumPy and pandas call columns 0, 1, 2, ...; spectra have numbers for names, too."""
    numbers = np.random.default_rng(0).integers(0, 5, (60, 5))
    counted = pd.DataFrame(numbers).to_csv(index=False)
    assert len(load(Data(source=str(written(tmp_path, counted)), target="4")).features) == 4
    spectrum = pd.DataFrame(numbers, columns=["400.5", "410.2", "407.1", "1.2", "label"])
    path = written(tmp_path, spectrum.to_csv(index=False))
    assert len(load(Data(source=str(path), target="label")).features) == 4


@given(
    title=st.lists(st.sampled_from(["Report", "# a, b", "", "Sales,,", "x;y"]), max_size=4),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    trailing=st.integers(0, 2),
)
@example(title=[], separator=",", end="\n", trailing=0)
@settings(max_examples=60, deadline=None)
def test_the_line_of_names_is_found(
    title: list[str], separator: str, end: str, trailing: int
) -> None:
    rows = [[*line, *[""] * trailing] for line in (["age", "job", "label"], ["1,5", "x", "no"])]
    lines = [separator.join(f'"{cell}"' if "," in cell else cell for cell in row) for row in rows]
    shape = shapes.find(end.join([*title, lines[0], *[lines[1]] * 9, ""]))
    assert shape.names[:3] == ("age", "job", "label")
    assert shape.separator == separator
