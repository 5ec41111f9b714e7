"""The chaos: sweeps that are killed at random instants, and what is then lost, or there twice.

    python -m benchmarks.chaos [--tiny] [--kills N] [--seed N] [--servers] [--network own]

A real `sweeps run` gets SIGKILL at a random instant, what it leaves is looked at, and it is run
again; a few kills later to its end. In every second study the last kill is that of a process that
the sweep started, a worker or MLflow's writer: the sweep must then end well by itself. The result
is read with the public tools of Optuna, MLflow and pandas, and compared with a run that nobody
killed. With `--network own` it trains a user's own network, and the median ends some of its trials.
"""

import argparse
import functools
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

import optuna
import pandas as pd
import psutil
from mlflow import MlflowClient
from optuna.exceptions import StorageInternalError
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from benchmarks.peers import own_dense
from benchmarks.side_by_side import environment, machine
from experiments.evaluation import PARAMETER
from experiments.verdict import REFERENCE
from nnreg import LAMBDA_NAMES

TRIALS = 24
COMMAND = [
    str(Path(sys.executable).with_name("sweeps")),
    *("run", "iris", f"--trials={TRIALS}", "--workers=2"),
    *("--set=training.epochs=16", "--set=sweep.generation=4"),
    *("--set=sweep.baseline=4", "--set=confirm.seeds=2", "--set=confirm.top=1"),
]
NETWORKS = {
    "built in": ["--set=model.hidden=[512,512]"],
    "own": [
        f"--set=model.source={own_dense.__file__}",
        "--set=model.parameters.hidden={ low = 16, high = 512 }",
        "--set=model.parameters.passes={ low = 8, high = 24 }",
        "--set=sweep.pruner=median",
    ],
}
"""What trains, as options of the command."""

STATES = {TrialState.COMPLETE: "FINISHED", TrialState.PRUNED: "KILLED"}
"""The status on MLflow of a trial's run."""

SEARCH = 0.25
"""Seconds after a trial or a run within which a sweep is killed: less than it takes."""

IN_A_ROW = 2
"""Kills of one study, each followed by another run of it, before it is run to its end."""

AT_ONCE = 2
"""Sweeps that run beside each other: half of the cores that CI has may be enough for one."""

VARIES = ["seconds", "started", "finished", "mlflow_run_id"]
SLOW = "did not answer within"
"""What a run prints if a call of MLflow took too long; all but MLflow is complete then."""

SLOWEST_END = 10.0
"""Seconds that what a killed driver started may take to notice."""


@dataclass(frozen=True)
class Place:
    """Where a sweep runs: its folder, and the servers that stand in for the files in it."""

    folder: Path
    network: str
    storage: str | None = None
    tracking: str | None = None

    @property
    def command(self) -> list[str]:
        given = {"--storage": self.storage, "--tracking-uri": self.tracking}
        places = [f"{name}={value}" for name, value in given.items() if value]
        return [*COMMAND, *NETWORKS[self.network], *places]

    @property
    def reports(self) -> Path:
        return self.folder / "reports" / "iris"

    @property
    def tracking_uri(self) -> str:
        return self.tracking or f"sqlite:///{self.folder}/mlflow.db"

    @property
    def study(self) -> optuna.Study:
        """As Optuna reads it. Raises KeyError where it is not made yet, StorageInternalError where
        its tables are not.
        """
        return optuna.load_study(study_name="iris", storage=self._opened)

    @property
    def uid(self) -> str:
        """The identity of the study, in its first record. Raises as `study` does."""
        study_id = self._opened.get_study_id_from_name("iris")
        born = self._opened.get_study_system_attrs(study_id)["sweeps:1"]["value"]
        return str(born["study_uid"])

    @property
    def _opened(self) -> JournalStorage | RDBStorage:
        if self.storage:
            return self._database
        journal = self.folder / "studies" / "iris.journal"
        return JournalStorage(JournalFileBackend(str(journal)))

    @functools.cached_property
    def _database(self) -> RDBStorage:
        """A storage that makes no tables, and keeps no connection."""
        return RDBStorage(
            self.storage or "",
            {"poolclass": NullPool},
            skip_compatibility_check=True,
            skip_table_creation=True,
        )

    @property
    def trials(self) -> list[optuna.trial.FrozenTrial]:
        """None where the sweep was killed before it made the study."""
        if self.storage is None and not (self.folder / "studies" / "iris.journal").exists():
            return []
        try:
            return self.study.trials
        except (KeyError, StorageInternalError):
            return []

    @property
    def written(self) -> int:
        """How many runs of the study are on MLflow; in a file looked at past its client, which
        would be too late to tell.
        """
        try:
            uid = self.uid
        # It is not there yet, or its tables are being made.
        except (KeyError, StorageInternalError, OSError, IntegrityError):
            return 0
        if not self.tracking_uri.startswith("sqlite"):
            client = MlflowClient(self.tracking_uri)
            experiment = client.get_experiment_by_name("iris")
            return (
                len(client.search_runs([experiment.experiment_id], f"tags.study_uid = '{uid}'"))
                if experiment
                else 0
            )
        path = self.tracking_uri.removeprefix("sqlite:///")
        with (
            suppress(sqlite3.Error),
            closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as runs,
        ):
            (count,) = runs.execute(
                "SELECT count(*) FROM tags WHERE key = 'study_uid' AND value = ?", (uid,)
            ).fetchone()
            return int(count)
        return 0


