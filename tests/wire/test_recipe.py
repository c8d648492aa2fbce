from __future__ import annotations

import base64
import json
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_client.wire.errors import BadValue, ProtocolError, VersionError
from plugin_client.wire.faults import Fault
from plugin_client.wire.messages import Blend, EmbedsItem, Picture, Result, TextItem
from plugin_client.wire.recipe import (
    Provenance,
    RecordedPicture,
    blend_from_recipe,
    parse_recipe,
    recipes_of,
    with_provenance,
)
from plugin_client.wire.settings import SETTINGS, BlendSettings, recorded
from tests.wire.strategies import json_values

EMBEDS = struct.pack("<3f", 0.5, -1.0, 2.0)
ITEMS = [
    {"kind": "text", "text": "a cat", "weight": 0.3},
    {
        "kind": "embeds",
        "embeds": base64.b64encode(EMBEDS).decode(),
        "weight": 0.7,
        "label": "night.jpg",
        "picture": "ab" * 32,
        "fit": "crop",
    },
]


def recipe(**changes: Any) -> dict[str, Any]:
    """A recipe as the model side writes it."""
    return {
        "recipe": 2,
        "kind": "blend",
        "items": ITEMS,
        **recorded(BlendSettings()),
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
        "sampler": "own",
        "model": "kandinsky-2-1",
        "model_hash": "abc",
        "precision": "float32",
        "device": "CPU",
        "version": "0.1.0",
    } | changes


def version_1(**changes: Any) -> dict[str, Any]:
    """The same as version 1 wrote it."""
    items = [{key: value for key, value in item.items() if key != "kind"} for item in ITEMS]
    written = recipe(recipe=1, items=items)
    del written["kind"]
    return written | changes


BLEND = Blend(
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
    sampler="own",
    model="kandinsky-2-1",
    model_hash="abc",
)


def refusal(plain: object) -> BadValue:
    with pytest.raises(BadValue) as caught:
        parse_recipe(plain)
    assert str(caught.value)  # all that the sentence names is there
    return caught.value


# --- reading and writing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", [recipe(), version_1()])
def test_a_recipe_says_everything_that_a_blend_needs(written: dict[str, Any]) -> None:
    assert blend_from_recipe(json.loads(json.dumps(written))) == BLEND


def test_a_recipe_says_how_its_picture_was_made() -> None:
    read = parse_recipe(recipe())
    assert read.provenance == Provenance("float32", "CPU", "0.1.0")
    assert read.items == (TextItem("a cat", 0.3), RecordedPicture(EMBEDS, 0.7, "night.jpg", "ab" * 32, "crop"))


@pytest.mark.parametrize("written", [recipe(), version_1()])
def test_a_recipe_is_written_as_it_was_read_in_the_current_version(written: dict[str, Any]) -> None:
    assert parse_recipe(written).plain() == recipe()


def test_what_a_recipe_does_not_say_of_a_picture_is_not_made_up() -> None:
    item = {"kind": "embeds", "embeds": base64.b64encode(EMBEDS).decode(), "weight": 1.0, "label": ""}
    assert parse_recipe(recipe(items=[item])).plain() == recipe(items=[item])


@pytest.mark.parametrize("name", sorted(name for name, one in SETTINGS.items() if one.setting.is_recorded))
def test_a_setting_that_a_recipe_is_too_old_to_know_has_its_default(name: str) -> None:
    older = recipe()
    del older[name]
    expected = {"steps": 50, "sampler": "own"}.get(name, SETTINGS[name].default)  # as before models had their best
    if name not in ("width", "height"):  # which cannot be left to the model one by one
        assert getattr(blend_from_recipe(older), name) == expected


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "path", "fault", "value"),
    [
        ({"width": 5}, ("width",), Fault.SIDE, 5),
        ({"colour": "red"}, (), Fault.UNKNOWN_FIELD, "colour"),
        ({"count": 2}, (), Fault.UNKNOWN_FIELD, "count"),
        ({"items": []}, ("items",), Fault.LENGTH_OF_LIST, ()),
        ({"items": "cat"}, ("items",), Fault.NOT_A_LIST, "cat"),
        ({"items": [7]}, ("items", 0), Fault.NOT_A_MAP, 7),
        ({"items": [ITEMS[0] | {"weight": "1"}]}, ("items", 0, "weight"), Fault.NOT_IN_RANGE, "1"),
        ({"items": [ITEMS[0] | {"weight": 0}]}, ("items",), Fault.NO_WEIGHT, [0.0]),
        ({"items": [{"kind": "picture", "weight": 1}]}, ("items", 0, "kind"), Fault.NOT_A_CHOICE, "picture"),
        ({"items": [ITEMS[1] | {"picture": "ab"}]}, ("items", 0, "picture"), Fault.NOT_THE_PATTERN, "ab"),
        ({"items": [ITEMS[1] | {"fit": "squeeze"}]}, ("items", 0, "fit"), Fault.NOT_A_CHOICE, "squeeze"),
        ({"seed": 2**60}, ("seed",), Fault.NOT_WHOLE_IN_RANGE, 2**60),
        ({"version": [1]}, ("version",), Fault.NOT_TEXT, [1]),
        ({"kind": "redraw"}, ("kind",), Fault.NOT_A_CHOICE, "redraw"),
        ({"kind": None}, ("kind",), Fault.NOT_A_CHOICE, None),
    ],
)
def test_a_bad_recipe_is_refused_with_its_field(
    change: dict[str, Any], path: tuple[str | int, ...], fault: Fault, value: object
) -> None:
    error = refusal(recipe(**change))
    assert (error.path, error.fault, error.value) == (("recipe", *path), fault, value)


