"""The evaluator: what a dead worker lost is tried again, and a trial fails only for itself."""

import resource
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from experiments import datasets, experiment_file
from experiments.evaluation import (
    Evaluated,
    EvaluationSpec,
    Job,
    Setting,
    TrialResult,
    evaluate,
    stored,
)
from experiments.search_section import SAMPLERS
from experiments.spec import Experiment
from experiments.worker import FREED
from nnreg import Lambdas
from sweeps.executors import local
from sweeps.executors.evaluator import Evaluator
from sweeps.search.driver import drive
from sweeps.search.study import open_study
from tests.deadly import Danger, Deadly

TRIALS = 20
VARIES = ("seconds", "started", "finished")
JOBS = [Job(Setting(Lambdas(weight_l1=1e-4 * count), 1e-3), seeds=(0,)) for count in range(8)]


def small(*edits: str) -> Experiment:
    return experiment_file.load(
        "iris",
        [
            "training.learning_rate=0.01",
            "training.epochs=2",
            "model.hidden=[5]",
            "sweep.generation=8",
            *edits,
        ],
    )


@pytest.fixture(scope="module")
def spec() -> Iterator[EvaluationSpec]:
    with stored(datasets.load(small().data, "float32").splits) as folder:
        yield small().evaluation(folder)


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    """One pool for all: it continues whatever dies in it."""
    with local.make(2) as pool:
        yield pool


@pytest.fixture(scope="module")
def calm(spec: EvaluationSpec) -> list[TrialResult]:
    return flat(evaluate(spec, JOBS))


@pytest.fixture
def losses(tmp_path: Path) -> str:
    folder = tmp_path / "losses"
    folder.mkdir()
    return str(folder)


def flat(evaluated: Iterable[Evaluated]) -> list[TrialResult]:
    return [result for of_job in evaluated for result in of_job]


def test_the_trials_of_a_task_share_its_time(calm: list[TrialResult]) -> None:
    assert all(one.finished == two.started for one, two in pairwise(calm))
    lasted = [(one.finished - one.started).total_seconds() for one in calm]
    assert lasted == pytest.approx([one.seconds for one in calm], abs=2e-6)  # of microseconds
    assert len({one.seconds for one in calm}) == 1
    assert lasted[0] > 0


def results(
    executor: Executor, spec: EvaluationSpec, lanes: int, jobs: Sequence[Job] = JOBS
) -> list[TrialResult]:
    return flat(Evaluator(executor, spec, lambda: lanes).evaluate(jobs))


def measured(results: Sequence[TrialResult]) -> list[Any]:
    return [(result.metrics, result.curves, result.error) for result in results]


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("SIGKILL", "3 attempts failed: its worker was killed by SIGKILL, perhaps out of memory"),
        ("SIGSEGV", "3 attempts failed: its worker was killed by SIGSEGV"),
        ("exit", "3 attempts failed: its worker ended with exit code 3"),
        ("MemoryError", "3 attempts failed: out of memory: Unable to allocate 8.00 TiB"),
    ],
)
def test_a_deadly_job_fails_and_its_neighbours_do_not(
    way: str, reason: str, losses: str, spec: EvaluationSpec, pool: Any, calm: list[TrialResult]
) -> None:
    danger = Danger(losses, (JOBS[5].setting,), way)
    found = measured(results(Deadly(pool, danger), spec, 4))
    assert found.pop(5) == (None, {}, reason)
    assert found == measured(calm[:5] + calm[6:])
    assert danger.lost == 4  # once among four, three times alone


def test_a_job_that_dies_only_in_company_does_not_fail(
    losses: str, spec: EvaluationSpec, pool: Any, calm: list[TrialResult]
) -> None:
    danger = Danger(losses, (JOBS[1].setting,), company=3)
    assert measured(results(Deadly(pool, danger), spec, 4)) == measured(calm)
    assert danger.lost == 1


@pytest.mark.parametrize("lanes", [1, 4])
def test_two_deaths_are_forgiven(
    lanes: int, losses: str, spec: EvaluationSpec, pool: Any, calm: list[TrialResult]
) -> None:
    danger = Danger(losses, (JOBS[3].setting,), times=2)
    assert measured(results(Deadly(pool, danger), spec, lanes)) == measured(calm)
    assert danger.lost == 2


