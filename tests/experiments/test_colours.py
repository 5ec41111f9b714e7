"""The colours of the figures: each can be told from the others and from the paper, also by readers
who do not see all colours.
"""

import itertools
import re

import numpy as np
import pytest

from experiments.reports.page import own

KINDS = ("trial", "baseline", "indistinguishable", "recommended", "fresh")
VISION = {
    "all colours": np.eye(3),
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""On linear RGB (Machado, Oliveira and Fernandes, IEEE Transactions on Visualization and Computer
Graphics 15, 2009)."""
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
APART = 15.0  # in CIELAB, where 2.3 is just noticeable side by side
CONTRAST = 3.0  # of a graphical object with what is beside it (WCAG 2.2, 1.4.11)


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[at : at + 2], 16) for at in (0, 2, 4)]) / 255
    return np.where(channels > 0.04045, ((channels + 0.055) / 1.055) ** 2.4, channels / 12.92)


def lab(rgb: np.ndarray) -> np.ndarray:
    x, y, z = np.cbrt(TO_XYZ @ rgb.clip(0, 1) / TO_XYZ.sum(axis=1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_each_colour_can_be_told_from_the_others_and_from_the_paper(theme: int) -> None:
    style = own("page.css").split("prefers-color-scheme: dark")[theme]
    found = re.findall(r"--(\w+): #(\w{6}|fff);", style)
    colours = {name: linear(value * (6 // len(value))) for name, value in found}
    for name in KINDS:
        light = sorted(float(TO_XYZ[1] @ colours[one]) for one in (name, "paper"))
        assert (light[1] + 0.05) / (light[0] + 0.05) >= CONTRAST, name
    for vision, matrix in VISION.items():
        seen = {name: lab(np.array(matrix) @ colours[name]) for name in KINDS}
        for one, other in itertools.combinations(KINDS, 2):
            assert np.linalg.norm(seen[one] - seen[other]) > APART, (vision, one, other)
