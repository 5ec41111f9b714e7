"""What every Dataset promises: the shapes, the split, the seal, and the bundled data."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter
from sklearn.datasets import load_digits, load_iris
from sklearn.preprocessing import StandardScaler

from experiments.data_section import Data
from experiments.datasets import BUNDLED, Dataset, Preparation, load
from experiments.datasets.parts import divide
from experiments.errors import DataError

NOISY = {"val": 0.4, "test": 0.4}  # the shares of the catalog's digits_noisy


def bundled(name: str, **split: object) -> Data:
    shares = split or (NOISY if name == "digits_noisy" else {})
    return Data.model_validate({"source": name, "split": shares})


def csv(folder: Path, frame: pd.DataFrame, name: str = "rows.csv", **keys: object) -> Data:
    frame.to_csv(folder / name, index=False)
    return Data.model_validate({"source": str(folder / name), "target": "label", **keys})


def table(rows: int = 60, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "size": rng.normal(5, 2, rows).round(3),
            "colour": rng.choice(["red", "green", "blue"], rows),
            "label": [f"c{i % 3}" for i in range(rows)],
        }
    )


def equal(one: Dataset, other: Dataset) -> bool:
    names = ("x_train", "y_train", "x_val", "y_val")
    pairs = [(getattr(one.split, name), getattr(other.split, name)) for name in names]
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_set_is_ready_to_train(name: str) -> None:
    data = load(bundled(name))
    for x, y in ((data.split.x_train, data.split.y_train), (data.split.x_val, data.split.y_val)):
        assert x.dtype == "float32"
        assert x.flags.c_contiguous
        assert x.shape == (len(y), len(data.features))
        assert np.isfinite(x).all()
        assert y.dtype == np.int64
        assert set(y.tolist()) == set(range(len(data.classes)))
    assert data.rows["training"] == len(data.split.y_train)
    assert data.rows["validation"] == len(data.split.y_val)
    assert all("\n" not in note for note in data.notes)


def test_numbers_are_standardised_on_the_training_rows_as_scikit_learn_does() -> None:
    parts = divide(bundled("iris"))
    raw = load_iris().data
    scaler = StandardScaler().fit(raw[parts.training.rows])
    data = load(bundled("iris"), "float64")
    # Both take mean and deviation in float64; they may add up in another order.
    for x, part in ((data.split.x_train, parts.training), (data.split.x_val, parts.validation)):
        expected = scaler.transform(raw[part.rows])
        np.testing.assert_allclose(x, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_digits_noisy_is_300_rows_with_exactly_half_of_the_labels_wrong(seed: int) -> None:
    data = bundled("digits_noisy", **NOISY, seed=seed)
    parts, truth = divide(data), load_digits().target
    assert len(parts.training.rows) == 300
    assert (parts.training.y != truth[parts.training.rows]).sum() == 150
    kept = np.bincount(truth[parts.training.rows], minlength=10)
    assert kept.min() >= 28  # stratified: the rarest digit has 174 of 1,797 rows, 29 of 300
    np.testing.assert_array_equal(parts.validation.y, truth[parts.validation.rows])
    np.testing.assert_array_equal(parts.test.y, truth[parts.test.rows])
    clean = divide(bundled("digits", **NOISY, seed=seed))
    np.testing.assert_array_equal(parts.test.rows, clean.test.rows)
    wrong = (parts.training.y - truth[parts.training.rows]) % 10
    assert set(wrong[wrong > 0].tolist()) == set(range(1, 10))  # every other class is drawn


def test_the_spiral_is_the_classic_generator() -> None:
    options = {"points": 50, "classes": 4, "noise": 0.0}
    spec = Data.model_validate({"source": "spiral", "spiral": options})
    frame = divide(spec).training.table.frame
    assert len(frame) == 200
    arm, radius = frame[frame.target == 2], np.linspace(0, 1, 50)
    np.testing.assert_allclose(np.hypot(arm.x, arm.y), radius, atol=1e-12)
    np.testing.assert_allclose(arm.x, radius * np.sin(np.linspace(8, 12, 50)), atol=1e-12)
    noisy = Data.model_validate({"source": "spiral", "spiral": {"seed": 1}})
    assert not equal(load(noisy), load(bundled("spiral")))


def test_the_split_is_stratified_disjoint_and_decided_by_the_seed() -> None:
    parts = [divide(bundled("digits", seed=seed)) for seed in (0, 0, 1)]
    for here in parts:
        rows = np.concatenate([here.training.rows, here.validation.rows, here.test.rows])
        np.testing.assert_array_equal(np.sort(rows), np.arange(1797))
        assert (len(here.validation.rows), len(here.test.rows)) == (359, 359)
        for part, share in ((here.validation, 0.2), (here.test, 0.2)):
            counts = np.bincount(part.y, minlength=10) - share * np.bincount(load_digits().target)
            assert np.abs(counts).max() < 1  # largest remainders: off by less than a row
    np.testing.assert_array_equal(parts[0].test.rows, parts[1].test.rows)
    assert not np.array_equal(parts[0].test.rows, parts[2].test.rows)


@pytest.mark.parametrize(
    "split",
    [{}, {"val": 0.9, "test": 0.05}, {"val": 0.05, "test": 0.9}, {"val": 0.1, "test": 0.85}],
)
def test_a_class_of_three_rows_reaches_every_part(tmp_path: Path, split: dict[str, float]) -> None:
    frame = table()
    frame.loc[:2, "label"] = "rare"
    parts = divide(csv(tmp_path, frame, split=split))
    rare = parts.classes.index("rare")
    for part in (parts.training, parts.validation, parts.test):
        assert (part.y == rare).sum() == 1


def test_no_test_share_gives_no_test_rows(tmp_path: Path) -> None:
    rows = load(csv(tmp_path, table(), split={"test": 0.0})).rows
    assert rows == {"training": 48, "validation": 12, "test": 0}


def test_groups_stay_whole_and_classes_spread(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frame = table(900).assign(patient=[f"p{i}" for i in rng.integers(0, 90, 900)])
    spec = csv(tmp_path, frame, split={"group": "patient"})
    parts = divide(spec)
    groups = []
    for part, share in ((parts.training, 0.6), (parts.validation, 0.2), (parts.test, 0.2)):
        groups += part.frame.patient.unique().tolist()
        # A group has about ten rows: a class of 300 is divided to within a few of them.
        assert np.abs(np.bincount(part.y) / 300 - share).max() < 0.05
    assert sorted(groups) == sorted(set(frame.patient))
    data = load(spec)
    assert not any("patient" in feature for feature in data.features)
    assert any("patient" in note for note in data.notes)
    other = divide(csv(tmp_path, frame, split={"group": "patient", "seed": 1}))
    assert not np.array_equal(other.test.rows, parts.test.rows)


def test_files_for_validation_and_test_take_the_place_of_shares(tmp_path: Path) -> None:
    csv(tmp_path, table(30, seed=1)[["label", "colour", "size"]], "val.csv")
    csv(tmp_path, table(12, seed=2), "test.csv")
    files = {"validation": str(tmp_path / "val.csv"), "test": str(tmp_path / "test.csv")}
    both = load(csv(tmp_path, table(), **files))
    assert both.rows == {"training": 60, "validation": 30, "test": 12}
    one = load(csv(tmp_path, table(), validation=files["validation"]))
    assert one.rows == {"training": 48, "validation": 30, "test": 12}
    reordered = load(csv(tmp_path, table()[["colour", "label", "size"]], **files))
    assert set(reordered.features) == set(both.features)


def test_nothing_is_fitted_on_validation_or_test_rows(tmp_path: Path) -> None:
    frame = table(100)
    before = load(csv(tmp_path, frame))
    parts = divide(csv(tmp_path, frame))
    for part in (parts.validation, parts.test):
        changed = frame.copy()
        changed.loc[part.rows, "size"] = 1e9
        changed.loc[part.rows, "colour"] = "unseen"
        after = load(csv(tmp_path, changed))
        assert after.preparation == before.preparation
        np.testing.assert_array_equal(after.split.x_train, before.split.x_train)
        if part is parts.test:
            assert equal(before, after)  # the test rows reach nothing at all


def test_later_rows_go_through_the_same_preparation_stored_as_json(tmp_path: Path) -> None:
    frame = table(100).assign(
        code=[f"{i % 7:02d}" for i in range(100)], flag=[str(i % 3 == 0) for i in range(100)]
    )
    frame.loc[::9, "size"] = None
    frame.loc[::11, "colour"] = None
    spec = csv(tmp_path, frame, categorical=["code"])
    data, parts = load(spec), divide(spec)
    text = json.dumps(asdict(data.preparation), allow_nan=False)
    stored = TypeAdapter(Preparation).validate_json(text)
    assert stored == data.preparation
    assert stored.features == data.features
    raw = pd.read_csv(tmp_path / "rows.csv")  # with code as int64 and flag as bool
    raw = raw[raw.columns[::-1]].iloc[parts.validation.rows]
    np.testing.assert_array_equal(stored.apply(raw), data.split.x_val)
    with pytest.raises(DataError, match=r"no column 'colour'; did you mean 'colours'"):
        stored.apply(raw.rename(columns={"colour": "colours"}))


def test_csv_parquet_and_npz_of_the_same_rows_are_the_same_data(tmp_path: Path) -> None:
    frame = table().assign(colour=np.arange(60) % 4)
    frame.to_parquet(tmp_path / "rows.parquet")
    x = frame[["size", "colour"]].to_numpy()
    np.savez(tmp_path / "rows.npz", X=x, y=frame.label.to_numpy(str))
    one = load(csv(tmp_path, frame))
    assert equal(one, load(Data(source=str(tmp_path / "rows.parquet"), target="label")))
    npz = load(Data(source=str(tmp_path / "rows.npz")))
    assert equal(one, npz)
    assert npz.features == ("x0", "x1")
    assert npz.classes == ("c0", "c1", "c2")


def test_images_are_flattened_and_labels_may_be_of_any_type(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 5, 4, 3), dtype=np.uint8)
    for y, classes in (
        (np.arange(40) % 2 == 0, ("False", "True")),
        (np.arange(40) % 3 * 10.0, ("0", "10", "20")),
        (np.arange(40)[:, None] % 2, ("0", "1")),
        (np.array(["b", "a"] * 20), ("a", "b")),
        (np.array([b"x", b"y"] * 20), ("x", "y")),
    ):
        np.savez(tmp_path / "images.npz", X=images, y=y)
        data = load(Data(source=str(tmp_path / "images.npz")))
        assert data.classes == classes
        assert data.split.x_train.shape[1] == 60


def test_classes_that_are_numbers_are_ordered_by_size(tmp_path: Path) -> None:
    frame = table().assign(label=[str(i % 12) for i in range(60)])
    assert load(csv(tmp_path, frame)).classes == tuple(str(i) for i in range(12))


def test_an_npz_may_have_gaps_and_the_other_byte_order(tmp_path: Path) -> None:
    x = np.arange(120.0).reshape(60, 2) % 7
    x[::9, 1] = np.nan
    loaded = []
    for order in "<>":
        y = (np.arange(60) % 2).astype(f"{order}i2")
        np.savez(tmp_path / "rows.npz", X=x.astype(f"{order}f8"), y=y)
        loaded.append(load(Data(source=str(tmp_path / "rows.npz"))))
    assert loaded[0].features == ("x0", "x1", "x1 is missing")
    assert equal(*loaded)
