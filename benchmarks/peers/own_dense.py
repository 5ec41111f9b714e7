"""Our own network as a user would write it: one hidden layer, ReLU, Adam, four penalties, float32.

It knows nothing of this program; `train` is all that a sweep needs (docs/own-network.md).
"""

from itertools import pairwise

import numpy as np


class Network:
    """Weights and biases of two layers, and Adam's two moments of each."""

    def __init__(self, sizes, rng):
        self.parameters = []
        for inputs, neurons in pairwise(sizes):
            weights = np.sqrt(2 / inputs) * rng.standard_normal((inputs, neurons))
            self.parameters += [weights.astype(np.float32), np.zeros((1, neurons), np.float32)]
        self.means = [np.zeros_like(one) for one in self.parameters]
        self.squares = [np.zeros_like(one) for one in self.parameters]
        self.steps = 0

    def forward(self, x):
        w1, b1, w2, b2 = self.parameters
        hidden = np.maximum(0, x @ w1 + b1)
        logits = hidden @ w2 + b2
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return hidden, powers / powers.sum(axis=1, keepdims=True)

    def predict(self, x):
        return self.forward(x)[1]

    def step(self, x, y, penalties, learning_rate):
        hidden, change = self.forward(x)
        change[np.arange(len(y)), y] -= 1
        change /= len(y)
        back = change @ self.parameters[2].T
        back[hidden <= 0] = 0
        products = (x.T @ back, back.sum(axis=0, keepdims=True))
        products += (hidden.T @ change, change.sum(axis=0, keepdims=True))
        self.steps += 1
        rate = learning_rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for k, gradient in enumerate(products):
            value, (l1, l2) = self.parameters[k], penalties[k % 2]
            if l1:
                gradient += l1 * np.where(value < 0, np.float32(-1), np.float32(1))
            if l2:
                gradient += (2 * l2) * value
            self.means[k] += 0.1 * (gradient - self.means[k])
            self.squares[k] += 0.001 * (gradient * gradient - self.squares[k])
            value -= rate * self.means[k] / (np.sqrt(self.squares[k]) + 1e-7)

    def arrays(self):
        return dict(zip(("w1", "b1", "w2", "b2"), self.parameters, strict=True))


def load(arrays):
    network = Network((1, 1, 1), np.random.default_rng(0))
    network.parameters = [arrays[name] for name in ("w1", "b1", "w2", "b2")]
    return network


def train(split, lambdas, *, seed, epochs, batch_size, learning_rate, hidden=64, passes=1):
    """Train; each epoch is `passes` over the rows."""
    rng = np.random.default_rng(seed)
    x, y = split.x_train, split.y_train
    network = Network((x.shape[1], hidden, split.classes), rng)
    of_weights = (lambdas.weight_l1, lambdas.weight_l2)
    penalties = of_weights, (lambdas.bias_l1, lambdas.bias_l2)
    for _ in range(epochs):
        for _ in range(passes):
            order = rng.permutation(len(x))
            for start in range(0, len(x), batch_size):
                batch = order[start : start + batch_size]
                network.step(x[batch], y[batch], penalties, learning_rate)
        right = network.predict(x)[np.arange(len(y)), y]
        penalty = sum(
            l1 * float(np.abs(value).sum()) + l2 * float((value**2).sum())
            for value, (l1, l2) in zip(network.parameters, penalties * 2, strict=True)
        )
        yield {
            "data_loss": -np.log(np.clip(right, 1e-7, 1 - 1e-7)).mean(),
            "regularization_loss": penalty,
            "network": network,
        }
