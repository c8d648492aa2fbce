"""Errors, recipes and differences as the shell shows them."""

from __future__ import annotations

from typing import Any

import pytest

from plugin_client.cli.words import changes, in_words, recipe_text
from plugin_client.wire.codec import check_request
from plugin_client.wire.errors import ProtocolError
from plugin_client.wire.messages import Blend, TextItem
from plugin_client.wire.recipe import blend_from_recipe, parse_recipe

CAT = TextItem("a cat", 0.3)
RECIPE: dict[str, Any] = {
    "recipe": 1,
    "items": [
        {"text": "a cat", "weight": 0.3},
        {"embeds": "AAAAAA==", "weight": 0.7, "label": "night.jpg", "picture": "ab" * 32, "fit": "crop"},
    ],
    "width": 768,
    "height": 512,
    "seed": 7,
    "negative": "low quality",
    "normalise": True,
    "variation": 1,
    "model": "kandinsky-2-1",
    "model_hash": "0123456789abcdef",
    "precision": "float32",
    "device": "CPU",
    "version": "0.1.0",
}


@pytest.mark.parametrize(
    ("blend", "said"),
    [
        (Blend((CAT, TextItem("x" * 4001, 1.0))), "item 2: text is 'xxxxxxxx"),
        (Blend((TextItem("a", 0.0),)), "items have no weight: at least one must not be 0"),
        (Blend((CAT,), steps=-1), "steps is -1: must be a whole number from 0 to 1000"),
        (Blend((5, CAT)), "item 1: kind is 'int': must be one of text, picture, embeds"),  # type: ignore[arg-type]
    ],
)
def test_items_are_counted_from_one_and_the_wire_is_not_mentioned(blend: Blend, said: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        check_request(blend)
    assert in_words(refused.value).startswith(said)


def test_a_recipe_s_items_too() -> None:
    with pytest.raises(ProtocolError) as refused:
        blend_from_recipe({"recipe": 1, "items": [{"embeds": "?", "weight": 1}]})
    assert in_words(refused.value) == "item 1: embeds is '?': must be base64 text"
    with pytest.raises(ProtocolError) as refused:
        blend_from_recipe({"recipe": 1, "items": [RECIPE["items"][0], 5]})
    assert in_words(refused.value) == "item 2 is 5: must be a map"


def test_a_file_keeps_its_name_in_an_error() -> None:
    assert in_words(ValueError("blend.png is not a picture")) == "blend.png is not a picture"


OTHER_WEIGHTS = {**RECIPE, "items": [{**RECIPE["items"][0], "weight": 0.9}, RECIPE["items"][1]]}


@pytest.mark.parametrize(
    ("recipe", "asked", "said"),
    [
        (OTHER_WEIGHTS, ["weights"], "changed: weights"),
        ({**OTHER_WEIGHTS, "width": 16, "seed": 8}, ["seed", "size", "weights"], "changed: weights, size, seed"),
        (OTHER_WEIGHTS, ["weights", "steps"], "changed: weights"),
        (
            {**OTHER_WEIGHTS, "version": "2"},
            ["weights"],
            "changed: weights; its recipe also differs in version",
        ),
        ({**RECIPE, "device": "Ascend"}, [], "another picture: its recipe differs in device"),
        ({**RECIPE, "device": "Ascend"}, ["weights"], "another picture: its recipe differs in device"),
        (RECIPE, [], "another picture: its recipe is the same, but its pixels differ"),
    ],
)
def test_what_was_asked_for_is_no_fault(recipe: dict[str, Any], asked: list[str], said: str) -> None:
    assert changes(parse_recipe(RECIPE), parse_recipe(recipe), asked) == said


def test_a_recipe_reads_as_its_items_and_settings() -> None:
    assert (
        recipe_text(parse_recipe(RECIPE))
        == """\
WEIGHT  ITEM
0.3     prompt "a cat"
0.7     picture night.jpg

SETTING         VALUE
size            768x512
negative        low quality
steps           50
guidance        4
seed            7
variation       2
blending        linear
normalise       yes
sampler         own
prior-steps     25
prior-guidance  4
model           kandinsky-2-1, 0123456789ab
made            in float32 on CPU, version 0.1.0"""
    )


def test_a_stranger_s_recipe_moves_no_cursor() -> None:
    evil = {"recipe": 1, "items": [{"text": "\x1b[2J\x9b\ncat é", "weight": 1}], "device": "\x07"}
    text = recipe_text(parse_recipe(evil))
    assert 'prompt "\\x1b[2J\\x9b\\ncat é"' in text
    assert "made            in unknown on \\x07, version unknown" in text
