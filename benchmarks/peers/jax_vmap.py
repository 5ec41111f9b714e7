"""JAX: one network's whole training as a pure function, `vmap` over the trials, compiled once; no
Python loop runs.
"""

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib
import numpy as np

from benchmarks.cases import Case, load, strengths
from benchmarks.sides import Prepared


def prepare(case: Case) -> Prepared:
    x, y, x_val, y_val = (jnp.asarray(array) for array in load(case))
    y, y_val = y.astype(jnp.int32), y_val.astype(jnp.int32)
    classes = int(y.max()) + 1
    rng = np.random.default_rng(0)
    sizes = (x.shape[1], case.hidden, classes)
    start = []
    for a, b in pairwise(sizes):
        weights = (np.sqrt(2 / a) * rng.standard_normal((a, b))).astype(np.float32)
        start.append((jnp.asarray(weights), jnp.zeros(b, dtype=jnp.float32)))
    rows, size = len(x), min(case.batch_size, len(x))
    whole = rows // size
    orders = jnp.asarray(np.stack([rng.permutation(rows) for _ in range(case.epochs)]))

    def forward(parameters: Any, inputs: Any) -> Any:
        (w1, b1), (w2, b2) = parameters
        return jax.nn.relu(inputs @ w1 + b1) @ w2 + b2

    def cross_entropy(logits: Any, labels: Any) -> Any:
        logs = jax.nn.log_softmax(logits)
        return -jnp.take_along_axis(logs, labels[:, None], axis=1)[:, 0]

    def penalty(parameters: Any, lambdas: Any) -> Any:
        weight_l1, weight_l2, bias_l1, bias_l2 = lambdas
        return sum(
            weight_l1 * jnp.abs(w).sum()
            + weight_l2 * (w * w).sum()
            + bias_l1 * jnp.abs(b).sum()
            + bias_l2 * (b * b).sum()
            for w, b in parameters
        )

    def total(parameters: Any, inputs: Any, labels: Any, lambdas: Any) -> Any:
        return cross_entropy(forward(parameters, inputs), labels).mean() + penalty(
            parameters, lambdas
        )

    def evaluate(parameters: Any, inputs: Any, labels: Any) -> Any:
        logits = forward(parameters, inputs)
        losses = jnp.minimum(cross_entropy(logits, labels), -np.log(1e-7))
        return losses.mean(), (logits.argmax(axis=1) == labels).mean()

    def fit(lambdas: Any) -> Any:
        def step(state: Any, chosen: Any) -> Any:
            parameters, first, second, t = state
            gradient = jax.grad(total)(parameters, x[chosen], y[chosen], lambdas)
            t = t + 1
            first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
            second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
            rate = 1e-3 / (1 - 0.9**t)
            root = jnp.sqrt(1 - 0.999**t)
            moved = jax.tree.map(
                lambda p, m, v: p - rate * m / (jnp.sqrt(v) / root + 1e-7),
                parameters,
                first,
                second,
            )
            return (moved, first, second, t), None

        def epoch(state: Any, order: Any) -> Any:
            state, _ = jax.lax.scan(step, state, order[: whole * size].reshape(whole, size))
            if rows % size:
                state, _ = step(state, order[whole * size :])
            parameters = state[0]
            return state, (
                evaluate(parameters, x, y),
                evaluate(parameters, x_val, y_val),
                penalty(parameters, lambdas),
            )

        zeros = jax.tree.map(jnp.zeros_like, start)
        (parameters, *_), curves = jax.lax.scan(
            epoch, (start, zeros, zeros, jnp.float32(0)), orders
        )
        return parameters, curves

    compiled = jax.jit(jax.vmap(fit))
    lambdas = tuple(
        jnp.asarray(column, dtype=jnp.float32) for column in zip(*strengths(case), strict=True)
    )

    def once() -> None:
        jax.block_until_ready(compiled(lambdas))

    return once, case.lanes, f"jax {jax.__version__}, jaxlib {jaxlib.__version__}"
