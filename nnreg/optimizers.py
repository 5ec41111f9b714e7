"""Optimizers: how gradients move parameters.

The formulas come from the book "Neural Networks from Scratch". An optimizer works in place on
anything with `parameters` and `dparameters`, such as layers: `adam.update(dense1, dense2)`.
"""

import math
from typing import Protocol

import numpy as np

from nnreg.arrays import Float64s, Floats
from nnreg.checks import real_number

LearningRate = float | Float64s


def learning_rate_of(value: object, name: str = "learning_rate") -> float:
    """Return `value` as a learning rate: a finite number greater than 0."""
    return real_number(name, value, positive=True, remedy="Try 0.001.")


class Trainable(Protocol):
    """Parameters and their gradients, of one shape and dtype."""

    parameters: Floats
    dparameters: Floats


class Optimizer:
    """Each step t = 0, 1, ... has the learning rate learning_rate / (1 + decay * t).

    `learning_rate` is a number, or (lanes, 1), one for each row of parameters (lanes, ...).
    `update` must be given the same parts, in the same order, at every step: each part has its own
    moments.
    """

    def __init__(self, learning_rate: LearningRate, decay: float) -> None:
        self.learning_rate: LearningRate
        if isinstance(learning_rate, np.ndarray) and learning_rate.ndim == 2:
            each = [learning_rate_of(one) for one in learning_rate[:, 0]]
            self.learning_rate = np.array(each)[:, np.newaxis]
        else:
            self.learning_rate = learning_rate_of(learning_rate)
        self.decay = real_number("decay", decay, remedy="For a constant learning rate, use 0.")
        self.iterations = 0
        self._moments: list[list[Floats]] = []

    @property
    def current_learning_rate(self) -> LearningRate:
        """The learning rate of the next step."""
        return self.learning_rate / self.slowing

    def update(self, *parts: Trainable) -> None:
        """Make one step on every part, in place."""
        if not self._moments:
            self._moments = [[np.zeros_like(part.parameters) for _ in range(3)] for part in parts]
        for part, moments in zip(parts, self._moments, strict=True):
            self.move(part.parameters, part.dparameters, *moments)
        self.iterations += 1

    @property
    def slowing(self) -> float:
        """By what the decay divides the learning rate of the next step."""
        return 1 + self.decay * self.iterations

    def numbers(self) -> tuple[float, ...]:
        """Return the numbers of the next step that are the same for all parameters."""
        raise NotImplementedError

    def move(self, p: Floats, g: Floats, m: Floats, v: Floats, work: Floats) -> None:
        """Move parameters in place, of which all arrays have the shape.

        `p` are the parameters, `g` their gradient, `m` and `v` the moments; `work` is overwritten.
        """
        raise NotImplementedError


class Adam(Optimizer):
    """p -= rate * m^ / (sqrt(v^) + epsilon), epsilon outside the root, where for t = 1, 2, ...

    m = beta_1 m + (1 - beta_1) g      m^ = m / (1 - beta_1^t)
    v = beta_2 v + (1 - beta_2) g^2    v^ = v / (1 - beta_2^t)
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.001,
        decay: float = 0.0,
        epsilon: float = 1e-7,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
    ) -> None:
        super().__init__(learning_rate, decay)
        self.epsilon = real_number("epsilon", epsilon, positive=True, remedy="Try 1e-7.")
        self.beta_1 = real_number("beta_1", beta_1, high=1, remedy="Try 0.9.")
        self.beta_2 = real_number("beta_2", beta_2, high=1, remedy="Try 0.999.")

    def numbers(self) -> tuple[float, ...]:
        """Return four by which the learning rate is divided, multiplied, divided and divided, then
        beta_1, beta_2, epsilon, for moments m', v' that are kept without their factors (1 - beta):
        10 passes do in place of 14.

            m^ = a m'   with  m' = beta_1 m' + g      and  a = (1 - beta_1) / (1 - beta_1^t)
            v^ = c v'   with  v' = beta_2 v' + g^2    and  c = (1 - beta_2) / (1 - beta_2^t)
            rate m^ / (sqrt(v^) + epsilon) = (rate a / sqrt c) m' / (sqrt(v') + epsilon / sqrt c)
        """
        step = self.iterations + 1
        root = math.sqrt((1 - self.beta_2) / (1 - self.beta_2**step))
        scale = (self.slowing, 1 - self.beta_1, 1 - self.beta_1**step, root)
        return *scale, self.beta_1, self.beta_2, self.epsilon / root

    def move(self, p: Floats, g: Floats, m: Floats, v: Floats, work: Floats) -> None:
        slowing, first, bias, root, beta_1, beta_2, epsilon = self.numbers()
        rate = self.learning_rate / slowing * first / bias / root
        np.multiply(m, beta_1, m)
        np.add(m, g, m)
        np.multiply(g, g, work)
        np.multiply(v, beta_2, v)
        np.add(v, work, v)
        np.sqrt(v, work)
        np.add(work, epsilon, work)
        np.divide(m, work, work)
        np.multiply(work, np.asarray(rate, p.dtype), work)
        np.subtract(p, work, p)


class SGD(Optimizer):
    """p += m, where m = momentum m - rate g; with momentum 0, plain gradient descent."""

    def __init__(
        self, learning_rate: LearningRate = 1.0, decay: float = 0.0, momentum: float = 0.0
    ) -> None:
        super().__init__(learning_rate, decay)
        self.momentum = real_number(
            "momentum", momentum, high=1, remedy="For plain gradient descent, use 0."
        )

    def numbers(self) -> tuple[float, ...]:
        """Return by what the learning rate is divided, and the momentum."""
        return self.slowing, self.momentum

    def move(self, p: Floats, g: Floats, m: Floats, v: Floats, work: Floats) -> None:
        slowing, momentum = self.numbers()
        rate = self.learning_rate / slowing
        np.multiply(m, momentum, m)
        np.multiply(g, np.asarray(rate, g.dtype), work)
        np.subtract(m, work, m)
        np.add(p, m, p)
