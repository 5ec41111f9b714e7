"""The command line as a new user meets it."""

import json
import os
import re
import shutil
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

import sweeps as package
from experiments import environment, experiment_file
from sweeps.workspace import workspace
from tests.commands import SWEEPS, sweeps, sweeps_process
from tests.servers import answer, free_port

NO_TRACKER = "http://127.0.0.1:1"
QUICK = ("--trials", "3", "--set", "training.epochs=2", "--no-confirm")
OURS = ("experiments", "sweeps", "nnreg")
pytestmark = pytest.mark.usefixtures("tracker_here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Path:
    """A folder with a user's own table, an experiment file made for it, its study, and packages of
    the user named as ours, which do not matter.
    """
    folder = tmp_path_factory.mktemp("mine")
    shutil.copy(made, folder)
    for name in OURS:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise RuntimeError('not ours')")
    iris = load_iris(as_frame=True)
    labels, rows = iris.target_names[iris.target], [f"flower-{number}" for number in range(150)]
    iris.frame.assign(target=labels, row=rows).to_csv(folder / "flowers.csv", index=False)
    written = sweeps("new", "flowers.csv", "--target", "target", cwd=folder)
    assert "flowers.toml written" in written.stdout
    assert "'row'" in written.stderr  # an id: it is left out, and that is said
    sweeps("run", "flowers.toml", "--workers", "2", *QUICK, cwd=folder)
    return folder


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """The same table and study elsewhere."""
    shutil.copytree(folder, tmp_path / "copied", ignore=shutil.ignore_patterns("mlflow.db?*"))
    return tmp_path / "copied"


def test_from_a_table_to_a_report(folder: Path) -> None:
    assert list(pd.read_csv(folder / "reports" / "flowers" / "trials.csv").trial) == [0, 1, 2]
    assert (folder / "studies" / "flowers.journal").exists()
    _, line = sweeps("status", cwd=folder).stdout.splitlines()
    assert line.split()[:3] == ["flowers", "flowers", "3/3"]
    assert line.endswith("all there")


def test_run_for_programs_and_fewer_trials_than_there_are(folder: Path) -> None:
    asked = ("run", "flowers.toml", *QUICK, "--trials", "2", "--json", "--keep-sealed")
    done = sweeps(*asked, cwd=folder)
    assert "flowers has 3 trials, and 2 were asked for" in done.stderr
    assert "begun elsewhere" not in done.stderr
    told = json.loads(done.stdout)
    assert (told["study"], told["complete"], told["mlflow_missing"]) == ("flowers", 3, 0)
    assert set(told["lambdas"]) == {"weight_l1", "weight_l2", "bias_l1", "bias_l2"}
    trials = pd.read_csv(folder / "reports" / "flowers" / "trials.csv")
    assert told["learning_rate"] == trials.learning_rate[told["best_trial"]]
    assert all((folder / path).exists() for path in told["files"])


def test_export_and_report_write_the_same_again(folder: Path, tmp_path: Path) -> None:
    reports = folder / "reports" / "flowers"
    before = {path.name: path.read_bytes() for path in reports.glob("*.csv")}
    formats = ("--format", "csv", "--format", "parquet")
    sweeps("export", "--to", str(tmp_path / "out"), *formats, cwd=folder)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.csv")} == before
    assert len(pd.read_parquet(tmp_path / "out" / "trials.parquet")) == 3
    for path in reports.iterdir():
        path.unlink()
    tables = ("trials", "top", "history", "lambdas", "ranges", "summary")
    names = [*(f"{table}.csv" for table in tables), "report.html"]
    listed = sweeps("report", "flowers", cwd=folder).stdout.splitlines()
    assert listed == [f"reports/flowers/{name}" for name in names]
    assert {path.name: path.read_bytes() for path in reports.glob("*.csv")} == before


def test_the_page_opens_and_ends_with_the_command(folder: Path) -> None:
    """However that ends: here by SIGKILL."""
    command = [SWEEPS, "ui", "--no-browser", "--port", str(port := free_port())]
    with subprocess.Popen(command, cwd=folder, stdout=-1, text=True) as process:
        try:
            assert process.stdout
            links = dict(process.stdout.readline().split() for _ in range(5))
            assert list(links) == ["trials", "charts", "curves", "plain", "study"]
            page = rf"http://127\.0\.0\.1:{port}/#/experiments/\d+/runs\?.*viewStateShareKey=.*"
            assert re.fullmatch(page, links["trials"])
            assert answer(f"http://127.0.0.1:{port}", "/health") == "OK"
            family = psutil.Process(process.pid).children(recursive=True)
            assert len(family) == 2  # light: MLflow's command and one worker
            sockets = [one for member in family for one in member.net_connections()]
            listening = {one.laddr for one in sockets if one.status == psutil.CONN_LISTEN}
            assert listening == {("127.0.0.1", port)}  # on this machine alone
        finally:
            process.kill()
    assert psutil.wait_procs(family, timeout=20)[1] == []


def test_without_an_experiment_both_kinds_are_listed(folder: Path) -> None:
    done = sweeps("run", cwd=folder, status=2)
    assert "digits_noisy" in done.stderr
    assert "flowers.toml" in done.stderr


def test_a_study_must_be_named_if_there_are_two(tmp_path: Path) -> None:
    place = workspace(tmp_path, str(tmp_path / "both.journal"))
    for name in ("one", "two"):
        place.open(name, experiment_file.load("iris")).close()
    both = ("--storage", "both.journal")
    error = sweeps("export", *both, cwd=tmp_path, status=2).stderr
    assert "2 studies; name one of one, two" in error
    assert "did you mean 'two'" in sweeps("export", "tow", *both, cwd=tmp_path, status=2).stderr
    lines = sweeps("status", *both, "--tracking-uri", NO_TRACKER, cwd=tmp_path).stdout.splitlines()
    assert len(lines) == 3


def test_a_study_continued_on_another_processor_goes_on_and_says_so(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", environment.cpu())  # read when NumPy is imported
    asked = ("run", "flowers.toml", *QUICK, "--trials", "4", "--workers", "1")
    done = sweeps_process(*asked, cwd=copied)
    assert f"study flowers was begun elsewhere (cpu: {environment.cpu()} -> " in done.stderr


def test_trials_of_others_in_the_study_are_counted_apart(copied: Path) -> None:
    storage = JournalStorage(JournalFileBackend(str(copied / "studies" / "flowers.journal")))
    optuna.load_study(study_name="flowers", storage=storage).ask()
    done = sweeps("run", "flowers.toml", *QUICK, cwd=copied)
    assert "Trials that sweeps did not create: 1." in done.stdout


def test_an_mlflow_that_is_not_there_does_not_stop_the_search(tmp_path: Path) -> None:
    """With the study in a database of Optuna's."""
    places = ("--tracking-uri", NO_TRACKER, "--storage", "sqlite:///studies.db")
    done = sweeps("run", "iris", "-v", *places, *QUICK, cwd=tmp_path)
    assert f"\nsweeps: MLflow at {NO_TRACKER} does not answer; " in done.stderr
    assert "\nsweeps: not on MLflow: 3 trials; write what is missing with: sweeps" in done.stderr
    assert "sweeps.search.driver: generation 0: 3 trials to evaluate, 0 recorded" in done.stderr
    assert "sqlite:///studies.db" in done.stdout
    assert not (tmp_path / "studies").exists()
    assert len(pd.read_csv(tmp_path / "reports" / "iris" / "trials.csv")) == 3


def test_what_hides_our_modules_is_named(tmp_path: Path) -> None:
    """As a folder of PYTHONPATH, and as the folder of a user's script."""
    (tmp_path / "script.py").write_text("import sweeps; sweeps.run('iris')")
    here = {**os.environ, "PYTHONPATH": str(tmp_path)}
    script = [sys.executable, str(tmp_path / "script.py")]
    for name, command, environ in (
        ("nnreg", [SWEEPS, "doctor"], here),
        ("experiments", script, None),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
        assert done.returncode == 1
        last = done.stderr.splitlines()[-1]
        hidden = f"{tmp_path / name / '__init__.py'} is found for the module {name}, in place"
        assert re.fullmatch(f"(sweeps|ImportError): {re.escape(hidden)}.*; rename it, .*", last)
        shutil.rmtree(tmp_path / name)


def test_the_api_in_a_script_without_a_main_guard(made: Path, tmp_path: Path) -> None:
    shutil.copy(made, tmp_path)
    (tmp_path / "script.py").write_text(
        textwrap.dedent("""
        import logging, optuna
        def settings():
            loggers = map(logging.getLogger, (None, "optuna", "mlflow.store.db.utils"))
            return [(logger.level, *logger.handlers, *logger.filters) for logger in loggers]
        before = settings()
        import sweeps
        edits = ["training.epochs=2"]
        sweep = sweeps.run("iris", trials=4, edits=edits, workers=2, confirm=False)
        print(len(sweep.trials), len(sweep.history), sweep.study.study_name)
        assert settings() == before  # what Optuna logs for somebody else it still logs
        optuna.create_study(study_name="mine")
    """)
    )
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "4 8 iris\n"
    assert re.fullmatch(r"\[I .*] A new study created in memory with name: mine\n", done.stderr)


def test_every_command_has_help_with_an_example_in_the_order_of_use(tmp_path: Path) -> None:
    commands = re.findall(r"^│ (\w[\w-]*) ", sweeps("--help", cwd=tmp_path).stdout, re.MULTILINE)
    expected = "run confirm predict status compare report export sync ui new new-model doctor"
    assert " ".join(commands) == expected
    for command in commands:
        shown = sweeps(command, "--help", cwd=tmp_path).stdout
        assert f"Example: sweeps {command}" in " ".join(shown.split())
    assert sweeps("--version", cwd=tmp_path).stdout == f"sweeps {package.__version__}\n"
