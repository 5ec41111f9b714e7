"""The lanes: from the network, the caches and the generation. The table does not depend on them
(test_same_table).
"""

import numpy as np
import pytest

from nnreg import Split, TrainConfig
from sweeps.executors.resources import (
    LEAST,
    MOST,
    bytes_per_lane,
    cache_per_worker,
    lanes_per_task,
)

CACHE = 2**25


def split(features: int) -> Split:
    x, y = np.zeros((1_000, features), np.float32), np.arange(1_000) % 10
    return Split(x, y, x[:20], y[:20])


DIGITS, MNIST = split(64), split(784)


def test_the_bytes_of_a_lane_are_its_parameters_and_its_batch() -> None:
    parameters = 65 * 64 + 65 * 10
    assert bytes_per_lane(DIGITS, TrainConfig()) == 4 * (7 * parameters + 2 * 128 * 64)
    assert bytes_per_lane(DIGITS, TrainConfig(dtype="float64")) == 8 * (
        7 * parameters + 2 * 128 * 64
    )
    for size in (None, 5_000):
        config = TrainConfig(batch_size=size)
        assert bytes_per_lane(DIGITS, config) == 4 * (7 * parameters + 2 * 1_000 * 64)


@pytest.mark.parametrize(
    ("generation", "workers", "lanes"),
    [(16, 4, 4), (16, 1, 16), (17, 4, 5), (1, 4, 1), (3, 4, 1), (1_000, 4, MOST)],
)
def test_every_worker_gets_a_share_of_a_generation(
    generation: int, workers: int, lanes: int
) -> None:
    sizes = {"generation": generation, "workers": workers, "cache": CACHE}
    assert lanes_per_task(DIGITS, TrainConfig(), **sizes) == lanes


def test_a_large_network_has_as_few_lanes_as_its_cache_holds() -> None:
    config = TrainConfig(hidden=(128,))
    size = bytes_per_lane(MNIST, config)
    for cache, lanes in ((5 * size, 5), (6 * size - 1, 5), (1, LEAST)):
        assert lanes_per_task(MNIST, config, generation=100, workers=1, cache=cache) == lanes


def test_the_more_workers_the_less_cache_has_each() -> None:
    caches = [cache_per_worker(workers) for workers in (1, 2, 64, 1_000)]
    assert caches == sorted(caches, reverse=True)
    assert caches[-1] >= 2**16
