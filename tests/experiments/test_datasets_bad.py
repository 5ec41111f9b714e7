"""Bad data: one sentence that names the file, the column or key, the value, and what to do."""

import io
import re
from pathlib import Path
from typing import Any

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
    """A table with the given column `a` beside good ones."""
    others = {"b": np.arange(rows) % 3, "label": np.arange(rows) % 2}
    return pd.DataFrame({"a": values, **others}).to_csv(index=False)


FILES: dict[str, tuple[str | bytes, str]] = {
    "empty": (b"", "empty"),
    "blank lines": (b"\n\n  \n", "empty"),
    "header only": (HEADER, "no rows"),
    "short row": (GOOD + "1,2\n", "line 42 has 2 fields.*3 column names.*line 1.*last line.*cut"),
    "long row": (HEADER + '"1\n1",2,x\n1,2,x,9\n', "line 4 has 4 fields.*3 column names.*line 1"),
    "binary": (bytes(range(256)) * 8, "data.encoding.*position 128"),
    "utf-16": (GOOD.encode("utf-16"), 'encoding = "utf-16"'),
    "latin-1": (GOOD.replace("x", "é").encode("latin-1"), '0xe9.*encoding = "cp1252"'),
    "duplicate header": (GOOD.replace("a,b,", "a,a,"), "'a' is there more than once"),
    "open quote": (HEADER + LINES[0] + '"1,2,x\n' + LINES[1], "line 3 opens a quote"),
    "open quote at the end": (GOOD + '1,2,"x\n', "line 42 opens a quote"),
    "no target": (GOOD.replace("label", "labels"), "data.target.*'label'.*did you mean 'labels'"),
    "target far off": (GOOD.replace("label", "zzz"), "'label'.*'a', 'b', 'zzz'"),
    "one class": (GOOD.replace("y", "x"), "'label'.*one class, 'x'"),
    "class of two rows": (GOOD.replace("y", "x") + "1,2,y\n" * 2, "'y' has 2 of the at least 3"),
    "no label": (GOOD + "1,2,?\n1,2,\n", "2 of 42 rows.*'label'.*row 41.*data.missing"),
    "measured target": (
        "label,b\n" + "".join(f"{i},1\n" for i in range(40)),
        "40 different numbers",
    ),
    "overflow": (GOOD + "1e400,2,x\n", "'a' holds '1e400' in row 41.*finite"),
    "infinity": (GOOD + "-inf,2,x\n", "'a' holds '-inf' in row 41"),
    "too large": (GOOD + "1e308,2,x\n", "'a' holds '1e308' in row 41"),
    "text": (column([*range(39), "n/a"]), "'n/a' in row 40.*data.missing.*data.categorical"),
    "decimal commas": (
        column([f"{i},5" for i in range(40)]),
        "'a' holds.*'10,5'.*numbers = { a = \"1,5\" }",
    ),
    "free text": (column([f"words {i}" for i in range(40)]), '40 different.*drop = \\["a"\\]'),
    "categories": (column([f"k{i // 3}" for i in range(4000)], 4000), '1334 different.*"a"'),
    "nothing but the target": ("label\nx\ny\n" * 9, "no column is left.*data.separator"),
    "nothing that differs": ("a,b,label\n0,0,x\n0,0,y\n" + "0,0,x\n0,0,y\n" * 9, "'a', 'b'"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_broken_csv_is_one_sentence(tmp_path: Path, kind: str) -> None:
    content, pattern = FILES[kind]
    assert re.search(pattern, sentence(written(tmp_path, content)))


def test_where_there_is_no_file(tmp_path: Path) -> None:
    for suffix in ("csv", "parquet", "npz"):
        assert "No such file" in sentence(tmp_path / f"gone.{suffix}")
    (tmp_path / "folder.csv").mkdir()
    assert "directory" in sentence(tmp_path / "folder.csv")
    assert ".parquet" in sentence(written(tmp_path, GOOD, "rows.txt"))


KEYS: dict[str, tuple[dict[str, Any], str]] = {
    "no target": ({"target": None}, "data.target.*'a', 'b', 'label'.*target = \"label\""),
    "drop": ({"drop": ["bb"]}, "data.drop.*'bb'.*did you mean 'b'"),
    "categorical": ({"categorical": ["nothing"]}, "data.categorical.*'nothing'.*'a', 'b', 'label'"),
    "drop the target": ({"drop": ["label"]}, "data.drop.*'label'.*target"),
    "group": ({"split": {"group": "patient"}}, "data.split.group.*'patient'"),
    "a gap": ({"split": {"group": "b"}, "missing": ["2"]}, "'b'.*data.split.group.*row 3"),
    "the target as group": ({"split": {"group": "label"}}, "data.split.group.*'label'.*target"),
    "encoding": ({"encoding": "utf-99"}, "data.encoding.*'utf-99'"),
    "wrong separator": ({"separator": ";"}, "'label'.*'a,b,label'"),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_that_does_not_fit_is_one_sentence(tmp_path: Path, kind: str) -> None:
    keys, pattern = KEYS[kind]
    assert re.search(pattern, sentence(written(tmp_path, GOOD), **keys))


def test_groups_that_cannot_be_divided(tmp_path: Path) -> None:
    for groups, words in ((4, "1 of the 4 groups"), (2, "2 of the at least 3 groups")):
        rows = "".join(f"{i},g{i % groups},{'xyzw'[i % groups]}\n" for i in range(40))
        text = sentence(written(tmp_path, "a,who,label\n" + rows), split={"group": "who"})
        assert "'who'" in text
        assert words in text


@pytest.mark.parametrize("part", ["validation", "test"])
def test_files_that_do_not_go_together(part: str, tmp_path: Path) -> None:
    """A file of test rows is looked at long before they are opened."""
    source = written(tmp_path, GOOD, "source.csv")

    def message(content: str, **keys: object) -> str:
        path = written(tmp_path, content, "part.csv")
        spec = {"source": str(source), "target": "label", part: str(path), **keys}
        with pytest.raises(DataError, match=r"part\.csv") as caught:
            load(Data.model_validate(spec))
        return str(caught.value)

    assert "no column 'b'" in message("a,label\n1,x\n")
    assert "'z'" in message("a,b,label\n1,1,z\n")
    assert "'oops' in row 1" in message("a,b,label\noops,1,x\n")
    assert "'inf'" in message("a,b,label\ninf,1,x\n")
    assert "no label" in message("a,b,label\n1,1,\n")
    assert "'label'" in message("a,b\n1,1\n")
    torn = "".join(f"{i % 7},p{i % 20},{'xy'[i % 2]}\n" for i in range(40))
    written(tmp_path, "a,who,label\n" + torn, "source.csv")
    assert "'p3'" in message("a,who,label\n1,p3,x\n", split={"group": "who"})


X, Y = np.arange(80.0).reshape(40, 2), np.arange(40) % 2
ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "no y": ({"X": X}, "no array 'y' among 'X'"),
    "no X": ({"x": X, "y": Y}, "no array 'X' among 'x', 'y'"),
    "objects in X": ({"X": X.astype(object), "y": Y}, "Object.*run code"),
    "objects in y": ({"X": X, "y": Y.astype(object)}, "Object.*run code"),
    "infinity": ({"X": np.where(X == 60, -np.inf, X), "y": Y}, "'x0' holds -inf in row 31"),
    "NaN in y": ({"X": X, "y": np.where(Y, np.nan, 1)}, "20 of 40.*'y'"),
    "lengths": ({"X": X, "y": Y[:-1]}, "'X' has 40 rows and 'y' has 39"),
    "one-hot y": ({"X": X, "y": np.eye(2)[Y]}, "1-dimensional"),
    "bytes": ({"X": X, "y": np.array([b"\xff", b"a"] * 20)}, "utf-8"),
    "no rows": ({"X": X[:0], "y": Y[:0]}, "no rows"),
    "no columns": ({"X": X[:, :0], "y": Y}, "no column is left"),
    "a name that is there": ({"X": X, "x1": Y}, "x1.*already"),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_a_broken_npz_is_one_sentence(tmp_path: Path, kind: str) -> None:
    arrays, pattern = ARRAYS[kind]
    np.savez(tmp_path / "rows.npz", **arrays)
    keys = {"target": "x1"} if "x1" in arrays else {}
    assert re.search(pattern, sentence(tmp_path / "rows.npz", **keys))


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_a_file_that_is_cut_or_something_else(tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"whole.{suffix}"
    if suffix == "npz":
        np.savez_compressed(whole, X=X, y=Y)
    else:
        pd.DataFrame({"a": Y, "label": Y}).to_parquet(whole)
    content = whole.read_bytes()
    cuts = [content[:end] for end in range(0, len(content) - 1, 79)]
    for odd in (*cuts, b"\x93NUMPY\x01\x00", b"rubbish", b"PK\x03\x04"):
        sentence(written(tmp_path, odd, f"odd.{suffix}"))


UNUSUAL: dict[str, tuple[bytes, dict[str, str]]] = {
    "byte order mark": (b"\xef\xbb\xbf" + GOOD.encode(), {}),
    "byte order mark read as utf-8": (b"\xef\xbb\xbf" + GOOD.encode(), {"encoding": "utf-8"}),
    "CRLF": (GOOD.replace("\n", "\r\n").encode(), {}),
    "CR": (GOOD.replace("\n", "\r").encode(), {}),
    "no last line end": (GOOD.rstrip().encode(), {}),
    "blank lines": (GOOD.replace("\n", "\n\n").encode(), {}),
    "semicolons": (GOOD.replace(",", ";").replace("x", '"x, or; x"').encode(), {}),
    "tabs": (GOOD.replace(",", "\t").encode(), {}),
    "bars": (GOOD.replace(",", "|").encode(), {}),
    "spaces around": (GOOD.replace(",", " , ").encode(), {}),
    "given separator": (GOOD.replace(",", "^").encode(), {"separator": "^"}),
    "utf-16": (GOOD.encode("utf-16"), {"encoding": "utf-16"}),
    "latin-1": (GOOD.replace("x", "é").encode("latin-1"), {"encoding": "latin-1"}),
    "the index of pandas": (pd.read_csv(io.StringIO(GOOD)).to_csv().encode(), {}),
    "a quote inside a field": (GOOD.replace("x", '5" pipe').encode(), {}),
    "a cell of a million characters": (GOOD.replace("x", "long" * 250_000).encode(), {}),
}


@pytest.mark.parametrize("kind", UNUSUAL)
def test_an_unusual_csv_is_read_as_the_usual_one(tmp_path: Path, kind: str) -> None:
    content, keys = UNUSUAL[kind]
    usual = load(Data(source=str(written(tmp_path, GOOD, "good.csv")), target="label"))
    data = load(Data(source=str(written(tmp_path, content)), target="label", **keys))
    assert data.features == usual.features
    flipped = data.classes[0] == "y"  # "é" sorts after "y": the class numbers then change places
    x, usual_x = (np.sort(each.split.x_train, axis=0) for each in (data, usual))
    np.testing.assert_array_equal(x, usual_x)
    assert (data.split.y_train == 1).sum() == (usual.split.y_train == (0 if flipped else 1)).sum()


def test_many_columns(tmp_path: Path) -> None:
    names = ",".join(f"c{i}" for i in range(1100))
    rows = "".join(",".join(str(i * j % 7) for j in range(1100)) + f",{i % 2}\n" for i in range(40))
    path = written(tmp_path, f"{names},label\n{rows}")
    assert len(load(Data(source=str(path), target="label")).features) > 900
    assert len(sentence(path, target="nothing")) < 1000
