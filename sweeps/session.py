"""The session: a study that this process drives, prepared, searched, confirmed and published."""

import functools
import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace

from experiments import datasets, environment, loading
from experiments.card import card
from experiments.errors import InputError
from experiments.evaluation import EvaluationSpec
from experiments.records import StudyRecord, TrialRecord
from experiments.reports.markdown import as_markdown
from experiments.tracking import TrackerProcess, Writer
from nnreg import use_compiled
from sweeps import publish
from sweeps.confirmation import Means, confirmed
from sweeps.executors.evaluator import Evaluator
from sweeps.executors.local import WorkerDied, Workers
from sweeps.executors.resources import Resources, worth_compiling
from sweeps.interrupts import Interrupts
from sweeps.progress import Progress
from sweeps.result import Sweep
from sweeps.search.driver import drive
from sweeps.search.search import Search
from sweeps.search.study import Study
from sweeps.search.study_record import importances, study_record
from sweeps.workspace import Workspace

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Session:
    """A study that this process drives, and what a sweep needs to go through its steps."""

    place: Workspace
    data: datasets.Dataset
    study: Study
    executor: Workers
    resources: Resources
    writer: Writer
    tracker: TrackerProcess
    progress: Progress
    before: StudyRecord  # the study as it was found

    @contextmanager
    def training(self) -> Iterator[None]:
        """The executor trains in this block. If it fails, MLflow is not waited for."""
        try:
            holding = self.executor.holding(self.data.splits, self.before.study_uid)
            with self.executor, holding as arrays:
                self.progress.begin(self.before, self.before.aim, behind=lambda: self.writer.depth)
                spec = self.study.experiment.evaluation(arrays)
                spec = replace(spec, compiled=self._compiled(spec))
                self.evaluator = Evaluator(self.executor, spec, self._lanes)
                self.executor.heard = self.progress.heard
                for trial in self.before.trials:  # those that an earlier run could not write
                    self.writer.put(trial)
                if spec.own:  # the user's code is run in a worker, never here
                    check = self.executor.submit(loading.check, spec.own, self._parameters)
                    try:
                        check.result()
                    except WorkerDied as death:
                        raise InputError(
                            f"model.source {spec.own.name} cannot be imported: {death}; correct it"
                        ) from None
                yield
                self.study.note_mixture(self.executor.mixture)
        except BaseException:
            self.writer.abandon()
            raise

    def _compiled(self, spec: EvaluationSpec) -> bool:
        """Whether the workers train in compiled loops. One loads them now: on a new machine that
        compiles them, and later the others would wait for it.
        """
        trials = self.before.aim - len(self.before.trials)
        networks = trials * max(1, self.study.experiment.folds)
        workers = self.executor.size
        if spec.own or not worth_compiling(
            self.data.split, spec.config, networks=networks, workers=workers
        ):
            return False
        try:
            with self.study.interrupts.protected():  # a compiler reports what breaks in
                reason = self.executor.submit(use_compiled, spec.config.dtype).result()
        except WorkerDied as death:
            reason = str(death)
        logger.info("training in %s", f"NumPy: {reason}" if reason else "compiled loops")
        return not reason

    @property
    def _parameters(self) -> list[str]:
        own = self.study.experiment.own
        return list(own.parameters) if own else []

    def search(self) -> None:
        note, aim = self.progress.note, self.before.aim
        drive(self.study, self.evaluator, trials=aim, observe=self._observe, note=note)

    def confirm(self, *, open_test: bool) -> None:
        means = Means(
            evaluator=self.evaluator,
            others=functools.partial(self.place.kept, self.progress.note),
            observe=self.progress.confirming,
        )
        folder = self.place.reports_of(self.before.study)
        confirmed(self.study, self.data, means, open_test=open_test, folder=folder)

    def answer(self) -> None:
        self.progress.answer(study_record(self.study.optuna), self.place.options())

    def publish(self) -> Sweep:
        observe = self.progress.writing
        outcome = self.writer.close(observe=observe)
        self.study.keep_importances()
        study = self.study.reread()
        record = study_record(study, importances(study))
        if answer := card(record):
            self.study.note(as_markdown(answer))
        runs, files = publish.write_all(self.place, record, self.tracker, outcome, observe)
        return Sweep(record, study, self.place, runs, tuple(files))

    def _lanes(self) -> int:
        return self.resources.lanes_of(self.study.experiment, self.data.split, self.executor.size)

    def _observe(self, trial: TrialRecord) -> None:
        self.study.note_mixture(self.executor.mixture)
        self.writer.put(trial)
        self.progress.add(trial)


@dataclass(frozen=True)
class Steps:
    """The steps of a sweep of so many trials in a workspace: prepare, search, confirm, publish."""

    place: Workspace
    resources: Resources
    trials: int

    def run(
        self, search: Search, name: str, progress: Progress, *, confirm: bool, open_test: bool
    ) -> Sweep:
        """Take them for the study of this name, from where it stands. Raises as `sweeps.run`."""
        with prepare(self.place, name, search, self.resources, progress, self.trials) as session:
            with session.training():
                session.search()
                if confirm:
                    session.confirm(open_test=open_test)
                session.answer()
            return session.publish()


@contextmanager
def prepare(
    place: Workspace,
    name: str,
    search: Search,
    resources: Resources,
    progress: Progress,
    trials: int | None = None,
) -> Iterator[Session]:
    """Load the data, open the study, and start what writes to MLflow; all ends with the block.

    Whatever can be refused is refused in this order, before anything is made: data, an address that
    MLflow cannot use, a cluster that does not answer.
    """
    experiment = search.experiment
    data = datasets.load(experiment.data, experiment.training.dtype)
    if logger.isEnabledFor(logging.INFO):  # finding the notes takes time
        for note in data.notes:
            logger.info("data: %s", note)
    store = place.store(experiment.name)
    with Interrupts().installed() as interrupts, ExitStack() as stack:
        executor = resources.open(experiment, progress.note)
        stack.callback(executor.shutdown)
        study = stack.enter_context(closing(place.open(name, search, data)))
        study.interrupts = interrupts
        if trials is not None:
            study.aim(trials)
        before = study_record(study.optuna)
        logger.info("study %s: %d trials are there", name, len(before.trials))
        logger.info("MLflow at %s, experiment %s", store.shown, store.experiment)
        if before.trials and (changed := environment.differences(before.versions)):
            progress.note(f"study {before.study} {changed}; it continues with that")
        if store.file:  # now, and never again where the directory was moved
            store.file.parent.mkdir(parents=True, exist_ok=True)
        tracker = stack.enter_context(TrackerProcess(store, before))
        stack.enter_context(progress)
        yield Session(
            place=place,
            data=data,
            study=study,
            executor=executor,
            resources=resources,
            writer=Writer(tracker),
            tracker=tracker,
            progress=progress,
            before=before,
        )
