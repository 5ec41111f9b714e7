"""A sampler of the user's own: the same study however it was interrupted, and one sentence where it
cannot be used.
"""

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from optuna.samplers import BaseSampler, CmaEsSampler, NSGAIISampler, QMCSampler, RandomSampler
from optuna.study import Study as OptunaStudy
from optuna.trial import FrozenTrial

import sweeps
from experiments.errors import InputError, StudyError
from sweeps.search import own_sampler
from sweeps.search.study_record import study_record
from tests.sweeps.search.trials import experiment, grow, opened, table


def genetic(seed: int) -> BaseSampler:
    """It keeps its generations in system attributes."""
    return NSGAIISampler(seed=seed, population_size=6)


def points(seed: int) -> BaseSampler:
    """One sequence, counted in an attribute of the study: it needs no seed."""
    return QMCSampler(seed=0, scramble=True)


FACTORIES = {
    "CMA-ES": functools.partial(CmaEsSampler, warn_independent_sampling=False),
    "NSGA-II": genetic,
    "QMC": points,
    "random": lambda seed: RandomSampler(seed=seed),
}


@pytest.mark.filterwarnings("ignore:QMCSampler is experimental")
@pytest.mark.parametrize("name", FACTORIES)
@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(stops=st.lists(st.integers(1, 29), max_size=3))
def test_any_interruptions_leave_the_table_of_one_go(
    name: str, stops: list[int], memory: Path
) -> None:
    search = own_sampler.searched(experiment(), FACTORIES[name])
    folder = Path(tempfile.mkdtemp(dir=memory))
    whole = opened(folder / "whole.journal", search)
    grow(whole, 30)
    for stop in [*sorted(stops), 30]:
        grow(opened(folder / "pieces.journal", search), stop)
    assert table(opened(folder / "pieces.journal", search)) == table(whole)
    assert len({tuple(trial.params.values()) for trial in whole.optuna.trials}) > 20


def test_it_sees_all_earlier_trials(tmp_path: Path) -> None:
    seen = []

    class Counting(RandomSampler):
        def before_trial(self, study: OptunaStudy, trial: FrozenTrial) -> None:
            seen.append((trial.number, [each.number for each in study.get_trials(deepcopy=False)]))

    search = own_sampler.searched(
        experiment("sweep.generation=2"), lambda seed: Counting(seed=seed)
    )
    seen.clear()  # those of the first try
    grow(opened(tmp_path / "s.journal", search), 64)  # 4 of them are the baseline arm
    assert seen == [(number, list(range(number + 1))) for number in range(60)]


def test_the_function_is_part_of_the_study(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    opened(tmp_path / "studies" / "s.journal", own_sampler.searched(experiment(), genetic)).close()
    with pytest.raises(
        StudyError, match=r'genetic" -> "tpe".*from Python .*sampler=genetic\), or .* --study NAME'
    ):
        sweeps.run(experiment(), study="s", directory=tmp_path)


def test_to_look_at_its_study_or_confirm_it_nobody_need_give_it(tmp_path: Path) -> None:
    search = own_sampler.searched(experiment(), genetic)
    grow(opened(tmp_path / "s.journal", search), 6)
    study = opened(tmp_path / "s.journal", search.experiment)
    assert study.finished == 6
    assert study_record(study.optuna).experiment.sweep.sampler == f"{__name__}:genetic"
    with pytest.raises(InputError, match=r"sweep.sampler is '.*genetic', .*from Python"):
        study.propose()


def test_a_name_is_the_edit_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    opened(tmp_path / "studies" / "s.journal", experiment("sweep.sampler=random")).close()
    with pytest.raises(StudyError, match=r'sweep.sampler: "random" -> "qmc"; undo the change'):
        sweeps.run(experiment("sweep.sampler=random"), sampler="qmc", study="s", directory=tmp_path)


class Maker:
    def __call__(self, seed: int) -> BaseSampler:
        return RandomSampler(seed=seed)

    def method(self, seed: int) -> BaseSampler:
        return RandomSampler(seed=seed)


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (genetic, "genetic"),
        (functools.partial(functools.partial(genetic)), "genetic"),
        (FACTORIES["random"], "<lambda>"),
        (Maker(), "Maker"),
        (Maker().method, "Maker.method"),
        (Maker, "Maker"),
    ],
)
def test_what_it_is_known_by(made: Callable[..., object], name: str) -> None:
    assert own_sampler.name_of(made) == f"{__name__}:{name}"


def broken(seed: int) -> BaseSampler:
    class Broken(RandomSampler):
        def sample_independent(self, *arguments: Any) -> Any:
            raise RuntimeError("no model")

    return Broken(seed=seed)


ONE = RandomSampler(seed=0)
FAILED = r"failed at generation 1 "
BAD: list[tuple[Any, str]] = [
    (3, r"sampler is 3; it must be one of tpe, random, qmc, cmaes, or a function"),
    ("gp", r"sweep.sampler is 'gp'; it must be 'tpe', 'random', 'qmc' or 'cmaes'"),
    ("", r"sweep.sampler is ''; it must be 'tpe'"),
    ("mine:gp", r"sweep.sampler is 'mine:gp', a function .* given from Python"),
    (ONE, r"sampler is a RandomSampler, .*give the function that makes it"),
    (lambda seed: None, FAILED + ".*returned None, which is not an optuna.samplers.BaseSampler"),
    (Maker, FAILED + r"\(TypeError"),
    (lambda: ONE, FAILED + r"\(TypeError: .*'seed'"),
    (lambda seed: 1 / 0, FAILED + r"\(ZeroDivisionError: division by zero\); correct it"),
    (broken, FAILED + r"\(RuntimeError: no model\)"),
    (lambda seed: RandomSampler(), r"other trials for the same seed, .*hand the seed on"),
    (lambda seed: ONE, r"other trials for the same seed, .*hand the seed on"),
    (lambda seed: RandomSampler(seed=1), r"same trials for every seed, .*hand the seed on"),
]


@pytest.mark.parametrize(("bad", "says"), BAD)
def test_one_that_cannot_be_used_is_one_sentence(bad: Any, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        sweeps.run("iris", sampler=bad, directory=tmp_path)
    assert not list(tmp_path.iterdir())


def test_one_that_fails_on_the_way_keeps_what_there_is(tmp_path: Path) -> None:
    def ailing(seed: int) -> BaseSampler:
        class Ailing(RandomSampler):
            def before_trial(self, study: OptunaStudy, trial: FrozenTrial) -> None:
                if trial.number >= 12:
                    raise RuntimeError("no model")

        return Ailing(seed=seed)

    study = opened(tmp_path / "s.journal", own_sampler.searched(experiment(), ailing))
    says = r"ailing failed at generation 3 \(RuntimeError: no model\); .* is kept"
    with pytest.raises(InputError, match=says):
        grow(study, 30)
    assert study.finished == 16


def test_another_one_of_the_same_name_is_refused(tmp_path: Path) -> None:
    def named(make: Callable[..., BaseSampler]) -> Any:
        def made(seed: int) -> BaseSampler:
            return make(seed=seed)

        return own_sampler.searched(experiment(), made)

    study = opened(tmp_path / "s.journal", named(RandomSampler))
    grow(study, 9)
    study.close()
    other = opened(tmp_path / "s.journal", named(lambda seed: RandomSampler(seed=seed + 1)))
    says = r"study s: sampler .*made no longer proposes what is recorded; .* --study NAME"
    with pytest.raises(InputError, match=says):
        other.propose()
