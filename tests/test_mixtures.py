"""The benchmark on mixtures of Gaussians: its score by hand, its files, and one player through the whole of it."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_gen as kg

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "mixtures.py"


@pytest.fixture(scope="module")
def mixtures():
    spec = importlib.util.spec_from_file_location("mixtures", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mixtures"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["mixtures"]


def test_the_score_by_hand(mixtures):
    mixture = mixtures.Mixture(np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]]), stddev=0.1, reach=3.0)
    points = np.array([[0.29, 0.0], [0.0, 0.31], [2.0, -0.2], [1.0, 1.0]])
    assert mixture.score(points) == (2, 0.5)
    assert mixture.score(points + 10.0) == (0, 0.0)


@pytest.mark.parametrize("name,modes", [("8 on a ring", 8), ("25 on a grid", 25)])
def test_real_points_score_what_a_gaussian_holds(mixtures, name, modes):
    mixture = mixtures.MIXTURES[name]
    images = mixture.images(2_500, seed=3)
    assert len(mixture.modes) == modes and images.shape == (2_500, 1, 1, 2) and images.dtype == np.uint8
    found, share = mixture.score(mixture.points(images))
    # Within 3 standard deviations in the plane, 1 - exp(-4.5) = 0.989; rounding to levels costs up to a percent.
    assert found == modes and 0.97 < share < 0.995


def test_a_player_trains_and_its_files_are_written(mixtures, tmp_path):
    name, mixture = "25 on a grid", mixtures.MIXTURES["25 on a grid"]
    model = mixtures.trained(mixtures.PLAYERS["Wasserstein, gradient penalty"], mixture, turns=6, seed=0)
    assert isinstance(model, kg.GAN) and model.steps_made() == 2
    points = mixture.points(model.sample(50, seed=0))
    keys = [(player, each) for player in mixtures.PLAYERS for each in mixtures.MIXTURES]
    mixtures.picture(dict.fromkeys(keys, points), tmp_path / "mixtures.png")
    assert Image.open(tmp_path / "mixtures.png").size[0] == 800
    scores = {key: (1, 0.25) for key in [*keys, *(("real points", each) for each in mixtures.MIXTURES)]}
    lines = mixtures.table(scores).splitlines()
    assert len(lines) == 3 + len(mixtures.PLAYERS) and lines[-1] == "| non-saturating, R1 | 1 | 25.0% | 1 | 25.0% |"
    assert name in lines[0]
