"""The captions: every scene can be told in every language, and is told in full only when asked to."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from kandinsky_backend.embedded.train.captions import LANGUAGES, Said, caption, random_caption, random_said
from kandinsky_backend.embedded.train.scenes import COLOURS, COUNTS, SHAPES

SCENE = Said("star", "red", "blue", "one", "flat")
EXAMPLES = [
    ("en", Said("circle", "orange", "blue", "one"), "an orange circle on a blue background"),
    ("en", Said("stripes", "red", "white", "many"), "many red stripes on a white background"),
    ("ru", Said("ring", "green", "white", "one"), "одно зелёное кольцо на белом фоне"),
    ("ru", Said("star", "red", "black", "few"), "несколько красных звёзд на чёрном фоне"),
    ("zh", Said("circle", "red", "blue", "one"), "蓝色背景上的一个红色圆形"),
    ("de", Said("square", "yellow", "purple", "one"), "ein gelbes Quadrat auf violettem Hintergrund"),
    ("fr", Said("star", "white", "green", "one"), "une étoile blanche sur fond vert"),
    ("es", Said("cross", "black", "red", "one"), "una cruz negra sobre fondo rojo"),
]


@pytest.mark.parametrize(("language", "said", "expected"), EXAMPLES)
def test_captions_are_inflected(language: str, said: Said, expected: str) -> None:
    assert caption(said, language) == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_different_scenes_have_different_captions(language: str) -> None:
    scenes = [Said(*names) for names in product(SHAPES, COLOURS, COLOURS, COUNTS)]
    captions = {caption(said, language) for said in scenes}
    assert len(captions) == len(scenes)
    assert not any("{" in text for text in captions)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_not_said_is_not_told(language: str) -> None:
    assert caption(Said(), language) == ""
    words = list(LANGUAGES[language].colours["red"].values())
    assert not any(word in caption(Said(shape="star", ground="blue"), language).split() for word in words)


def test_most_captions_say_shape_and_both_colours() -> None:
    rng = np.random.default_rng(0)
    said = [random_said(SCENE, rng) for _ in range(1000)]
    full = np.mean([(s.shape, s.colour, s.ground) == ("star", "red", "blue") for s in said])
    assert 0.6 < full < 0.8
    assert all(s.shape in (None, "star") and s.colour in (None, "red") for s in said)


def test_random_captions_come_in_every_language() -> None:
    rng = np.random.default_rng(0)
    texts = {random_caption(SCENE, rng) for _ in range(400)}
    full = {caption(Said("star", "red", "blue"), language) for language in LANGUAGES}
    assert full <= texts
