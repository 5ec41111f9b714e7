"""The evaluator: what a dead worker lost is tried again, and a trial fails only for itself."""

import resource
import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from optuna.trial import TrialState

from experiments import datasets, experiment_file
from experiments.evaluation import EvaluationSpec, Job, evaluate, stored
from experiments.spec import SAMPLERS, Experiment
from nnreg import Lambdas
from sweeps.executors import local
from sweeps.executors.evaluator import Evaluator
from sweeps.interrupts import Interrupts
from sweeps.search.driver import drive
from sweeps.search.study import Study, open_study
from tests.deadly import Danger, Deadly

TRIALS = 20
VARIES = ("seconds", "started", "finished")


def small(*edits: str) -> Experiment:
    return experiment_file.load(
        "iris", ["training.epochs=2", "model.hidden=[5]", "sweep.generation=8", *edits]
    )


@pytest.fixture(scope="module")
def arrays() -> Iterator[str]:
    with stored(datasets.load(small().data, "float32").split) as folder:
        yield folder


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    """One pool for all: it goes on whatever dies in it."""
    with local.make(2) as pool:
        yield pool


@pytest.fixture(scope="module")
def inline() -> Iterator[Executor]:
    with local.make(1) as inline:
        yield inline


@pytest.fixture
def losses(tmp_path: Path) -> str:
    folder = tmp_path / "losses"
    folder.mkdir()
    return str(folder)


def grow(
    path: Path,
    definition: Experiment,
    executor: Executor,
    arrays: str,
    *,
    trials: int = TRIALS,
    lanes: int = 4,
) -> Study:
    """Go on with the study at a path as a new driver would."""
    spec = EvaluationSpec(definition.train_config(), definition.lambdas.layers, arrays)
    with closing(open_study(str(path), "s", definition)) as study:
        drive(
            study,
            executor,
            spec,
            trials=trials,
            lanes=lambda: lanes,
            interrupts=Interrupts(),
            observe=lambda record: None,
        )
    return study


def table(study: Study) -> list[Any]:
    """All that the storage has of each trial but for its times."""
    return [
        (
            trial.state,
            trial.values,
            trial.params,
            {k: v for k, v in trial.user_attrs.items() if k not in VARIES},
        )
        for trial in study.optuna.trials
    ]


def lambdas_of(study: Study, *numbers: int) -> tuple[Lambdas, ...]:
    names = Lambdas.__dataclass_fields__
    return tuple(
        Lambdas(**{name: study.optuna.trials[number].user_attrs[name] for name in names})
        for number in numbers
    )


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("SIGKILL", "3 attempts failed: its worker was killed by SIGKILL, perhaps out of memory"),
        ("SIGSEGV", "3 attempts failed: its worker was killed by SIGSEGV"),
        ("exit", "3 attempts failed: its worker ended with exit code 3"),
        ("MemoryError", "3 attempts failed: out of memory: Unable to allocate 8.00 TiB"),
    ],
)
def test_a_deadly_trial_fails_and_its_neighbours_do_not(
    way: str, reason: str, tmp_path: Path, losses: str, arrays: str, pool: Executor
) -> None:
    calm = grow(tmp_path / "calm.journal", small(), pool, arrays, trials=8)
    danger = Danger(losses, lambdas_of(calm, 5), way)
    study = grow(tmp_path / "deadly.journal", small(), Deadly(pool, danger), arrays, trials=8)
    failed = study.optuna.trials[5]
    assert (failed.state, failed.user_attrs["error"]) == (TrialState.FAIL, reason)
    others = [number for number in range(8) if number != 5]
    assert [table(study)[number] for number in others] == [table(calm)[number] for number in others]
    assert danger.lost == 4  # once among four, three times alone


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_failed_trials_leave_the_same_table_whatever_the_workers_and_the_interruptions(
    sampler: str, tmp_path: Path, losses: str, arrays: str, pool: Executor, inline: Executor
) -> None:
    """The baseline fails too, and two in one task."""
    definition = small(f"sweep.sampler={sampler}")
    calm = grow(tmp_path / "calm.journal", definition, inline, arrays, trials=8)
    victims = lambdas_of(calm, 0, 2, 3)
    in_memory = Danger(losses, victims, "MemoryError")
    whole = grow(tmp_path / "whole.journal", definition, Deadly(inline, in_memory), arrays)
    states = [trial.state for trial in whole.optuna.trials]
    assert [number for number, state in enumerate(states) if state == TrialState.FAIL] == [0, 2, 3]
    assert len(states) == whole.finished == TRIALS

    for trials, lanes in ((3, 1), (10, 8), (TRIALS, 3)):
        deadly = Deadly(pool, in_memory)
        pieces = grow(
            tmp_path / "pieces.journal", definition, deadly, arrays, trials=trials, lanes=lanes
        )
    assert table(pieces) == table(whole)


