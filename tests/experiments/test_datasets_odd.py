"""Odd tables, made by hypothesis: the outcome is a Dataset of finite numbers or a DataError of one
line, and never a warning.
"""

import csv
import io
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st

from experiments.data_section import Data
from experiments.datasets import load
from experiments.errors import DataError

NUMBERS = ["nan", "1e400", "-inf", "1e308", "5e-324", "-0", "0x10", "1_000", "1,5", "٣", "00", "1."]
TEXTS = ["", " ", ".", "+", "NA", "?", '"', "'", "a;b", "a\tb", "\ufeff", "a\nb", "\r"]
WORDS = ["2024-01-01", "2024-13-99", "true", "é", "None", "null", "[1]", "\\", "\U0001f600", "\x1c"]
ODD_TEXTS = st.sampled_from([*NUMBERS, "9" * 400, *TEXTS, "x" * 5000, *WORDS])
CELLS = st.one_of(
    ODD_TEXTS,
    st.integers().map(str),
    st.floats().map(repr),
    st.sampled_from(["red", "green", "1", "2", "3"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
NAMES = st.one_of(
    st.sampled_from(["a", "b", "A", "label", "", " a", '"', "x=1", "a\nb"]), st.text(max_size=5)
)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    """A header and rows: columns of plain values with up to three odd ones, or odd throughout;
    labels alike; sometimes ragged.
    """
    rows = draw(st.sampled_from([40, 40, 40, 40, 7, 1, 0]))
    width = draw(st.integers(0, 4))
    columns = [draw(columns_of(rows)) for _ in range(width)]
    labels = ["xy"[i % 2] for i in range(rows)]
    if rows and draw(st.integers(0, 7)) == 0:
        labels[draw(st.integers(0, rows - 1))] = draw(CELLS)
    plain = draw(st.integers(0, 3)) > 0
    header = ["abcd"[i] if plain else draw(NAMES) for i in range(width)]
    lines = [[*header, "label"], *map(list, zip(*columns, labels, strict=True))]
    if rows and draw(st.integers(0, 19)) == 0:
        lines[draw(st.integers(1, rows))].append("more")
    return lines


@st.composite
def columns_of(draw: st.DrawFn, rows: int) -> list[str]:
    kind = draw(st.sampled_from(["plain", "plain", "few odd", "odd"]))
    if kind == "odd":
        return draw(st.lists(CELLS, min_size=rows, max_size=rows))
    plain = st.one_of(
        st.integers(-9, 9).map(str), st.floats().map(repr), st.sampled_from(["red", ""])
    )
    column = (draw(st.lists(plain, min_size=1, max_size=9)) * rows)[:rows]
    for _ in range(draw(st.integers(1, 3)) if rows and kind == "few odd" else 0):
        column[draw(st.integers(0, rows - 1))] = draw(ODD_TEXTS)
    return column


def outcome(content: bytes, **keys: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "odd.csv"
        path.write_bytes(content)
        sentence, data = "", None
        try:
            data = load(Data.model_validate({"source": str(path), "target": "label", **keys}))
        except DataError as error:
            sentence = str(error)
    event(type(data).__name__)
    if data is None:
        assert len(sentence.splitlines()) == 1
        assert "odd.csv" in sentence
        return
    for x in (data.split.x_train, data.split.x_val):
        assert x.dtype == np.float32
        assert x.flags.c_contiguous
        assert np.isfinite(x).all()
    assert sorted(set(data.split.y_train.tolist())) == list(range(len(data.classes)))
    assert all(len(note.splitlines()) == 1 for note in data.notes)


@given(
    table=tables(),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    told=st.booleans(),
    group=st.sampled_from([None, None, None, "a"]),
)
@settings(max_examples=100, deadline=None)
def test_an_odd_csv(
    table: list[list[str]],
    separator: str,
    quoting: int,
    end: str,
    encoding: str,
    told: bool,
    group: str | None,
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=end).writerows(table)  # type: ignore[arg-type]  # typed as a literal
    keys = {"encoding": encoding, "separator": separator} if told else {}
    outcome(text.getvalue().encode(encoding, "surrogatepass"), split={"group": group}, **keys)


@given(st.binary(max_size=400), st.sampled_from(["utf-8-sig", "latin-1", "utf-16", "utf-7"]))
@settings(max_examples=50, deadline=None)
def test_any_bytes(content: bytes, encoding: str) -> None:
    outcome(content, encoding=encoding)
