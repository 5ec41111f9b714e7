"""The leaks: copies, columns and groups that make the test rows easier than new rows are."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sweeps
from experiments import datasets, experiment_file, template
from experiments.card import card
from experiments.data_section import Data
from experiments.datasets.leaks import Leak
from experiments.verdict import BASELINE, BETTER
from tests.commands import sweeps as command
from tests.studies import compared, study_with

ROWS = 200
RNG = np.random.default_rng(3)
LABEL = RNG.permutation(np.repeat([0, 1, 2], [80, 70, 50]))
NOISE = pd.DataFrame(RNG.normal(size=(ROWS, 2)).round(4), columns=["a", "b"])
FLIPPED = np.where(np.arange(ROWS) % 20, LABEL, (LABEL + 1) % 3)  # 5 % of the labels are others
COPIES = "are copies of training rows, with inputs and label"


def loaded(folder: Path, frame: pd.DataFrame, **keys: Any) -> datasets.Dataset:
    frame.to_csv(folder / "rows.csv", index=False)
    data = {"source": str(folder / "rows.csv"), "target": "label", **keys}
    return datasets.load(Data.model_validate(data))


def copied(times: int, *, rows: int = 100) -> pd.DataFrame:
    once = NOISE.iloc[:rows].assign(label=RNG.choice(["x", "y"], rows))
    return pd.concat([once] * times).sample(frac=1, random_state=0)


def test_copies_are_found_and_the_key_that_new_writes_leaves_them_out(tmp_path: Path) -> None:
    (leak,) = loaded(tmp_path, copied(4)).leaks
    assert leak.key == "data.duplicates"  # alone: no column determines the label
    copied(4).assign(id=range(400)).to_csv(tmp_path / "rows.csv", index=False)  # an id of its own
    experiment = tmp_path / "rows.toml"
    guesses = template.write(tmp_path / "rows.csv", "label", experiment).guesses
    assert guesses[0].startswith('data.duplicates = "drop", because ')
    assert " of 80 test rows and " in guesses[0]
    assert guesses[0].endswith(f" rows {COPIES}")
    assert len(set(guesses)) == len(guesses)
    written = tomllib.loads(experiment.read_text())["data"]
    assert written["duplicates"] == "drop"
    data = datasets.load(experiment_file.load(experiment).data)
    assert (data.leaks, sum(data.rows.values())) == ((), 100)
    assert 'data.duplicates = "drop" left out 300 of 400 rows that are copies of earlier ones' in (
        data.notes
    )


def test_an_id_that_a_file_by_hand_keeps_hides_no_copies(tmp_path: Path) -> None:
    rows = copied(4).assign(number=RNG.permutation(np.arange(400)) * 3)
    (leak,) = loaded(tmp_path, rows).leaks
    assert leak.what.startswith("but for 'number', ")
    assert leak.what.endswith(f" rows {COPIES}")
    assert leak.sentence.endswith('; if that is an id, write drop = ["number"] under [data]')
    (leak,) = loaded(tmp_path, rows, drop=["number"]).leaks
    assert leak.key == "data.duplicates"
    assert not loaded(tmp_path, NOISE.assign(mass=np.arange(ROWS) * 3, label=LABEL)).leaks


def test_copies_in_a_test_file_go_and_the_training_rows_stay(tmp_path: Path) -> None:
    copied(1).to_csv(tmp_path / "test.csv", index=False)
    keys = {"test": str(tmp_path / "test.csv"), "split": {"val": 0.25}}
    both = pd.read_csv(tmp_path / "test.csv").iloc[:80]
    (leak,) = loaded(tmp_path, both, **keys).leaks
    assert leak.what == f"60 of 100 test rows {COPIES}"
    assert loaded(tmp_path, both, duplicates="drop", **keys).rows == {
        "training": 60,
        "validation": 20,
        "test": 20,
    }


@pytest.mark.parametrize("name", datasets.BUNDLED)
def test_nothing_is_said_of_bundled_data(name: str) -> None:
    for seed in range(20 if name == "iris" else 1):
        data = Data.model_validate({"source": name, "split": {"seed": seed}})
        assert datasets.load(data).leaks == ()


def test_copies_that_come_by_chance_or_are_few_are_a_note(tmp_path: Path) -> None:
    few = pd.DataFrame({"sex": RNG.choice(["f", "m"], ROWS), "class": RNG.choice([1, 2, 3], ROWS)})
    data = loaded(tmp_path, few.assign(label=LABEL))
    assert data.leaks == ()
    assert any(COPIES in note for note in data.notes)
    once = NOISE.assign(label=LABEL)
    assert loaded(tmp_path, pd.concat([once, once.iloc[:4]])).leaks == ()
    contrary = loaded(tmp_path, pd.concat([once, once.assign(label=(LABEL + 1) % 3)]))
    assert contrary.leaks == ()
    assert "rows have the inputs of a training row and another label; if" in contrary.notes[-1]


WORDS = np.array(["died", "lived", "moved"])[LABEL]
TWINS = {
    "words": WORDS,
    "many words": pd.Series(WORDS) + RNG.integers(0, 9, ROWS).astype(str),
    "number": LABEL * 2.5 + 1,
    "amount": (LABEL + RNG.random(ROWS)).round(3),
    "gaps": np.where(LABEL == 1, np.nan, LABEL),
    "one is wrong": np.where(np.arange(ROWS) == 7, "", WORDS),
}


@pytest.mark.parametrize("name", TWINS)
def test_a_column_that_determines_the_label(tmp_path: Path, name: str) -> None:
    (leak,) = loaded(tmp_path, NOISE.assign(**{name: TWINS[name]}, label=LABEL), drop=["b"]).leaks
    assert leak.sentence == (
        f"the label is determined by '{name}' alone; if known only together with the label, write"
        f' drop = ["b", "{name}"] under [data]'
    )


def test_columns_of_noise_determine_no_label(tmp_path: Path) -> None:
    for rows in (12, 12, 12, 20, 40, 100):
        frame = pd.DataFrame(RNG.normal(size=(rows, 50))).add_prefix("x")
        frame[["c0", "c1"]] = RNG.choice(list("abc"), (rows, 2))
        frame["label"] = RNG.permutation(np.arange(rows) % 4 == 0)
        assert loaded(tmp_path, frame).leaks == ()


def test_a_column_that_says_as_much_as_the_network(tmp_path: Path) -> None:
    (leak,) = loaded(tmp_path, NOISE.assign(twin=FLIPPED, label=LABEL)).leaks
    assert leak.what.startswith("column 'twin' alone predicts about 9")
    assert abs(leak.accuracy - 0.95) < 0.03
    better = study_with(BETTER, compared(BASELINE, BETTER, 0.023, 0.006, 0.04))
    for accuracy, said in ((leak.accuracy, True), (leak.accuracy + 0.02, False)):
        metrics = dataclasses.replace(better.trials[0].metrics, val_accuracy=accuracy)
        trials = tuple(dataclasses.replace(trial, metrics=metrics) for trial in better.trials)
        study = dataclasses.replace(
            better, trials=trials, data={"leaks": [dataclasses.asdict(leak)]}
        )
        assert ("column 'twin'" in card(study).says) == said


def test_few_groups_of_one_label_each(tmp_path: Path) -> None:
    for groups, said in ((12, 1), (40, 0)):
        group = np.arange(ROWS) % groups
        data = loaded(tmp_path, NOISE.assign(who=group, label=group % 2), split={"group": "who"})
        assert [leak.what for leak in data.leaks] == [
            "each of the 12 groups of 'who' has one label"
        ] * said


def test_the_card_has_the_reservation_in_its_first_lines() -> None:
    leak = Leak(
        what="the label is determined by 'x y' alone",
        when="if known",
        key="data.drop",
        value=["x y"],
    )
    better = compared(BASELINE, BETTER, 0.023, 0.006, 0.04)
    study = study_with(BETTER, better, undertrained=("training.epochs",))
    found = card(dataclasses.replace(study, data={"leaks": [dataclasses.asdict(leak)]}), " --here")
    assert found.says.endswith(
        " Reservations: the label is determined by 'x y' alone; the networks are not trained to the"
        " end (see below)."
    )
    assert found.cautions[0] == (
        "The label is determined by 'x y' alone; if known: sweeps run digits --study"
        " digits-repaired --set 'data.drop=[\"x y\"]' --here"
    )
    experiment_file.load("digits", ['data.drop=["x y"]'])


@pytest.mark.usefixtures("tracker_here")
def test_a_leak_is_said_by_new_and_doctor(tmp_path: Path) -> None:
    NOISE.assign(outcome=WORDS, label=LABEL).to_csv(tmp_path / "rows.csv", index=False)
    what = "the label is determined by 'outcome' alone"
    assert command("new", "rows.csv", "--target", "label", cwd=tmp_path).stderr.count(what) == 1
    away = "http://127.0.0.1:9"
    edits = ["training.epochs=1", "sweep.baseline=1"]
    sweeps.run(
        tmp_path / "rows.toml",
        trials=1,
        edits=edits,
        confirm=False,
        workers=1,
        directory=tmp_path,
        tracking_uri=away,
    )
    said = command("doctor", "--tracking-uri", away, cwd=tmp_path).stdout
    assert f"note study rows: {what}\n   -> if known only together with the label: sweeps " in said
