"""What differs between a study, MLflow and the files is found, and its remedy is right. A real
sweep, and real commands.
"""

import dataclasses
import shutil
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

import sweeps
from experiments.tracking import Outcome, TrackerProcess
from sweeps import projection
from sweeps.checkup import agreement
from sweeps.checkup.agreement import _ranges
from sweeps.checkup.findings import WRONG
from sweeps.cli import output
from sweeps.workspace import workspace
from tests.commands import sweeps as command
from tests.mlflow_reading import everything
from tests.servers import free_port

pytestmark = pytest.mark.usefixtures("tracker_here")
EDITS = ["training.epochs=2", "confirm.seeds=2", "confirm.top=2"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, made: Path) -> sweeps.Sweep:
    folder = tmp_path_factory.mktemp("swept")
    shutil.copy(made, folder)
    return sweeps.run("iris", trials=5, edits=EDITS, workers=1, directory=folder)


def doctor(folder: Path, status: int) -> list[str]:
    """What the doctor says of the study itself; `status` is 1 where something is wrong."""
    findings = list(agreement.examine(workspace(folder), "iris", set()))
    assert any(finding.level == WRONG for finding in findings) == bool(status)
    assert all(
        finding.remedy.startswith(("put it right with: sweeps", "write it again with: sweeps"))
        for finding in findings[1:]
    ), findings
    return [finding.what.removeprefix("study iris: ") for finding in findings]


def test_all_is_counted_and_agrees_then_all_that_was_done_to_it_is_found_and_put_right(
    swept: sweeps.Sweep,
) -> None:
    folder, ids = swept.workspace.directory, swept.runs.ids
    networks, confirmed = len(swept.record.confirmed), len(swept.confirmation)
    there = f"{networks} runs of the confirmation there"
    counts = (
        f"5 of 5 trials, 5 runs on MLflow, {there}, 5 rows in trials.csv, 10 rows in history.csv,"
        f" {confirmed} rows in confirm.csv"
    )
    assert doctor(folder, 0) == [counts]
    nothing = projection.Synced(
        trials=5,
        written=0,
        networks=networks,
        confirmed=0,
        study=False,
        deleted=0,
        kept=0,
        model=False,
    )
    assert (
        projection.sync(workspace(folder), "iris") == nothing
    )  # the sweep itself had everything kept

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    client.delete_run(ids[0])
    client.update_run(ids[1], "RUNNING")
    client.log_metric(ids[2], "val_accuracy", 0.25, step=7)
    double = client.create_run(
        client.get_run(ids[3]).info.experiment_id, tags=dict(client.get_run(ids[3]).data.tags)
    ).info.run_id
    tags = {**client.get_run(ids[3]).data.tags, "trial": "99"}
    stray = client.create_run(client.get_run(ids[3]).info.experiment_id, tags=tags).info.run_id
    client.set_tag(ids[4], "my own", "stays")  # and is no difference
    network, other = confirm_runs(client, ids[4])[:2]
    client.delete_run(network.info.run_id)
    client.set_tag(other.info.run_id, "roles", "loser")
    reports = folder / "reports" / "iris"
    trials = pd.read_csv(reports / "trials.csv", dtype=str, keep_default_na=False)
    trials.loc[1, "val_accuracy"] = "0.5"
    trials.drop(index=2).to_csv(reports / "trials.csv", index=False)
    history = (reports / "history.csv").read_text()
    (reports / "history.csv").write_text(
        f"{history}{history.splitlines()[-1]}\niris,17,1,0,0,0,0,0\n"
    )
    baselines = (reports / "confirm.csv").read_text().splitlines()
    (reports / "confirm.csv").write_text("\n".join([*baselines[:-2], baselines[-1] + "x"]))

    accuracy = swept.record.trials[2].val_accuracy
    assert doctor(folder, 1) == [
        (
            f"5 of 5 trials, 6 runs on MLflow, {networks - 1} runs of the confirmation there, 4"
            f" rows in trials.csv, 12 rows in history.csv, {confirmed - 1} rows in confirm.csv"
        ),
        "1 trial is not on MLflow: 0",
        f"1 run of the confirmation is not on MLflow: {network.info.run_name}",
        f"trial 99 is not in the study, and has a run: {stray}",
        f"trial 3 has 2 runs: {', '.join(sorted([ids[3], double]))}",
        "the run of trial 1: it is RUNNING, not FINISHED",
        f"the run of trial 2: val_accuracy is 0.25, not {accuracy}",
        f"the run of {other.info.run_name}: roles is loser, not {other.data.tags['roles']}",
        "trials.csv: 1 row missing, trial 2",
        "trials.csv: 1 row differing, trial 1",
        "history.csv: 1 row of nothing in the study, trial 17",
        "history.csv: 1 row there twice, trial 4",
        "confirm.csv: 1 row missing, role baseline",
        "confirm.csv: 1 row differing, role baseline",
    ]
    assert len(command("doctor", "iris", cwd=folder, status=1).stdout.split("-> ")) > 8
    done = projection.Synced(
        trials=5,
        written=3,
        networks=networks,
        confirmed=2,
        study=True,
        deleted=3,
        kept=8,
        model=False,
    )
    assert projection.sync(workspace(folder), "iris") == done
    assert doctor(folder, 0) == [counts]  # sync writes the tables again too: two run ids are new
    assert client.get_run(ids[4]).data.tags["my own"] == "stays"
    kept = {
        file.path
        for file in client.list_artifacts(client.get_run(ids[4]).data.tags["mlflow.parentRunId"])
    }
    assert {"trials.csv", "report.html", "confirm.csv", "model.npz", "model.json"} <= kept

    trials = pd.read_csv(reports / "trials.csv", dtype={"mlflow_run_id": str})
    runs = {
        int(run.data.tags["trial"]): run
        for run in client.search_runs(
            [client.get_run(ids[4]).info.experiment_id], "tags.kind = 'trial'"
        )
    }
    for frozen, row in zip(swept.study.get_trials(), trials.itertuples(), strict=True):
        run = runs[frozen.number]
        assert run.info.run_id == row.mlflow_run_id
        assert (
            run.data.metrics["val_accuracy"]
            == row.val_accuracy
            == frozen.value
            == frozen.user_attrs["val_accuracy"]
        )
        points = client.get_metric_history(run.info.run_id, "val_accuracy")
        assert {point.step: point.value for point in points} == frozen.intermediate_values
    assert projection.sync(workspace(folder), "iris") == nothing

    (reports / "history.csv").write_bytes(b"\xff\xfe")
    (reports / "trials.csv").unlink()
    assert [what.partition(", or")[0] for what in doctor(folder, 1)[1:]] == [
        "there is no trials.csv",
        "there is no history.csv",
    ]
    projection.write_tables(workspace(folder), swept.record, swept.runs)
    assert doctor(folder, 0) == [counts]


