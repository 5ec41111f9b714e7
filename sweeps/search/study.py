"""The study: one search of an experiment in an Optuna storage; it proposes, and it records."""

import functools
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from optuna.trial import FrozenTrial, TrialState, create_trial

from experiments.errors import ForeignStudyError, InputError, StorageError, StudyError
from experiments.evaluation import Setting, TrialResult
from experiments.records import TrialRecord
from experiments.redaction import masked_url
from experiments.spec import Experiment
from nnreg import Lambdas
from sweeps.interrupts import Interrupts
from sweeps.search import study_record as stored
from sweeps.search.birth import BIRTH, birth
from sweeps.search.mirror import Mirror
from sweeps.search.pruning import medians
from sweeps.search.search import CODE, Search
from sweeps.search.study_record import AIM, GENERATION, MIXED, StoredStudy, recorded
from sweeps.storage import attributes
from sweeps.storage.integrity import reading, trial_content
from sweeps.storage.storage import answering, create_study, file_of, open_storage, study_lock

if TYPE_CHECKING:
    from experiments.datasets import Dataset

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Proposal:
    """A trial to be made: its generation, its draws and the setting that they stand for."""

    generation: int
    draws: Mapping[str, float]
    setting: Setting


class Study:
    """A study that this process may write until `close`.

    Nothing unfinished is ever written: a trial comes into the storage finished, in one step, in
    trial order. `closing` is what `close` has to do.
    """

    def __init__(
        self,
        study: StoredStudy,
        search: Search,
        url: str,
        closing: ExitStack,
    ) -> None:
        self.optuna, self.storage, self.closing = study, study.storage, closing
        self.kept = study.kept  # values by key
        self.experiment = search.experiment
        self._search, self._url, self._size = search, url, self.experiment.sweep.generation
        self._first = self.experiment.first_generation
        self._study_id = study.study_id
        self._recorded = recorded(study)
        self.interrupts = Interrupts()  # they wait while a record is written
        self._file = file_of(url)
        self._left = self._stamp()  # the file as this process left it
        self._asked: list[Proposal] = []

    @functools.cached_property
    def _mirror(self) -> Mirror:
        """The mirror with the whole generations so far; a confirmation never needs it."""
        mirror = Mirror(self._search)
        with reading(self.optuna.study_name):  # Optuna checks each trial, its times too
            mirror.replay(self._recorded[: self.finished - self._begun])
        return mirror

    @property
    def finished(self) -> int:
        """How many trials are recorded."""
        return len(self._recorded)

    @property
    def _begun(self) -> int:
        """How many of them are of the generation in progress."""
        later = self.finished - self._first
        return self.finished if later < 0 else later % self._size

    def close(self) -> None:
        """Let others write the study."""
        self.closing.close()

    def aim(self, trials: int) -> None:
        """Note how many trials are asked for, which `status` shows."""
        self.keep(AIM, trials)

    def note_mixture(self, mixture: Collection[str]) -> None:
        """Note in what ways workers differ from this process."""
        if mixture:
            self.keep(MIXED, sorted({*self.kept.get(MIXED, ()), *mixture}))

    def keep_importances(self) -> None:
        """Keep the importances of the lambdas: who shows them need not compute them again."""
        shares = stored.importances(self.optuna)
        self.keep(stored.IMPORTANCES, {"trials": self.finished, "shares": shares})

    def note(self, text: str) -> None:
        """Have optuna-dashboard show a text in Markdown as the study's note."""
        with self._writing():
            self.optuna.note(text)

    def propose(self) -> list[Proposal]:
        """Return the trials that are missing from the generation in progress: always the same ones.

        Raises InputError if a user's own sampler fails, or no longer proposes what it did.
        """
        if not self._asked:
            generation, baseline = self._mirror.generation, self.experiment.baseline_trials
            self.check_first()
            draws = self._mirror.ask()
            self._check_recorded(draws)
            settings = [self._search.space.setting(draw) for draw in draws]
            if generation == 0:  # the baseline arm, where lambdas with a fixed value are off too
                settings[:baseline] = [
                    replace(one, lambdas=Lambdas()) for one in settings[:baseline]
                ]
            self._asked = [
                Proposal(generation, draw, setting)
                for draw, setting in zip(draws, settings, strict=True)
            ]
        return self._asked[self._begun :]

    def check_first(self) -> None:
        """Raise InputError if every network of the first generation diverged, or a user's own
        failed.
        """
        rates, first = self.experiment.rates, self._recorded[: self._first]
        if len(first) < self._first:
            return
        results = [attributes.result_of(one) for one in first]
        if self.experiment.own and all(one.metrics is None for one in results):
            how, remedy = f"failed ({results[-1].error})", "correct that"
        elif rates and all(one.diverged for one in results):
            why = f" ({results[-1].error})" if results[-1].error else ""
            how = f"diverged{why}, with learning rates from {rates.low:g} to {rates.high:g}"
            remedy = "lower training.learning_rate"
        else:
            return
        raise InputError(
            f"study {self.optuna.study_name}: all {self._first} networks of the first generation"
            f" {how}; {remedy}, and start another study with --study NAME"
        )

    def medians(self) -> tuple[float, ...]:
        """Return what this generation's trials are pruned by; nothing without a pruner."""
        if self.experiment.sweep.pruner is None:
            return ()
        whole = self._recorded[: self.finished - self._begun]
        return medians(whole, self.experiment.sweep.objective)

    def _check_recorded(self, draws: Sequence[Mapping[str, float]]) -> None:
        """Raise InputError if another function of the same name began this generation."""
        begun = self._recorded[self.finished - self._begun :]
        function = self._search.kind.function
        if function and [trial.params for trial in begun] != draws[: len(begun)]:
            raise InputError(
                f"study {self.optuna.study_name}: sampler {function} no longer proposes what is"
                " recorded; continue with it as it was, or start another study with --study NAME"
            )

    def record(self, proposal: Proposal, result: TrialResult) -> TrialRecord:
        """Write the finished trial that follows the last one."""
        trial = self._finished_trial(proposal, result)
        with self.interrupts.protected(), self._writing():
            trial_at = self.storage.get_trial_id_from_study_id_trial_number
            if self._recorded:
                trial_at(self._study_id, self._recorded[-1].number)  # raises if it is not there
            trial_id = self.storage.create_new_trial(self._study_id, template_trial=trial)
            # The next number, unless somebody else wrote; to read the trial takes six statements.
            number = self._recorded[-1].number + 1 if self._recorded else 0
            if trial_at(self._study_id, number) != trial_id:
                number = self.storage.get_trial_number_from_id(trial_id)
            trial.number = number
        self.optuna.seal = trial.system_attrs[attributes.RESULT][attributes.SEAL]
        self._recorded.append(trial)
        if self._begun == 0:
            self._mirror.tell(self._recorded[-self._mirror.size :])
            self._asked = []
        return stored.trial_record(trial)

    def keep(self, key: str, value: Any) -> None:
        """Keep a JSON value on the study, in place of another one of the same key."""
        if self.kept.get(key) == value:
            return
        with self.interrupts.protected(), self._writing():
            self.optuna.keep(key, value)

    def reread(self) -> StoredStudy:
        """Return the study as its storage has it now. Raises StorageError if that is not what
        this process wrote.
        """
        with self._writing():
            found = stored.load(self._url, self.optuna.study_name)
            if found.seal != self.optuna.seal:
                raise self._changed()
            return found

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """The storage is what this process left, before and after. Raises StorageError."""
        with answering(self._url):
            try:
                now = self._stamp()
                if now[:2] != self._left[:2] or now[2] < self._left[2]:
                    raise self._changed()
                yield
                self._left = self._stamp()
            # No file; Optuna's errors for a trial that is not there, and for a line that is none.
            except (FileNotFoundError, KeyError, ValueError, ForeignStudyError) as error:
                raise self._changed() from error

    def _changed(self) -> StorageError:
        return StorageError(
            f"study {self.optuna.study_name}: another program removed, replaced or changed"
            f" {masked_url(self._url)} during this sweep; put it back, or run the same command"
            " again: what is missing is computed again, the same to the bit"
        )

    def _stamp(self) -> tuple[int, int, int]:
        """Return device, inode and size of the storage's file; zeros for a server."""
        status = self._file.stat() if self._file else None
        return (status.st_dev, status.st_ino, status.st_size) if status else (0, 0, 0)

    def _finished_trial(self, proposal: Proposal, result: TrialResult) -> FrozenTrial:
        objective = self.experiment.sweep.objective
        state = TrialState.COMPLETE if result.metrics else TrialState.FAIL
        if result.pruned:
            state = TrialState.PRUNED
        trial = create_trial(
            state=state,
            params=dict(proposal.draws),
            distributions=self._search.space.distributions,
            value=None if result.pruned else getattr(result.metrics, objective, None),
            user_attrs={GENERATION: proposal.generation}
            | attributes.user_attributes(proposal.setting, result),
            system_attrs=attributes.system_attributes(result),
            intermediate_values=attributes.points(result, objective),
        )
        seal = self.optuna.seal.next(trial_content(self.finished, trial))
        trial.system_attrs[attributes.RESULT][attributes.SEAL] = seal
        # Optuna keeps local times without a zone; the attributes hold the times themselves.
        trial.datetime_start = result.started.astimezone().replace(tzinfo=None)
        trial.datetime_complete = result.finished.astimezone().replace(tzinfo=None)
        return trial


