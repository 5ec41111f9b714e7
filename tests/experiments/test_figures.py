"""The figures of the page: what is drawn, where, and in which colour."""

import dataclasses
import re

import numpy as np
import pytest

from experiments.measures import percent
from experiments.records import StudyRecord
from experiments.reports.figures import costs, curves, parallel, plane, search, strengths
from experiments.reports.shown import BEST_SHOWN, Shown
from nnreg import LAMBDA_NAMES, Lambdas
from tests.studies import confirmed_study, make_study, make_trial, own_study


def test_the_curves_mark_the_kept_epoch_of_both_arms_on_training_and_validation_rows() -> None:
    study = confirmed_study(look=1)
    data_loss, accuracy, _ = curves.figure(Shown(study)).plots
    for plot, text, names in (
        (data_loss, "{:.4g}".format, ("data_loss", "val_data_loss")),
        (accuracy, percent, ("train_accuracy", "val_accuracy")),
    ):
        drawn = "".join(plot.drawn)
        for role, words in (("baseline", "without penalties"), ("recommended", "recommended")):
            one = study.verdict.confirmed(role)
            networks = study.confirmed[one.setting]
            for rows, name in zip(("training", "validation"), names, strict=True):
                means = np.mean([network.curves[name] for network in networks], axis=0)
                for epoch, mean in enumerate(means, start=1):
                    assert f'"{words}, {rows}, epoch {epoch}: {text(mean)}"' in drawn
            kept = means[one.best_epoch - 1]
            assert f'"{words}, kept epoch {one.best_epoch}: {text(kept)}"' in drawn


def test_where_no_penalty_is_recommended_the_best_one_is_drawn_against_none() -> None:
    study = confirmed_study(look=1)
    baseline = study.verdict.confirmed("baseline")
    settings = [
        dataclasses.replace(baseline, role=one.role) if one.role == "recommended" else one
        for one in study.verdict.settings
    ]
    verdict = dataclasses.replace(study.verdict, settings=tuple(settings))
    legend = curves.figure(Shown(dataclasses.replace(study, verdict=verdict))).legend
    words = [words for shape, _, words in legend if shape == "line"]
    assert words == ["without penalties: validation", "best with penalties: validation"]


def test_both_arms_are_drawn_over_the_learning_rate() -> None:
    study = make_study(12)
    off = dataclasses.replace(study.trials[5].setting, lambdas=Lambdas())
    trials = tuple(
        dataclasses.replace(one, setting=off) if one.trial == 5 else one for one in study.trials
    )
    study = dataclasses.replace(study, trials=trials)
    (*_, plot) = strengths.figure(Shown(study)).plots
    assert plot.title == "validation accuracy against learning_rate"
    assert "off" not in plot.x.ticks.values()
    mark = r'<use href="#(\w+)" class="\w+" x="([\d.]+)%".*?data-trial="(\d+)"'
    found = re.findall(mark, "".join(plot.drawn))
    shapes = {int(trial): shape for shape, _, trial in found}
    places = {int(trial): float(x) for _, x, trial in found}
    other = ({0, 5} - {study.baseline.trial}).pop()
    assert (shapes[study.baseline.trial], shapes[other]) == ("diamond", "lozenge")
    by_rate = sorted(study.trials, key=lambda trial: trial.setting.learning_rate)
    assert [trial.trial for trial in by_rate] == sorted(places, key=places.__getitem__)
    fixed = strengths.figure(Shown(make_study(12, training={"learning_rate": 0.01}))).plots
    assert [plot.x.title for plot in fixed] == list(LAMBDA_NAMES)


def accuracies(*values: float) -> StudyRecord:
    """A study of trials with these accuracies, the first of which is the baseline."""
    metrics = [dataclasses.replace(make_trial(0).metrics, val_accuracy=one) for one in values]
    trials = tuple(make_trial(n, epochs=1, metrics=one) for n, one in enumerate(metrics))
    return dataclasses.replace(make_study(0), trials=trials)


