"""What differs between a study, MLflow and the files is found, and its remedy is right. A real sweep, and real commands."""

from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

import sweeps
from sweeps import agreement, projection
from sweeps.agreement import _ranges
from sweeps.findings import WRONG
from sweeps.workspace import workspace
from tests.test_cli import sweeps as command

EDITS = ["training.epochs=2"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> sweeps.Sweep:
    return sweeps.run("iris", trials=5, edits=EDITS, workers=1, directory=tmp_path_factory.mktemp("swept"))


def doctor(folder: Path, status: int) -> list[str]:
    """What the doctor says of the study itself; `status` is 1 where something is wrong."""
    findings = list(agreement.examine(workspace(folder), "iris", set()))
    assert any(finding.level == WRONG for finding in findings) == bool(status)
    assert all(
        finding.remedy.startswith(("put it right with: sweeps", "write it again with: sweeps")) for finding in findings[1:]
    )
    return [finding.what.removeprefix("study iris: ") for finding in findings]


def test_all_is_counted_and_agrees_then_all_that_was_done_to_it_is_found_and_put_right(swept: sweeps.Sweep) -> None:
    folder, ids = swept.workspace.directory, swept.runs.ids
    counts = "5 of 5 trials, 5 runs on MLflow, 5 rows in trials.csv, 10 rows in history.csv"
    assert doctor(folder, 0) == [counts]

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    client.delete_run(ids[0])
    client.update_run(ids[1], "RUNNING")
    client.log_metric(ids[2], "val_accuracy", 0.25, step=7)
    double = client.create_run(client.get_run(ids[3]).info.experiment_id, tags=dict(client.get_run(ids[3]).data.tags)).info.run_id
    tags = {**client.get_run(ids[3]).data.tags, "trial": "99"}
    stray = client.create_run(client.get_run(ids[3]).info.experiment_id, tags=tags).info.run_id
    client.set_tag(ids[4], "my own", "stays")  # and is no difference
    reports = folder / "reports" / "iris"
    trials = pd.read_csv(reports / "trials.csv", dtype=str, keep_default_na=False)
    trials.loc[1, "val_accuracy"] = "0.5"
    trials.drop(index=2).to_csv(reports / "trials.csv", index=False)
    history = (reports / "history.csv").read_text()
    (reports / "history.csv").write_text(f"{history}{history.splitlines()[-1]}\niris,17,1,0,0,0,0,0\n")

    accuracy = swept.record.trials[2].val_accuracy
    assert doctor(folder, 1) == [
        "5 of 5 trials, 6 runs on MLflow, 4 rows in trials.csv, 12 rows in history.csv",
        "1 trials are not on MLflow: 0",
        f"trial 99 is not in the study, and has a run: {stray}",
        f"trial 3 has 2 runs: {', '.join(sorted([ids[3], double]))}",
        "the run of trial 1: it is RUNNING, not FINISHED",
        f"the run of trial 2: val_accuracy is 0.25, not {accuracy}",
        "trials.csv: 1 rows missing, trials 2",
        "trials.csv: 1 rows differing, trials 1",
        "history.csv: 1 rows of no trial in the study, trials 17",
        "history.csv: 1 rows there twice, trials 4",
    ]
    assert len(command("doctor", "iris", cwd=folder, status=1).stdout.split("-> ")) > 8
    assert projection.sync(workspace(folder), "iris") == projection.Synced(trials=5, written=3, deleted=3, kept=5)
    assert doctor(folder, 0) == [counts]  # sync writes the tables again too: two run ids are new
    assert client.get_run(ids[4]).data.tags["my own"] == "stays"
    kept = {file.path for file in client.list_artifacts(client.get_run(ids[4]).data.tags["mlflow.parentRunId"])}
    assert {"trials.csv", "report.html"} <= kept

    trials = pd.read_csv(reports / "trials.csv", dtype={"mlflow_run_id": str})
    runs = {
        int(run.data.tags["trial"]): run
        for run in client.search_runs([client.get_run(ids[4]).info.experiment_id], "tags.kind = 'trial'")
    }
    for frozen, row in zip(swept.study.get_trials(), trials.itertuples(), strict=True):
        run = runs[frozen.number]
        assert run.info.run_id == row.mlflow_run_id
        assert run.data.metrics["val_accuracy"] == row.val_accuracy == frozen.value == frozen.user_attrs["val_accuracy"]
        points = client.get_metric_history(run.info.run_id, "val_accuracy")
        assert {point.step: point.value for point in points} == frozen.intermediate_values
    assert projection.sync(workspace(folder), "iris") == projection.Synced(trials=5, written=0, deleted=0, kept=0)

    (reports / "history.csv").write_bytes(b"\xff\xfe")
    (reports / "trials.csv").unlink()
    assert [what.partition(", or")[0] for what in doctor(folder, 1)[1:]] == ["there is no trials.csv", "there is no history.csv"]
    projection.write_tables(workspace(folder), swept.record, swept.runs)
    assert doctor(folder, 0) == [counts]


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
