"""The outer folds: each tests a search of its own, and all together test the way to search.

Searching with penalties is compared with searching without: the best setting of each arm, as the
confirmation of each outer study chose it, on the rows that this study never saw.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from experiments.datasets import TestRows
from experiments.digest import digest
from experiments.evaluation import BASELINE, Setting
from experiments.records import OUTER
from experiments.verdict import WINNER, Comparison, Interval, Opening, OuterFold, Verdict
from sweeps.confirmation import tests
from sweeps.confirmation.choice import Choice
from sweeps.confirmation.crossed import LEVEL, Estimate, Scores
from sweeps.confirmation.pooled import pooled
from sweeps.search.birth import BIRTH
from sweeps.search.study import Study
from sweeps.storage.attributes import packed_scores, scores_of, setting_of

ANSWERS = "outer"  # of an outer study: what both winners answered on its test rows
EXACT = "<f8"  # of what is kept
ARMS = {"with": WINNER, "without": BASELINE}

Others = Callable[[], Iterable[tuple[str, Mapping[str, Any] | None]]]


def outer_study(study: str, fold: int) -> str:
    """Return the name of the study of an outer fold, from 1."""
    return f"{study}{OUTER}{fold}"


def keep_answers(
    study: Study,
    verdict: Verdict,
    scores: Mapping[Setting, Scores],
    hits: Mapping[Setting, Scores],
    rows: TestRows,
    rows_digest: str,
) -> None:
    """Keep what both winners answered on the test rows of an outer study."""
    kept: dict[str, Any] = {
        "digest": rows_digest,
        "seeds": len(verdict.seeds),
        "y": rows.y.tolist(),
        "groups": None if rows.groups is None else rows.groups.tolist(),
    }
    for arm, role in ARMS.items():
        setting = verdict.confirmed(role).setting
        kept[arm] = {
            "setting": setting.numbers,
            "scores": packed_scores(scores[setting], EXACT),
            "hits": packed_scores(hits[setting], EXACT),
        }
    study.keep(ANSWERS, kept)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What the outer studies say together: the `gain` of searching with penalties, and what a
    verdict has of it, under the names of its fields.
    """

    gain: Estimate
    word: str
    opening: Opening
    comparisons: tuple[Comparison, ...]
    accuracy: Interval
    baseline_accuracy: Interval
    outer: tuple[OuterFold, ...]
    searched: tuple[float, float]

    def made_in(self, verdict: Verdict) -> Verdict:
        """Return the verdict with this claim. Its test rows are those of all folds."""
        fields = {name: value for name, value in vars(self).items() if name != "gain"}
        rows = sum(fold.rows for fold in self.outer)
        return replace(verdict, **fields, rows={**verdict.rows, "test": rows})


def claim(study: Study, others: Others) -> Claim | None:
    """Return what the outer studies say together, and note the look at their test rows. None if
    one of them is missing, is of other data or settings, or has not opened its test rows.
    """
    experiment, name = study.experiment, study.optuna.study_name
    folds = range(1, experiment.outer_folds + 1)
    fingerprints = {
        outer_study(name, fold): experiment.of_outer_fold(fold).fingerprint for fold in folds
    }
    found = {other: kept for other, kept in others() if other in fingerprints and kept}
    answers = {
        other: found[other][ANSWERS]
        for other, fingerprint in fingerprints.items()
        if other in found
        and ANSWERS in found[other]
        and found[other][BIRTH]["fingerprint"] == fingerprint
    }
    if len(answers) < len(fingerprints):
        return None
    every = list(answers.values())
    rows = digest(sorted(one["digest"] for one in every))
    plan = {"outer": [[one[arm]["setting"] for arm in ARMS] for one in every]}
    opening = tests.open_test_set(study, rows, plan, others)

    objective = experiment.sweep.objective
    y = [np.array(one["y"]) for one in every]
    groups = None if every[0]["groups"] is None else [np.array(one["groups"]) for one in every]
    scores = {arm: [_scores(one, arm, "scores") for one in every] for arm in ARMS}
    hits = {arm: [_scores(one, arm, "hits") for one in every] for arm in ARMS}
    differences = [one - other for one, other in zip(*scores.values(), strict=True)]
    balanced = y if objective == "balanced_val_accuracy" else None
    gain = pooled(differences, balanced, groups, counted=experiment.maximize)
    units = sum(len(np.unique(one)) for one in groups) if groups else sum(map(len, y))
    chooser = Choice.by(objective, np.concatenate(y), None)
    gain = chooser.believed(gain, units)
    comparison = tests.comparison(BASELINE, gain, 1 - opening.alpha, experiment.confirm.margin)
    accuracy, baseline_accuracy = (
        pooled(hits[arm], None, groups, counted=True).interval(LEVEL).within(0, 1) for arm in ARMS
    )
    return Claim(
        gain=gain,
        word=comparison.word,
        opening=opening,
        comparisons=(comparison,),
        accuracy=accuracy,
        baseline_accuracy=baseline_accuracy,
        outer=tuple(
            _outer_fold(other, answers[other], both, Choice.by(objective, labels, None))
            for other, both, labels in zip(
                answers, zip(*scores.values(), strict=True), y, strict=True
            )
        ),
        searched=(
            chooser.objective(np.concatenate(scores["with"], axis=1)),
            chooser.objective(np.concatenate(scores["without"], axis=1)),
        ),
    )


def _scores(answers: Mapping[str, Any], arm: str, name: str) -> Scores:
    found: Scores = scores_of(answers[arm][name], answers["seeds"], EXACT)
    return found


def _outer_fold(
    study: str, answers: Mapping[str, Any], scores: Iterable[Scores], chooser: Choice
) -> OuterFold:
    means = [chooser.objective(one) for one in scores]
    settings = [setting_of(answers[arm]["setting"]) for arm in ARMS]
    return OuterFold(
        study=study,
        rows=len(answers["y"]),
        penalised=settings[0],
        baseline=settings[1],
        with_penalties=means[0],
        without=means[1],
    )
