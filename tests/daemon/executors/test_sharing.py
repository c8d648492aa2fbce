"""Who makes which embeddings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemon.executors.sharing import Shared, ingredients
from plugin_client.wire.messages import Blend, Picture, PictureItem, TextItem
from tests.daemon.conftest import blend

CAT, SKY = TextItem("a cat", 1.0), TextItem("a sky", 0.5)


def blended(*items: TextItem | PictureItem, **settings: object) -> Blend:
    return replace(blend(**settings), items=items)


def painted(shade: int) -> PictureItem:
    return PictureItem(Picture(1, 1, 3, bytes([shade] * 3)), 1.0)


def test_what_is_embedded_depends_on_neither_weights_nor_size_nor_variation() -> None:
    first = ingredients(blended(CAT, SKY))
    assert first == ingredients(blended(replace(CAT, weight=0.1), SKY, width=768, height=512, variation=3, count=2))


@pytest.mark.parametrize(
    "other",
    [
        blended(CAT, replace(SKY, text="a sea")),
        blended(CAT, SKY, seed=8),
        blended(CAT, SKY, prior_steps=3),
        blended(CAT, SKY, prior_guidance=1.0),
        blended(CAT, SKY, negative="dull"),
        blended(CAT, SKY, decoder_prompt="a cat"),
        blended(CAT, SKY, model="another"),
    ],
)
def test_it_depends_on_all_else_that_the_model_reads(other: Blend) -> None:
    assert ingredients(blended(CAT, SKY)) != ingredients(other)


def test_pictures_are_known_by_their_pixels() -> None:
    assert ingredients(blended(painted(1))) == ingredients(blended(replace(painted(1), label="night.jpg")))
    assert ingredients(blended(painted(1))) == ingredients(blended(replace(painted(1), weight=0.0)))
    assert ingredients(blended(painted(1))) != ingredients(blended(painted(2)))


def test_the_frames_of_a_sweep_wait_for_what_another_makes_and_make_the_rest() -> None:
    shared: Shared[str, str] = Shared()
    first, both = ingredients(blended(CAT, replace(SKY, weight=0.0))), ingredients(blended(CAT, SKY))
    assert shared.places(first) == []
    shared.expect(first, "ada", "at ada's")
    assert not shared.lacks(first)
    assert shared.places(both) == ["at ada's"]
    assert shared.lacks(both)  # the sky
    shared.expect(both, "ben", "at ben's")
    assert shared.places(both) == ["at ada's", "at ben's"]
    assert not shared.lacks(both)


def test_what_a_lost_worker_makes_is_counted_on_no_more() -> None:
    shared: Shared[str, str] = Shared()
    needed = ingredients(blended(CAT))
    shared.expect(needed, "ada", "at ada's")
    shared.forget("ada")
    assert shared.lacks(needed)
    assert shared.places(needed) == []


def test_the_oldest_are_forgotten() -> None:
    shared: Shared[str, str] = Shared(max_kept=1)
    shared.expect(["cat"], "ada", "at ada's")
    shared.expect(["sky"], "ada", "at ada's again")
    assert shared.lacks(["cat"])
    assert shared.places(["sky"]) == ["at ada's again"]
