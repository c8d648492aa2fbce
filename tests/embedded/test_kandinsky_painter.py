"""The painter that is scored draws with our pipelines, whatever the weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from kandinsky_backend.embedded.train.scenes import SIZE, draw, named_scene
from tests.embedded.kandinsky_painter import KandinskyPainter
from tests.embedded.scores import Wish


@pytest.fixture(scope="module")
def painter(tiny_checkpoint: Path) -> KandinskyPainter:
    return KandinskyPainter(tiny_checkpoint, steps=2)


def test_the_same_seed_gives_the_same_blend_and_another_another(painter: KandinskyPainter) -> None:
    items: list[str | Image.Image] = ["a red circle", draw(named_scene("star", "blue", "white"))]
    (first,), (again,), (other,) = (painter._paint_batch([Wish(items, [0.5, 0.5], seed)]) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_a_negative_prompt_changes_the_blend(painter: KandinskyPainter) -> None:
    plain, led_away = (painter.paint([Wish(["a red circle"], [1.0], 1, negative)])[0] for negative in ("", "red"))
    assert plain.tobytes() != led_away.tobytes()


def test_a_reconstruction_has_the_size_of_the_picture(painter: KandinskyPainter) -> None:
    assert painter.reconstruct(draw(named_scene("ring", "red", "white"))).size == (SIZE, SIZE)
