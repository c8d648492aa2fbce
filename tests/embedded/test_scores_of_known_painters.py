"""The scores are full for a painter that does what it is asked, and low for painters that each get one thing wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from PIL import Image, ImageFilter

from kandinsky_backend.embedded.train.captions import LANGUAGES, Said, caption
from kandinsky_backend.embedded.train.scenes import COLOURS, PALETTE, SHAPES, Rgb, Scene, draw, named_scene
from tests.embedded import scores
from tests.embedded.measure import measure
from tests.embedded.score import table
from tests.embedded.scores import Agreement, Item, Wish

READ = {
    caption(Said(*names, "one"), language): names
    for language in LANGUAGES
    for names in product(SHAPES, COLOURS, COLOURS)
    if names[1] != names[2]
}
SEEN = scores.some_combinations(6, unseen=False)
SWEEPS = scores.some_sweeps(3)


class Draughtsman:
    """Reads the prompt or the picture and draws it with the program that drew the training pictures."""

    def paint(self, wishes: Sequence[Wish]) -> list[Image.Image]:
        return [self.blend(wish.items, wish.weights, wish.seed, wish.negative) for wish in wishes]

    def blend(self, items: Sequence[Item], weights: Sequence[float], seed: int, negative: str = "") -> Image.Image:
        scenes = [self.understand(item, seed) for item in items]
        scene = replace(scenes[0], colour=mixture([scene.colour for scene in scenes], weights))
        return draw(replace(scene, colour=PALETTE["white"]) if negative else scene)

    def understand(self, item: Item, seed: int) -> Scene:
        if isinstance(item, str):
            return named_scene(*READ[item], layout=seed)
        seen = measure(item)
        return named_scene(seen.shape, seen.colour, seen.ground, layout=seed)

    def reconstruct(self, picture: Image.Image) -> Image.Image:
        return picture


def mixture(colours: Sequence[Rgb], weights: Sequence[float]) -> Rgb:
    red, green, blue = np.rint(np.average(colours, axis=0, weights=weights)).astype(int).tolist()
    return red, green, blue


class ColourBlind(Draughtsman):
    def understand(self, item: Item, seed: int) -> Scene:
        scene = super().understand(item, seed)
        other = next(rgb for rgb in PALETTE.values() if rgb not in (scene.colour, scene.ground))
        return replace(scene, colour=other)


class Monoglot(Draughtsman):
    def understand(self, item: Item, seed: int) -> Scene:
        is_english = isinstance(item, str) and item.isascii() and "background" in item
        return super().understand(item if is_english else "a red circle on a blue background", seed)


class Deaf(Draughtsman):
    def blend(self, items: Sequence[Item], weights: Sequence[float], seed: int, negative: str = "") -> Image.Image:
        return super().blend(items, weights, seed)


class Fickle(Draughtsman):
    """Turns back in the middle of a sweep."""

    def blend(self, items: Sequence[Item], weights: Sequence[float], seed: int, negative: str = "") -> Image.Image:
        return super().blend(items, weights[::-1] if 0.4 < weights[0] < 0.7 else weights, seed, negative)


class Smearer(Draughtsman):
    def blend(self, items: Sequence[Item], weights: Sequence[float], seed: int, negative: str = "") -> Image.Image:
        return super().blend(items, weights, seed, negative).filter(ImageFilter.GaussianBlur(20))

    def reconstruct(self, picture: Image.Image) -> Image.Image:
        return picture.filter(ImageFilter.GaussianBlur(4))


def test_a_draughtsman_has_full_scores() -> None:
    painter = Draughtsman()
    assert scores.prompts_followed(painter, SEEN) == Agreement(1, 1, 1)
    assert all(scores.colours_as_in_english(painter, SEEN[:2], language) == 1 for language in LANGUAGES)
    assert scores.pictures_kept(painter, SEEN) == 1
    assert scores.sweeps_monotone(painter, SWEEPS) == 1
    assert scores.negatives_heeded(painter, [seen for seen in SEEN if "white" not in (seen.colour, seen.ground)]) == 1
    assert scores.reconstruction_psnr(painter, SEEN) > 100


def test_a_colour_blind_painter_gets_grounds_and_shapes_right_only() -> None:
    followed = scores.prompts_followed(ColourBlind(), SEEN)
    assert followed.colour == 0
    assert followed.ground == followed.shape == 1
    assert scores.pictures_kept(ColourBlind(), SEEN) == 0


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_a_painter_with_one_language_fails_in_the_others(language: str) -> None:
    assert scores.colours_as_in_english(Monoglot(), SEEN[:3], language) < 0.5


def test_a_painter_that_hears_no_negative_heeds_none() -> None:
    assert scores.negatives_heeded(Deaf(), SEEN) == 0


def test_a_sweep_that_turns_back_is_not_monotone() -> None:
    assert scores.sweeps_monotone(Fickle(), SWEEPS) == 0


def test_a_sweep_that_stands_still_is_not_monotone() -> None:
    assert scores.sweeps_monotone(Monoglot(), SWEEPS) == 0


def test_mud_has_few_shapes_and_a_low_psnr() -> None:
    shapes = [
        seen for seen in scores.some_combinations(24, unseen=False) if seen.shape in ("star", "cross", "triangle")
    ]
    assert scores.prompts_followed(Smearer(), shapes).shape < 0.5
    assert scores.reconstruction_psnr(Smearer(), SEEN) < 26


def test_the_table_has_every_row_and_marks_what_is_missed() -> None:
    rows = list(table(Smearer(), share=0.02))
    assert len(rows) == len({row.name for row in rows}) == 15
    psnr = next(row for row in rows if "PSNR" in row.name)
    assert psnr.reached < psnr.floor
    assert str(psnr).endswith("MISSED")
