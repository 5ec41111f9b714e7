"""Optimizers: how gradients move parameters.

The formulas come from the book "Neural Networks from Scratch". An optimizer works in place on
anything with `parameters` and `dparameters`: on layers by hand, `adam.update(dense1, dense2)`, or
on the one buffer of a network.
"""

from typing import Protocol

import numpy as np

from nnreg.arrays import Floats
from nnreg.checks import real_number
from nnreg.kernels import adam_step, blocks, zeros


class Trainable(Protocol):
    """Parameters and their gradients, of one shape and dtype."""

    @property
    def parameters(self) -> Floats: ...
    @property
    def dparameters(self) -> Floats: ...


class Optimizer:
    """The learning rate of step t = 0, 1, ...: learning_rate / (1 + decay * t). Subclasses say what
    a step is.

    The parts given to `update` must be the same, in the same order, at every step: each has its own
    moments.
    """

    def __init__(self, learning_rate: float, decay: float) -> None:
        self.learning_rate = real_number(
            "learning_rate", learning_rate, open_low=True, remedy="Try 0.001."
        )
        self.decay = real_number("decay", decay, remedy="For a constant learning rate, use 0.")
        self.iterations = 0
        self._states: list[_State] = []

    @property
    def current_learning_rate(self) -> float:
        """The learning rate of the step to come."""
        return self.learning_rate / (1 + self.decay * self.iterations)

    def update(self, *parts: Trainable) -> None:
        """One step on every part, in place."""
        if not self._states:
            self._states = [_State(part) for part in parts]
        for part, state in zip(parts, self._states, strict=True):
            for block in state.blocks(part):
                self._move(*block)
        self.iterations += 1

    def _move(
        self, parameters: Floats, gradient: Floats, first: Floats, second: Floats, work: Floats
    ) -> None:
        raise NotImplementedError


class _State:
    """What an optimizer keeps of a part: two moments of each parameter."""

    def __init__(self, part: Trainable) -> None:
        shape, dtype = part.parameters.shape, part.parameters.dtype
        self._kept = (zeros(shape, dtype), zeros(shape, dtype), zeros(shape, dtype))
        self._given: tuple[Floats, Floats] | None = None
        self._blocks: list[tuple[Floats, ...]] = []

    def blocks(self, part: Trainable) -> list[tuple[Floats, ...]]:
        """Parameters, gradient, moments and a work array, block by block; made again only for other
        arrays.
        """
        parameters, gradient = part.parameters, part.dparameters
        if (
            self._given is None
            or self._given[0] is not parameters
            or self._given[1] is not gradient
        ):
            self._given = parameters, gradient
            self._blocks = blocks(parameters, gradient, *self._kept)
        return self._blocks


class Adam(Optimizer):
    """p -= rate * m^ / (sqrt(v^) + epsilon), epsilon outside the root, where for step t = 1, 2, ...

    m = beta_1 m + (1 - beta_1) g      m^ = m / (1 - beta_1^t)
    v = beta_2 v + (1 - beta_2) g^2    v^ = v / (1 - beta_2^t)
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        decay: float = 0.0,
        epsilon: float = 1e-7,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
    ) -> None:
        super().__init__(learning_rate, decay)
        self.epsilon = real_number("epsilon", epsilon, open_low=True, remedy="Try 1e-7.")
        self.beta_1 = real_number("beta_1", beta_1, high=1, remedy="Try 0.9.")
        self.beta_2 = real_number("beta_2", beta_2, high=1, remedy="Try 0.999.")

    def _move(
        self, parameters: Floats, gradient: Floats, first: Floats, second: Floats, work: Floats
    ) -> None:
        # The moments are kept without their factors (1 - beta), and all that is the same for every
        # parameter is put
        # into two numbers, `rate` and `epsilon`: 10 passes over the parameters in place of 14.
        #   m^ = a m'   with  m' = beta_1 m' + g      and  a = (1 - beta_1) / (1 - beta_1^t)
        #   v^ = c v'   with  v' = beta_2 v' + g^2    and  c = (1 - beta_2) / (1 - beta_2^t)
        #   rate m^ / (sqrt(v^) + epsilon) = (rate a / sqrt c) m' / (sqrt(v') + epsilon / sqrt c)
        step = self.iterations + 1
        root = float(np.sqrt((1 - self.beta_2) / (1 - self.beta_2**step)))
        adam_step(
            *(parameters, gradient, first, second, work),
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            rate=self.current_learning_rate * (1 - self.beta_1) / (1 - self.beta_1**step) / root,
            epsilon=self.epsilon / root,
        )


class SGD(Optimizer):
    """p += u, where u = momentum u - rate g; with momentum 0 plain gradient descent."""

    def __init__(
        self, learning_rate: float = 1.0, decay: float = 0.0, momentum: float = 0.0
    ) -> None:
        super().__init__(learning_rate, decay)
        self.momentum = real_number(
            "momentum", momentum, high=1, remedy="For plain gradient descent, use 0."
        )

    def _move(
        self, parameters: Floats, gradient: Floats, first: Floats, second: Floats, work: Floats
    ) -> None:
        np.multiply(first, self.momentum, out=first)
        np.multiply(gradient, self.current_learning_rate, out=work)
        np.subtract(first, work, out=first)
        np.add(parameters, first, out=parameters)
