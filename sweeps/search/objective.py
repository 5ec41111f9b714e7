"""The objective for a user's own study: a plain Optuna objective that trains the network."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from optuna.distributions import FloatDistribution, IntDistribution

from experiments import datasets, experiment_file
from experiments.evaluation import averaged, evaluate_on, one_thread
from experiments.spec import Experiment
from nnreg import Lambdas
from sweeps.search.search import Space

if TYPE_CHECKING:
    import optuna


class Objective:
    """For `study.optimize`: suggests what the experiment searches, the lambdas and perhaps the
    learning rate, on the axes of `sweeps.run`, trains the network in this thread, and returns the
    objective. The same params give the same number, to the bit.

    The trial gets the effective setting and all metrics as user attributes, and the objective after
    each epoch as an intermediate value. These are reported when training is over, so nothing is
    ever pruned: the network is trained in one piece, and a pruner could not save any time.

    The data are loaded once. Threads (`n_jobs`) take turns, because BLAS must have one thread in
    the process while one of them trains. To use more cores, start the same script several times on
    one storage.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._space = Space(experiment)
        self._spec = experiment.evaluation(arrays="")
        self._splits = datasets.load(experiment.data, experiment.training.dtype).splits

    @property
    def direction(self) -> str:
        """For `optuna.create_study`: "maximize", or "minimize" where the objective is a loss."""
        return self.experiment.direction

    @property
    def off(self) -> dict[str, float]:
        """The params for `study.enqueue_trial` that switch all searched lambdas off."""
        return self._space.bottom

    def lambdas(self, params: Mapping[str, float]) -> Lambdas:
        """Return the lambdas of params such as `study.best_params`, off below their axis."""
        return self._space.lambdas(params)

    def __call__(self, trial: "optuna.Trial") -> float:
        draws: dict[str, float] = {}
        for name, axis in self._space.distributions.items():
            if isinstance(axis, IntDistribution):
                draws[name] = trial.suggest_int(name, axis.low, axis.high, log=axis.log)
            elif isinstance(axis, FloatDistribution):
                draws[name] = trial.suggest_float(name, axis.low, axis.high, log=axis.log)
        setting, objective = self._space.setting(draws), self.experiment.sweep.objective
        job = self.experiment.job(setting)
        with one_thread():
            (networks,) = evaluate_on(self._splits, self._spec, [job])
        result = averaged(networks)
        if result.metrics is None:  # a user's own network
            raise RuntimeError(result.error)
        numbers = {**setting.numbers, **result.metrics.known, "best_epoch": result.best_epoch}
        for name, number in numbers.items():
            trial.set_user_attr(name, number)
        for epoch, value in enumerate(result.curves[objective], start=1):
            trial.report(value, epoch)
        return float(getattr(result.metrics, objective))


def objective(experiment: "str | Path | Experiment", *, edits: Iterable[str] = ()) -> Objective:
    """Return the objective of an experiment, given as for `sweeps.run`. Raises InputError."""
    return Objective(experiment_file.load(experiment, edits))
