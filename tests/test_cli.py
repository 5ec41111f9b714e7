"""The command line as a new user meets it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import optuna
import pandas as pd
import psutil
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.datasets import load_iris

from experiments import environment, experiment_file
from sweeps.workspace import workspace
from tests.commands import SWEEPS, sweeps, sweeps_process
from tests.servers import answer

NO_TRACKER = "http://127.0.0.1:1"
QUICK = ("--trials", "3", "--set", "training.epochs=2", "--no-confirm")
OURS = ("experiments", "sweeps", "nnreg")
pytestmark = pytest.mark.usefixtures("tracker_here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a user's own table, an experiment file made for it, its study, and packages of
    the user named as ours.
    """
    folder = tmp_path_factory.mktemp("mine")
    for name in OURS:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise RuntimeError('not ours')")
    iris = load_iris(as_frame=True)
    table = iris.frame.assign(
        target=iris.target_names[iris.target], row=[f"flower-{n}" for n in range(150)]
    )
    table.to_csv(folder / "flowers.csv", index=False)
    made = sweeps_process("new", "flowers.csv", "--target", "target", cwd=folder)
    assert "flowers.toml written" in made.stdout
    assert "'row'" in made.stderr  # an id: it is left out, and that is said
    sweeps_process("run", "flowers.toml", "--workers", "2", *QUICK, cwd=folder)
    return folder


@pytest.fixture
def copied(folder: Path, made: Path, tmp_path: Path) -> Path:
    """The same table and study elsewhere, and nothing on MLflow yet."""
    for path in [*folder.glob("flowers.*"), folder / "studies", made]:
        (shutil.copytree if path.is_dir() else shutil.copy)(path, tmp_path / path.name)
    return tmp_path


@pytest.fixture
def empty(made: Path, tmp_path: Path) -> Path:
    """A folder with an empty MLflow database, which saves making it each time."""
    shutil.copy(made, tmp_path)
    return tmp_path


def test_from_a_table_to_a_report(folder: Path) -> None:
    trials = pd.read_csv(folder / "reports" / "flowers" / "trials.csv")
    assert list(trials.trial) == [0, 1, 2]
    assert (folder / "studies" / "flowers.journal").exists()
    assert (folder / "mlflow.db").exists()


def test_status_for_people(folder: Path) -> None:
    lines = sweeps("status", cwd=folder).stdout.splitlines()
    assert lines[1].split()[:3] == ["flowers", "flowers", "3/3"]
    assert lines[1].endswith("all there")


def test_run_for_programs_and_fewer_trials_than_there_are(folder: Path) -> None:
    done = sweeps(
        "run", "flowers.toml", *QUICK, "--trials", "2", "--json", "--keep-sealed", cwd=folder
    )
    assert "flowers holds 3 trials, and 2 were asked for" in done.stderr
    assert "flowers: 3/3 trials" in done.stderr
    assert "begun elsewhere" not in done.stderr
    told = json.loads(done.stdout)
    assert (told["study"], told["complete"], told["mlflow_missing"]) == ("flowers", 3, 0)
    assert set(told["lambdas"]) == {"weight_l1", "weight_l2", "bias_l1", "bias_l2"}
    assert all((folder / path).exists() for path in told["files"])


def test_export_and_report_write_the_same_again(folder: Path, tmp_path: Path) -> None:
    reports = folder / "reports" / "flowers"
    before = {path.name: path.read_bytes() for path in reports.glob("*.csv")}
    sweeps(
        "export",
        "--to",
        str(tmp_path / "out"),
        "--format",
        "csv",
        "--format",
        "parquet",
        cwd=folder,
    )
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.csv")} == before
    assert len(pd.read_parquet(tmp_path / "out" / "trials.parquet")) == 3
    for path in reports.iterdir():
        path.unlink()
    listed = sweeps("report", "flowers", cwd=folder).stdout.splitlines()
    assert listed == [
        f"reports/flowers/{name}"
        for name in ("trials.csv", "history.csv", "lambdas.csv", "summary.csv", "report.html")
    ]
    assert {path.name: path.read_bytes() for path in reports.glob("*.csv")} == before


def test_sync_makes_a_deleted_mlflow_again(folder: Path) -> None:
    for path in folder.glob("mlflow.db*"):  # this process has it open: its log is there still
        path.unlink()
    assert json.loads(sweeps("status", "--json", cwd=folder).stdout)[0]["mlflow_missing"] == 3
    assert sweeps("sync", cwd=folder).stdout.startswith("3 of 3 runs written")


