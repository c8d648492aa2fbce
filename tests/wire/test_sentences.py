"""The one table of the wire's English sentences: tests elsewhere match faults, paths and values."""

from __future__ import annotations

from typing import Any

import pytest

from plugin_client.wire.errors import BadValue, ProtocolError, VersionError
from plugin_client.wire.faults import Fault

X = ("x",)
RANGE = {"low": 1, "high": 9}

OF_A_VALUE: dict[Fault, tuple[object, dict[str, Any], str]] = {
    Fault.NOT_A_MAP: (7, {}, "x is 7: must be a map"),
    Fault.NOT_A_LIST: (7, {}, "x is 7: must be a list"),
    Fault.NOT_A_TUPLE: ([], {}, "x is []: must be a tuple"),
    Fault.NOT_A_RECORD: (7, {"record": "Picture"}, "x is 7: must be a Picture"),
    Fault.NOT_TRUE_OR_FALSE: (1, {}, "x is 1: must be true or false"),
    Fault.NOT_TEXT: (None, {}, "x is None: must be text"),
    Fault.NOT_BYTES: ("text", {}, "x is 'text': must be bytes"),
    Fault.NOT_BASE64: ("%", {}, "x is '%': must be base64 text"),
    Fault.NOT_JSON: (
        b"bytes",
        {},
        "x is 5 bytes: must be text, a finite number, true, false, null, a list or a map",
    ),
    Fault.NOT_A_CHOICE: ("c", {"choices": "a, b"}, "x is 'c': must be one of a, b"),
    Fault.NOT_WHOLE_IN_RANGE: (0, RANGE, "x is 0: must be a whole number from 1 to 9"),
    Fault.NOT_IN_RANGE: (0.5, RANGE, "x is 0.5: must be a number from 1 to 9"),
    Fault.LENGTH_OF_TEXT: ("", {"count": 0, **RANGE}, "x is '': has 0 characters, must have from 1 to 9"),
    Fault.LENGTH_OF_BYTES: (b"", {"count": 0, **RANGE}, "x is 0 bytes: has 0 bytes, must have from 1 to 9"),
    Fault.LENGTH_OF_LIST: ([], {"count": 0, **RANGE}, "x has 0 entries, must have from 1 to 9"),
    Fault.EXACT_LENGTH_OF_LIST: ([], {"count": 0, "low": 3, "high": 3}, "x has 0 entries, must have exactly 3"),
    Fault.LENGTH_OF_MAP: ({}, RANGE, "x is {}: must be a map, with from 1 to 9 entries"),
    Fault.NOT_THE_PATTERN: ("A", {"pattern": "[0-9]"}, "x is 'A': must match [0-9]"),
    Fault.NOT_UNICODE: (
        "\ud800",
        {},
        "x is '\\ud800': holds half of a surrogate pair, which UTF-8 cannot carry",
    ),
    Fault.BAD_KEY: (7, {}, "x has the key 7: keys must be text"),
    Fault.UNKNOWN_FIELD: ("colour", {}, "x has an unknown field 'colour'"),
    Fault.MISSING_FIELD: ("weight", {}, "x lacks the field 'weight'"),
    Fault.TOO_DEEP: ([], {"high": 8}, "x is nested too deeply: 8 levels are allowed"),
    Fault.NO_FRAME: (
        2,
        {},
        "x is 2: must be the number of a pixel frame of this message that no other picture has",
    ),
    Fault.PIXELS: (
        None,
        {"width": 2, "height": 1, "channels": 3, "count": 5, "expected": 6},
        "x of 2 x 1 x 3 has 5 bytes of pixels, must have 6",
    ),
    Fault.PARTIAL_VALUES: (b"", {"count": 5}, "x has 5 bytes, which are no whole float32 values"),
    Fault.NOT_FINITE: (b"", {}, "x holds a value that is not finite"),
    Fault.NO_WEIGHT: ([], {}, "x have no weight: at least one must not be 0"),
    Fault.NO_SUM: ([], {}, "x have weights that sum to 0, or nearly, which cannot be normalised"),
    Fault.NO_POSITIVE_SUM: (
        [],
        {"total": -0.5},
        "x have weights that sum to -0.5: spherical blending needs a positive sum, so raise a weight, normalise them, "
        "or blend linearly",
    ),
    Fault.DIFFERENT_WIDTHS: ([], {}, "x have embeddings of different widths"),
    Fault.SIDE: (
        5,
        {"low": 16, "high": 2048},
        "x is 5: must be a whole number from 16 to 2048, or 0 like the other side, which leaves both to the model",
    ),
    Fault.TOO_MANY_PIXELS: (
        64,
        {"width": 2, "height": 3, "bytes": 1152, "high": 1000},
        "x is 64: so many pictures of 2 x 3 are 1152 bytes, and one job may make 1000",
    ),
}
OF_A_PICTURE_TO_BE_DRAWN_INTO: dict[Fault, tuple[object, dict[str, Any], str]] = {
    Fault.MASK_SIZE: (
        None,
        {"width": 2, "height": 3, "source_width": 4, "source_height": 5},
        "x is of 2 x 3 pixels, and the picture of 4 x 5",
    ),
    Fault.SMALL_TARGET: (7, {"low": 8}, "x is 7: must be at least 8, which the picture has already"),
    Fault.LARGE_TARGET: (
        9,
        {"width": 8, "height": 9, "bytes": 216, "high": 200},
        "x is 9: a picture of 8 x 9 has 216 bytes, and one may have 200",
    ),
    Fault.EMPTY_MASK: (None, {}, "x is empty: it must be white, or gray, where the picture is to be drawn anew"),
    Fault.FULL_MASK: (
        None,
        {},
        "x covers the whole picture, so there are no surroundings to draw on: keep some of it, or say what to draw",
    ),
    Fault.OTHER_PICTURE: (
        "ab",
        {},
        "x is another picture than the one of which the recipe was made: its SHA-256 is 'ab'",
    ),
}
OF_A_VALUE |= OF_A_PICTURE_TO_BE_DRAWN_INTO
OF_A_MESSAGE: dict[Fault, tuple[dict[str, Any], str]] = {
    Fault.NO_FRAMES: ({}, "the message has no frames"),
    Fault.HEADER_TOO_LARGE: ({"count": 9, "high": 8}, "the header has 9 bytes, may have 8"),
    Fault.TOO_MANY_ENTRIES: ({"high": 8}, "the header has more than 8 entries in all its maps and lists"),
    Fault.FRAME_TOO_LARGE: ({"count": 9, "high": 8}, "a pixel frame has 9 bytes, may have 8"),
    Fault.MESSAGE_TOO_LARGE: ({"count": 9, "high": 8}, "the pixel frames have 9 bytes together, may have 8"),
    Fault.UNREADABLE: ({"reason": "cut short"}, "the header is not readable msgpack: cut short"),
    Fault.BAD_MAP: ({}, "the header has a map with a key that is not text, or with the same key twice"),
    Fault.UNCLAIMED_FRAME: ({"number": 2}, "pixel frame 2 belongs to no picture of the message"),
    Fault.PROTOCOL_VERSION: (
        {"value": "1", "known": 2},
        "the message is of protocol version 1, and this side speaks 2: install the same version of Kandinsky Blend on "
        "both sides",
    ),
    Fault.RECIPE_VERSION: ({"value": "3", "known": 2}, "the recipe is of version 3, and this program reads 2"),
}


@pytest.mark.parametrize("fault", OF_A_VALUE)
def test_the_sentence_of_a_bad_value(fault: Fault) -> None:
    value, data, sentence = OF_A_VALUE[fault]
    assert str(BadValue(X, value, fault, **data)) == sentence


@pytest.mark.parametrize("fault", OF_A_MESSAGE)
def test_the_sentence_of_a_bad_message(fault: Fault) -> None:
    data, sentence = OF_A_MESSAGE[fault]
    assert str(ProtocolError.of(fault, **data)) == sentence
    assert str(VersionError.of(fault, **data)) == sentence


def test_the_table_is_whole() -> None:
    assert OF_A_VALUE.keys() | OF_A_MESSAGE.keys() == set(Fault)
