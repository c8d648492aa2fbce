"""Recipes as the model side writes them: what clients read back, setting by setting."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from PIL import Image

from kandinsky_backend.blend import BlendRequest, Embeds, Identity, Picture, Text
from kandinsky_backend.blend.recipe import recipe_of
from plugin_client.wire.messages import TextItem
from plugin_client.wire.recipe import RecordedPicture, parse_recipe
from plugin_client.wire.settings import BlendSettings, recorded

IDENTITY = Identity("tiny", "cafe", "float32", "CPU")
EMBEDS = np.arange(6, dtype=np.float32).reshape(3, 2)
ITEMS = (
    Text("a cat", 0.3),
    Picture(Image.new("RGB", (2, 3), "red"), -0.5, fit="pad", label="red.png"),
    Embeds(EMBEDS[2], 1.0, "seen before"),
)


def test_clients_read_back_what_was_asked_for() -> None:
    settings = BlendSettings(seed=7, steps=3, guidance=2.5, width=64, height=48, blending="spherical", normalise=True)
    recipe = parse_recipe(recipe_of(BlendRequest(ITEMS, settings), EMBEDS, variation=4, identity=IDENTITY))
    asked = replace(settings, variation=4, model="tiny", model_hash="cafe")
    assert recorded(recipe.settings) == recorded(asked)
    text, picture, embeds = recipe.items
    assert text == TextItem("a cat", 0.3)
    assert isinstance(picture, RecordedPicture)
    assert isinstance(embeds, RecordedPicture)
    assert (picture.embeds, picture.weight, picture.label) == (EMBEDS[1].tobytes(), -0.5, "red.png")
    assert (picture.fit, len(picture.picture or "")) == ("pad", 64)
    assert (embeds.embeds, embeds.weight, embeds.label, embeds.picture) == (
        EMBEDS[2].tobytes(),
        1.0,
        "seen before",
        None,
    )
    assert (recipe.provenance.precision, recipe.provenance.device) == ("float32", "CPU")
    assert recipe.provenance.version


@pytest.mark.parametrize("name", [field.name for field in fields(BlendSettings)])
def test_a_recipe_holds_exactly_the_settings_that_make_the_picture(name: str) -> None:
    recipe = recipe_of(BlendRequest(ITEMS, BlendSettings()), EMBEDS, variation=0, identity=IDENTITY)
    assert (name in recipe) == (name in recorded(BlendSettings()))