@dataclass(frozen=True)
class Servers:
    """What serves instead of files: an MLflow server, and a function that makes a database."""

    tracking: str
    database: Callable[[str], str]


@dataclass
class Counts:
    """What was found after so many kills. All that is counted from `lost` to `failures` ought to be
    0.
    """

    kills: int = 0
    served: int = 0  # of them those of studies on servers
    children: int = 0  # of them those of a worker or of MLflow's writer
    lost: int = 0  # trials that were in the study at a kill and are not, or not the same, later
    twice: int = 0  # trials, runs or rows that are there more than once
    missing: int = 0  # trials, runs or rows that are not there at the end
    running: int = 0  # trials or runs that were left RUNNING, the first looked for at the kill too
    orphans: int = 0  # processes that outlived the driver
    tables: int = 0  # tables that differ
    left: int = 0  # temporary files that are there after the last run
    failures: list[str] = field(default_factory=list)  # what last runs said that did not do all
    again: int = 0  # last runs that a loaded machine made too slow for MLflow, so run once more
    pruned: int = 0  # trials that the median ended, over all studies
    found: Counter[int] = field(default_factory=Counter)  # kills by the trials that the study held
    slowest: float = 0.0  # seconds of the longest last run
    seconds: float = 0.0  # of the run that nobody killed
    seen: set[int] = field(
        default_factory=set
    )  # how many trials the study was seen to hold in the middle of that

    @property
    def faults(self) -> int:
        return (
            self.lost
            + self.twice
            + self.missing
            + self.running
            + self.orphans
            + self.tables
            + self.left
            + len(self.failures)
        )


def chaos(
    kills: int,
    seed: int,
    folder: Path,
    servers: Servers | None = None,
    every: int = 1,
    network: str = "built in",
) -> Counts:
    """Kill so many sweeps, each in a folder of its own; every fourth makes its own MLflow database,
    the others share one. Where there are servers, every so many-th is on those, in a database of
    its own.
    """
    shared = f"sqlite:///{folder}/mlflow.db"

    def made(name: str, number: int = 1) -> Place:
        place = Place(folder / name, network, None, None if number % 4 == 0 else shared)
        if servers and number % every == every - 1:
            database = servers.database(name.replace("-", "_"))
            place = Place(folder / name, network, database, servers.tracking)
        place.folder.mkdir()
        return place

    counts, undisturbed = Counts(), Place(folder / "whole", network, None, shared)
    undisturbed.folder.mkdir()
    watched(undisturbed, counts)
    seconds, expected = counts.seconds, tables(undisturbed)

    def one(number: int) -> None:
        place = made(f"study-{number}", number)
        rng = random.Random(f"{seed} {number}")
        for turn in range(IN_A_ROW):
            whole = len(place.trials) == TRIALS  # a run that has nothing to search for is quick
            # From a trial on (before it is a second of imports), from a run on MLflow on, or at any
            # instant.
            grows = (lambda: len(place.trials), lambda: place.written, None)[
                (number + turn) % 3 if not whole else 2
            ]
            length = SEARCH if grows else seconds / 2 if whole else seconds
            of_child = number % 2 == 1 and turn == IN_A_ROW - 1
            kill(place, rng.uniform(0, length), grows, counts, rng if of_child else None)
        resume(place, expected, counts)

    begun = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        while missing := max(
            0, kills - counts.kills
        ):  # some end before their instant: they are no kills
            studies = -(-missing // IN_A_ROW)
            list(pool.map(one, range(begun, begun + studies)))
            begun += studies
    return counts


def run(place: Place) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        place.command,
        cwd=place.folder,
        env=environment() | {"TMPDIR": str(place.folder)},
        capture_output=True,
        text=True,
    )


