"""The mirror: what a sampler is not shown makes no difference to what it proposes."""

import math
from collections.abc import Mapping

import numpy as np
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
def test_cmaes_goes_on_from_its_state_when_old_trials_are_forgotten(
    size: int, every_failing: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spread(trials: int) -> float:
        """How far apart the last draws are of so many trials, as shares of an axis."""
        draws = proposals("cmaes", size, generations=trials // size, every_failing=every_failing)
        last = [list(params.values()) for generation in draws for params in generation][-10:]
        return float(np.log10(last).std(axis=0).max())

    at_first = spread(16)
    monkeypatch.setattr(mirror, "MOST", 8 * max(size, 8))  # forgotten again and again
    assert spread(480) < at_first / 10


def test_qmc_keeps_all_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = proposals("qmc", 5, generations=20, every_failing=None)
    monkeypatch.setattr(mirror, "MOST", 10)
    assert whole == proposals("qmc", 5, generations=20, every_failing=None)


@pytest.mark.parametrize("objective", ["val_accuracy", "val_data_loss"])
def test_tpe_sees_the_latest_and_of_the_others_the_best(
    objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "MOST", 16)
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
    latest = [trial.params for trial in finished[-8:]]
    order = sorted(
        (number for number, value in enumerate(values[:-8]) if value is not None),
        key=lambda n: values[n],
        reverse=search.experiment.maximize,
    )
    best = [finished[number].params for number in sorted(order[:6])]
    for one in (grown, replayed):
        assert [trial.params for trial in one.study.get_trials()] == best + latest
    assert grown.ask() == replayed.ask()


def test_tpe_is_shown_all_trials_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = proposals("tpe", 50, generations=4, every_failing=None)
    monkeypatch.setattr(mirror, "MOST", 200)  # reached with the fourth generation
    assert whole == proposals("tpe", 50, generations=4, every_failing=None)
    monkeypatch.setattr(mirror, "MOST", 100)
    assert whole != proposals("tpe", 50, generations=4, every_failing=None)
