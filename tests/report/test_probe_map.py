from pathlib import Path

import numpy as np
import pytest

from gensight.files.images import read_image
from gensight.report.probe_map import ProbeMap


def probe_map(unit: str = "px") -> ProbeMap:
    values = np.array([[5.0, 4.25, 1.0], [3.0, 6.0, 9.0], [np.nan, 7.0, 8.0]])
    return ProbeMap("tiny, heatmap", unit, ["down.0", "mid", "up.0"], ["1", "50", "random, 1"], values, 8.5)


def test_best_leaves_the_random_weights_out() -> None:
    assert probe_map().best(2) == (1, 0)
    assert probe_map("R²").best(2) == (2, 1)


def test_text() -> None:
    assert probe_map().text() == (
        "tiny, heatmap\n"
        "                  1      50 random, 1\n"
        "down.0         5.00    4.25      1.00\n"
        "mid            3.00    6.00      9.00\n"
        "up.0                   7.00      8.00\n"
        "mean target    8.50"
    )


@pytest.mark.parametrize("unit", ["px", "R²"])
def test_picture(tmp_path: Path, unit: str) -> None:
    probe_map(unit).draw(tmp_path / "map.png")
    picture = read_image(tmp_path / "map.png")
    red = (picture[..., 0] > 200) & (picture[..., 1] < 60) & (picture[..., 2] < 60)
    assert red.any()  # the frame of the best cell
    assert picture.std() > 20