def watched(place: Place, counts: Counts) -> None:
    """Run the sweep and watch its study, which must never hold a trial that is RUNNING."""
    start, seen = time.perf_counter(), set[int]()
    with subprocess.Popen(
        place.command,
        cwd=place.folder,
        env=environment() | {"TMPDIR": str(place.folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None:
            kept = place.trials
            seen.add(len(kept))
            counts.running += sum(not trial.state.is_finished() for trial in kept)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
    if process.returncode:
        raise RuntimeError(f"{place.folder.name} ended with status {process.returncode}")
    counts.seconds = time.perf_counter() - start
    counts.seen |= seen - {0, TRIALS}


def kill(
    place: Place,
    instant: float,
    grows: Callable[[], int] | None,
    counts: Counts,
    of_child: random.Random | None,
) -> None:
    """Run the sweep, kill it at an instant, from when what `grows` has grown on, and look at what
    it leaves; what an earlier kill left must be there still. `of_child` chooses one of its
    processes to kill in its place: then everything must be there at its end.
    """
    before, count = place.trials, grows() if grows else 0
    printed = place.folder / "stderr"
    with printed.open("wb") as stderr:
        process = subprocess.Popen(
            place.command,
            cwd=place.folder,
            env=environment() | {"TMPDIR": str(place.folder)},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    while grows and grows() <= count and process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    with suppress(subprocess.TimeoutExpired):
        process.wait(instant)
    children: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
    ended = process.poll() is not None
    if of_child and children and not ended:
        with suppress(psutil.NoSuchProcess):
            of_child.choice(children).kill()
            counts.children += 1
        if status := process.wait():
            said = printed.read_text().splitlines()[-1:]
            counts.failures.append(f"{place.folder.name}: {status} after a child's death: {said}")
        else:
            check_study(place, before, counts)
            check_tracking(place, counts)
    else:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(children, timeout=SLOWEST_END)
    counts.orphans += sum(
        child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in alive
    )
    kept = place.trials
    counts.lost += sum(trial not in kept[: len(before)] for trial in before)
    counts.running += sum(not trial.state.is_finished() for trial in kept)
    if not ended:
        counts.kills += 1
        counts.served += place.storage is not None
        counts.found[len(kept)] += 1


def resume(place: Place, expected: list[str], counts: Counts) -> None:
    """Run the sweep to its end, and check all that there is."""
    kept = place.trials
    start = time.perf_counter()
    done = run(place)
    counts.slowest = max(counts.slowest, time.perf_counter() - start)
    if not done.returncode and SLOW in done.stderr:
        counts.again += 1
        done = run(place)
    # That line says that something could not be done.
    if done.returncode or "sweeps: " in done.stderr:
        counts.failures.append(f"{place.folder.name}: status {done.returncode}: {done.stderr}")
    if done.returncode:
        return
    check_study(place, kept, counts)
    check_tracking(place, counts)
    counts.left += sum(len(list(place.folder.glob(name))) for name in ("sweeps-*", "tmp*"))
    counts.tables += sum(
        there != wanted for there, wanted in zip(tables(place), expected, strict=True)
    )


def check_study(place: Place, kept: list[optuna.trial.FrozenTrial], counts: Counts) -> None:
    there = place.trials
    counts.lost += sum(trial not in there[: len(kept)] for trial in kept)
    counts.running += sum(not trial.state.is_finished() for trial in there)
    counts.missing += max(0, TRIALS - len(there))
    counts.twice += max(0, len(there) - TRIALS)
    assert all(trial.state in STATES for trial in there)
    counts.pruned += sum(trial.state == TrialState.PRUNED for trial in there)


def check_tracking(place: Place, counts: Counts) -> None:
    uid = place.uid
    client = MlflowClient(place.tracking_uri)
    experiment = client.get_experiment_by_name("iris")
    assert experiment
    runs = client.search_runs(
        [experiment.experiment_id], f"tags.study_uid = '{uid}'", max_results=1_000
    )
    counts.running += sum(run.info.status not in STATES.values() for run in runs)
    counts.twice += max(0, sum(run.data.tags["kind"] == "study" for run in runs) - 1)
    by_trial = Counter(
        int(run.data.tags["trial"]) for run in runs if run.data.tags["kind"] == "trial"
    )
    counts.twice += sum(number - 1 for number in by_trial.values())
    counts.missing += len(set(range(TRIALS)) - set(by_trial))
    confirmed = pd.read_csv(place.reports / "confirm.csv")
    is_reference = confirmed.role.str.startswith(REFERENCE)
    own = [name for name in confirmed if name.startswith(PARAMETER)]
    settings = confirmed[~is_reference].drop_duplicates([*LAMBDA_NAMES, "learning_rate", *own])
    wanted = len(settings) + int(is_reference.sum())
    by_setting = Counter(
        run.data.tags["confirm"] for run in runs if run.data.tags["kind"] == "confirm"
    )
    counts.twice += sum(by_setting.values()) - len(by_setting) + max(0, len(by_setting) - wanted)
    counts.missing += max(0, wanted - len(by_setting))
    rows = pd.read_csv(place.reports / "trials.csv").set_index("trial")
    counts.twice += int(rows.index.duplicated().sum())
    counts.missing += len(set(range(TRIALS)) - set(rows.index))
    for run in runs:
        if run.data.tags["kind"] == "trial":
            row = rows.loc[int(run.data.tags["trial"])]
            counts.tables += (row.mlflow_run_id, row.val_data_loss) != (
                run.info.run_id,
                run.data.metrics.get("val_data_loss"),
            )


def tables(place: Place) -> list[str]:
    """What the tables say, letter by letter, but for times and run ids; and that the test set was
    opened once.
    """
    trials = pd.read_csv(place.reports / "trials.csv", dtype=str, keep_default_na=False).drop(
        columns=VARIES
    )
    summary = pd.read_csv(place.reports / "summary.csv", dtype=str, keep_default_na=False)
    verdict = summary.loc[
        :,
        [
            *(name for name in summary if name.startswith(("recommended", "gain", "test"))),
            "verdict",
            "openings",
        ],
    ]
    return [trials.to_csv(), (place.reports / "confirm.csv").read_text(), verdict.to_csv()]


@contextmanager
def served(folder: Path) -> Iterator[Servers]:
    """Those that the tests start: a PostgreSQL for the studies and for MLflow, and a plain MLflow
    server on it.
    """
    from tests.postgres import running_postgres
    from tests.servers import plain_mlflow

    with (
        running_postgres() as postgres,
        plain_mlflow(folder, "--backend-store-uri", postgres.database("mlflow")) as mlflow,
    ):
        yield Servers(mlflow.url, postgres.database)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tiny", action="store_true", help="two kills, to see that it runs")
    parser.add_argument("--kills", type=int, default=300, help="how many sweeps are killed")
    parser.add_argument("--seed", type=int, default=0, help="of the instants")
    parser.add_argument(
        "--network", choices=NETWORKS, default="built in", help="what trains (built in)"
    )
    parser.add_argument(
        "--servers",
        action="store_true",
        help="a PostgreSQL and an MLflow server, in place of files",
    )
    arguments = parser.parse_args()
    print(machine())
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) if arguments.servers else nullcontext() as servers,
    ):
        kills = 2 if arguments.tiny else arguments.kills
        counts = chaos(kills, arguments.seed, Path(folder), servers, network=arguments.network)
    print(
        f"\n{counts.kills} kills, {counts.children} of them of a child, {IN_A_ROW} a study, in the"
        f" {counts.seconds:.1f} s that a run takes; seed {arguments.seed}"
    )
    if counts.pruned:
        print(f"trials that the median ended: {counts.pruned}, over all studies")
    print(
        "trials held at the kill:",
        ", ".join(f"{number} x {held}" for held, number in sorted(counts.found.items())),
    )
    for name in ("lost", "twice", "missing", "running", "orphans", "tables", "left", "again"):
        print(f"  {name:10s} {getattr(counts, name):4d}")
    print(
        f"  {'failures':10s} {len(counts.failures):4d}   the slowest last run took"
        f" {counts.slowest:.1f} s"
    )
    print(*counts.failures, sep="\n")


if __name__ == "__main__":
    main()
