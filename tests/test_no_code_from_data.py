"""No code from data: nothing is unpickled or evaluated, no formula reaches a spreadsheet, no name
leaves its folder.
"""

import ast
import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
import pytest

from experiments import datasets, experiment_file
from experiments.data_section import Data
from experiments.errors import DataError, InputError
from experiments.names import valid_name
from experiments.records import FAIL
from experiments.reports import files
from sweeps.search.birth import BIRTH
from sweeps.workspace import workspace
from tests.studies import make_study, make_trial
from tests.sweeps.search.trials import experiment, grow, opened
from tests.test_house import FILES, ROOT

RUN_CODE = {"eval", "exec", "compile", "__import__", "read_pickle", "to_pickle"}
UNPICKLE = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "yaml"}
# Workers are sent calls, and a user's own function, by who may run anything there; nothing of it is
# stored.
CARRIES = {
    ROOT / file
    for file in ("sweeps/executors/cluster.py", "experiments/network.py", "experiments/loading.py")
}
EVIL = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", "''=1"),
    "＝1",  # full-width  # noqa: RUF001
]
FINE = ["", "digits", "a=b", "'quoted'", "1-2", " -"]


def offences(path: Path) -> Iterator[str]:
    """What in a file could run code from data."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
            if path not in CARRIES:
                yield from {name.split(".")[0] for name in names} & UNPICKLE
        elif isinstance(node, ast.Call):
            call = ast.unparse(node.func)
            yield from {call.rpartition(".")[2]} & RUN_CODE - (
                {"compile"} if "." in call else set()
            )
            plain = any(ast.unparse(word) == "allow_pickle=False" for word in node.keywords)
            if call.startswith(("np.load", "np.save")) and not plain:
                yield call


def test_nothing_that_runs_code_from_data_is_called() -> None:
    assert {path: found for path in FILES if (found := list(offences(path)))} == {}


class Payload:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_an_npz_with_a_pickle_in_it_is_refused_and_not_run(tmp_path: Path) -> None:
    payload = np.array([Payload(tmp_path / "run")] * 40)
    np.savez(tmp_path / "rows.npz", X=np.ones((40, 2)), y=payload)
    with pytest.raises(DataError, match="could run code"):
        datasets.load(Data(source=str(tmp_path / "rows.npz")))
    assert not (tmp_path / "run").exists()


def test_no_study_keeps_a_pickle(tmp_path: Path) -> None:
    """CMA-ES is the sampler that would: Optuna keeps its state pickled in a trial's system
    attributes, and unpickles it.
    """
    study = opened(tmp_path / "s.journal", experiment("sweep.sampler=cmaes", "sweep.generation=4"))
    grow(study, 9)
    attributes = {key for trial in study.optuna.trials for key in trial.system_attrs}
    assert attributes == {"sweeps:result"}  # ours, compressed JSON
    study.close()


def test_a_text_that_a_spreadsheet_would_run_gets_a_quote_and_a_number_none(tmp_path: Path) -> None:
    trials = [
        make_trial(number, state=FAIL, error=text, seconds=-0.5)
        for number, text in enumerate(EVIL + FINE)
    ]
    files.export(dataclasses.replace(make_study(), trials=tuple(trials)), tmp_path)
    with (tmp_path / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [*(f"'{text}".replace("\r", "\n") for text in EVIL), *FINE]
    assert [(row["error"], row["seconds"]) for row in rows] == [(text, "-0.5") for text in texts]


CLIMBING = [
    *("..", "../up", "a/b", "/etc/x", "a\\b", "C:x", ".hidden", "~", "a\0b", "a\nb", "x ", "x."),
    *("-x", "=x", "\u202ex"),
]
# A ligature, full-width, decomposed, a fraction, the sign of kelvin.
SPELLINGS = ["ﬁt", "Ａ", "e\u0301", "½", "\u212a"]  # noqa: RUF001


def test_a_name_that_is_not_safe_everywhere_is_refused() -> None:
    for name in [*CLIMBING, *SPELLINGS, "", "x" * 201, "\U00020000" * 100]:
        with pytest.raises(ValueError, match=r"."):
            valid_name(name)
    for name in ["digits", "Größe 1.0", "a+b-c_d", "1", "数字", "console", "x" * 100]:
        assert valid_name(name) == name


def test_a_study_that_others_named_to_leave_the_folder_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    study = optuna.create_study(study_name="../../out", storage=url)
    study.set_user_attr(BIRTH, {"study_uid": "1"})
    place = workspace(tmp_path / "deep" / "er", url)
    with pytest.raises(InputError, match="no slash"):
        place.record(place.choose("../../out"))


def test_two_names_that_differ_in_capitals_alone_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "digits.journal").touch()
    (tmp_path / "reports" / "Wine").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    database = f"sqlite:///{tmp_path}/studies.db"
    for name, other, storage in (("Digits", "digits", None), ("wine", "Wine", database)):
        with pytest.raises(InputError, match=f"{other} is there already"):
            workspace(tmp_path, storage).open(name, experiment_file.load("iris"))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_in_the_place_of_a_report_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "trials.csv").symlink_to(tmp_path / "mine")
    files.export(make_study(), tmp_path / "reports")
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "reports" / "trials.csv").is_symlink()
