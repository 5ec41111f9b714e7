"""What differs between a study, MLflow and the tables is found, and its remedy is right. A real
sweep, and real commands.
"""

import dataclasses
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient

import sweeps
from experiments.tracking import Runs
from experiments.tracking.plan import setting_plans
from sweeps import publish
from sweeps.checkup import agreement
from sweeps.checkup.agreement import FINE, NOTE, WRONG
from sweeps.checkup.doctor import examine as doctor_of_all
from sweeps.checkup.status import statuses
from sweeps.cli import output
from sweeps.workspace import workspace
from tests.commands import sweeps as command
from tests.mlflow_reading import everything
from tests.own import EDITS as OWN_EDITS
from tests.own import NETWORK, write_experiment
from tests.servers import free_port

pytestmark = pytest.mark.usefixtures("tracker_here")
EDITS = ["training.epochs=2", "sweep.baseline=2", "confirm.seeds=2", "confirm.top=2"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, made: Path) -> sweeps.Sweep:
    folder = tmp_path_factory.mktemp("swept")
    shutil.copy(made, folder)
    return sweeps.run("iris", trials=5, edits=EDITS, workers=1, directory=folder)


def doctor(folder: Path, status: int) -> list[str]:
    """What the doctor says of the study; `status` is 1 if something is wrong."""
    place = workspace(folder)
    findings = list(agreement.examine(place, place.record("iris"), {}))
    assert any(finding.level == WRONG for finding in findings) == bool(status)
    remedies = ("correct it with: sweeps", "write it again with: sweeps")
    assert all(finding.remedy.startswith(remedies) for finding in findings[1:]), findings
    return [finding.what.removeprefix("study iris: ") for finding in findings]


def damage_runs(client: MlflowClient, ids: dict[int, str]) -> tuple[str, str, list[str]]:
    """Do to MLflow what people do: delete, change, duplicate. Return the run of no trial, the one
    that is there twice, and the names of two runs of the confirmation.
    """
    experiment_id, tags = (run := client.get_run(ids[3])).info.experiment_id, dict(run.data.tags)
    client.delete_run(ids[0])
    client.update_run(ids[1], "RUNNING")
    client.log_metric(ids[2], "val_accuracy", 0.25, step=7)
    double = client.create_run(experiment_id, tags=tags).info.run_id
    stray = client.create_run(experiment_id, tags=tags | {"trial": "99"}).info.run_id
    client.set_tag(ids[4], "my own", "stays")  # no difference
    deleted, changed = client.search_runs([experiment_id], "tags.kind = 'confirm'")[:2]
    client.delete_run(deleted.info.run_id)
    client.set_tag(changed.info.run_id, "roles", "loser")
    client.delete_registered_model_alias("iris", "best")
    return stray, double, [str(run.info.run_name) for run in (deleted, changed)]


def damage_tables(reports: Path) -> None:
    trials = pd.read_csv(reports / "trials.csv", dtype=str, keep_default_na=False)
    trials.loc[1, "val_accuracy"] = "0.5"
    trials.drop(index=2).to_csv(reports / "trials.csv", index=False)
    history = (reports / "history.csv").read_text()
    more = f"{history.splitlines()[-1]}\niris,17,1,0,0,0,0,0\n"
    (reports / "history.csv").write_text(history + more)
    rows = (reports / "confirm.csv").read_text().splitlines()
    (reports / "confirm.csv").write_text("\n".join([*rows[:-2], f"{rows[-1]}x"]))


