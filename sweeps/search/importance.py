"""The importances: how much of the objective's variation each searched lambda explains."""

import warnings

import optuna

from sweeps.search.study import BIRTH, is_ours
from sweeps.storage.storage import create_study


def importances(study: optuna.Study) -> dict[str, float]:
    """PED-ANOVA's share of each lambda, by name; empty where there are too few trials, or none
    differs from another.
    """
    trials = [
        trial
        for trial in study.get_trials(deepcopy=False)
        if is_ours(trial) and trial.value is not None
    ]
    if len({trial.value for trial in trials}) < 2 or study.user_attrs.get(BIRTH) is None:
        return {}
    from optuna.importance import (  # with scikit-learn, nearly a second
        PedAnovaImportanceEvaluator,
        get_param_importances,
    )

    # Trials of others in the same study may lack a lambda: the evaluator sees ours alone.
    ours = create_study(direction=study.direction)
    ours.add_trials(trials)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # it warns where all of the top trials share a value: then the share is 0
        return {
            name: float(share)
            for name, share in get_param_importances(
                ours, evaluator=PedAnovaImportanceEvaluator()
            ).items()
        }
