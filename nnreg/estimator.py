"""The estimator: `train` as a scikit-learn classifier.

    from nnreg.estimator import RegularizedMLPClassifier

    network = RegularizedMLPClassifier(weight_l2=1e-3, random_state=0)
    model = make_pipeline(StandardScaler(), network)

The only file of the package that imports scikit-learn.
"""

import warnings
from dataclasses import KW_ONLY, dataclass, fields
from functools import cache
from numbers import Integral
from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import ThreadpoolController

from nnreg.arrays import Float64s
from nnreg.checks import seed_number
from nnreg.config import TrainConfig
from nnreg.lambdas import LAMBDA_NAMES, LAYERS, Lambdas, per_layer
from nnreg.predict import probabilities
from nnreg.split import Split
from nnreg.training import train


@dataclass(eq=False, repr=False)
class RegularizedMLPClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A small neural network with L1 and L2 penalties on its weights and biases.

    The same network, bit for bit, as that of `nnreg.train` with one BLAS thread. It trains for all
    its epochs on all rows. Inputs are read as they are: put a StandardScaler before it.

    Parameters
    ----------
    weight_l1, weight_l2, bias_l1, bias_l2
        As in `nnreg.Lambdas`; the penalty, summed over the layers, is added to the mean
        cross-entropy as it is.
    layers
        The layers that are penalised: "all", or "hidden", every one but the last.
    random_state : int, RandomState instance or None
        Of the initial weights and the order of rows. An int is the `seed` of TrainConfig.
    hidden, epochs, ...
        All others as in `nnreg.TrainConfig`.

    Attributes
    ----------
    classes_ : (classes,) the labels, sorted
    coefs_, intercepts_ : the weights (n_inputs, n_neurons) and biases (n_neurons,) of each layer,
        in `dtype`. The last layer has one neuron per class, for two classes too.
    data_loss_curve_, regularization_loss_curve_, loss_curve_ : (epochs,) at the end of each epoch,
        on all rows; the third is the sum of the two, and `loss_` its last
    n_iter_ : epochs trained

    `fit` raises TypeError or ValueError if a parameter is wrong. If the training diverges, it warns
    (ConvergenceWarning), and the network is that of the last epoch before.
    """

    weight_l1: float = Lambdas.weight_l1
    weight_l2: float = Lambdas.weight_l2
    bias_l1: float = Lambdas.bias_l1
    bias_l2: float = Lambdas.bias_l2
    _: KW_ONLY
    layers: str = LAYERS[0]
    hidden: tuple[int, ...] = TrainConfig.hidden
    epochs: int = TrainConfig.epochs
    batch_size: int | None = TrainConfig.batch_size
    learning_rate: float = TrainConfig.learning_rate
    decay: float = TrainConfig.decay
    optimizer: str = TrainConfig.optimizer
    beta_1: float = TrainConfig.beta_1
    beta_2: float = TrainConfig.beta_2
    epsilon: float = TrainConfig.epsilon
    momentum: float = TrainConfig.momentum
    initialization: str = TrainConfig.initialization
    dtype: str = TrainConfig.dtype
    random_state: int | np.random.RandomState | None = None

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Train on X (rows, features) of finite numbers, with labels y (rows,) of any kind."""
        config = self._config()
        strengths = {name: getattr(self, name) for name in LAMBDA_NAMES}
        lambdas = per_layer(Lambdas(**strengths), self.layers, len(config.hidden))
        rows, labels = validate_data(self, X, y, dtype=(np.float64, np.float32))
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        # `train` wants rows to validate on; one costs nothing, and changes nothing that is trained.
        split = Split(rows, numbers, rows[:1], numbers[:1])
        with _blas().limit(limits=1):
            fit = train(split, config, [lambdas])[0]
        if fit.diverged:
            message = "The training diverged, and the network is that of the last epoch before."
            remedy = "Scale the inputs, or use a smaller learning_rate or weaker penalties."
            warnings.warn(f"{message} {remedy}", ConvergenceWarning, stacklevel=2)
        self.coefs_ = [weights for weights, _ in fit.parameters]
        self.intercepts_ = [biases[0] for _, biases in fit.parameters]
        self.loss_curve_, self.data_loss_curve_ = fit.total_loss, fit.data_loss
        self.regularization_loss_curve_ = fit.regularization_loss
        self.loss_ = float(fit.total_loss[-1])
        self.n_iter_ = config.epochs
        return self

    def predict_proba(self, X: npt.ArrayLike) -> Float64s:
        """Return (rows, classes) in the order of `classes_`; each row adds up to 1."""
        check_is_fitted(self)
        values = validate_data(self, X, dtype=np.float64, reset=False)
        biases = [intercepts[np.newaxis] for intercepts in self.intercepts_]
        with _blas().limit(limits=1):
            return probabilities(values, list(zip(self.coefs_, biases, strict=True)))

    def predict(self, X: npt.ArrayLike) -> np.ndarray:
        """Return the label of each row, (rows,)."""
        found = self.predict_proba(X).argmax(axis=1)
        labels: np.ndarray = self.classes_[found]
        return labels

    def _config(self) -> TrainConfig:
        given = self.get_params()
        names = given.keys() & {field.name for field in fields(TrainConfig)}
        if isinstance(self.random_state, Integral):
            seed = seed_number("random_state", self.random_state)
        else:
            seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        return TrainConfig(**{name: given[name] for name in names}, seed=seed)


@cache
def _blas() -> ThreadpoolController:
    """NumPy's BLAS, to limit it to one thread; looking for it takes 4 ms, a prediction 0.2."""
    return ThreadpoolController().select(user_api="blas")
