"""Hostile files: cut, changed in any byte, nested, or far larger than they look; the outcome is a
Dataset or one sentence.
"""

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from experiments.data_section import Data
from experiments.datasets import load
from experiments.errors import DataError
from tests.experiments.test_datasets_odd import outcome

ROWS = 40
LABELS = ["ab"[i % 2] for i in range(ROWS)]


def whole(suffix: str) -> bytes:
    """A good file."""
    file, x = io.BytesIO(), np.random.default_rng(0).normal(size=ROWS)
    if suffix == "parquet":
        pd.DataFrame(
            {"x": x, "word": ["é", "long enough"] * (ROWS // 2), "label": LABELS}
        ).to_parquet(file)
    else:
        np.savez_compressed(file, X=x[:, None], label=np.array(LABELS))
    return file.getvalue()


WHOLE = {suffix: whole(suffix) for suffix in ("parquet", "npz")}
PLACE = st.floats(0, 1, exclude_max=True)  # of the file, from its start to its end


@given(
    st.sampled_from(list(WHOLE)),
    st.lists(st.tuples(PLACE, st.integers(0, 255)), max_size=4),
    st.one_of(st.none(), PLACE),
)
@settings(max_examples=400, deadline=None, derandomize=True)
def test_a_file_that_was_cut_or_changed(
    suffix: str, changes: list[tuple[float, int]], cut: float | None
) -> None:
    content = bytearray(WHOLE[suffix])
    for place, byte in changes:
        content[int(place * len(content))] = byte
    write_and_load(bytes(content[: None if cut is None else int(cut * len(content))]), suffix)


def write_and_load(content: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"odd.{suffix}"
        path.write_bytes(content)
        outcome(Data(source=str(path), target="label"))


NESTED: dict[str, Any] = {
    "text that is no UTF-8": pa.Array.from_buffers(
        pa.string(),
        ROWS,
        [None, pa.py_buffer(np.arange(ROWS + 1, dtype=np.int32)), pa.py_buffer(b"\xf8" * ROWS)],
    ),
    "list": pa.array([[1, 2]] * ROWS),
    "struct": pa.array([{"a": 1}] * ROWS),
    "map": pa.array([[("a", 1)]] * ROWS, pa.map_(pa.string(), pa.int64())),
    "binary": pa.array([b"\xff"] * ROWS),
    "duration": pa.array([1] * ROWS, pa.duration("s")),
    "date beyond the calendar": pa.array([10**8] * ROWS, pa.date32()),
    "decimal": pa.array([1] * ROWS).cast(pa.decimal256(40, 2)),
}


@pytest.mark.parametrize("case", NESTED)
@pytest.mark.parametrize("name", ["x", "label"])
def test_an_odd_column_of_a_parquet(tmp_path: Path, case: str, name: str) -> None:
    columns = {"z": pa.array(range(ROWS)), "label": pa.array(LABELS)} | {name: NESTED[case]}
    parquet.write_table(pa.table(columns), tmp_path / "rows.parquet")
    outcome(Data(source=str(tmp_path / "rows.parquet"), target="label"))


@given(
    st.lists(
        st.one_of(st.integers(-3, 50), st.sampled_from([10**7, 10**12, 2**63, 10**30])), max_size=3
    )
)
@settings(max_examples=60, deadline=None, derandomize=True)
@example([ROWS, 10**12])
def test_an_npz_that_lies_about_its_shape(shape: list[int]) -> None:
    x, file = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(
        x, {"descr": "<f8", "fortran_order": False, "shape": tuple(shape)}
    )
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("X.npy", x.getvalue() + bytes(800))
    write_and_load(file.getvalue(), "npz")


def test_a_small_npz_that_would_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("X.npy", bytes(1 << 20))
    content = bytearray(path.read_bytes())
    directory = content.rindex(b"PK\x01\x02")
    content[directory + 24 : directory + 28] = (0xFFFFFFF0).to_bytes(
        4, "little"
    )  # 4 GB, as its directory says
    path.write_bytes(content)
    with pytest.raises(DataError, match="swell to 4,294,967,280"):
        load(Data(source=str(path)))


def test_numbers_of_the_other_byte_order(tmp_path: Path) -> None:
    x = np.arange(2 * ROWS).reshape(ROWS, 2) % 7
    loaded = []
    for order in "<>":
        np.savez(
            tmp_path / "rows.npz",
            X=x.astype(f"{order}f8"),
            y=(np.arange(ROWS) % 2).astype(f"{order}i2"),
        )
        loaded.append(load(Data(source=str(tmp_path / "rows.npz"))).split)
    assert (loaded[0].x_train == loaded[1].x_train).all()
    assert (loaded[0].y_train == loaded[1].y_train).all()


def test_a_cell_of_a_million_characters_and_5000_columns(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        "x,label\n"
        + "\n".join(f"{'z' * 1_000_000 if i == 3 else i},{label}" for i, label in enumerate(LABELS))
    )
    outcome(Data(source=str(path), target="label"))
    cells = "\n".join(
        ",".join(str(i * j % 7) for j in range(5_000)) + f",{label}"
        for i, label in enumerate(LABELS)
    )
    path.write_text(",".join(f"c{j}" for j in range(5_000)) + f",label\n{cells}")
    assert load(Data(source=str(path), target="label")).split.x_train.shape[1] > 4_000