def confirm_runs(client: MlflowClient, of: str) -> list[Run]:
    """The runs of the confirmation in the experiment of a run."""
    return list(
        client.search_runs([client.get_run(of).info.experiment_id], "tags.kind = 'confirm'")
    )


def test_sync_makes_all_of_a_deleted_mlflow_again_and_then_nothing(
    swept: sweeps.Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "copy"
    for part in (
        "studies",
        "reports",
    ):  # to read a database that this process has open would take its locks away
        shutil.copytree(swept.workspace.directory / part, folder / part)
    projection.sync(workspace(folder), "iris")
    store = workspace(folder).store("iris")
    output.print_synced(projection.sync(workspace(folder), "iris"))
    assert capsys.readouterr().out == "nothing to do: all runs are there\n"
    before = everything(store)
    artifacts = {path.name for path in (folder / "reports" / "iris").iterdir()}
    assert {"confirm.csv", "model.npz", "model.json"} < artifacts
    (study,) = [run for run in before if run["tags"]["kind"] == "study"]
    assert set(study["artifacts"]) == artifacts
    for path in folder.glob("mlflow.db*"):
        path.unlink()
    shutil.rmtree(folder / "mlruns")
    networks = len(swept.record.confirmed)
    output.print_synced(
        projection.sync(workspace(folder), "iris")
    )  # in this process, whose connections are to the deleted file
    assert capsys.readouterr().out.splitlines() == [
        "5 of 5 runs written",
        f"{networks} of {networks} runs of the confirmation written",
        f"{len(artifacts)} files kept with the study's run",
        "the model registered",
    ]
    assert everything(store) == before
    assert (
        MlflowClient(store.uri).get_model_version_by_alias("iris", "best").tags["study_uid"]
        == swept.record.study_uid
    )

    (folder / "reports" / "iris" / "model.npz").unlink()
    _, finding = agreement.examine(workspace(folder), "iris", set())
    assert finding.what == "study iris: the model of its verdict is not in its reports"
    assert finding.remedy.startswith("make it again with: sweeps confirm iris")
    assert sweeps.confirm(directory=folder, workers=1).model
    assert doctor(folder, 0)[1:] == []


def test_mlflow_that_does_not_answer_is_said_and_asked_once(
    swept: sweeps.Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record, networks = swept.record, len(swept.record.confirmed)
    place = workspace(tmp_path, tracking_uri=f"http://127.0.0.1:{free_port()}")
    tracker, waiting = TrackerProcess(place.store("iris"), record), list[int]()
    runs, files = projection.write_all(
        place, record, tracker, Outcome(swept.runs.ids), waiting.append
    )
    tracker.close()
    assert waiting == [networks]
    assert (runs.ids, runs.unconfirmed) == (swept.runs.ids, networks)
    assert {path.name for path in files} > {"trials.csv", "confirm.csv", "report.html"}
    output.say_unwritten(dataclasses.replace(swept, workspace=place, runs=runs))
    said = capsys.readouterr().err
    assert "does not answer" in said
    assert (
        f"{networks} runs of the confirmation are not on MLflow; write them with: sweeps sync iris"
        in said
    )

    later = TrackerProcess(place.store("iris"), record)
    again, _ = projection.write_all(
        place, record, later, Outcome(swept.runs.ids, error=runs.error), waiting.append
    )
    assert (again.error, again.unconfirmed, later._process) == (
        runs.error,
        networks,
        None,
    )  # it was not even begun


def test_a_moved_directory_is_found_and_followed(swept: sweeps.Sweep, tmp_path: Path) -> None:
    swept.workspace.directory.rename(tmp_path / "moved")
    (what,) = [what for what in doctor(tmp_path / "moved", 1) if "artifacts" in what]
    assert str(swept.workspace.directory) in what
    command("sync", cwd=tmp_path / "moved")
    assert len(doctor(tmp_path / "moved", 0)) == 1
    assert not swept.workspace.directory.exists()


def test_ranges() -> None:
    assert _ranges([7, 0, 1, 2, 3, 9, 10]) == "0-3, 7, 9-10"
    assert _ranges([]) == ""
