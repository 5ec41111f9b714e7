"""The study: one search of an experiment, kept in an Optuna storage; it proposes, and it records."""

import functools
import json
import logging
import uuid
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from experiments import environment
from experiments.digest import digest
from experiments.errors import InputError, StudyError
from experiments.evaluation import Metrics, TrialResult
from experiments.records import COMPLETE, FAIL, StudyRecord, TrialRecord
from experiments.redaction import masked_url
from experiments.spec import Experiment
from nnreg import LAMBDA_NAMES, Lambdas
from sweeps.provenance import provenance
from sweeps.search.mirror import Mirror
from sweeps.search.search import Search
from sweeps.search.space import Space
from sweeps.storage.attributes import (
    curves_of,
    packed_curves,
    replicates,
    trial_attributes,
    verdict,
)
from sweeps.storage.database import OURS, Database
from sweeps.storage.lock import Claim
from sweeps.storage.storage import add_trial, answering, claim_on, create_study, hang_up

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from experiments.datasets import Dataset

# all that a study is, in one attribute: set at once, so a study has all of it or nothing
BIRTH = "sweep"
AIM = "trials"  # how many trials were asked for last
MIXED = "mixed_hardware"  # in what ways workers of a cluster differed from their driver


@dataclass(frozen=True)
class Proposal:
    """A trial to be made: its place, its draws and what they stand for."""

    generation: int
    draws: Mapping[str, float]
    lambdas: Lambdas


