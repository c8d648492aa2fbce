"""Names of layers, and lines about progress."""

from __future__ import annotations

from plugin_client.editor.geometry import Area
from plugin_client.editor.titles import (
    frame_title,
    picture_line,
    progress_line,
    scaled_line,
    short_name,
    sweep_title,
    title,
    variation_title,
)
from plugin_client.wire.messages import Progress


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


def test_a_result_among_ingredients_has_a_short_name_unless_the_artist_gave_it_one() -> None:
    recipe = {"items": [{"text": "a cat, seed 3", "weight": 1}], "seed": 42, "variation": 0}
    assert short_name(title(recipe)) == "result 42"
    assert short_name(variation_title(recipe)) == "result 42, variation 1"
    assert short_name("my cat") == "my cat"


def test_progress_in_words() -> None:
    progress = Progress("", "denoising", 12, 50, 0, 8.2, 25.0)
    assert progress_line(progress) == "Denoising, step 12 of 50, 8 s, about 25 s left"
    assert picture_line(progress, 4) == "Picture 1 of 4, Denoising, step 12 of 50, 8 s, about 25 s left"
    assert progress_line(Progress("", "loading", 0, 0, 0, 0.0, -1.0)) == "Preparing, 0 s"
    fetched = Progress("", "downloading", 1_200_000_000, 13_200_000_000, 0, 100.0, 1000.0)
    assert progress_line(fetched) == (
        "Downloading the model, 1.2 GB of 13.2 GB, 12 MB/s, 1 min 40 s, about 17 min left"
    )
    slow = Progress("", "denoising", 3, 50, 0, 125.2, 4810.0)
    assert progress_line(slow) == "Denoising, step 3 of 50, 2 min 5 s, about 1 h 20 min left"


def test_a_picture_that_was_scaled_up_much_is_told() -> None:
    recipe = {"width": 768, "height": 512}
    assert scaled_line(recipe, Area(-5, 0, 800, 600)) == ""
    told = scaled_line(recipe, Area(0, 0, 6000, 4000))
    assert told == "The model drew it at 768 x 512 pixels, and it was scaled up: a smaller part gets finer detail."
