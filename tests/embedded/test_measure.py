"""The evaluation program is right about pictures that our own program drew."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from kandinsky_backend.embedded.train.scenes import COUNTS, SHAPES, Scene, combinations, draw, named_scene
from tests.embedded.measure import Seen, colour_shares, measure

COMBINATIONS = combinations(unseen=False) + combinations(unseen=True)


def some_scenes(count: int, texture: str) -> list[tuple[Seen, Scene]]:
    rng = np.random.default_rng(7)
    chosen = (COMBINATIONS[i] for i in rng.choice(len(COMBINATIONS), count, replace=False))
    return [
        (Seen(*names), named_scene(*names, COUNTS[i % 3], texture, int(rng.integers(1000))))
        for i, names in enumerate(chosen)
    ]


@pytest.mark.parametrize("texture", ["flat", "shaded", "mottled"])
def test_nearly_every_drawn_picture_is_read_right(texture: str) -> None:
    scenes = some_scenes(24, texture)
    right = [measure(draw(scene)) == seen for seen, scene in scenes]
    assert np.mean(right) >= 0.95


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", COUNTS)
def test_every_shape_in_every_number_is_read_right(shape: str, count: str) -> None:
    assert measure(draw(named_scene(shape, "green", "white", count, layout=3))) == Seen(shape, "green", "white")


def test_a_slightly_blurred_and_noisy_picture_is_still_read_right() -> None:
    rng = np.random.default_rng(0)
    right = []
    for seen, scene in some_scenes(20, "flat"):
        blurred = np.asarray(draw(scene).filter(ImageFilter.GaussianBlur(1.2)), np.float64)
        noisy = np.clip(blurred + rng.normal(0, 6, blurred.shape), 0, 255)
        right.append(measure(Image.fromarray(np.uint8(noisy))) == seen)
    assert np.mean(right) >= 0.95


def test_colour_shares_are_areas() -> None:
    picture = Image.new("RGB", (100, 100), (244, 244, 244))
    picture.paste((220, 38, 38), (0, 0, 100, 25))
    shares = colour_shares(picture)
    assert (shares["red"], shares["white"]) == (0.25, 0.75)


def test_a_picture_of_one_colour_has_some_shape_and_does_not_fail() -> None:
    assert measure(Image.new("RGB", (128, 128), (36, 76, 208))).ground == "blue"


def test_a_blot_is_not_taken_for_a_star() -> None:
    scene = named_scene("star", "yellow", "blue")
    mud = draw(scene).filter(ImageFilter.GaussianBlur(14))
    assert measure(mud).shape != "star"