def test_every_difference_is_found_and_put_right(swept: sweeps.Sweep) -> None:
    folder, ids = swept.workspace.directory, swept.runs.ids
    settings, confirmed = len(setting_plans(swept.record)), len(swept.confirmation)
    counts = (
        f"5 of 5 trials, 5 runs on MLflow, {settings} confirmation runs on MLflow,"
        f" 5 rows in trials.csv, 10 rows in history.csv, {confirmed} rows in confirm.csv"
    )
    assert doctor(folder, 0) == [counts]
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    stray, double, (deleted, changed) = damage_runs(client, ids)
    damage_tables(folder / "reports" / "iris")
    found = doctor(folder, 1)
    for words in (
        "5 of 5 trials, 6 runs on MLflow",
        "not on MLflow: 1 trial (0)",
        f"not on MLflow: 1 confirmation run ({deleted})",
        f"trial 99 is not in the study, and has 1 run: {stray}",
        f"trial 3 has 2 runs: {', '.join(sorted([ids[3], double]))}",
        "the run of trial 1 differs in status",
        "the run of trial 2 differs in metric val_accuracy",
        f"the run of {changed} differs in tag roles",
        "trials.csv differs from the study (trial 1-2)",  # one changed, one missing
        "history.csv differs from the study (trial 4, 17)",  # one twice, one of no trial
        "no version of the model iris is called best",
        "confirm.csv differs from the study (role reference:gradient_boosting, reference:logistic_",
    ):
        assert any(what.startswith(words) for what in found), (words, found)
    assert len(found) == 12
    assert command("doctor", "iris", cwd=folder, status=1).stdout.count("WRONG") == 11
    done = publish.sync(workspace(folder), "iris")
    assert (done.runs.trials, done.runs.settings) == (3, 2)
    assert doctor(folder, 0) == [counts]  # sync writes the tables again too: two run ids are new
    assert client.get_run(ids[4]).data.tags["my own"] == "stays"
    client.delete_tag(ids[4], "my own")

    (folder / "reports" / "iris" / "history.csv").write_bytes(b"\xff\xfe")
    (folder / "reports" / "iris" / "trials.csv").unlink()
    gone = [what.partition(", or")[0] for what in doctor(folder, 1)[1:]]
    assert gone == ["there is no trials.csv", "there is no history.csv"]
    command("export", cwd=folder)
    assert doctor(folder, 0) == [counts]


def test_a_parameter_and_a_curve_of_an_own_network_are_compared_too(tmp_path: Path) -> None:
    """Also of one that cannot be kept as a model, with trials that were pruned."""
    unkept = NETWORK.replace("def load(", "def other(")
    file = write_experiment(tmp_path, unkept, "parameters = { hidden = { low = 4, high = 9 } }")
    edits = [*OWN_EDITS, "sweep.pruner=median"]
    swept = sweeps.run(file, trials=20, edits=edits, workers=1, directory=tmp_path)
    place = workspace(tmp_path)
    (status,), _ = statuses(place, "mine")
    pruned = sum(swept.trials.state == "PRUNED")
    assert 0 < pruned == status["pruned"]
    assert (status["complete"], status["mlflow_missing"]) == (20 - pruned, 0)

    def found() -> list[str]:
        findings = agreement.examine(place, place.record("mine"), {})
        return [one.what for one in findings if one.level != FINE]

    assert found() == []
    nowhere = f"tcp://127.0.0.1:{free_port()}"  # nothing is trained again
    assert sweeps.confirm("mine", directory=tmp_path, cluster=nowhere).verdict == swept.verdict
    for name, column in (("trials", "parameter_hidden"), ("history", "weights/size")):
        path = tmp_path / "reports" / "mine" / f"{name}.csv"
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        table.loc[2, column] = "77"
        table.to_csv(path, index=False)
    assert found() == [
        "study mine: trials.csv differs from the study (trial 2)",
        "study mine: history.csv differs from the study (trial 0)",
    ]


@pytest.mark.parametrize("command", ["status", "export"])
def test_a_look_needs_neither_mlflow_nor_scikit_learn(swept: sweeps.Sweep, command: str) -> None:
    """Both take seconds to import, here or in a process of MLflow's."""
    program = (
        "import atexit, resource, sys; from sweeps.cli import main;"
        " children = lambda: resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss;"
        " atexit.register(lambda: print('loaded', children(), *sys.modules)); main()"
    )
    there = [sys.executable, "-c", program, command]
    done = subprocess.run(
        there, cwd=swept.workspace.directory, capture_output=True, text=True, check=True
    )
    said, _, loaded = done.stdout.partition("loaded ")
    assert "all there" in said or "trials.csv" in said
    children, *modules = loaded.split()
    assert children == "0"
    assert not {"mlflow", "sklearn", "sqlalchemy", "scipy"} & set(modules)


def test_networks_that_are_not_trained_to_the_end_are_a_note(swept: sweeps.Sweep) -> None:
    folder = swept.workspace.directory
    (finding,) = [
        one for one in doctor_of_all(workspace(folder)) if "trained to the end" in one.what
    ]
    assert finding.level == NOTE
    assert "most are best at the last epoch (training.epochs = 2)" in finding.what
    further = "train them further with: sweeps run iris --study iris-further"
    assert finding.remedy.startswith(f"{further} --set training.epochs=4")
    assert finding.remedy.endswith(workspace(folder).options())


