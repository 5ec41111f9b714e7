"""The chaos: sweeps that are killed at random instants, and what is then lost, or there twice.

    python -m benchmarks.chaos [--tiny] [--kills N] [--seed N]

A real `sweeps run` gets SIGKILL at a random instant, what it leaves is looked at, and it is run again; a few kills later to
its end. What there is then is read with the public tools of Optuna, MLflow and pandas, and compared with a run that nobody
killed.
"""

import argparse
import math
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import optuna
import pandas as pd
import psutil
from mlflow import MlflowClient
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from benchmarks.side_by_side import environment, machine

TRIALS = 24
COMMAND = [
    str(Path(sys.executable).with_name("sweeps")), "run", "iris", f"--trials={TRIALS}", "--workers=2",
    "--set=training.epochs=16", "--set=sweep.generation=4", "--set=model.hidden=[512,512]",
    "--set=confirm.seeds=2", "--set=confirm.top=1",
]  # fmt: skip
SEARCH = 0.5
"""Seconds after a trial within which a search is killed: less than it takes."""

IN_A_ROW = 3
"""Kills of one study, each followed by another run of it, before it is run to its end."""

AT_ONCE = 2
"""Sweeps that run beside each other: half of the cores that CI has may be enough for one."""

VARIES = ["seconds", "started", "finished", "mlflow_run_id"]
SLOWEST_END = 10.0
"""Seconds that what a killed driver started may take to notice."""


@dataclass
class Counts:
    """What was found after so many kills; all but `kills`, `found`, `slowest`, `seconds` and `seen` ought to be empty or 0."""

    kills: int = 0
    lost: int = 0  # trials that were in the study at a kill and are not, or not the same, later
    twice: int = 0  # trials, runs or rows that are there more than once
    missing: int = 0  # trials, runs or rows that are not there at the end
    running: int = 0  # trials or runs that were left RUNNING, the first looked for at the kill too
    orphans: int = 0  # processes that outlived the driver
    tables: int = 0  # tables that differ
    failures: list[str] = field(default_factory=list)  # what last runs said that did not do all
    found: Counter[int] = field(default_factory=Counter)  # kills by the trials that the study held
    slowest: float = 0.0  # seconds of the longest last run
    seconds: float = 0.0  # of the run that nobody killed
    seen: set[int] = field(default_factory=set)  # how many trials the study was seen to hold in the middle of that

    @property
    def faults(self) -> int:
        return self.lost + self.twice + self.missing + self.running + self.orphans + self.tables + len(self.failures)


def chaos(kills: int, seed: int, folder: Path) -> Counts:
    """Kill so many sweeps, each in a folder of its own; every fourth makes its own MLflow database, the others share one."""
    shared = f"--tracking-uri=sqlite:///{folder}/mlflow.db"
    counts = Counts()
    with ThreadPoolExecutor(AT_ONCE) as pool:  # as busy as later
        list(pool.map(lambda name: watched(made(folder / name), shared, counts), ("whole", "other")))
    seconds, expected = counts.seconds, tables(folder / "whole")
    counts.tables += tables(folder / "other") != expected

    def one(number: int) -> None:
        options = [] if number % 4 == 0 else [shared]
        place = made(folder / f"study-{number}")
        rng = random.Random(f"{seed} {number}")
        for turn in range(IN_A_ROW):
            whole = len(trials(place)) == TRIALS  # a run that has nothing to search for is quick
            searching = not whole and (number + turn) % 2 == 1  # from a trial on: before it is a second of imports
            length = SEARCH if searching else seconds / 2 if whole else seconds
            kill(place, options, rng.uniform(0, length), searching, counts)
        resume(place, options, expected, counts)

    begun = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while missing := max(0, kills - counts.kills):  # some end before their instant: they are no kills
            studies = -(-missing // IN_A_ROW)
            list(pool.map(one, range(begun, begun + studies)))
            begun += studies
    return counts


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *options], cwd=folder, env=environment(), capture_output=True, text=True)


