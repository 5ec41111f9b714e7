"""Bad data: one sentence that names the file, the column or key, the value, and what to do."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.data_section import Data
from experiments.datasets import load
from experiments.errors import DataError

GOOD = "a,b,label\n" + "".join(f"{i % 7},{i % 3},{'xy'[i % 2]}\n" for i in range(40))
HEADER, *LINES = GOOD.splitlines(keepends=True)


def sentence(path: Path, **keys: object) -> str:
    """The one sentence that loading the file ends with; it always names the file."""
    target = {} if path.suffix == ".npz" else {"target": "label"}
    with pytest.raises(DataError) as caught:
        load(Data.model_validate({"source": str(path), **target, **keys}))
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert path.name in text
    return text


def written(folder: Path, content: str | bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def column(values: object, rows: int = 40) -> str:
    """A table with the given column `a` of distinct texts beside good ones."""
    return pd.DataFrame(
        {"a": values, "b": np.arange(rows) % 3, "label": np.arange(rows) % 2}
    ).to_csv(index=False)


FILES: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "empty": (b"", ("empty",)),
    "blank lines": (b"\n\n  \n", ("empty",)),
    "header only": (HEADER, ("no rows",)),
    "short row": (GOOD + "1,2\n", ("#42", "Expected 3", "got 2")),
    "long row": (
        HEADER + '"1\n1",2,x\n1,2,x,9\n' + "".join(LINES),
        ("#3", "Expected 3", "got 4"),
    ),
    "binary": (bytes(range(256)) * 8, ("position 128", "encoding")),
    "utf-16": (GOOD.encode("utf-16"), ("utf-16",)),
    "latin-1": (GOOD.replace("x", "é").encode("latin-1"), ("0xe9", 'encoding = "latin-1"')),
    "duplicate header": (GOOD.replace("a,b,", "a,a,"), ("'a'", "more than once")),
    "empty header": (GOOD.replace("a,b,", "a,,"), ("column 2", "no name")),
    "open quote": (
        HEADER + "".join(LINES[:5]) + '"1,2,x\n' + "".join(LINES[5:]),
        ("line 7", "quote"),
    ),
    "open quote at the end": (HEADER + "".join(LINES) + '1,2,"x\n', ("line 42", "quote")),
    "target not there": (
        GOOD.replace("label", "labels"),
        ("'label'", "data.target", "did you mean 'labels'"),
    ),
    "target far off": (GOOD.replace("label", "zzz"), ("'label'", "'a', 'b', 'zzz'")),
    "one class": (GOOD.replace("y", "x"), ("'label'", "one class", "'x'")),
    "class of two rows": (GOOD + "1,2,rare\n1,2,rare\n", ("'rare'", "2 rows", "at least 3")),
    "no label": (GOOD + "1,2,?\n1,2,\n", ("2 of 42", "'label'", "row 41", "data.missing")),
    "measured target": (
        column(np.arange(40)).replace("a,b,label", "label,b,a"),
        ("'label'", "40 different numbers"),
    ),
    "overflow": (GOOD + "1e400,2,x\n", ("'a'", "'1e400'", "row 41", "finite")),
    "infinity": (GOOD + "-inf,2,x\n", ("'a'", "'-inf'", "row 41")),
    "beyond all measure": (GOOD + "1e308,2,x\n", ("'a'", "'1e308'", "row 41")),
    "text among numbers": (
        column([*range(39), "n/a"]),
        ("'a'", "'n/a'", "row 40", "data.missing", "data.categorical"),
    ),
    "decimal commas": (
        column([f"{i},5" for i in range(40)]),
        ("'a'", "'0,5'", "row 1", "comma", "point"),
    ),
    "free text": (
        column([f"words {i}" for i in range(40)]),
        ("'a'", "40 different values", 'drop = ["a"]'),
    ),
    "many categories": (
        column([f"k{i // 3}" for i in range(30_000)], 30_000),
        ("'a'", "10000 different", 'drop = ["a"]'),
    ),
    "nothing but the target": ("label\nx\ny\n" * 9, ("no column is left", "data.separator")),
    "nothing that differs": (
        column([1] * 40).replace(",1,", ",0,").replace(",2,", ",0,"),
        ("no column is left", "'a', 'b'"),
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_broken_csv_is_one_sentence(tmp_path: Path, kind: str) -> None:
    content, words = FILES[kind]
    text = sentence(written(tmp_path, content))
    for word in words:
        assert word in text


def test_where_there_is_no_file(tmp_path: Path) -> None:
    for suffix in ("csv", "parquet", "npz"):
        assert "No such file" in sentence(tmp_path / f"gone.{suffix}")
    (tmp_path / "folder.csv").mkdir()
    assert "directory" in sentence(tmp_path / "folder.csv")
    assert ".parquet" in sentence(written(tmp_path, GOOD, "rows.xlsx"))


KEYS: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "no target": ({"target": None}, ("data.target", "'a', 'b', 'label'", 'target = "label"')),
    "drop": ({"drop": ["bb"]}, ("data.drop", "'bb'", "did you mean 'b'")),
    "categorical": (
        {"categorical": ["nothing"]},
        ("data.categorical", "'nothing'", "'a', 'b', 'label'"),
    ),
    "drop the target": ({"drop": ["label"]}, ("data.drop", "'label'", "target")),
    "group": ({"split": {"group": "patient"}}, ("data.split.group", "'patient'")),
    "a missing group": (
        {"split": {"group": "b"}, "missing": ["2"]},
        ("data.split.group", "'b'", "missing in row 3"),
    ),
    "the target as group": (
        {"split": {"group": "label"}},
        ("data.split.group", "'label'", "target"),
    ),
    "encoding": ({"encoding": "utf-99"}, ("data.encoding", "'utf-99'")),
    "wrong separator": ({"separator": ";"}, ("'label'", "'a,b,label'")),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_that_does_not_fit_is_one_sentence(tmp_path: Path, kind: str) -> None:
    keys, words = KEYS[kind]
    text = sentence(written(tmp_path, GOOD), **keys)
    for word in words:
        assert word in text


def test_groups_that_tear_a_class_from_training(tmp_path: Path) -> None:
    rows = "".join(f"{i},g{i % 4},{'xyzw'[i % 4]}\n" for i in range(40))
    text = sentence(written(tmp_path, "a,who,label\n" + rows), split={"group": "who"})
    assert "'who'" in text
    assert "1 of the 4 groups" in text
    few = "".join(f"{i},g{i % 2},{'xy'[i % 2]}\n" for i in range(40))
    assert "2 groups" in sentence(written(tmp_path, "a,who,label\n" + few), split={"group": "who"})


def test_a_row_without_a_group(tmp_path: Path) -> None:
    rows = "".join(f"{i},{'' if i == 3 else i % 9},{'xy'[i % 2]}\n" for i in range(40))
    assert "row 4" in sentence(written(tmp_path, "a,who,label\n" + rows), split={"group": "who"})


def test_files_that_do_not_go_together(tmp_path: Path) -> None:
    source = written(tmp_path, GOOD)

    def message(content: str, **keys: object) -> str:
        path = written(tmp_path, content, "val.csv")
        spec = Data.model_validate(
            {"source": str(source), "target": "label", "validation": str(path), **keys}
        )
        with pytest.raises(DataError) as caught:
            load(spec)
        assert "val.csv" in str(caught.value)
        return str(caught.value)

    assert "no column 'b'" in message("a,label\n1,x\n")
    assert "'z'" in message("a,b,label\n1,1,z\n")
    assert "'oops' in row 1" in message("a,b,label\noops,1,x\n")
    assert "'inf'" in message("a,b,label\ninf,1,x\n")
    assert "no label" in message("a,b,label\n1,1,\n")
    assert "'label'" in message("a,b\n1,1\n")
    torn = "".join(f"{i % 7},p{i % 20},{'xy'[i % 2]}\n" for i in range(40))
    source = written(tmp_path, "a,who,label\n" + torn)
    assert "'p3'" in message("a,who,label\n1,p3,x\n", split={"group": "who"})


def saved(folder: Path, **arrays: object) -> Path:
    np.savez(folder / "rows.npz", **arrays)  # type: ignore[arg-type]
    return folder / "rows.npz"


X, Y = np.arange(80.0).reshape(40, 2), np.arange(40) % 2
ARRAYS: dict[str, tuple[dict[str, object], tuple[str, ...]]] = {
    "no y": ({"X": X}, ("'y'", "'X'")),
    "no X": ({"x": X, "y": Y}, ("'X'", "'x'")),
    "objects in X": ({"X": X.astype(object), "y": Y}, ("objects", "run code")),
    "objects in y": ({"X": X, "y": Y.astype(object)}, ("objects", "run code")),
    "infinity": ({"X": np.where(X == 60, -np.inf, X), "y": Y}, ("'x0'", "-inf", "row 31")),
    "NaN in y": ({"X": X, "y": np.where(Y, np.nan, 1)}, ("'y'", "20 of 40")),
    "lengths": ({"X": X, "y": Y[:-1]}, ("'X' has 40", "'y' has 39")),
    "one-hot y": ({"X": X, "y": np.eye(2)[Y]}, ("1-dimensional",)),
    "bytes": ({"X": X, "y": np.array([b"\xff", b"a"] * 20)}, ("utf-8",)),
    "a name that is there": ({"X": X, "x1": Y}, ("x1", "already")),
    "no rows": ({"X": X[:0], "y": Y[:0]}, ("no rows",)),
    "no columns": ({"X": X[:, :0], "y": Y}, ("no column is left",)),
    "huge": ({"X": X * 1e306, "y": Y}, ("'x0'", "row 2")),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_a_broken_npz_is_one_sentence(tmp_path: Path, kind: str) -> None:
    arrays, words = ARRAYS[kind]
    keys = {"target": "x1"} if "x1" in arrays else {}
    text = sentence(saved(tmp_path, **arrays), **keys)
    for word in words:
        assert word in text


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
@pytest.mark.parametrize("content", [b"\x93NUMPY\x01\x00", b"rubbish", b"PK\x03\x04", b""])
def test_a_file_that_is_something_else(tmp_path: Path, content: bytes, suffix: str) -> None:
    sentence(written(tmp_path, content, f"rows.{suffix}"))


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_a_file_cut_anywhere(tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"whole.{suffix}"
    if suffix == "npz":
        np.savez_compressed(whole, X=X, y=Y)
    else:
        pd.DataFrame({"a": Y, "label": Y}).to_parquet(whole)
    content = whole.read_bytes()
    for end in range(1, len(content) - 1, 37):
        sentence(written(tmp_path, content[:end], f"cut.{suffix}"))


UNUSUAL: dict[str, tuple[bytes, dict[str, object]]] = {
    "byte order mark": (b"\xef\xbb\xbf" + GOOD.encode(), {}),
    "byte order mark read as utf-8": (b"\xef\xbb\xbf" + GOOD.encode(), {"encoding": "utf-8"}),
    "CRLF": (GOOD.replace("\n", "\r\n").encode(), {}),
    "CR": (GOOD.replace("\n", "\r").encode(), {}),
    "no last line end": (GOOD.rstrip().encode(), {}),
    "blank lines": (GOOD.replace("\n", "\n\n").encode(), {}),
    "semicolons": (GOOD.replace(",", ";").encode(), {}),
    "tabs": (GOOD.replace(",", "\t").encode(), {}),
    "bars": (GOOD.replace(",", "|").encode(), {}),
    "semicolons and quoted commas": (
        GOOD.replace(",", ";").replace("x", '"x, or; x"').encode(),
        {},
    ),
    "spaces around": (GOOD.replace(",", " , ").encode(), {}),
    "given separator": (GOOD.replace(",", "^").encode(), {"separator": "^"}),
    "utf-16": (GOOD.encode("utf-16"), {"encoding": "utf-16"}),
    "latin-1": (GOOD.replace("x", "é").encode("latin-1"), {"encoding": "latin-1"}),
    "the index of pandas": (pd.read_csv(io.StringIO(GOOD)).to_csv().encode(), {}),
    "a quote inside a field": (GOOD.replace("x", '5" pipe').encode(), {}),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_an_unusual_csv_is_read_as_the_usual_one(tmp_path: Path, kind: str) -> None:
    content, keys = UNUSUAL[kind]
    usual = load(Data(source=str(written(tmp_path, GOOD, "good.csv")), target="label"))
    data = load(
        Data.model_validate({"source": str(written(tmp_path, content)), "target": "label", **keys})
    )
    assert data.features == usual.features
    # "é" and the like sort after "y": the class numbers then change places.
    flipped = data.classes[0] == "y"
    np.testing.assert_array_equal(
        np.sort(data.split.x_train, axis=0), np.sort(usual.split.x_train, axis=0)
    )
    assert (data.split.y_train == 1).sum() == (usual.split.y_train == (0 if flipped else 1)).sum()


def test_a_cell_may_be_long(tmp_path: Path) -> None:
    rows = "".join(
        f"{'long' * 250_000 if i % 20 == 0 else 'short'},{i % 3},{'xy'[i % 2]}\n" for i in range(40)
    )
    data = load(Data(source=str(written(tmp_path, HEADER + rows)), target="label"))
    assert max(len(name) for name in data.features) > 1_000_000
    assert len(sentence(written(tmp_path, GOOD + f"{'y' * 1_000_000},1\n"))) < 1000


def test_five_thousand_columns(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(5000)]
    frame = pd.DataFrame(np.random.default_rng(0).integers(0, 9, (40, 5000)), columns=names).assign(
        label=Y
    )
    frame.to_csv(tmp_path / "rows.csv", index=False)
    assert len(load(Data(source=str(tmp_path / "rows.csv"), target="label")).features) == 5000
    assert len(sentence(tmp_path / "rows.csv", target="nothing")) < 1000