def test_each_parameter_has_its_axis_even_or_logarithmic_and_whole_numbers_have_whole_labels() -> (
    None
):
    spans = {
        "units": {"low": 1, "high": 3},
        "rows": {"low": 10, "high": 10_000, "log": True},
        "share": {"low": -0.5, "high": 0.5},
        "narrow": {"low": 300, "high": 900, "log": True},
        "around": {"low": 4, "high": 64, "log": True},
    }
    study = own_study(12, parameters=spans)
    plots = strengths.figure(Shown(study)).plots[-len(spans) :]
    assert [plot.title.rpartition(" ")[2] for plot in plots] == list(spans)
    assert [list(plot.x.ticks.values()) for plot in plots] == [
        ["1", "2", "3"],
        ["10", "100", "1000", "10000"],
        ["-0.4", "-0.2", "0", "0.2", "0.4"],
        ["300", "900"],
        ["10", "4", "64"],
    ]
    mark = r'x="([\d.]+)%"[^>]*?data-trial="(\d+)"'
    for plot, name in zip(plots, spans, strict=True):
        value = np.log10 if spans[name].get("log") else float
        for at, trial in re.findall(mark, "".join(plot.drawn)):
            setting = dict(study.trials[int(trial)].setting.parameters)
            assert float(at) == pytest.approx(plot.x.at(value(setting[name])), abs=0.01)
        assert plot.x.band is None  # there is no off
        best = dict(study.best.setting.parameters)[name]
        shown = str(best) if isinstance(best, int) else f"{best:.3g}"
        assert f"The best has parameter_{name} {shown}." in f"{plot.says}."


def test_parallel_coordinates_have_all_axes_and_none_of_what_is_missing() -> None:
    study = own_study(12, missing=("regularization_loss",), pruned=(11,))
    (plot,) = parallel.figure(Shown(study)).plots
    names = [*LAMBDA_NAMES, "learning_rate", "hidden", "dropout", "scale"]
    assert list(plot.x.ticks.values()) == [*names, "val_accuracy", "data_loss"]
    lines = re.findall(
        r'<polyline[^>]*data-trial="(\d+)"[^>]*points="([^"]*)"', "".join(plot.drawn)
    )
    assert {len(points.split()) for _, points in lines} == {len(names) + 2}
    assert {int(trial) for trial, _ in lines} == set(range(11))


def test_a_pruned_trial_is_a_cross_in_the_search_alone() -> None:
    study = own_study(12, pruned=(10, 11))
    shown = Shown(study)
    figure = search.figure(shown)
    mark = r'<use href="#(\w+)" class="(\w+)"[^>]*?data-trial="1[01]"'
    assert re.findall(mark, "".join(figure.plots[0].drawn)) == [("cross", "pruned")] * 2
    assert ("cross", "pruned", "pruned") in figure.legend
    assert ("cross", "pruned", "pruned") not in search.figure(Shown(own_study(12))).legend
    others = [*strengths.figure(shown).plots, *plane.figure(shown).plots]
    for plot in [*others, *parallel.figure(shown).plots]:
        assert not re.search(r'data-trial="1[01]"', "".join(plot.drawn))


def test_colours_tell_the_best_from_the_others_though_most_are_as_good() -> None:
    values = [0.8, *[0.9] * BEST_SHOWN, 0.85]
    (plot,) = plane.figure(Shown(accuracies(*values))).plots
    found = re.findall(r'data-trial="(\d+)" style="--good:(\d+)%"', "".join(plot.drawn))
    good = {int(trial): int(share) for trial, share in found}
    assert [good[n] for n in range(1, BEST_SHOWN + 1)] == [100] * BEST_SHOWN
    assert good[0] < good[BEST_SHOWN + 1] < 100


def heights(*scores: float) -> list[tuple[float, float]]:
    """The height of each trial in the search, in percent of the figure, and that of its score."""
    (plot, *_) = search.figure(Shown(accuracies(*scores))).plots
    found = re.findall(
        r'<use href="#[cl]\w+"[^>]* y="(\S+)%"[^>]*data-trial="(\d+)"', "".join(plot.drawn)
    )
    return [(float(y), 100 - plot.y.at(scores[int(trial)])) for y, trial in found]


def test_many_trials_of_one_score_are_no_line() -> None:
    scores = [0.8, 0.9, 0.9] * 120
    drawn = heights(*scores)
    assert len({y for y, _ in drawn}) > 100
    assert 1 < max(abs(y - of_score) for y, of_score in drawn) < 5
    assert all(0 < y < 100 for y, _ in drawn)
    assert all(y == pytest.approx(of_score) for y, of_score in heights(*scores[:30]))


def test_a_limit_leaves_out_the_worst_tenth_but_never_the_baseline() -> None:
    assert 0.7 < Shown(accuracies(0.8, *[0.9] * 18, 0.0)).limit < 0.8
    # there is no room for less where all others are equal
    assert Shown(accuracies(*[0.9] * 19, 0.0)).limit == 0.0


def test_the_band_of_what_does_not_matter_ends_where_the_axis_does() -> None:
    """The interval is far above 0, so -1 point has no place on the axis."""
    (plot,) = costs.figure(Shown(confirmed_study(look=1))).plots
    assert -0.01 < plot.x.low / 100 < 0.01 < plot.x.high / 100
    left, width = re.search(r'class="band" x="(\S+)%" width="(\S+)%"', plot.drawn[0]).groups()
    assert (float(left), float(width)) == (0, plot.x.at(1))
