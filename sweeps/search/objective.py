"""The objective for a study of the user's own: a plain Optuna objective that trains the network of
an experiment.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from experiments import datasets, experiment_file
from experiments.evaluation import EvaluationSpec, Job, evaluate_on, one_thread
from experiments.spec import Experiment
from nnreg import Lambdas
from sweeps.search.space import Space
from sweeps.storage.attributes import trial_attributes

if TYPE_CHECKING:
    import optuna


class Objective:
    """For `study.optimize`. Called with a trial, it suggests the lambdas that the experiment
    searches, on the same axes as `sweeps.run`, trains the network in this thread, and returns the
    objective: for the same lambdas the same number, to the bit.

    The trial gets the user attributes that a trial of `sweeps.run` has (but for the generation, of
    which there is none), and the objective after each epoch as an intermediate value. These are
    reported when training is over: the network of all epochs is trained in one piece. So nothing is
    ever pruned; a pruner could not save any time.

    The data are loaded once. Threads (`n_jobs`) take turns, because BLAS must have one thread in
    the whole process while one of them trains; to use more cores, start the same script several
    times on one storage.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._space = Space.of(experiment.lambdas, experiment.sweep.off_decades)
        self._spec = EvaluationSpec(experiment.train_config(), experiment.lambdas.layers, "")
        self._split = datasets.load(experiment.data, experiment.training.dtype).split

    @property
    def direction(self) -> str:
        """For `optuna.create_study`: "maximize", or "minimize" where the objective is a loss."""
        return "maximize" if self.experiment.maximize else "minimize"

    @property
    def off(self) -> dict[str, float]:
        """The params that switch off all that is searched, for `study.enqueue_trial`; 0 is on no
        logarithmic axis.
        """
        return self._space.bottom

    def lambdas(self, params: Mapping[str, float]) -> Lambdas:
        """The lambdas that a trial's params stand for, such as `study.best_params`: below the low
        end of its axis one is off.
        """
        return self._space.lambdas(params)

    def __call__(self, trial: "optuna.Trial") -> float:
        axes = self._space.axes.items()
        lambdas = self.lambdas(
            {
                name: trial.suggest_float(name, axis.bottom, axis.high, log=True)
                for name, axis in axes
            }
        )
        job, objective = Job(lambdas, self._spec.config.seed), self.experiment.sweep.objective
        with one_thread():
            (result,) = evaluate_on(self._split, self._spec, [job])
        for name, value in trial_attributes(lambdas, result).items():
            trial.set_user_attr(name, value)
        for epoch, value in enumerate(result.curves[objective], start=1):
            trial.report(value, epoch)
        return float(getattr(result.metrics, objective))


def objective(experiment: "str | Path | Experiment", *, edits: Iterable[str] = ()) -> Objective:
    """The objective of an experiment, for `study.optimize`; `experiment` and `edits` are as for
    `sweeps.run`.

    Raises InputError.
    """
    return Objective(experiment_file.load(experiment, edits))
