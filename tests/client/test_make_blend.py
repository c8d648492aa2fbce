"""Items and settings as a script gives them: what becomes of them, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kandinsky_backend.errors import PictureUnsupported
from plugin_client.client import make_blend
from plugin_client.wire.errors import BadArgument, UsageError, show
from plugin_client.wire.faults import Fault
from plugin_client.wire.messages import Blend, EmbedsItem, Picture, PictureItem, TextItem
from plugin_client.wire.settings import SETTINGS
from tests.refusals import refused


@pytest.fixture
def picture_file(tmp_path: Path) -> Path:
    path = tmp_path / "Night.PNG"
    Image.new("RGB", (4, 3), (1, 2, 3)).save(path)
    return path


def test_text_is_a_prompt_unless_it_ends_like_a_picture_file(picture_file: Path) -> None:
    blend = make_blend([("a cat.", 0.5), (str(picture_file), 0.25), (picture_file, 0.25)])
    picture = PictureItem(Picture(4, 3, 3, bytes((1, 2, 3)) * 12), 0.25, label="Night.PNG")
    assert blend.items == (TextItem("a cat.", 0.5), picture, picture)


def test_a_path_is_a_file_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "no suffix"
    Image.new("RGBA", (2, 2), (1, 2, 3, 4)).save(path, "PNG")
    (item,) = make_blend([(path, 1)]).items
    assert isinstance(item, PictureItem)
    assert item.picture == Picture(2, 2, 4, bytes((1, 2, 3, 4)) * 4)


NAMES = ["IMG_1.HEIC", "cat.psd", "cat.xcf", "cat.jxl", "cat.svg", "cat.qoi", "cat.pcx", "cat.DNG"]


@pytest.mark.parametrize("name", ["missing.png", "MISSING.JPG", "a cat.webp", "night.avif", "scan.jp2", *NAMES])
def test_the_name_of_a_picture_that_is_not_there_is_no_prompt(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        make_blend([(name, 1)])
    assert str(caught.value) == (
        f"there is no picture file {name} ({name!r} was taken for the name of a picture file; for a prompt give "
        "TextItem(text, weight))"
    )
    assert make_blend([TextItem(name, 1.0)]).items == (TextItem(name, 1.0),)


@pytest.mark.parametrize("name", ["art.psd", "notes.txt", "README", "a cat", "no such suffix.xyz"])
def test_the_name_of_a_file_that_is_there_is_no_prompt(here: Path, name: str) -> None:
    (here / name).write_bytes(b"8BPS\0\1")
    with refused(UsageError, "no-picture", value=repr(name)) as caught:
        make_blend([(name, 1)])
    reason = caught.value.data["reason"]
    assert isinstance(reason, UsageError)
    unread = reason.__cause__
    assert isinstance(unread, PictureUnsupported)
    assert (unread.code, unread.data["name"], unread.data["called"]) == ("unread-format", name, "a Photoshop document")
    assert str(unread.data["advice"]).startswith("save it as PNG")
    assert str(caught.value).startswith(str(unread))
    Image.new("RGB", (2, 2), (1, 2, 3)).save(here / name, "PNG")
    (item,) = make_blend([(name, 1)]).items
    assert isinstance(item, PictureItem)


def test_a_line_of_a_list_of_files_is_no_prompt() -> None:
    with refused(UsageError, "no-picture", value=repr("cat.png\n")):
        make_blend([("cat.png\n", 1)])


@pytest.mark.parametrize("text", ["https://example.org/cat", "HTTP://x/cat.png", "file:///home/me/cat", "s3://a/b"])
def test_an_address_is_no_prompt(text: str) -> None:
    with refused(UsageError, "no-picture", value=repr(text)) as caught:
        make_blend([(text, 1)])
    # what is wrong with it carries no code
    assert str(caught.value).startswith(f"{text} is an address: give the file, or what load_image of kandinsky_bac")


@pytest.mark.parametrize(
    "text",
    [
        "a page of https://example.org/",
        "note: cat",
        "a folder",
        "x" * 4000,
        "a\0cat",
        "a cat. ",
        "png",
        "made by an.ai",
        "",
        "loop",
    ],
)
def test_other_text_is_a_prompt(here: Path, text: str) -> None:
    (here / "a folder").mkdir()
    (here / "loop").symlink_to("loop")
    (item,) = make_blend([(text, 1.0)]).items
    assert item == TextItem(text, 1.0)


def test_a_picture_under_a_heic_name_is_read_and_a_heic_under_another_refused(here: Path) -> None:
    Image.new("RGB", (2, 2)).save(here / "cat.heic", "PNG")
    assert isinstance(make_blend([(Path("cat.heic"), 1)]).items[0], PictureItem)
    (here / "dog.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    with pytest.raises(UsageError, match=r"dog\.jpg is a HEIC picture, which cannot be read: save it as PNG or JPEG"):
        make_blend([(Path("dog.jpg"), 1)])


def test_wire_items_are_sent_as_they_are() -> None:
    items = (EmbedsItem(bytes(8), 0.5), TextItem("cat.png", 0.5))
    assert make_blend(items).items == items


@pytest.mark.parametrize(
    ("items", "settings", "path", "fault"),
    [
        ([], {}, ("items",), Fault.LENGTH_OF_LIST),
        ([("a", 0), ("b", 0.0)], {}, ("items",), Fault.NO_WEIGHT),
        ([("a", float("nan"))], {}, ("items", 0, "weight"), Fault.NOT_IN_RANGE),
        ([("a", "1")], {}, ("items", 0, "weight"), Fault.NOT_IN_RANGE),
        ([("a", 1)], {"size": (0, 768)}, ("width",), Fault.SIDE),
        ([("a", 1)], {"size": (768, 5000)}, ("height",), Fault.NOT_WHOLE_IN_RANGE),
        ([("a", 1)], {"steps": -1}, ("steps",), Fault.NOT_WHOLE_IN_RANGE),
        ([("x" * 4001, 1)], {}, ("items", 0, "text"), Fault.LENGTH_OF_TEXT),
    ],
)
def test_a_mistake_is_named_before_anything_is_sent(
    items: list[Any], settings: dict[str, Any], path: tuple[str | int, ...], fault: Fault
) -> None:
    with pytest.raises(BadArgument) as caught:
        make_blend(items, **settings)
    assert (caught.value.path, caught.value.fault) == (path, fault)


@pytest.mark.parametrize(
    ("items", "settings", "code", "value"),
    [
        ([("a", 1)], {"stepz": 5}, "unknown-setting", "stepz"),
        (["a cat"], {}, "no-item", "'a cat'"),
        ([("a", 1, 2)], {}, "no-item", "('a', 1, 2)"),
    ],
)
def test_what_is_no_item_or_setting_is_named(items: Any, settings: dict[str, Any], code: str, value: str) -> None:
    with refused(UsageError, code, value=value):
        make_blend(items, **settings)


def test_the_settings_that_there_are_are_named() -> None:
    with refused(UsageError, "unknown-setting", choices=", ".join(sorted(SETTINGS))):
        make_blend([("a", 1)], stepz=5)


def test_what_is_no_picture_is_named() -> None:
    with pytest.raises(UsageError, match="int object is no picture"):
        make_blend([(7, 1)])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (np.float32(0.5), 0.5), (np.float16(0.5), 0.5), (np.float64(0.5), 0.5), (np.int64(2), 2.0), (np.uint8(2), 2.0),
        (np.array(0.5), 0.5), (Fraction(1, 2), 0.5), (Decimal("0.5"), 0.5),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_weights_may_be_the_numbers_of_other_libraries(weight: Any, expected: float) -> None:
    for item in ("a", TextItem("a", weight), EmbedsItem(bytes(8), weight), Image.new("RGB", (2, 2))):
        given = item if isinstance(item, TextItem | EmbedsItem) else (item, weight)
        found = make_blend([given]).items[0].weight
        assert (type(found), found) == (float, expected)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("seed", np.int64(5), 5), ("steps", np.uint8(9), 9), ("count", np.array(2), 2),
        ("guidance", np.float32(2.5), 2.5),
        ("guidance", np.int32(3), 3.0), ("prior_guidance", Fraction(1, 4), 0.25), ("normalise", np.bool_(True), True),
        ("negative", np.str_("low quality"), "low quality"), ("blending", np.str_("spherical"), "spherical"),
    ],
)  # fmt: skip
def test_settings_may_be_the_values_of_other_libraries(name: str, value: Any, expected: Any) -> None:
    found = getattr(make_blend([(np.str_("a"), 1)], **{name: value}), name)
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize(
    "size",
    ["128x64", " 128 X 64 ", "128×64", (128, 64), [128, 64], np.array([128, 64]), (np.int64(128), np.uint16(64))],
)
def test_a_size_may_be_text_or_any_pair(size: Any) -> None:
    blend = make_blend([("a", 1)], size=size)
    assert (blend.width, blend.height) == (128, 64)
    assert (type(blend.width), type(blend.height)) == (int, int)


@pytest.mark.parametrize(
    "size", ["128", "128x64x3", "ax b", (128,), (1, 2, 3), 128, {"width": 1, "height": 2}, b"ab", {128, 64}]
)
def test_another_size_is_named(size: Any) -> None:
    with refused(UsageError, "no-size", value=show(size)):
        make_blend([("a", 1)], size=size)


@pytest.mark.parametrize(
    ("weight", "settings", "path"),
    [
        ("0.5", {}, ("items", 0, "weight")), (None, {}, ("items", 0, "weight")), (True, {}, ("items", 0, "weight")),
        (["0.5"], {}, ("items", 0, "weight")), (1j, {}, ("items", 0, "weight")), (10**400, {}, ("items", 0, "weight")),
        (np.float32("nan"), {}, ("items", 0, "weight")), (np.array([1.0]), {}, ("items", 0, "weight")),
        (1, {"seed": 5.0}, ("seed",)), (1, {"seed": np.float32(5)}, ("seed",)), (1, {"steps": True}, ("steps",)),
        (1, {"size": (None, 768)}, ("width",)), (1, {"height": None}, ("height",)), (1, {"seed": "5"}, ("seed",)),
        (1, {"normalise": 1}, ("normalise",)), (1, {"negative": None}, ("negative",)),
        (1, {"negative": "\ud800"}, ("negative",)), (1, {"model": "\ud800"}, ("model",)),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_named(weight: Any, settings: dict[str, Any], path: tuple[str | int, ...]) -> None:
    with pytest.raises(BadArgument) as caught:
        make_blend([("a", weight)], **settings)
    assert caught.value.path == path


def test_half_of_a_surrogate_pair_is_named() -> None:
    with pytest.raises(BadArgument) as caught:
        make_blend([("a\ud800", 1)])
    assert (caught.value.path, caught.value.fault) == (("items", 0, "text"), Fault.NOT_UNICODE)


@pytest.mark.parametrize("items", [None, 5])
def test_what_is_no_list_of_items_is_named(items: Any) -> None:
    with refused(UsageError, "no-items", value=str(items)):
        make_blend(items)


def test_a_seed_is_drawn_when_none_is_given() -> None:
    seeds = {make_blend([("a", 1)]).seed for _ in range(5)}
    assert len(seeds) == 5
    assert make_blend([("a", 1)], seed=3).seed == 3


def test_settings_that_are_not_given_are_the_protocol_s() -> None:
    assert make_blend([("a", 1.0)], seed=0) == Blend((TextItem("a", 1.0),))