def open_study(
    url: str,
    name: str,
    search: Search | Experiment,
    data: "Dataset | None" = None,
) -> Study:
    """Lock the study of this name and open it, made now with these data if it is not there.

    Raises LockError if another process drives it, StudyError if it belongs to another
    experiment, with `key: old -> new`.
    """
    search = Search(search) if isinstance(search, Experiment) else search
    lock = study_lock(url, name)
    with answering(url), ExitStack() as stack:
        lock.acquire()
        stack.callback(lock.release)
        logger.debug("study %s locked", name)
        storage = open_storage(url, lock)
        study = stored.find(storage, url, name)
        if study is None:  # to ask for one that is there would write into a journal
            direction = search.experiment.direction
            create_study(study_name=name, storage=storage, direction=direction, load_if_exists=True)
            study = StoredStudy(name, storage)
        with reading(name):
            is_begun = study.read()
        if not is_begun and study.get_trials(deepcopy=False):
            raise StudyError(
                f"study {name}: it holds trials that sweeps did not make; choose another name with"
                " --study NAME"
            )
        born, experiment = study.kept.get(BIRTH, {}), search.experiment
        # One that has no trial yet takes a corrected network of the user's.
        both_own = CODE in born.get("identity", {}) and experiment.own
        may_change = both_own and not recorded(study) and born["direction"] == experiment.direction
        if not born or (may_change and born["fingerprint"] != experiment.fingerprint):
            study.keep(BIRTH, birth(experiment, data))
            logger.info("study %s born in %s", name, masked_url(url))
        born = study.kept[BIRTH]
        if born["fingerprint"] != experiment.fingerprint:
            changes = search.changes(born, data.rows if data else {})
            raise StudyError(f"study {name} belongs to another experiment: {changes}")
        study.name_objective(experiment.sweep.objective)
        return Study(study, search, url, stack.pop_all())
