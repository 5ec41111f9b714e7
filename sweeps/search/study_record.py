"""The records of an Optuna study of ours: plain data for everything downstream."""

import json
import warnings
from collections.abc import Mapping

import optuna
from optuna.trial import FrozenTrial, TrialState

from experiments.records import COMPLETE, FAIL, StudyRecord, TrialRecord
from experiments.spec import Experiment
from sweeps.search.birth import BIRTH, check_format
from sweeps.storage.attributes import replicates, result_of, setting_of, verdict
from sweeps.storage.storage import create_study

GENERATION = "generation"  # the user attribute that marks a trial of a sweep
AIM = "trials"  # of the study: how many trials were asked for last
MIXED = "mixed_hardware"  # of the study: how workers of a cluster differed from their driver


def recorded(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that sweeps wrote into the study."""
    return [trial for trial in study.get_trials(deepcopy=False) if GENERATION in trial.user_attrs]


def foreign(study: optuna.Study) -> int:
    """Return how many trials something else left in the study: reported, and left alone."""
    return len(study.get_trials(deepcopy=False)) - len(recorded(study))


def trial_record(trial: FrozenTrial) -> TrialRecord:
    """Return a trial as plain data."""
    return TrialRecord(
        trial=trial.number,
        generation=trial.user_attrs[GENERATION],
        state=COMPLETE if trial.state == TrialState.COMPLETE else FAIL,
        setting=setting_of(trial),
        **vars(result_of(trial)),
    )


def study_record(
    study: optuna.Study, importances: Mapping[str, float] | None = None
) -> StudyRecord:
    """Return a study as plain data."""
    attributes = study.user_attrs
    birth = attributes[BIRTH]
    check_format(study.study_name, birth)
    experiment = Experiment.model_validate_json(json.dumps(birth["spec"]))
    return StudyRecord(
        study=study.study_name,
        study_uid=birth["study_uid"],
        experiment=experiment,
        fingerprint=birth["fingerprint"],
        versions=birth["versions"],
        aim=attributes.get(AIM, experiment.sweep.trials),
        trials=tuple(trial_record(trial) for trial in recorded(study)),
        importances=importances or {},
        verdict=verdict(attributes),
        replicates=replicates(attributes),
        mixed_hardware=tuple(attributes.get(MIXED, ())),
        provenance=birth["provenance"],
        data=birth["data"],
    )


def importances(study: optuna.Study) -> dict[str, float]:
    """Return PED-ANOVA's share of each lambda in the variation of the objective, by name.

    It is empty where there are too few trials, or none differs from another.
    """
    trials = [trial for trial in recorded(study) if trial.value is not None]
    if len({trial.value for trial in trials}) < 2:
        return {}
    from optuna.importance import (  # with scikit-learn, nearly a second
        PedAnovaImportanceEvaluator,
        get_param_importances,
    )

    own = create_study(direction=study.direction)  # foreign trials may lack a lambda
    own.add_trials(trials)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where all top trials share a value, the share is 0
        shares = get_param_importances(own, evaluator=PedAnovaImportanceEvaluator())
    return {name: float(share) for name, share in shares.items()}
