"""The drawing program: the same scene is the same picture, and training never sees what is held out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kandinsky_backend.embedded.train.scenes import (
    COLOURS,
    COUNTS,
    HELD_OUT_GROUNDS,
    HELD_OUT_SHAPES,
    PALETTE,
    SHAPES,
    SIZE,
    TEXTURES,
    combinations,
    draw,
    held_out,
    named_scene,
    nearest_colour,
    random_mixed_scene,
    random_scene,
)

NAMES = {rgb: name for name, rgb in PALETTE.items()}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("texture", TEXTURES)
def test_a_scene_is_always_the_same_picture(shape: str, texture: str) -> None:
    scene = named_scene(shape, "red", "white", "few", texture, layout=5)
    assert draw(scene).tobytes() == draw(scene).tobytes()
    assert draw(scene).size == (SIZE, SIZE)
    assert draw(replace(scene, layout=6)).tobytes() != draw(scene).tobytes()


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_ground_covers_more_than_the_marks(shape: str, count: str) -> None:
    for layout in range(8):
        pixels = np.asarray(draw(named_scene(shape, "white", "black", count, layout=layout)))
        assert (pixels.mean(-1) > 127).mean() < 0.5


def test_only_the_colour_changes_when_only_the_colour_is_changed() -> None:
    red, blue = (np.asarray(draw(named_scene("star", colour, "white", layout=1))) for colour in ("red", "blue"))
    mark = (red != PALETTE["white"]).any(-1)
    assert np.array_equal(mark, (blue != PALETTE["white"]).any(-1))


def test_every_shape_and_colour_is_held_out_once() -> None:
    assert sorted(HELD_OUT_SHAPES.values()) == sorted(HELD_OUT_GROUNDS.values()) == sorted(COLOURS)
    assert all(colour != ground for colour, ground in HELD_OUT_GROUNDS.items())
    assert len(combinations(unseen=False)) + len(combinations(unseen=True)) == len(SHAPES) * 8 * 7


def test_random_scenes_are_never_held_out() -> None:
    rng = np.random.default_rng(0)
    scenes = [random_scene(rng) for _ in range(2000)]
    assert not any(held_out(s.shape, NAMES[s.colour], NAMES[s.ground]) for s in scenes)
    assert {s.shape for s in scenes} == set(SHAPES)


def test_mixed_colours_come_near_no_held_out_combination() -> None:
    rng = np.random.default_rng(0)
    scenes = [random_mixed_scene(rng) for _ in range(1000)]
    assert not any(held_out(s.shape, nearest_colour(s.colour), nearest_colour(s.ground)) for s in scenes)
    assert np.mean([s.colour in NAMES for s in scenes]) < 0.05
