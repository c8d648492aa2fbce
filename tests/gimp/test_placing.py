"""Sizes, squares, names and shares: no GIMP is needed."""

from __future__ import annotations

import pytest

from plugin_client.gimp.placing import Area, made_size, read_scale, shows_backdrop, side_of, square_seen
from plugin_client.gimp.titles import (
    frame_title,
    picture_line,
    progress_line,
    sweep_title,
    time_words,
    title,
    variation_title,
)
from plugin_client.gimp.weights import even, onto_last, shares
from plugin_client.wire.messages import ModelInfo, Picture, Progress


@pytest.mark.parametrize(
    ("area", "given", "side", "size"),
    [
        ((768, 768), (0, 0), 768, (768, 768)),
        ((4000, 3000), (0, 0), 768, (887, 665)),  # as many pixels as the model is used to, in the image's shape
        ((4000, 3000), (0, 0), 128, (148, 111)),
        ((100, 100), (0, 0), 768, (512, 512)),
        ((100, 100), (0, 0), 128, (100, 100)),
        ((600, 600), (0, 0), 768, (600, 600)),
        ((400, 300), (64, 48), 768, (64, 48)),
        ((400, 300), (64, 0), 768, (64, 48)),
        ((400, 300), (0, 300), 768, (400, 300)),
        ((8000, 10), (0, 0), 768, (2048, 18)),
        ((10, 8000), (0, 768), 768, (16, 768)),
    ],
)
def test_the_size_that_is_made(area: tuple[int, int], given: tuple[int, int], side: int, size: tuple[int, int]) -> None:
    assert made_size(Area(5, 5, *area), *given, side) == size


def test_a_model_tells_the_side_of_its_squares() -> None:
    models = [ModelInfo("small", "", "", loaded=False, side=128), ModelInfo("full", "", "", loaded=False, side=768)]
    assert [side_of(models, name) for name in ("", "small", "full", "gone")] == [128, 128, 768, 128]
    assert side_of([], "") == 0


@pytest.mark.parametrize(
    ("fit", "area"), [("crop", (50, 0, 100, 100)), ("pad", (0, -50, 200, 200)), ("stretch", (0, 0, 200, 100))]
)
def test_the_square_that_the_model_sees(fit: str, area: tuple[int, int, int, int]) -> None:
    assert square_seen(200, 100, fit) == Area(*area)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("picture", "fit", "is_seen"),
    [
        (Picture(2, 1, 3, bytes(6)), "crop", False),
        (Picture(2, 1, 3, bytes(6)), "pad", True),
        (Picture(1, 1, 3, bytes(3)), "pad", False),
        (Picture(2, 1, 4, bytes((0, 0, 0, 255, 0, 0, 0, 254))), "crop", True),
        (Picture(2, 1, 4, bytes((0, 0, 0, 255, 0, 0, 0, 255))), "stretch", False),
    ],
)
def test_a_backdrop_is_seen_around_a_picture_or_through_it(picture: Picture, fit: str, is_seen: bool) -> None:
    assert shows_backdrop(picture, fit) == is_seen  # type: ignore[arg-type]


def test_areas_meet_or_do_not() -> None:
    canvas = Area(0, 0, 40, 30)
    assert Area(-10, 20, 30, 30).intersection(canvas) == Area(0, 20, 20, 10)
    assert Area(40, 0, 10, 10).intersection(canvas) is None


def test_a_large_layer_is_read_smaller() -> None:
    assert read_scale(Area(0, 0, 4096, 16)) == 0.5
    assert read_scale(Area(0, 0, 40, 16)) == 1


def test_shares_are_of_all_weights_and_say_which_way() -> None:
    assert shares([0.5, 0.5, 1.0]) == [25, 25, 50]
    assert shares([3.0, -1.0]) == [75, -25]
    assert shares([0.0, 0.0]) == [0, 0]
    assert even(3) == 0.33


def test_all_weight_goes_onto_the_last() -> None:
    assert onto_last([0.3, 0.7]) == [0.0, 1.0]
    assert onto_last([0.5]) == [0.5]
    assert onto_last([]) == []


def test_a_layer_is_called_what_it_is() -> None:
    items = [{"text": "a\ncat", "weight": 0.3}, {"embeds": "", "label": "sky", "weight": 0.7}]
    recipe = {"items": items, "seed": 42, "variation": 2}
    assert title(recipe) == "Kandinsky: 0.3 a cat + 0.7 sky, seed 42"
    assert variation_title(recipe) == "Kandinsky: 0.3 a cat + 0.7 sky, seed 42, variation 3"
    long = {"items": [{"text": "x" * 500, "weight": 1}], "seed": 1}
    assert len(title(long)) < 100


def test_a_frame_is_called_what_it_is_and_how_an_animation_shows_it() -> None:
    first = {"items": [{"text": "a cat (9ms)", "weight": 1}, {"text": "a sky", "weight": 0}], "seed": 42}
    last = {"items": [{"text": "a sky", "weight": 1}], "seed": 42}
    assert frame_title(first, 2, 8) == "Frame 2 of 8 (100ms) (replace): 1 a cat (9ms), seed 42"
    assert sweep_title(first, last) == "Kandinsky sweep: 1 a cat (9ms) to 1 a sky, seed 42"


def test_progress_in_words() -> None:
    progress = Progress("", "denoising", 12, 50, 0, 8.2, 25.0)
    assert progress_line(progress) == "Denoising, step 12 of 50, 8 s, about 25 s left"
    assert picture_line(progress, 4) == "Picture 1 of 4, Denoising, step 12 of 50, 8 s, about 25 s left"
    assert progress_line(Progress("", "loading", 0, 0, 0, 0.0, -1.0)) == "Loading, 0 s"
    slow = Progress("", "denoising", 3, 50, 0, 125.2, 4810.0)
    assert progress_line(slow) == "Denoising, step 3 of 50, 2 min 5 s, about 1 h 20 min left"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (125, "2 min 5 s"), (3600, "1 h"), (4830, "1 h 20 min")],
)
def test_a_time_in_words(seconds: float, words: str) -> None:
    assert time_words(seconds) == words
