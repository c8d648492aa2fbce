"""Requests that draw into a picture, and their recipes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from plugin_client.wire import codec
from plugin_client.wire.errors import BadValue
from plugin_client.wire.faults import Fault
from plugin_client.wire.limits import MAX_MESSAGE_BYTES, MAX_PICTURE_BYTES, MAX_PICTURE_SIDE
from plugin_client.wire.messages import AnyRequest, Picture, Refine, Repaint, Submit, TextItem, Upscale
from plugin_client.wire.recipe import Refined, Repainted, Upscaled, parse_recipe, picture_hash
from plugin_client.wire.settings import RECIPE_VERSION, BlendSettings, recorded

JOB = "00000000-0000-0000-0000-000000000007"
SOURCE = Picture(2, 1, 3, b"abcdef")
MASK = Picture(2, 1, 1, b"\0\x80")
ITEMS = (TextItem("a cat", 1.0),)
REFINE = Refine(ITEMS, SOURCE, strength=0.5)
REPAINT = Repaint(ITEMS, SOURCE, MASK, strength=0.9, resamplings=2)
UPSCALE = Upscale(ITEMS, SOURCE, 5, 3, strength=0.25)


@pytest.mark.parametrize("request_", [REFINE, REPAINT, UPSCALE])
@pytest.mark.parametrize("items", [ITEMS, ()])
def test_a_request_arrives_as_it_was_sent(request_: AnyRequest, items: tuple[TextItem, ...]) -> None:
    sent = Submit(JOB, replace(request_, items=items))
    assert codec.decode_client(codec.encode(sent, 3)) == (3, sent)


@pytest.mark.parametrize(
    ("request_", "path", "fault"),
    [
        (replace(REFINE, source=MASK), ("source", "channels"), Fault.NOT_A_CHOICE),
        (replace(REPAINT, source=MASK), ("source", "channels"), Fault.NOT_A_CHOICE),
        (replace(REPAINT, mask=SOURCE), ("mask", "channels"), Fault.NOT_A_CHOICE),
        (replace(REPAINT, mask=Picture(1, 1, 1, b"\xff")), ("mask",), Fault.MASK_SIZE),
        (replace(REPAINT, mask=Picture(2, 1, 1, b"\0\0")), ("mask",), Fault.EMPTY_MASK),
        (replace(REPAINT, mask=Picture(2, 1, 1, b"\xff\xff"), items=()), ("mask",), Fault.FULL_MASK),
        (replace(REPAINT, mask=Picture(2, 1, 1, b"\x01\xff"), items=()), ("mask",), Fault.FULL_MASK),
        (replace(REFINE, strength=1.01), ("strength",), Fault.NOT_IN_RANGE),
        (replace(REPAINT, strength=-0.01), ("strength",), Fault.NOT_IN_RANGE),
        (replace(REPAINT, resamplings=0), ("resamplings",), Fault.NOT_WHOLE_IN_RANGE),
        (replace(REPAINT, items=(TextItem("a cat", 0.0),)), ("items",), Fault.NO_WEIGHT),
        (replace(REFINE, items=(TextItem("a cat", -1.0),), blending="spherical"), ("items",), Fault.NO_POSITIVE_SUM),
        (replace(REFINE, width=512), ("height",), Fault.SIDE),
        (replace(UPSCALE, source=MASK), ("source", "channels"), Fault.NOT_A_CHOICE),
        (replace(UPSCALE, target_width=1), ("target_width",), Fault.SMALL_TARGET),
        (replace(UPSCALE, target_height=0), ("target_height",), Fault.NOT_WHOLE_IN_RANGE),
        (replace(UPSCALE, target_width=MAX_PICTURE_SIDE + 1), ("target_width",), Fault.NOT_WHOLE_IN_RANGE),
        (replace(UPSCALE, target_width=8000, target_height=2797), ("target_height",), Fault.LARGE_TARGET),
        (replace(UPSCALE, target_width=4000, target_height=4000, count=6), ("count",), Fault.TOO_MANY_PIXELS),
    ],
)
def test_a_request_that_cannot_be_is_refused(request_: AnyRequest, path: tuple[str, ...], fault: Fault) -> None:
    with pytest.raises(BadValue) as caught:
        codec.check_request(request_)
    assert (caught.value.path, caught.value.fault) == (path, fault)
    assert str(caught.value)  # all that the sentence names is there


def test_what_is_made_of_a_large_picture_fits_into_a_message() -> None:
    side = 2048
    count = MAX_MESSAGE_BYTES // (side * side * 3)
    refine = replace(REFINE, source=Picture(side, side, 3, bytes(side * side * 3)), count=count)
    codec.check_request(refine)
    with pytest.raises(BadValue) as caught:
        codec.check_request(replace(refine, count=count + 1))
    assert caught.value.fault == Fault.TOO_MANY_PIXELS


def test_the_largest_target_is_one_whose_pixels_a_frame_carries() -> None:
    assert 8000 * 2796 * 3 <= MAX_PICTURE_BYTES < 8000 * 2797 * 3
    codec.check_request(replace(UPSCALE, target_width=8000, target_height=2796))


def test_a_full_mask_is_fine_where_something_says_what_to_draw() -> None:
    codec.check_request(replace(REPAINT, mask=Picture(2, 1, 1, b"\xff\xff")))


# --- recipes -----------------------------------------------------------------------------------------------------


def written(kind: str, **more: Any) -> dict[str, Any]:
    """A recipe as the model side writes it."""
    return {
        "recipe": RECIPE_VERSION,
        "kind": kind,
        "items": [{"kind": "text", "text": "a cat", "weight": 1.0}],
        **recorded(BlendSettings(seed=7)),
        "precision": "float32",
        "device": "CPU",
        "version": "0.1.0",
    } | more


REFINED = written("refine", source=picture_hash(SOURCE), strength=0.5)
REPAINTED = written(
    "repaint",
    source=picture_hash(SOURCE),
    mask=picture_hash(MASK),
    strength=0.9,
    resamplings=2,
    inpainting="known region",
)

UPSCALED = written("upscale", source=picture_hash(SOURCE), target_width=5, target_height=3, strength=0.25)


@pytest.mark.parametrize("plain", [REFINED, REPAINTED, UPSCALED])
def test_a_recipe_is_written_as_it_was_read(plain: dict[str, Any]) -> None:
    assert parse_recipe(json.loads(json.dumps(plain))).plain() == plain


def test_a_recipe_makes_the_request_again_with_the_pictures_that_it_names() -> None:
    assert parse_recipe(REFINED).redraw(SOURCE) == replace(REFINE, seed=7)
    assert parse_recipe(REPAINTED).redraw(SOURCE, MASK) == replace(REPAINT, seed=7)
    assert parse_recipe(UPSCALED).redraw(SOURCE) == replace(UPSCALE, seed=7)
    assert parse_recipe(REPAINTED | {"items": []}).redraw(SOURCE, MASK) == replace(REPAINT, seed=7, items=())


def test_what_an_older_recipe_does_not_say_has_its_default() -> None:
    refined, repainted = (dict(plain) for plain in (REFINED, REPAINTED))
    for plain, names in ((refined, ("strength",)), (repainted, ("strength", "resamplings", "inpainting"))):
        for name in names:
            del plain[name]
    assert parse_recipe(refined).redrawn == Refined(picture_hash(SOURCE))
    upscaled = {name: value for name, value in UPSCALED.items() if name != "strength"}
    assert parse_recipe(upscaled).redrawn == Upscaled(picture_hash(SOURCE), 5, 3)
    assert parse_recipe(repainted).redrawn == Repainted(picture_hash(SOURCE), picture_hash(MASK))


@pytest.mark.parametrize(
    ("pictures", "name"),
    [((MASK, MASK), "source"), ((SOURCE, replace(MASK, pixels=b"\0\x81")), "mask")],
)
def test_another_picture_is_refused(pictures: tuple[Picture, Picture], name: str) -> None:
    with pytest.raises(BadValue) as caught:
        parse_recipe(REPAINTED).redraw(*pictures)
    assert (caught.value.path, caught.value.fault) == (("recipe", name), Fault.OTHER_PICTURE)


@pytest.mark.parametrize(
    ("plain", "path", "fault"),
    [
        (REPAINTED | {"kind": "blend"}, (), Fault.UNKNOWN_FIELD),
        (REFINED | {"mask": "ab" * 32}, (), Fault.UNKNOWN_FIELD),
        (REFINED | {"source": "ab"}, ("source",), Fault.NOT_THE_PATTERN),
        (REFINED | {"strength": 2}, ("strength",), Fault.NOT_IN_RANGE),
        (REPAINTED | {"resamplings": 1.5}, ("resamplings",), Fault.NOT_WHOLE_IN_RANGE),
        (REPAINTED | {"items": [{"kind": "text", "text": "", "weight": 0}]}, ("items",), Fault.NO_WEIGHT),
        (REFINED | {"width": 5}, ("width",), Fault.SIDE),
        (UPSCALED | {"target_width": 0}, ("target_width",), Fault.NOT_WHOLE_IN_RANGE),
        (REFINED | {"target_width": 5}, (), Fault.UNKNOWN_FIELD),
    ],
)
def test_a_bad_recipe_is_refused_with_its_field(plain: dict[str, Any], path: tuple[str, ...], fault: Fault) -> None:
    with pytest.raises(BadValue) as caught:
        parse_recipe(plain)
    assert (caught.value.path, caught.value.fault) == (("recipe", *path), fault)