@pytest.mark.parametrize(
    ("items", "path", "fault", "value"),
    [
        ([7], ("items", 0), Fault.NOT_A_MAP, 7),
        ([{"text": "x"}], ("items", 0), Fault.MISSING_FIELD, "weight"),
        ([{"embeds": "%%%%", "weight": 1}], ("items", 0, "embeds"), Fault.NOT_BASE64, "%%%%"),
        ([{"embeds": "é", "weight": 1}], ("items", 0, "embeds"), Fault.NOT_BASE64, "é"),
        ([{"embeds": 7, "weight": 1}], ("items", 0, "embeds"), Fault.NOT_BASE64, 7),
        ([{"kind": "picture", "weight": 1}], ("items", 0, "kind"), Fault.NOT_A_CHOICE, "picture"),
        ("cat", ("items",), Fault.NOT_A_LIST, "cat"),
    ],
)
def test_a_bad_recipe_of_version_1_is_refused_with_its_field(
    items: object, path: tuple[str | int, ...], fault: Fault, value: object
) -> None:
    error = refusal(version_1(items=items))
    assert (error.path, error.fault, error.value) == (("recipe", *path), fault, value)


def test_a_recipe_without_items_is_refused() -> None:
    without = recipe()
    del without["items"]
    error = refusal(without)
    assert (error.path, error.fault, error.value) == (("recipe",), Fault.MISSING_FIELD, "items")


@pytest.mark.parametrize("version", [0, 3, -1, None, "1", True, 1.0])
def test_a_recipe_of_another_version_is_named(version: object) -> None:
    with pytest.raises(VersionError) as caught:
        blend_from_recipe(recipe(recipe=version))
    assert caught.value.data == {"value": repr(version), "known": 2}


@given(json_values)
def test_nothing_in_a_file_raises_anything_else(value: Any) -> None:
    for made in (value, {"recipe": 1, "items": value}, recipe(items=[value]), version_1(items=[value])):
        with pytest.raises(ProtocolError):
            blend_from_recipe(made)


@given(st.sampled_from((recipe, version_1)), st.sampled_from(sorted(recipe())), json_values)
def test_any_value_in_any_place_is_read_or_refused(write: Any, key: str, value: Any) -> None:
    with suppress(ProtocolError):
        assert isinstance(blend_from_recipe(write(**{key: value})), Blend)


# --- the pictures of one result, and pictures made again ---------------------------------------------------------


def test_each_picture_of_a_result_has_its_own_variation() -> None:
    pictures = (Picture(1, 1, 3, b"abc"),) * 3
    made = recipes_of(Result("", pictures, recipe()))
    assert [one["variation"] for one in made] == [2, 3, 4]
    assert {one["seed"] for one in made} == {7}


@pytest.mark.parametrize("original", [recipe(), version_1()])
def test_what_is_known_of_a_picture_outlives_the_making_again(original: dict[str, Any]) -> None:
    sent = {"kind": "embeds", "embeds": ITEMS[1]["embeds"], "weight": 1.0, "label": "night.jpg"}
    again = recipe(items=[ITEMS[0], sent])
    assert with_provenance(again, original)["items"] == [ITEMS[0], ITEMS[1] | {"weight": 1.0}]


def test_nothing_is_known_of_an_embedding_that_the_original_has_not() -> None:
    other = {"kind": "embeds", "embeds": base64.b64encode(bytes(12)).decode(), "weight": 1.0, "label": "other"}
    assert with_provenance(recipe(items=[other]), recipe())["items"] == [other]