def test_a_trial_that_dies_in_company_alone_does_not_fail(
    tmp_path: Path, losses: str, arrays: str, pool: Executor
) -> None:
    calm = grow(tmp_path / "calm.journal", small(), pool, arrays)
    danger = Danger(losses, lambdas_of(calm, 1, 9, 17), company=3)
    study = grow(tmp_path / "deadly.journal", small(), Deadly(pool, danger), arrays)
    assert table(study) == table(calm)
    assert danger.lost == 1  # nobody was guilty, so the tasks that followed were halved


@pytest.mark.parametrize("lanes", [1, 4])
def test_two_deaths_are_forgiven(
    lanes: int, tmp_path: Path, losses: str, arrays: str, pool: Executor
) -> None:
    calm = grow(tmp_path / "calm.journal", small(), pool, arrays)
    danger = Danger(losses, lambdas_of(calm, 3), times=2)
    study = grow(tmp_path / "deadly.journal", small(), Deadly(pool, danger), arrays, lanes=lanes)
    assert table(study) == table(calm)
    assert danger.lost == 2


def jobs(number: int) -> list[Job]:
    return [Job(Lambdas(weight_l1=1e-4 * count), seed=0) for count in range(number)]


class Counting(Executor):
    """Notes how many other tasks are unfinished when a task of one job is submitted."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.futures: list[Any] = []
        self.busy: list[int] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.busy.append(sum(not future.done() for future in self.futures))
        self.futures.append(self._executor.submit(fn, *args, **kwargs))
        return self.futures[-1]


def test_what_was_lost_alone_is_tried_again_with_nothing_beside_it(
    losses: str, arrays: str, pool: Executor
) -> None:
    config = small(
        "training.epochs=40"
    ).train_config()  # the neighbours are still training when the first one has died
    todo = jobs(8)
    executor = Counting(Deadly(pool, Danger(losses, (todo[0].lambdas,))))
    results = list(
        Evaluator(executor, EvaluationSpec(config, "all", arrays), lambda: 1).evaluate(todo)
    )
    assert [result.error is None for result in results] == [False] + [True] * 7
    assert executor.busy[-2:] == [0, 0]


def test_a_bug_is_raised(arrays: str, pool: Executor) -> None:
    spec = EvaluationSpec(small().train_config(), "all", "nowhere")
    with pytest.raises(FileNotFoundError) as raised:
        list(Evaluator(pool, spec, lambda: 4).evaluate(jobs(8)))
    assert "load_split" in raised.value.__notes__[0]


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS binds on Linux alone")
@pytest.mark.parametrize(("megabytes", "fitting"), [(100, True), (1, False)])
def test_real_memory_that_runs_out(megabytes: int, fitting: bool, arrays: str) -> None:
    """One network takes some 20 MB here, sixteen some 200 MB."""
    spec = EvaluationSpec(
        small("model.hidden=[700,700]", "training.epochs=1").train_config(), "all", arrays
    )
    todo = jobs(16)
    with local.ProcessExecutor(1) as pool:
        expected = pool.submit(evaluate, spec, todo[:1]).result()  # BLAS has its own memory now
        worker = psutil.Process(pool.submit(eval, "__import__('os').getpid()").result())
        limit = worker.memory_info().vms + megabytes * 2**20
        pool.submit(resource.setrlimit, resource.RLIMIT_AS, (limit, limit)).result()
        with pytest.raises(MemoryError):
            pool.submit(evaluate, spec, todo).result()
        evaluator = Evaluator(pool, spec, lambda: 16)
        results = list(evaluator.evaluate(todo if fitting else todo[:2]))
        assert worker.is_running()
    if fitting:
        assert [result.error for result in results] == [None] * 16
        assert results[0].metrics == expected[0].metrics
    else:
        assert {str(result.error)[:47] for result in results} == {
            "3 attempts failed: out of memory: Unable to all"
        }
