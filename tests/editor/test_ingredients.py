"""The JSON text that a script writes, read strictly: no GIMP is needed."""

from __future__ import annotations

import json
import struct

import pytest

from plugin_client.editor.ingredients import (
    LayerIngredient,
    parse,
    to_json,
    weights_without_empty,
    without_empty,
)
from plugin_client.wire.errors import UsageError
from plugin_client.wire.messages import EmbedsItem, TextItem

ALL_KINDS = (
    LayerIngredient(7, 0.5, "pad", (0, 128, 255)),
    TextItem("猫 and a sky", 0.3),
    EmbedsItem(struct.pack("<2f", 0.25, -1.0), -0.2, "night.jpg"),
)


def test_what_is_written_is_read_back() -> None:
    assert parse(to_json(ALL_KINDS)) == ALL_KINDS


def test_a_layer_needs_only_its_tattoo_and_weight() -> None:
    assert parse('[{"layer": 7, "weight": 1}]') == (LayerIngredient(7, 1.0, "crop", (255, 255, 255)),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "ingredients has 0 entries: must have from 1 to 32"),
        ("[]", "ingredients has 0 entries: must have from 1 to 32"),
        (json.dumps([{"text": "a", "weight": 1}] * 33), "ingredients has 33 entries: must have from 1 to 32"),
        ("{}", "ingredients is {}: must be a list"),
        ("[1]", "ingredients[0] is 1: must be a map with one of layer, text, embeds"),
        ('[{"weight": 1}]', "ingredients[0] is {'weight': 1}: must be a map with one of layer, text, embeds"),
        ('[{"text": "a"}]', "ingredients[0] lacks the field 'weight'"),
        ('[{"layer": 7}]', "ingredients[0] lacks the field 'weight'"),
        ('[{"layer": "7", "weight": 1}]', "ingredients[0].layer is '7': must be a whole number from 1 to 4294967295"),
        ('[{"layer": 7, "weight": NaN}]', "ingredients[0].weight is nan: must be a number from -1000 to 1000"),
        ('[{"layer": 7, "weight": true}]', "ingredients[0].weight is True: must be a number from -1000 to 1000"),
        ('[{"layer": 7, "weight": 1, "fit": "fill"}]', "ingredients[0].fit is 'fill': must be one of"),
        ('[{"layer": 7, "weight": 1, "backdrop": [0, 0]}]', "ingredients[0].backdrop has 2 entries, must have exactly"),
        ('[{"layer": 7, "weight": 1, "colour": 3}]', "ingredients[0] has an unknown field 'colour'"),
        ('[{"text": "a", "weight": 1}, {"text": 3, "weight": 1}]', "ingredients[1].text is 3: must be text"),
        ('[{"embeds": "?", "weight": 1}]', "ingredients[0].embeds is '?': must be base64 text"),
    ],
)
def test_what_cannot_be_is_refused_by_name(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse(text)
    assert str(refusal.value).startswith(sentence)


def test_a_prompt_without_words_is_left_out_and_its_weight_at_the_end_too() -> None:
    layer, cat, empty = LayerIngredient(7, 0.5), TextItem("a cat", 1.0), TextItem(" \n\t", 0.5)
    given = (empty, layer, empty, cat)
    assert without_empty(given) == (layer, cat)
    assert weights_without_empty([0.1, 0.2, 0.3, 0.4], given) == [0.2, 0.4]
    assert weights_without_empty([0.1], given) == [0.1]  # which is refused later, by its number


def test_nothing_but_prompts_without_words_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^there is nothing to blend: write a prompt or add a layer$"):
        without_empty([TextItem("", 0.5), TextItem(" ", 0.5)])


def test_what_is_no_json_is_refused_however_deep() -> None:
    for text in ("cat", "[" * 100_000, "[" + " " * 2**20):
        with pytest.raises(UsageError, match=r"^ingredients (is|has)"):
            parse(text)