class Study:
    """A study that is ours to write, until `close`. Nothing unfinished is ever written: a trial
    comes into the storage finished, in one step, in trial order. `closing` is what `close` has to
    do.
    """

    def __init__(
        self,
        optuna_study: optuna.Study,
        storage: BaseStorage,
        search: Search,
        url: str,
        claim: Claim,
    ) -> None:
        self.optuna, self.storage, self._search, self._url, self._claim = (
            optuna_study,
            storage,
            search,
            url,
            claim,
        )
        self.experiment = experiment = search.experiment
        self._study_id = storage.get_study_id_from_name(optuna_study.study_name)
        self._noted: set[str] = set()
        self.closing = ExitStack()
        sweep = experiment.sweep
        self.space = Space.of(experiment.lambdas, sweep.off_decades)
        self._size = sweep.generation
        self._finished = [trial for trial in self._trials() if is_ours(trial)]
        self._asked: list[Proposal] = []

    @functools.cached_property
    def _mirror(self) -> Mirror:
        """The mirror with the whole generations so far; made when it is first needed, which for a
        confirmation is never.
        """
        search, sweep = self._search, self.experiment.sweep
        mirror = Mirror(
            search.kind,
            self.space,
            seed=sweep.seed,
            size=self._size,
            maximize=self.experiment.maximize,
        )
        mirror.replay(self._finished[: self.finished // self._size * self._size])
        return mirror

    def _trials(self) -> list[FrozenTrial]:
        with answering(self._url):
            return self.optuna.get_trials(deepcopy=False)

    def close(self) -> None:
        """Let others write the study."""
        with answering(self._url):
            self.closing.close()

    @property
    def finished(self) -> int:
        """How many trials are recorded."""
        return len(self._finished)

    def aim(self, trials: int) -> None:
        """Note how many trials are asked for: what `status` counts against."""
        if self.optuna.user_attrs.get(AIM) != trials:
            with answering(self._url):
                self.optuna.set_user_attr(AIM, trials)

    def note_mixture(self, mixture: Collection[str]) -> None:
        """Note in what ways workers differ from this process."""
        if set(mixture) - self._noted:
            self._noted |= {*self.optuna.user_attrs.get(MIXED, ()), *mixture}
            self.keep(MIXED, sorted(self._noted))

    def propose(self) -> list[Proposal]:
        """The trials that are missing from the generation in progress; the same whoever asks, and
        whenever.

        Raises InputError where a sampler of the user's own fails, or no longer proposes what it
        did.
        """
        if not self._asked:
            generation = self._mirror.generation
            draws = self._mirror.ask()
            self._check_recorded(draws)
            self._asked = [Proposal(generation, draw, self.space.lambdas(draw)) for draw in draws]
            if generation == 0:
                self._asked[0] = Proposal(
                    0, draws[0], Lambdas()
                )  # the baseline: what is fixed is off there too
        return self._asked[self.finished % self._size :]

    def _check_recorded(self, draws: Sequence[Mapping[str, float]]) -> None:
        """Raise InputError where the generation in progress was begun by another function of the
        same name.
        """
        begun, factory = (
            self._finished[self.finished // self._size * self._size :],
            self._search.kind.function,
        )
        if factory and [trial.params for trial in begun] != draws[: len(begun)]:
            raise InputError(
                f"study {self.optuna.study_name}: sampler {factory} no longer proposes what is"
                " recorded; go on with it as it was, or start a study of its own with --study NAME"
            )

    def record(self, proposal: Proposal, result: TrialResult) -> TrialRecord:
        """Write the finished trial that follows the last one. Raises ClaimError where another
        driver has taken the study over.
        """
        frozen = self._frozen(proposal, result)
        last = self._finished[-1]._trial_id if self._finished else None
        with answering(self._url), self._claim.fenced():
            frozen._trial_id, frozen.number = add_trial(self.storage, self._study_id, frozen, last)
        self._finished.append(frozen)
        if self.finished % self._size == 0:
            self._mirror.tell(self._finished[-self._size :])
            self._asked = []
        return trial_record(frozen, self.experiment.sweep.objective)

    def keep(self, key: str, value: Any) -> None:
        """Keep a value (of JSON) on the study, in place of that of the same key. Raises ClaimError
        as `record` does.
        """
        with answering(self._url), self._claim.fenced():
            self.optuna.set_user_attr(key, value)

    def _frozen(self, proposal: Proposal, result: TrialResult) -> FrozenTrial:
        objective = self.experiment.sweep.objective
        attributes = {OURS: proposal.generation, **trial_attributes(proposal.lambdas, result)}
        frozen = create_trial(
            state=TrialState.COMPLETE if result.metrics else TrialState.FAIL,
            params=dict(proposal.draws),
            distributions=self._mirror.distributions,
            value=attributes.get(objective),
            user_attrs=attributes,
            system_attrs=packed_curves(result, objective),
            intermediate_values=dict(enumerate(result.curves.get(objective, ()), start=1)),
        )
        # Optuna keeps local times without a zone; the attributes hold the times themselves.
        frozen.datetime_start = result.started.astimezone().replace(tzinfo=None)
        frozen.datetime_complete = result.finished.astimezone().replace(tzinfo=None)
        return frozen


def is_ours(trial: FrozenTrial) -> bool:
    """Whether a trial was written by `Study.record`, rather than left in the study by something
    else.
    """
    return OURS in trial.user_attrs


def foreign(study: optuna.Study) -> int:
    """How many trials something else left in the study. They are reported, and left alone."""
    return sum(not is_ours(trial) for trial in study.get_trials(deepcopy=False))


def trial_record(trial: FrozenTrial, objective: str) -> TrialRecord:
    """An Optuna trial of ours as plain data."""
    attributes = trial.user_attrs
    complete = trial.state == TrialState.COMPLETE
    curves = curves_of(trial.system_attrs)
    if trial.intermediate_values:
        curves[objective] = tuple(value for _, value in sorted(trial.intermediate_values.items()))
    return TrialRecord(
        trial=trial.number,
        generation=attributes[OURS],
        state=COMPLETE if complete else FAIL,
        lambdas=Lambdas(**{name: attributes[name] for name in LAMBDA_NAMES}),
        metrics=(
            Metrics(**{name: attributes[name] for name in Metrics.__dataclass_fields__})
            if complete
            else None
        ),
        curves=curves,
        diverged=attributes["diverged"],
        epochs=attributes["epochs"],
        seconds=attributes["seconds"],
        started=datetime.fromisoformat(attributes["started"]),
        finished=datetime.fromisoformat(attributes["finished"]),
        error=attributes.get("error"),
    )


def study_record(
    study: optuna.Study, importances: Mapping[str, float] | None = None
) -> StudyRecord:
    """An Optuna study of ours as plain data."""
    attributes = study.user_attrs
    birth = attributes[BIRTH]
    experiment = Experiment.model_validate_json(json.dumps(birth["spec"]))
    objective = experiment.sweep.objective
    trials = [
        trial_record(trial, objective)
        for trial in study.get_trials(deepcopy=False)
        if is_ours(trial)
    ]
    return StudyRecord(
        study=study.study_name,
        study_uid=birth["study_uid"],
        experiment=experiment,
        fingerprint=birth["fingerprint"],
        versions=birth["versions"],
        aim=attributes.get(AIM, experiment.sweep.trials),
        trials=tuple(trials),
        importances=importances or {},
        verdict=verdict(attributes),
        replicates=replicates(attributes),
        mixed_hardware=tuple(attributes.get(MIXED, ())),
        provenance=birth.get("provenance", {}),
        data=birth.get("data", {}),
    )


def open_study(
    storage: BaseStorage,
    url: str,
    name: str,
    search: Search | Experiment,
    data: "Dataset | None" = None,
) -> Study:
    """The study of this name, born now if it is not there yet, and claimed. `data` are the rows
    that it is born with.

    Raises ClaimError where another process drives it, StudyError where it belongs to another
    experiment, with `key: old -> new`.
    """
    search = Search(search) if isinstance(search, Experiment) else search
    with answering(url), ExitStack() as stack:
        stack.callback(hang_up, storage)
        if isinstance(storage, Database):  # there the claim is a row of the study
            _made(storage, name, search.experiment)
        claim = claim_on(storage, url, name)
        claim.acquire()
        logger.debug("study %s claimed", name)
        stack.callback(claim.release)
        study = _made(storage, name, search.experiment)
        birth = study.user_attrs.get(BIRTH)
        if birth is None:
            if study.get_trials(deepcopy=False):
                raise StudyError(
                    f"study {name}: it holds trials that sweeps did not make; choose another name"
                    " with --study NAME"
                )
            birth = _birth(search, data)
            study.set_user_attr(BIRTH, birth)
            logger.info("study %s born in %s", name, masked_url(url))
        if birth["fingerprint"] != search.experiment.fingerprint:
            raise StudyError(
                f"study {name} belongs to another experiment: {search.changes(birth['identity'])}"
            )
        opened = Study(study, storage, search, url, claim)
        opened.closing = stack.pop_all()
        return opened


def _made(storage: BaseStorage, name: str, experiment: Experiment) -> optuna.Study:
    """The Optuna study of this name, made if it is not there."""
    try:  # load first: asking to create a study that is there writes into a journal
        return optuna.load_study(study_name=name, storage=storage)
    except KeyError:
        return create_study(
            study_name=name,
            storage=storage,
            direction="maximize" if experiment.maximize else "minimize",
            load_if_exists=True,
        )


def _birth(search: Search, data: "Dataset | None") -> dict[str, Any]:
    identity = search.experiment.identity
    return {
        "study_uid": uuid.uuid4().hex,
        "born": datetime.now(UTC).isoformat(),
        "fingerprint": search.experiment.fingerprint,
        "identity": identity,
        "spec": search.experiment.model_dump(mode="json"),
        "versions": {"sweeps": environment.installed("nnreg-sweeps"), **environment.versions()},
        "provenance": provenance(),
        "data": (
            {
                "digest": digest(
                    {key: identity[key] for key in identity if key.startswith("data.")}
                ),
                "features": len(data.features),
                "rows": data.rows,
            }
            if data
            else {}
        ),
    }
