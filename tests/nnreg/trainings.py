"""Trainings drawn at random, and when two fits are the same."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from nnreg import CURVE_NAMES, LAMBDA_NAMES, Fit, Lambdas, Split, TrainConfig, train

PENALTIES = (0.0, 1e-6, 1e-3, 0.05, 3.0)


def same_bits(one: Fit, other: Fit) -> bool:
    """Equal to the last bit; the sign of a zero counts too."""
    arrays = [(getattr(one, name), getattr(other, name)) for name in CURVE_NAMES]
    for pair, other_pair in zip(one.parameters, other.parameters, strict=True):
        arrays += list(zip(pair, other_pair, strict=True))
    same = (one.diverged, one.best_epoch) == (other.diverged, other.best_epoch)
    return same and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in arrays
    )


def make_split(
    rng: np.random.Generator, rows: int, val_rows: int, features: int, classes: int
) -> Split:
    def labels(n: int) -> Any:
        return rng.integers(0, classes, size=n)

    y_train = labels(rows)
    y_train[0] = classes - 1
    return Split(
        rng.normal(size=(rows, features)),
        y_train,
        rng.normal(size=(val_rows, features)),
        labels(val_rows),
    )


RATES = (1e-3, 0.1, 10.0, 1e30)
Training = tuple[Split, TrainConfig, list[dict[str, Any]]]


@st.composite
def trainings(draw: st.DrawFn, lanes: tuple[int, ...] = (2, 3, 5, 16)) -> Training:
    """Data, what all lanes share, and what each lane has of its own, as `train` takes it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    split = make_split(
        rng,
        rows=draw(st.integers(1, 150)),
        val_rows=draw(st.integers(1, 140)),
        features=draw(st.integers(1, 20)),
        classes=draw(st.sampled_from([1, 2, 3, 4, 10, 17])),
    )
    config = TrainConfig(
        hidden=tuple(draw(st.lists(st.integers(1, 33), max_size=3))),
        epochs=draw(st.integers(1, 3)),
        batch_size=draw(st.none() | st.integers(5, 70) | st.just(len(split.y_train) - 1 or 1)),
        optimizer=draw(st.sampled_from(["adam", "sgd"])),
        momentum=draw(st.sampled_from([0.0, 0.9])),
        beta_1=draw(st.sampled_from([0.0, 0.9])),
        initialization=draw(st.sampled_from(["he", "normal_0.01"])),
        dtype=draw(st.sampled_from(["float32", "float64"])),
    )
    count = draw(st.sampled_from(lanes))
    strength = st.sampled_from(PENALTIES)
    lambdas = [Lambdas(**{name: draw(strength) for name in LAMBDA_NAMES}) for _ in range(count)]

    def of_each(values: st.SearchStrategy[Any], shared: Any) -> Any:
        return draw(st.lists(values, min_size=count, max_size=count) | st.just([shared] * count))

    seeds, rates = of_each(st.integers(0, 3), 0), of_each(st.sampled_from(RATES), 0.1)
    each = zip(lambdas, seeds, rates, strict=True)
    return split, config, [dict(zip(OWN, (*one,), strict=True)) for one in each]


OWN = ("lambdas", "seeds", "learning_rates")


def trained(split: Split, config: TrainConfig, lanes: list[dict[str, Any]], **more: Any) -> Any:
    return train(split, config, **{name: [lane[name] for lane in lanes] for name in OWN}, **more)
