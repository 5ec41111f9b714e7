"""The records of an Optuna study that sweeps made: plain data for everything downstream."""

import json
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from experiments.errors import ForeignStudyError, StorageError
from experiments.records import StudyRecord, TrialRecord
from experiments.reports.markdown import merged_note
from experiments.spec import Experiment
from experiments.wording import quoted
from sweeps.search.birth import BIRTH, check_format
from sweeps.storage import integrity
from sweeps.storage.attributes import SEAL, replicates, result_of, setting_of, verdict
from sweeps.storage.integrity import Seal
from sweeps.storage.storage import (
    SUFFIX,
    answering,
    create_study,
    is_journal,
    journal_path,
    open_storage,
)

GENERATION = "generation"  # the user attribute that marks a trial of a sweep
AIM = "trials"  # of the study: how many trials were asked for last
IMPORTANCES = "importances"  # of the study: `shares` of each lambda, and of how many `trials`
MIXED = "mixed_hardware"  # of the study: how workers of a cluster differed from their driver
UNKEPT = "unkept"  # of the study: the origin of a model that cannot be kept as arrays
UNSEEDED = "unseeded"  # of the study: how two evaluations of its first trial differed


class StoredStudy(optuna.Study):
    """A study of Optuna's that also reads and writes its system attributes, which hold what sweeps
    keeps: optuna-dashboard shows each user attribute in one line, however long it is.

    Optuna-dashboard also shows the name of the objective and a note.
    """

    def __init__(self, name: str, storage: BaseStorage) -> None:
        super().__init__(name, storage)
        self.storage, self.study_id = storage, storage.get_study_id_from_name(name)
        self.kept: dict[str, Any] = {}  # values by key
        self.seal = Seal()  # of the last record

    def read(self) -> bool:
        """Read what is kept, and return whether sweeps began the study. Raises FormatError where
        another version did, StorageError if a record is not as it was written.
        """
        attributes = self.storage.get_study_system_attrs(self.study_id)
        older, records = self.user_attrs | attributes, integrity.kept_records(attributes)
        self.kept = {record["key"]: record["value"] for record in records}
        if not records and BIRTH not in older:
            return False
        check_format(self.study_name, self.kept.get(BIRTH) or older[BIRTH])
        directions = [direction.name.lower() for direction in self.directions]
        if directions != [self.kept[BIRTH]["direction"]]:
            raise integrity.damaged(self.study_name, "its direction")
        self.seal = integrity.check(self.study_name, attributes, recorded(self))
        return True

    def keep(self, key: str, value: Any) -> None:
        """Keep a value of JSON under a key, in place of another one."""
        seal = self.seal.next([key, value])
        record = {"key": key, "value": value, SEAL: seal}
        self.storage.set_study_system_attr(self.study_id, f"{integrity.KEPT}{seal.place}", record)
        self.kept[key], self.seal = value, seal

    def name_objective(self, name: str) -> None:
        """Give the objective its name, if it has none."""
        if self.metric_names is None:
            with warnings.catch_warnings(action="ignore", category=ExperimentalWarning):
                self.set_metric_names([name])

    def note(self, text: str) -> None:
        """Have optuna-dashboard, if it is installed, show a text in Markdown as the study's note.

        What people wrote below it stays.
        """
        try:
            from optuna_dashboard import get_note, save_note
        except ImportError:
            return
        there = get_note(self)
        if (note := merged_note(text, there)) != there:
            save_note(self, note)


def load(url: str, name: str) -> StoredStudy:
    """Return the study of this name in a storage.

    Raises ForeignStudyError if sweeps did not begin it, StorageError if it was changed.
    """
    with answering(url), integrity.reading(name):
        study = find(open_storage(url), url, name)
        if study is not None and study.read():
            return study
    what = f"study {name}: it was never begun, or sweeps did not make it"
    raise ForeignStudyError(f"{what}; start one with: sweeps run digits")


def find(storage: BaseStorage, url: str, name: str) -> StoredStudy | None:
    """Return the study of this name in a storage that is open, None if it is not there. Raises
    StorageError if the journal that a workspace has for it holds another one.
    """
    with suppress(KeyError):
        return StoredStudy(name, storage)
    journal = Path(url)
    is_own = is_journal(url) and journal == journal_path(journal.parent.parent, name)
    for study in storage.get_all_studies() if is_own else []:
        paths = (str(journal), str(journal.with_name(study.study_name + SUFFIX)))
        raise StorageError(
            f"{journal}: it holds study {study.study_name}, because the file was renamed, or the"
            f" name in it changed; rename it with: mv -n {' '.join(map(quoted, paths))}"
        )
    return None


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
        state=trial.state.name,
        setting=setting_of(trial.user_attrs),
        **vars(result_of(trial)),
    )


def study_record(study: StoredStudy, importances: Mapping[str, float] | None = None) -> StudyRecord:
    """Return a study as plain data."""
    kept, birth = study.kept, study.kept[BIRTH]
    experiment = Experiment.model_validate_json(json.dumps(birth["spec"]))
    return StudyRecord(
        study=study.study_name,
        study_uid=birth["study_uid"],
        experiment=experiment,
        fingerprint=birth["fingerprint"],
        versions=birth["versions"],
        aim=kept.get(AIM, experiment.sweep.trials),
        trials=tuple(trial_record(trial) for trial in recorded(study)),
        importances=importances or {},
        verdict=verdict(kept),
        replicates=replicates(kept),
        mixed_hardware=tuple(kept.get(MIXED, ())),
        unseeded=kept.get(UNSEEDED, ""),
        unkept=kept.get(UNKEPT),
        provenance=birth["provenance"],
        data=birth["data"],
    )


def importances(study: StoredStudy) -> dict[str, float]:
    """Return PED-ANOVA's share of each lambda in the variation of the objective, by name.

    It is empty if there are too few trials, or none differs from another. What is kept on the
    study is taken where it is of all its trials.
    """
    there = recorded(study)
    found = study.kept.get(IMPORTANCES, {})
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