def test_sync_makes_a_deleted_mlflow_again_and_then_nothing(
    swept: sweeps.Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "copy"
    for part in ("studies", "reports"):
        shutil.copytree(swept.workspace.directory / part, folder / part)
    place = workspace(folder)
    artifacts = list((folder / "reports/iris").iterdir())
    settings = len(setting_plans(swept.record))
    output.print_synced(publish.sync(place, "iris"))
    assert capsys.readouterr().out.splitlines() == [
        "5 of 5 runs written",
        f"{settings} of {settings} confirmation runs written",
        f"{len(artifacts)} files kept with the study's run",
        "the model registered",
    ]
    output.print_synced(publish.sync(place, "iris"))
    assert capsys.readouterr().out == "nothing to do: all runs are there\n"
    assert everything(place.store("iris")) == everything(swept.workspace.store("iris"))

    (folder / "reports" / "iris" / "model.npz").unlink()
    _, finding = agreement.examine(place, place.record("iris"), {})
    assert finding.what == "study iris: the model of its verdict is not in its reports"
    assert finding.remedy.startswith("rebuild it with: sweeps confirm iris")
    assert sweeps.confirm(directory=folder, workers=1).model
    assert doctor(folder, 0)[1:] == []


def test_an_mlflow_that_does_not_answer_is_reported_and_asked_once(
    swept: sweeps.Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record, settings = swept.record, len(setting_plans(swept.record))
    place = workspace(tmp_path, tracking_uri=f"http://127.0.0.1:{free_port()}")
    tracker, waiting = place.tracker(record), list[int]()
    runs, files = publish.write_all(place, record, tracker, Runs(swept.runs.ids), waiting.append)
    assert (waiting, runs.ids, runs.unconfirmed) == ([], swept.runs.ids, settings)
    assert {path.name for path in files} > {"trials.csv", "confirm.csv", "report.html"}
    output.say_unwritten(dataclasses.replace(swept, workspace=place, runs=runs))
    missing, remedy = (
        f"{settings} confirmation runs",
        "write what is missing with: sweeps sync iris",
    )
    assert f"not on MLflow: {missing}; {remedy}" in capsys.readouterr().err


def test_a_broken_mlflow_is_named_and_made_again_with_all_studies(
    swept: sweeps.Sweep, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    for part in ("studies", "reports"):
        shutil.copytree(swept.workspace.directory / part, folder / part)
    # Elsewhere: MLflow in this process would keep the file open that is renamed below.
    where: dict[str, Any] = {"directory": folder, "tracking_uri": f"sqlite:///{tmp_path}/other.db"}
    sweeps.run("iris", study="two", trials=2, edits=EDITS, confirm=False, workers=1, **where)
    records = (folder / "studies" / "iris.journal").read_bytes()
    damaged = records.replace(b'"op_code":3', b'"op_code":99')
    (folder / "studies" / "bad.journal").write_bytes(damaged)
    (database := folder / "mlflow.db").write_bytes(b"no database" * 99)
    said = command("doctor", cwd=folder, status=1).stdout
    assert said.count("is broken (file is not a database)") == 2
    assert "sweeps sync --fresh" in said
    with workspace(folder).locked("two"):  # nothing happens while one has a driver
        command("sync", "--fresh", cwd=folder, status=1)
    elsewhere = command("sync", "--fresh", "--tracking-uri=sqlite:///x.db", cwd=folder, status=2)
    assert "x.db, not in the directory's own mlflow.db" in elsewhere.stderr
    assert database.read_bytes() == b"no database" * 99

    (folder / "mlflow.db-wal").write_bytes(b"its log")
    done = command("sync", "--fresh", cwd=folder, status=1)  # it passes over the broken study
    assert "kept in mlflow-old-1.db" in done.stdout
    assert "sweeps: study bad: " in done.stderr
    assert (folder / "mlflow-old-1.db").read_bytes() == b"no database" * 99
    assert (folder / "mlflow-old-1.db-wal").read_bytes() == b"its log"
    (wrong,) = re.findall("^WRONG .*", command("doctor", cwd=folder, status=1).stdout, re.M)
    assert "bad.journal" in wrong


def test_a_moved_directory_is_found_and_put_right(swept: sweeps.Sweep, tmp_path: Path) -> None:
    swept.workspace.directory.rename(tmp_path / "moved")
    (what,) = [what for what in doctor(tmp_path / "moved", 1) if "artifacts" in what]
    assert str(swept.workspace.directory) in what
    command("sync", cwd=tmp_path / "moved")
    assert len(doctor(tmp_path / "moved", 0)) == 1
    assert not swept.workspace.directory.exists()
