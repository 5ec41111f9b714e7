"""The mirror: what a sampler is not shown makes no difference to what it proposes."""

import math
from collections.abc import Mapping

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeps.search import mirror
from sweeps.search.mirror import Mirror
from sweeps.search.search import Search
from tests.sweeps.search.trials import FIXED, experiment


def searched(sampler: str, generation: int, objective: str = "val_data_loss") -> Search:
    edits = [f"sampler={sampler}", f"generation={generation}", f"objective={objective}"]
    return Search(experiment(FIXED, *(f"sweep.{edit}" for edit in edits)))


def proposals(
    sampler: str, size: int, *, generations: int, every_failing: int | None
) -> list[list[dict[str, float]]]:
    """The draws of so many generations, of which some trials failed."""
    search = searched(sampler, size)
    asked = Mirror(search)
    draws, trials = [], 0

    def finished(params: Mapping[str, float]) -> FrozenTrial:
        nonlocal trials
        trials += 1
        failed = every_failing is not None and trials % every_failing == 0
        return create_trial(
            state=TrialState.FAIL if failed else TrialState.COMPLETE,
            params=dict(params),
            distributions=search.space.distributions,
            value=None if failed else sum((math.log10(draw) + 4) ** 2 for draw in params.values()),
        )

    for _ in range(generations):
        draws.append(asked.ask())
        asked.tell([finished(params) for params in draws[-1]])
    return draws


@pytest.mark.parametrize("every_failing", [None, 3])
@pytest.mark.parametrize("size", [1, 5, 16])
@pytest.mark.parametrize("sampler", ["qmc", "cmaes"])
def test_old_trials_need_not_be_shown(
    sampler: str, size: int, every_failing: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    generations = 100 // size  # many more trials than are shown
    shown = proposals(sampler, size, generations=generations, every_failing=every_failing)
    monkeypatch.setattr(mirror, "SEEN", 1_000)
    assert shown == proposals(sampler, size, generations=generations, every_failing=every_failing)


@pytest.mark.parametrize("objective", ["val_accuracy", "val_data_loss"])
def test_tpe_sees_the_latest_and_of_the_others_the_best(
    objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "LATEST", 20)
    monkeypatch.setattr(mirror, "BEST", 6)
    search = searched("tpe", 4, objective)
    grown, replayed = Mirror(search), Mirror(search)
    # with ties, and a trial that failed
    values = [7, 1, 5, 3, 9, 9, None, 2, 9, 4, 8, 8, 0, 6, 6, 1, *[5] * 32]
    finished: list[FrozenTrial] = []
    for start in range(0, len(values), 4):
        for params, value in zip(grown.ask(), values[start : start + 4], strict=True):
            state = TrialState.FAIL if value is None else TrialState.COMPLETE
            axes = search.space.distributions
            finished.append(
                create_trial(state=state, params=params, distributions=axes, value=value)
            )
        grown.tell(finished[-4:])
    replayed.replay(finished)
    latest = list(range(28, 48))
    order = sorted(
        (number for number, value in enumerate(values) if value is not None),
        key=lambda n: values[n],
        reverse=search.experiment.maximize,
    )
    for one in (grown, replayed):
        assert [trial.number for trial in one.study.get_trials()] == sorted({*order[:6], *latest})
    assert grown.ask() == replayed.ask()


def test_tpe_is_shown_all_trials_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "LATEST", 200)
    shown = proposals("tpe", 50, generations=4, every_failing=None)
    monkeypatch.setattr(mirror, "LATEST", 10**6)
    assert shown == proposals("tpe", 50, generations=4, every_failing=None)
    monkeypatch.setattr(mirror, "LATEST", 100)
    assert shown != proposals("tpe", 50, generations=4, every_failing=None)
