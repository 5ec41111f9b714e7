"""The validation in words: on which rows the networks of a study were judged, and how many."""

from collections.abc import Mapping

from experiments.spec import Experiment


def folds(experiment: Experiment) -> str:
    """For example `5 folds`, or `3 x 5 folds` of three repeats; empty without folds."""
    split = experiment.data.split
    return f"{_repeated(experiment)}{split.folds} folds" if split.folds else ""


def judged(experiment: Experiment) -> str:
    """For example `on the validation rows`, or `in 5-fold cross-validation`."""
    if split_folds := experiment.data.split.folds:
        return f"in {_repeated(experiment)}{split_folds}-fold cross-validation"
    return "on the validation rows"


def rows(experiment: Experiment, counts: Mapping[str, int]) -> str:
    """For example `300 training, 100 validation, 100 test rows`, or `400 rows in 5 folds, 100 test
    rows`, of the counts of the data; empty without.
    """
    if experiment.folds and counts:
        test = f", {counts['test']:,} test rows" if counts["test"] else ""
        return f"{counts['training']:,} rows in {folds(experiment)}{test}"
    parts = ", ".join(f"{count:,} {part}" for part, count in counts.items() if count)
    return f"{parts} rows" if parts else ""


def untested(experiment: Experiment, counts: Mapping[str, int]) -> str:
    """For example `the test set is still sealed`: why a verdict claims nothing."""
    if experiment.outer_folds:
        return "not all outer folds are tested yet"
    return "the test set is still sealed" if counts["test"] else "there are no test rows"


def networks(experiment: Experiment, seeds: int) -> str:
    """For example `10 networks with new seeds`, or `50 networks (10 new seeds, 5 folds)`: those of
    a setting in the confirmation.
    """
    if count := experiment.data.split.folds:
        return f"{seeds * count} networks ({seeds} new seeds, {count} folds)"
    return f"{seeds} networks with new seeds"


def _repeated(experiment: Experiment) -> str:
    repeats = experiment.data.split.repeats
    return f"{repeats} x " if repeats > 1 else ""