def test_the_networks_of_a_setting_stay_together(
    losses: str, spec: EvaluationSpec, pool: Any
) -> None:
    """Whatever the lanes, and if one is lost, all are."""
    kept = replace(spec, keep="val_accuracy")
    jobs = [replace(job, seeds=(3, 1, 2)) for job in JOBS[:4]]
    alone = [one for job in jobs for one in evaluate(kept, [job])]
    assert all(len({one.best_epoch for one in networks}) == 1 for networks in alone)
    for lanes in (1, 3, 7):
        assert measured(results(pool, kept, lanes, jobs)) == measured(flat(alone))
    danger = Danger(losses, (jobs[2].setting,))
    failed = [one.error is not None for one in results(Deadly(pool, danger), kept, 12, jobs)]
    assert failed == [False] * 6 + [True] * 3 + [False] * 3


def table(
    path: Path, definition: Experiment, executor: Executor, arrays: str, *, trials: int, lanes: int
) -> list[Any]:
    """What the storage has of each trial but its times, after a driver continued the study."""
    with closing(open_study(str(path), "s", definition)) as study:
        drive(
            study,
            Evaluator(executor, definition.evaluation(arrays), lambda: lanes),
            trials=trials,
            observe=lambda record: None,
        )
        return [
            (
                trial.state.name,
                trial.values,
                trial.params,
                {name: trial.user_attrs[name] for name in {*trial.user_attrs} - {*VARIES}},
            )
            for trial in study.optuna.trials
        ]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_failed_trials_leave_the_same_table_whatever_the_workers_and_the_interruptions(
    sampler: str, tmp_path: Path, losses: str, spec: EvaluationSpec, pool: Any
) -> None:
    """The baseline fails too, and two in one task."""
    definition = small(f"sweep.sampler={sampler}")
    with closing(open_study(str(tmp_path / "s.journal"), "s", definition)) as study:
        proposals = study.propose()
    victims = tuple(proposals[number].setting for number in (0, 2, 3))
    danger = Danger(losses, victims, "MemoryError")
    with local.make(1) as inline:
        whole = table(
            tmp_path / "whole.journal", definition, Deadly(inline, danger), spec.arrays,
            trials=TRIALS, lanes=4,
        )  # fmt: skip
    states = [state for state, *_ in whole]
    assert [number for number, state in enumerate(states) if state == "FAIL"] == [0, 2, 3]
    assert len(states) == TRIALS
    for trials, lanes in ((3, 1), (10, 8), (TRIALS, 3)):
        pieces = table(
            tmp_path / "pieces.journal", definition, Deadly(pool, danger), spec.arrays,
            trials=trials, lanes=lanes,
        )  # fmt: skip
    assert pieces == whole


class Counting(Executor):
    """Notes how many other tasks are unfinished when a task is submitted."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.futures: list[Any] = []
        self.busy: list[int] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.busy.append(sum(not future.done() for future in self.futures))
        self.futures.append(self._executor.submit(fn, *args, **kwargs))
        return self.futures[-1]


def test_what_was_lost_alone_is_tried_again_with_nothing_beside_it(
    losses: str, spec: EvaluationSpec, pool: Any
) -> None:
    """Though its neighbours are still training when it has died."""
    longer = small("training.epochs=40").evaluation(spec.arrays)
    executor = Counting(Deadly(pool, Danger(losses, (JOBS[0].setting,))))
    found = results(executor, longer, 1)
    assert [result.error is None for result in found] == [False] + [True] * 7
    assert executor.busy[-2:] == [0, 0]


def test_a_bug_is_raised(pool: Executor) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        results(pool, small().evaluation("nowhere"), 4)
    assert "load_splits" in raised.value.__notes__[0]


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS binds on Linux alone")
@pytest.mark.parametrize(("megabytes", "fitting"), [(60, True), (1, False)])
def test_real_memory_that_runs_out(
    megabytes: int, fitting: bool, spec: EvaluationSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One network takes some 20 MB here, eight some 100 MB."""
    for name in FREED:  # as glibc does by itself: else one network fits into what it has kept
        monkeypatch.setenv(name, str(2**17))
    edits = ["model.hidden=[700,700]", "training.epochs=1"]
    large = small(*edits).evaluation(spec.arrays)
    with local.ProcessExecutor(1) as pool:
        expected = pool.submit(evaluate, large, JOBS[:1]).result()  # BLAS has its own memory now
        worker = psutil.Process(pool.submit(eval, "__import__('os').getpid()").result())
        limit = worker.memory_info().vms + megabytes * 2**20
        pool.submit(resource.setrlimit, resource.RLIMIT_AS, (limit, limit)).result()
        with pytest.raises(MemoryError):
            pool.submit(evaluate, large, JOBS).result()
        found = results(pool, large, 8, JOBS if fitting else JOBS[:2])
        assert worker.is_running()
    if fitting:
        assert [result.error for result in found] == [None] * 8
        assert found[0].metrics == expected[0][0].metrics
    else:
        reasons = {str(result.error)[:47] for result in found}
        assert reasons == {"3 attempts failed: out of memory: Unable to all"}
