"""The folds: every row validates once per repeat, classes are spread, groups stay whole, time goes
forward, and a fold learns nothing from the rows that it holds out.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from experiments import experiment_file
from experiments.data_section import Data
from experiments.datasets import Sealed, folds, load
from experiments.datasets.parts import divide
from experiments.datasets.splitting import Rows
from experiments.spec import Experiment

examples = partial(settings, deadline=None, derandomize=True, max_examples=60)
COUNTS = st.lists(st.integers(1, 30), min_size=1, max_size=5)
FOLDS, SEEDS = st.integers(2, 10), st.integers(0, 2**32 - 1)


def labels(counts: list[int], seed: int) -> NDArray[np.int64]:
    """Class numbers in any order, so many of each class."""
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


def table(rows: int = 60, classes: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": rng.normal(5, 2, rows).round(3),
            "colour": rng.choice(["red", "green", "blue"], rows),
            "label": [f"c{i % classes}" for i in range(rows)],
        }
    )


def data(folder: Path, frame: pd.DataFrame, **keys: Any) -> Data:
    """The frame as a file; `keys` are those of [data.split]."""
    frame.to_csv(folder / "rows.csv", index=False)
    source = {"source": str(folder / "rows.csv"), "target": "label"}
    return Data.model_validate({**source, "split": keys})


def check_partition(parts: list[Rows], rows: int) -> None:
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(rows))
    assert all((np.diff(part) > 0).all() for part in parts)  # ascending


@examples()
@given(COUNTS, FOLDS, SEEDS)
def test_folds_differ_by_at_most_a_row_in_all_and_in_each_class(
    counts: list[int], number: int, seed: int
) -> None:
    y = labels(counts, seed)
    found = folds.divide(y, None, number, (seed, folds.INNER))
    check_partition(found, len(y))
    sizes = [len(fold) for fold in found]
    assert max(sizes) - min(sizes) <= 1
    each = np.array([np.bincount(y[fold], minlength=len(counts)) for fold in found])
    assert (np.ptp(each, axis=0) <= 1).all()
    # So a class of few rows is in as many folds as it has rows.
    np.testing.assert_array_equal(np.count_nonzero(each, axis=0), np.minimum(counts, number))


@examples()
@given(COUNTS, FOLDS, st.integers(1, 4), SEEDS, st.integers(0, 40))
def test_each_row_validates_once_in_each_repeat(
    counts: list[int], number: int, repeats: int, seed: int, groups: int
) -> None:
    y = labels(counts, seed)
    group = None
    if groups:
        group = np.random.default_rng(1).integers(0, groups, len(y)).astype(str).astype(object)
        assume(len(set(group)) >= number)
    found = folds.inner(y, group, number, repeats, seed)
    assert len(found) == number * repeats
    for repeat in range(repeats):
        here = found[repeat * number : (repeat + 1) * number]
        check_partition([held for _, held in here], len(y))
        for training, held in here:
            check_partition([training, held], len(y))
            if group is not None:
                assert len(held) > 0
                assert not set(group[training]) & set(group[held])


def test_classes_are_near_even_where_groups_stay_whole() -> None:
    rng = np.random.default_rng(3)
    group, y = rng.integers(0, 90, 900).astype(str).astype(object), np.arange(900) % 3
    for fold in folds.divide(y, group, 5, (0, folds.INNER)):
        # A group has about ten rows: a class of 300 is divided to within a few of them.
        assert np.abs(np.bincount(y[fold]) / 300 - 0.2).max() < 0.03


def test_repeats_seeds_and_outer_folds_are_divisions_of_their_own() -> None:
    y = np.arange(60) % 3
    found = [held.tolist() for seed in (0, 1) for _, held in folds.inner(y, None, 5, 3, seed)]
    found += [fold.tolist() for fold in folds.outer(y, None, 5, 0)]
    assert len(set(map(tuple, found))) == 35


def test_the_same_rows_for_ever() -> None:
    y = np.array([0, 1, 1, 0, 2, 1, 0, 1, 0, 1])
    found = [held.tolist() for _, held in folds.inner(y, None, 3, 2, 0)]
    assert found == [[0, 3, 4, 7], [2, 8, 9], [1, 5, 6], [0, 1, 3, 4], [2, 6, 9], [5, 7, 8]]
    group = np.array(list("aabbccddee"), dtype=object)
    found = [held.tolist() for _, held in folds.inner(y, group, 3, 1, 0)]
    assert found == [[0, 1, 2, 3], [4, 5, 8, 9], [6, 7]]
    assert [fold.tolist() for fold in folds.outer(y, None, 2, 7)] == [[0, 1, 3, 7, 9], [2, 5, 6, 8]]


@examples()
@given(COUNTS, FOLDS, SEEDS, st.booleans())
def test_outer_folds_test_all_rows_but_the_only_ones_of_a_class(
    counts: list[int], number: int, seed: int, grouped: bool
) -> None:
    y = labels(counts, seed)
    group = (np.arange(len(y)) // 2 if grouped else np.arange(len(y))).astype(str).astype(object)
    assume(len(set(group)) >= number)
    found = folds.outer(y, group if grouped else None, number, seed)
    tested = np.concatenate(found)
    assert len(set(tested.tolist())) == len(tested)
    only = [set(group[y == c]) for c in range(len(counts)) if len(set(group[y == c])) == 1]
    assert set(group) - set(group[tested]) == set().union(*only)
    for fold in found:  # every class can be learned
        assert set(np.delete(y, fold)) == set(y)


@examples()
@given(st.integers(3, 200), FOLDS)
def test_windows_never_look_ahead(rows: int, number: int) -> None:
    assume(rows > number)
    found = folds.windows(rows, number)
    assert len(found) == number
    for training, held in found:
        np.testing.assert_array_equal(np.concatenate([training, held]), np.arange(held[-1] + 1))
    blocks = [found[0][0], *(held for _, held in found)]
    check_partition(blocks, rows)
    assert np.ptp([len(block) for block in blocks]) <= 1


@examples()
@given(st.integers(3, 200), st.floats(0.01, 0.9), st.floats(0, 0.9))
def test_shares_in_the_order_of_time(rows: int, val: float, test: float) -> None:
    assume(val + test < 1 and max(1, val * rows + 0.5) + max(1, test * rows + 0.5) < rows)
    parts = folds.in_time(rows, (1 - val - test, val, test))
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(rows))
    for part, share in zip(parts[1:], (val, test), strict=True):
        assert len(part) == (max(1, round(share * rows)) if share else 0)


def test_a_dataset_has_a_division_for_each_fold(tmp_path: Path) -> None:
    frame = table().assign(patient=np.arange(60) // 3)
    for keys in ({}, {"group": "patient"}):
        spec = data(tmp_path, frame, folds=4, repeats=2, **keys)
        found, parts = load(spec, "float64"), divide(spec)
        assert found.rows == {"training": 48, "validation": 0, "test": 12}
        assert len(found.divisions) == 8
        np.testing.assert_array_equal(found.y, parts.training.y)  # in file order
        assert (found.groups is None) == (not keys)
        for repeat in (found.divisions[:4], found.divisions[4:]):
            check_partition([division.validated for division in repeat], 48)
        for division in found.divisions:
            split, held = division.split, division.validated
            assert division.preparation.features == found.features
            np.testing.assert_array_equal(split.y_val, found.y[held])
            np.testing.assert_array_equal(split.y_train, np.delete(found.y, held))
            if found.groups is not None:
                others = np.delete(found.groups, held)
                assert not set(found.groups[held]) & set(others)
            assert np.abs(split.x_train[:, found.features.index("size")].mean()) < 1e-12
        assert found.split is found.divisions[0].split
        assert found.whole is not None
        whole = found.preparation.transform(parts.training.columns, "float64")
        np.testing.assert_array_equal(found.whole.x_train, whole)
        np.testing.assert_array_equal(found.whole.x_val, whole)
        np.testing.assert_array_equal(found.whole.y_train, found.y)
    usual = load(data(tmp_path, frame))
    assert usual.whole is None
    (division,) = usual.divisions
    assert division.preparation is usual.preparation
    np.testing.assert_array_equal(division.validated, np.arange(12))
    np.testing.assert_array_equal(usual.y, usual.split.y_val)


def test_a_fold_learns_nothing_from_the_rows_that_it_holds_out(tmp_path: Path) -> None:
    frame = table().assign(late=np.nan)
    before = load(data(tmp_path, frame.assign(late=np.arange(60.0)), folds=4, test=0.0))
    for division in before.divisions:
        changed, held = frame.assign(late=np.arange(60.0)), division.validated
        changed.loc[held, "size"] *= 1e3
        changed.loc[held, "late"] = None
        changed.loc[held, "colour"] = "unseen"
        after = load(data(tmp_path, changed, folds=4, test=0.0))
        assert set(after.features) - set(before.features) == {"colour=unseen", "late is missing"}
        number = [one is division for one in before.divisions].index(True)
        here = after.divisions[number].split
        for place, feature in enumerate(after.features):
            column = here.x_train[:, place]
            if feature in before.features:
                old = division.split.x_train[:, before.features.index(feature)]
                np.testing.assert_array_equal(column, old)
            else:  # unknown there, so 0 also where it is held out
                assert not column.any()
                assert not here.x_val[:, place].any()


def test_what_a_fold_cannot_know_is_0_there_and_all_folds_have_the_same_features(
    tmp_path: Path,
) -> None:
    spec = data(tmp_path, table(), folds=4, test=0.0)
    held = load(spec).divisions[1].validated
    frame = table().assign(constant=7.0, gone=np.nan, gap=np.arange(60.0), kind="usual", rare="a")
    frame.loc[held, "constant"] = np.arange(15)
    frame.loc[held, "gone"] = np.arange(15)
    frame.loc[held[0], "gap"] = np.nan
    frame.loc[held, "kind"] = None
    frame.loc[held[:3], "rare"] = "b"
    frame.loc[held[3:5], "colour"] = "once"
    found = load(data(tmp_path, frame, folds=4, test=0.0))
    here = found.divisions[1]
    unknown = {found.features[place] for place in here.preparation.unknown}
    gaps = {"gone", "gone is missing", "gap is missing"}
    categories = {"kind=usual", "kind is missing", "rare=a", "rare=b", "colour=once"}
    assert unknown == {"constant", *gaps, *categories}
    for x in (here.split.x_train, here.split.x_val):
        assert not x[:, list(here.preparation.unknown)].any()
    for other in (found.divisions[0], found.divisions[2], found.divisions[3]):
        assert not other.preparation.unknown
        assert other.preparation.features == here.preparation.features
    rows = Sealed(spec).open(here.preparation, "float32")
    assert rows.x.shape == (0, len(found.features))


def test_outer_folds_are_the_test_rows_of_one_study_each(tmp_path: Path) -> None:
    frame = table(61)
    everything = divide(data(tmp_path, frame, outer=4, folds=3))
    assert len(everything.test.rows) == 0
    assert len(everything.training.rows) == 61
    tested = []
    for number in range(1, 5):
        parts = divide(data(tmp_path, frame, outer=4, outer_fold=number, folds=3))
        check_partition([parts.training.rows, parts.test.rows], 61)
        check_partition([held for _, held in parts.folds], len(parts.training.rows))
        tested.append(parts.test.rows)
        usual = divide(data(tmp_path, frame, outer=4, outer_fold=number))
        np.testing.assert_array_equal(usual.test.rows, parts.test.rows)
        assert len(usual.validation.rows) == round(0.2 * len(parts.training.rows))
    check_partition(tested, 61)


def test_rows_in_the_order_of_time(tmp_path: Path) -> None:
    parts = divide(data(tmp_path, table(), order="time"))
    rows = np.arange(60)
    for part, expected in (
        (parts.training, rows[:36]),
        (parts.validation, rows[36:48]),
        (parts.test, rows[48:]),
    ):
        np.testing.assert_array_equal(part.rows, expected)
    found = load(data(tmp_path, table(), order="time", folds=3))
    assert found.rows == {"training": 48, "validation": 0, "test": 12}
    for number, division in enumerate(found.divisions):
        assert len(division.split.y_train) == 12 * (number + 1)
        np.testing.assert_array_equal(division.validated, np.arange(12) + 12 * number)
    np.testing.assert_array_equal(found.y, np.arange(12, 48) % 3)


def test_the_noise_of_digits_is_in_no_row_that_validates() -> None:
    truth = load_digits().target
    for keys in ({"folds": 5}, {"folds": 5, "order": "time"}):
        parts = divide(Data.model_validate({"source": "digits_noisy", "split": keys}))
        assert (parts.training.y != truth[parts.training.rows]).sum() == 150
        for training, held in parts.divisions:
            np.testing.assert_array_equal(held.y, truth[held.rows])
            assert not set(training.rows) & set(held.rows)
            assert (training.y != truth[training.rows]).mean() > 0.3
        np.testing.assert_array_equal(parts.validated.y, truth[parts.validated.rows])


def test_rows_of_rare_classes(tmp_path: Path) -> None:
    frame = table()
    frame.loc[[3, 4, 30], "label"] = ["one", "two", "two"]
    found = load(data(tmp_path, frame, folds=5, test=0.0))
    two = found.classes.index("two")
    held = [(one.split.y_val == two).sum() for one in found.divisions]
    assert sorted(held) == [0, 0, 0, 1, 1]
    assert "some folds have no row of the class 'one' to train on" in found.notes
    for number in range(1, 4):
        sealed = load(data(tmp_path, frame, outer=3, outer_fold=number, folds=2))
        assert "no test row has the class 'one'" in " ".join(sealed.notes)
        assert found.classes.index("one") in sealed.y


def test_a_class_of_one_group_stays_in_training(tmp_path: Path) -> None:
    frame = table().assign(patient=np.arange(60) // 3)
    for alone in range(0, 20, 5):
        frame["label"] = [f"c{i % 3}" for i in range(60)]
        frame.loc[frame.patient == alone, "label"] = "rare"
        found = load(data(tmp_path, frame, group="patient", val=0.5, test=0.3))
        assert (found.split.y_train == found.classes.index("rare")).sum() == 3
        assert "no validation row has the class 'rare'" in " ".join(found.notes)


def test_copies_between_folds_are_a_leak(tmp_path: Path) -> None:
    once = table().assign(weight=np.random.default_rng(1).normal(size=60))
    frame = pd.concat([once, once]).sample(frac=1, random_state=0)
    (leak,) = load(data(tmp_path, frame, folds=5, repeats=2, test=0.0)).leaks
    assert leak.key == "data.duplicates"
    assert "of 120 validation rows are copies of training rows" in leak.what
    assert load(data(tmp_path, once, folds=5, test=0.0)).leaks == ()


def test_studies_of_earlier_versions_have_the_same_fingerprint_and_stored_keys_load() -> None:
    usual = experiment_file.load("iris")
    assert not {"folds", "repeats", "outer", "outer_fold", "order"} & {
        key.rpartition(".")[2] for key in usual.identity
    }
    for edits in (["data.split.folds=5", "data.split.repeats=2"], ["data.split.outer=4"]):
        experiment = experiment_file.load("iris", edits)
        assert Experiment.model_validate(experiment.model_dump(mode="json")) == experiment
        assert experiment.fingerprint != usual.fingerprint
    folded = experiment_file.load("iris", ["data.split.folds=5"]).identity
    assert (folded["data.split.folds"], folded["data.split.val"]) == (5, 0)
    assert "data.split.repeats" not in folded
