"""The records of an Optuna study of ours: plain data for everything downstream."""

import json
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from experiments.errors import ForeignStudyError, StorageError
from experiments.records import COMPLETE, FAIL, StudyRecord, TrialRecord
from experiments.spec import Experiment
from experiments.wording import quoted
from sweeps.search.birth import BIRTH, check_format
from sweeps.storage import integrity
from sweeps.storage.attributes import replicates, result_of, setting_of, verdict
from sweeps.storage.storage import SUFFIX, answering, create_study, is_journal, open_storage

GENERATION = "generation"  # the user attribute that marks a trial of a sweep
AIM = "trials"  # of the study: how many trials were asked for last
IMPORTANCES = "importances"  # of the study: `shares` of each lambda, and of how many `trials`
MIXED = "mixed_hardware"  # of the study: how workers of a cluster differed from their driver


def load(url: str, name: str) -> optuna.Study:
    """Return the study of this name in a storage.

    Raises ForeignStudyError where sweeps did not begin it, StorageError where it was changed.
    """
    study = None
    with answering(url), integrity.reading(name):
        storage = open_storage(url)
        with suppress(KeyError):
            study = optuna.load_study(study_name=name, storage=storage)
        if study is None and is_journal(url) and Path(url).stem == name:
            check_alone(Path(url), storage)
        if study is not None and BIRTH in study.user_attrs:
            check(study)
            return study
    what = f"study {name}: it was never begun, or sweeps did not make it"
    raise ForeignStudyError(f"{what}; make one with: sweeps run digits")


def check_alone(journal: Path, storage: BaseStorage) -> None:
    """Raise StorageError where a journal holds a study, which is not the one it is named for."""
    for study in storage.get_all_studies():
        paths = (str(journal), str(journal.with_name(study.study_name + SUFFIX)))
        raise StorageError(
            f"{journal}: it holds study {study.study_name}, because the file was renamed, or the"
            f" name in it changed; rename it with: mv -n {' '.join(map(quoted, paths))}"
        )


def load_or_create(
    storage: BaseStorage, name: str, direction: str, *, alone: Path | None
) -> optuna.Study:
    """Return the study of this name, made now if it is not there; in a journal where it must be
    `alone`, not beside another one: StorageError.
    """
    try:  # load first: asking to create a study that is there writes into a journal
        return optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        if alone:
            check_alone(alone, storage)
        return create_study(
            study_name=name, storage=storage, direction=direction, load_if_exists=True
        )


def check(study: optuna.Study) -> None:
    """Raise StorageError where a study is not as it was recorded."""
    directions = [direction.name.lower() for direction in study.directions]
    if directions != [kept(study.study_name, study.user_attrs)[BIRTH]["direction"]]:
        raise integrity.damaged(study.study_name, "its direction")
    integrity.check(study.study_name, study.user_attrs, recorded(study))


def kept(study: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what sweeps keeps in the attributes of a study of this name.

    Raises ForeignStudyError where another version began it, StorageError where one was changed.
    """
    values = integrity.values_of(study, attributes)
    check_format(study, values.get(BIRTH, attributes[BIRTH]))  # bare up to format 3
    return values


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
    attributes = kept(study.study_name, study.user_attrs)
    birth = attributes[BIRTH]
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

    It is empty where there are too few trials, or none differs from another. What is kept on the
    study is taken where it is of all its trials.
    """
    there = recorded(study)
    found = kept(study.study_name, study.user_attrs).get(IMPORTANCES, {})
    if found.get("trials") == len(there):
        return dict(found["shares"])
    trials = [trial for trial in there if trial.value is not None]
    if len({trial.value for trial in trials}) < 2:
        return {}
    from optuna.importance import (  # with scikit-learn, nearly a second
        PedAnovaImportanceEvaluator,
        get_param_importances,
    )

    own = create_study(direction=study.direction)  # foreign trials may lack a lambda
    with integrity.reading(study.study_name):  # Optuna checks each trial, its times too
        own.add_trials(trials)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where all top trials share a value, the share is 0
        shares = get_param_importances(own, evaluator=PedAnovaImportanceEvaluator())
    return {name: float(share) for name, share in shares.items()}
