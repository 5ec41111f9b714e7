"""A small neural network with L1 and L2 penalties, of which many are trained at a time.

    from nnreg import Lambdas, Split, TrainConfig, train

    split = Split(x_train, y_train, x_val, y_val)
    fits = train(split, TrainConfig(), [Lambdas(), Lambdas(weight_l2=1e-4)])
    fits[1].val_accuracy[-1]

The package needs NumPy only. Its scikit-learn classifier is in `nnreg.estimator`, which is not
imported from here.
"""

from nnreg.config import TrainConfig as TrainConfig
from nnreg.lambdas import LAMBDA_NAMES as LAMBDA_NAMES
from nnreg.lambdas import Lambdas as Lambdas
from nnreg.layers import Dense as Dense
from nnreg.layers import ReLU as ReLU
from nnreg.losses import CategoricalCrossentropy as CategoricalCrossentropy
from nnreg.losses import Loss as Loss
from nnreg.losses import penalty_terms as penalty_terms
from nnreg.losses import softmax as softmax
from nnreg.optimizers import SGD as SGD
from nnreg.optimizers import Adam as Adam
from nnreg.passes import use_compiled as use_compiled
from nnreg.predict import losses_and_hits as losses_and_hits
from nnreg.predict import penalties_by_layer as penalties_by_layer
from nnreg.predict import probabilities as probabilities
from nnreg.split import Split as Split
from nnreg.split import Splits as Splits
from nnreg.training import CURVE_NAMES as CURVE_NAMES
from nnreg.training import Fit as Fit
from nnreg.training import train as train