def test_the_page_opens_and_closes(folder: Path) -> None:
    with subprocess.Popen(
        [SWEEPS, "ui", "--no-browser"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            links = dict(process.stdout.readline().split() for _ in range(5))
            assert list(links) == ["trials", "charts", "curves", "plain", "study"]
            link = links["trials"]
            assert re.fullmatch(
                r"http://127\.0\.0\.1:\d+/#/experiments/\d+/runs\?.*viewStateShareKey=.*", link
            )
            assert answer(link.split("#")[0].rstrip("/"), "/health") == "OK"
            family = psutil.Process(process.pid).children(recursive=True)
            assert len(family) == 2  # MLflow's command and one worker
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
            assert psutil.wait_procs(family, timeout=0)[1] == []
        finally:
            process.terminate()  # where one of these did not hold
    with pytest.raises(OSError, match="refused"):
        answer(link.split("#")[0].rstrip("/"), "/health")


def test_without_an_experiment_both_kinds_are_listed(folder: Path) -> None:
    done = sweeps("run", cwd=folder, status=2)
    assert "digits_noisy" in done.stderr
    assert "flowers.toml" in done.stderr


def test_a_study_must_be_named_where_there_are_two(tmp_path: Path) -> None:
    for name in ("one", "two"):
        workspace(tmp_path, str(tmp_path / "both.journal")).open(
            name, experiment_file.load("iris")
        ).close()
    assert (
        "2 studies; name one of one, two"
        in sweeps("export", "--storage", "both.journal", cwd=tmp_path, status=2).stderr
    )
    assert (
        "did you mean 'two'"
        in sweeps("export", "tow", "--storage", "both.journal", cwd=tmp_path, status=2).stderr
    )
    assert (
        len(
            sweeps(
                "status", "--storage", "both.journal", "--tracking-uri", NO_TRACKER, cwd=tmp_path
            ).stdout.splitlines()
        )
        == 3
    )


def test_a_study_continued_on_another_processor_goes_on_and_says_so(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = f"study flowers was begun elsewhere (cpu: {environment.cpu()} -> "
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", environment.cpu())  # read when NumPy is imported
    done = sweeps_process("run", "flowers.toml", *QUICK, "--trials", "4", cwd=copied)
    assert here in done.stderr
    assert here in sweeps_process("doctor", cwd=copied).stdout


def test_a_database_of_optuna_keeps_studies_too(empty: Path) -> None:
    asked = ("run", "iris", "--storage", "sqlite:///studies.db", *QUICK)
    sweeps(*asked, cwd=empty)
    done = sweeps(*asked, "--trials", "5", cwd=empty)
    assert "sqlite:///studies.db" in done.stdout
    assert not (empty / "studies").exists()
    assert len(pd.read_csv(empty / "reports" / "iris" / "trials.csv")) == 5


def test_folders_of_the_user_with_our_names_do_not_matter(folder: Path) -> None:
    assert {path.parent.name for path in folder.glob("*/__init__.py")} == set(OURS)
    assert (
        folder / "reports" / "flowers" / "trials.csv"
    ).exists()  # the run had workers; the page is opened there too
    sweeps_process("doctor", cwd=folder)


@pytest.mark.parametrize("name", ["nnreg", "experiments"])
def test_modules_that_are_not_ours_are_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [SWEEPS, "doctor"], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 1
    assert f"the module {name} is not ours, it comes from {tmp_path}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_api_in_a_script_without_a_main_guard(empty: Path) -> None:
    script = empty / "script.py"
    script.write_text(
        textwrap.dedent("""
        import logging, optuna
        def settings():
            loggers = [logging.getLogger(), *(logging.getLogger(name) for name in ("optuna", "mlflow.store.db.utils"))]
            return [(logger.level, *logger.handlers, *logger.filters) for logger in loggers]
        before = settings()
        import sweeps
        sweep = sweeps.run("iris", trials=4, edits=["training.epochs=2"], workers=2, confirm=False)
        print(len(sweep.trials), len(sweep.history), sweep.best.trial, sweep.study.study_name, sweep.best.val_accuracy)
        assert settings() == before  # of logging; and what Optuna tells somebody else it still tells
        optuna.create_study(study_name="mine")
    """)
    )
    done = subprocess.run(
        [sys.executable, script], cwd=empty, capture_output=True, text=True, check=True
    )
    trials, rows, best, name, accuracy = done.stdout.split()
    assert (trials, rows, name) == ("4", "8", "iris")
    assert re.fullmatch(r"\[I .*] A new study created in memory with name: mine\n", done.stderr)
    assert pd.read_csv(empty / "reports" / "iris" / "trials.csv").val_accuracy[int(best)] == float(
        accuracy
    )


@pytest.mark.parametrize(
    "command",
    ["run", "confirm", "status", "report", "export", "sync", "ui", "new", "doctor", "predict"],
)
def test_every_command_has_help_with_an_example(command: str, tmp_path: Path) -> None:
    shown = sweeps_process(command, "--help", cwd=tmp_path).stdout
    assert f"Example: sweeps {command}" in " ".join(shown.split())


def test_mlflow_that_is_not_there_does_not_stop_the_search(tmp_path: Path) -> None:
    done = sweeps("run", "iris", "-v", "--tracking-uri", NO_TRACKER, *QUICK, cwd=tmp_path)
    assert f"\nsweeps: MLflow at {NO_TRACKER} does not answer; " in done.stderr
    assert "\nsweeps: not on MLflow: 3 trials; write what is missing with: sweeps sync" in done.stderr
    assert "sweeps.search.driver: generation 0: 3 trials to evaluate, 0 recorded" in done.stderr
    assert re.search(
        r"experiments.tracking.writer: trial \d is not written: .* does not answer.* trying again"
        r" in 0.5 s",
        done.stderr,
    )
    assert len(pd.read_csv(tmp_path / "reports" / "iris" / "trials.csv")) == 3


def test_trials_of_others_in_the_study_are_said(copied: Path) -> None:
    storage = JournalStorage(JournalFileBackend(str(copied / "studies" / "flowers.journal")))
    optuna.load_study(study_name="flowers", storage=storage).ask()
    done = sweeps("run", "flowers.toml", *QUICK, cwd=copied)
    assert "that sweeps did not make: 1." in done.stdout
