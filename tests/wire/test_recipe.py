from __future__ import annotations

import base64
import json
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_client.wire.errors import ProtocolError, VersionError
from plugin_client.wire.messages import Blend, EmbedsItem, Picture, Result, TextItem
from plugin_client.wire.recipe import blend_from_recipe, recipes_of, with_provenance
from tests.wire.strategies import json_values

EMBEDS = struct.pack("<3f", 0.5, -1.0, 2.0)


def recipe(**changes: Any) -> dict[str, Any]:
    """A recipe as the model side writes it."""
    return {
        "recipe": 1,
        "items": [
            {"text": "a cat", "weight": 0.3},
            {
                "embeds": base64.b64encode(EMBEDS).decode(),
                "weight": 0.7,
                "label": "night.jpg",
                "picture": "ab" * 32,
                "fit": "crop",
            },
        ],
        "width": 512,
        "height": 256,
        "steps": 20,
        "guidance": 4.0,
        "prior_steps": 5,
        "prior_guidance": 1.0,
        "negative": "rain",
        "decoder_prompt": "",
        "seed": 7,
        "variation": 2,
        "blending": "spherical",
        "normalise": True,
        "model": "kandinsky-2-1",
        "model_hash": "abc",
        "precision": "float32",
        "device": "CPU",
        "version": "0.1.0",
    } | changes


def test_a_recipe_says_everything_that_a_blend_needs() -> None:
    assert blend_from_recipe(json.loads(json.dumps(recipe()))) == Blend(
        items=(TextItem("a cat", 0.3), EmbedsItem(EMBEDS, 0.7, "night.jpg")),
        width=512,
        height=256,
        steps=20,
        guidance=4.0,
        prior_steps=5,
        prior_guidance=1.0,
        negative="rain",
        seed=7,
        variation=2,
        blending="spherical",
        normalise=True,
        model="kandinsky-2-1",
        model_hash="abc",
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": 5}, "recipe.width is 5: must be a whole number from 16 to 2048"),
        ({"colour": "red"}, "recipe has an unknown field 'colour'"),
        ({"items": []}, "recipe.items has 0 entries"),
        ({"items": "cat"}, "recipe.items is 'cat': must be a list"),
        ({"items": [7]}, r"recipe.items\[0\] is 7: must be a map"),
        ({"items": [{"text": "x"}]}, r"recipe.items\[0\] lacks the field 'weight'"),
        ({"items": [{"embeds": "%%%%", "weight": 1}]}, r"recipe.items\[0\].embeds is '%%%%': must be base64"),
        ({"items": [{"embeds": "é", "weight": 1}]}, "must be base64"),
        ({"items": [{"embeds": 7, "weight": 1}]}, r"recipe.items\[0\].embeds is 7: must be base64"),
        ({"items": [{"kind": "picture", "weight": 1}]}, r"recipe.items\[0\]"),
        ({"seed": 2**60}, "recipe.seed is"),
    ],
)
def test_a_bad_recipe_is_refused_with_its_field(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        blend_from_recipe(recipe(**change))


@pytest.mark.parametrize("version", [0, 2, None, "1", True, 1.0])
def test_a_recipe_of_another_version_is_named(version: object) -> None:
    with pytest.raises(VersionError, match="this program reads 1"):
        blend_from_recipe(recipe(recipe=version))


@given(json_values)
def test_nothing_in_a_file_raises_anything_else(value: Any) -> None:
    for made in (value, {"recipe": 1, "items": value}, recipe(items=[value])):
        with pytest.raises(ProtocolError):
            blend_from_recipe(made)


@given(st.sampled_from(sorted(recipe())), json_values)
def test_any_value_in_any_place_is_read_or_refused(key: str, value: Any) -> None:
    with suppress(ProtocolError):
        assert isinstance(blend_from_recipe(recipe(**{key: value})), Blend)


def test_each_picture_of_a_result_has_its_own_variation() -> None:
    pictures = (Picture(1, 1, 3, b"abc"),) * 3
    made = recipes_of(Result("", pictures, recipe()))
    assert [one["variation"] for one in made] == [2, 3, 4]
    assert {one["seed"] for one in made} == {7}


def test_what_is_known_of_a_picture_outlives_the_making_again() -> None:
    original = recipe()
    embeds = original["items"][1]["embeds"]
    again = recipe(items=[{"embeds": embeds, "weight": 1.0, "label": "night.jpg"}])
    assert with_provenance(again, original)["items"] == [original["items"][1] | {"weight": 1.0}]