def watched(folder: Path, options: str, counts: Counts) -> None:
    """Run the sweep, and look at its study all the while: it never holds a trial that is RUNNING."""
    start, seen = time.perf_counter(), set[int]()
    with subprocess.Popen(
        [*COMMAND, options], cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            kept = trials(folder)
            seen.add(len(kept))
            counts.running += sum(not trial.state.is_finished() for trial in kept)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
    if process.returncode:
        raise RuntimeError(f"{folder.name} ended with status {process.returncode}")
    counts.seconds = min(counts.seconds or math.inf, time.perf_counter() - start)
    counts.seen |= seen - {0, TRIALS}


def kill(folder: Path, options: list[str], instant: float, searching: bool, counts: Counts) -> None:
    """Run the sweep, kill it, and look at what it leaves; what an earlier kill left must be there still."""
    before = trials(folder)
    process = subprocess.Popen(
        [*COMMAND, *options], cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while searching and len(trials(folder)) <= len(before) and process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    with suppress(subprocess.TimeoutExpired):
        process.wait(instant)
    children: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
    ended = process.poll() is not None
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(children, timeout=SLOWEST_END)
    counts.orphans += sum(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in alive)
    kept = trials(folder)
    counts.lost += sum(trial not in kept[: len(before)] for trial in before)
    counts.running += sum(not trial.state.is_finished() for trial in kept)
    if not ended:
        counts.kills += 1
        counts.found[len(kept)] += 1


def resume(folder: Path, options: list[str], expected: list[str], counts: Counts) -> None:
    """Run the sweep to its end, and check all that there is."""
    kept = trials(folder)
    start = time.perf_counter()
    done = run(folder, *options)
    counts.slowest = max(counts.slowest, time.perf_counter() - start)
    if done.returncode or "sweeps: " in done.stderr:  # that line says that something could not be done
        counts.failures.append(f"{folder.name}: status {done.returncode}: {done.stderr}")
    if done.returncode:
        return
    check_study(folder, kept, counts)
    check_tracking(folder, options, counts)
    counts.tables += sum(there != wanted for there, wanted in zip(tables(folder), expected, strict=True))


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    """The study's trials as Optuna reads them; none where the sweep was killed before it made the study."""
    journal = folder / "studies" / "iris.journal"
    if not journal.exists():
        return []
    try:
        return optuna.load_study(study_name="iris", storage=JournalStorage(JournalFileBackend(str(journal)))).trials
    except KeyError:
        return []


def check_study(folder: Path, kept: list[optuna.trial.FrozenTrial], counts: Counts) -> None:
    there = trials(folder)
    counts.lost += sum(trial not in there[: len(kept)] for trial in kept)
    counts.running += sum(not trial.state.is_finished() for trial in there)
    counts.missing += max(0, TRIALS - len(there))
    counts.twice += max(0, len(there) - TRIALS)
    assert all(trial.state == TrialState.COMPLETE for trial in there)


def check_tracking(folder: Path, options: list[str], counts: Counts) -> None:
    study = optuna.load_study(
        study_name="iris", storage=JournalStorage(JournalFileBackend(str(folder / "studies" / "iris.journal")))
    )
    uid = study.user_attrs["sweep"]["study_uid"]
    uri = options[0].partition("=")[2] if options else f"sqlite:///{folder}/mlflow.db"
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("iris")
    assert experiment
    runs = client.search_runs([experiment.experiment_id], f"tags.study_uid = '{uid}'", max_results=1_000)
    counts.running += sum(run.info.status != "FINISHED" for run in runs)
    counts.twice += max(0, sum(run.data.tags["kind"] == "study" for run in runs) - 1)
    by_trial = Counter(int(run.data.tags["trial"]) for run in runs if run.data.tags["kind"] == "trial")
    counts.twice += sum(number - 1 for number in by_trial.values())
    counts.missing += len(set(range(TRIALS)) - set(by_trial))
    confirmed = pd.read_csv(folder / "reports" / "iris" / "confirm.csv")
    networks = len(confirmed.drop_duplicates(["seed", "weight_l1", "weight_l2", "bias_l1", "bias_l2"]))
    by_network = Counter(run.data.tags["confirm"] for run in runs if run.data.tags["kind"] == "confirm")
    counts.twice += sum(by_network.values()) - len(by_network) + max(0, len(by_network) - networks)
    counts.missing += max(0, networks - len(by_network))
    rows = pd.read_csv(folder / "reports" / "iris" / "trials.csv").set_index("trial")
    counts.twice += int(rows.index.duplicated().sum())
    counts.missing += len(set(range(TRIALS)) - set(rows.index))
    for run in runs:
        if run.data.tags["kind"] == "trial":
            row = rows.loc[int(run.data.tags["trial"])]
            counts.tables += (row.mlflow_run_id, row.val_data_loss) != (run.info.run_id, run.data.metrics["val_data_loss"])


def tables(folder: Path) -> list[str]:
    """What the tables say, letter by letter, but for times and run ids; and that the test set was opened once."""
    reports = folder / "reports" / "iris"
    trials = pd.read_csv(reports / "trials.csv", dtype=str, keep_default_na=False).drop(columns=VARIES)
    summary = pd.read_csv(reports / "summary.csv", dtype=str, keep_default_na=False)
    verdict = summary.loc[
        :, [*(name for name in summary if name.startswith(("recommended", "gain", "test"))), "verdict", "openings"]
    ]
    return [trials.to_csv(), (reports / "confirm.csv").read_text(), verdict.to_csv()]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="two kills, to see that it runs")
    parser.add_argument("--kills", type=int, default=300, help="how many sweeps are killed")
    parser.add_argument("--seed", type=int, default=0, help="of the instants")
    arguments = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        counts = chaos(2 if arguments.tiny else arguments.kills, arguments.seed, Path(folder))
    print(f"\n{counts.kills} kills, {IN_A_ROW} a study, in the {counts.seconds:.1f} s that a run takes; seed {arguments.seed}")
    print("trials held at the kill:", ", ".join(f"{number} x {held}" for held, number in sorted(counts.found.items())))
    for name in ("lost", "twice", "missing", "running", "orphans", "tables"):
        print(f"  {name:10s} {getattr(counts, name):4d}")
    print(f"  {'failures':10s} {len(counts.failures):4d}   the slowest last run took {counts.slowest:.1f} s")
    print(*counts.failures, sep="\n")


if __name__ == "__main__":
    main()
