from __future__ import annotations

import tracemalloc
import uuid
from dataclasses import fields, replace
from typing import Any, get_args

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_client.wire import codec, limits, messages
from plugin_client.wire.errors import ProtocolError, VersionError
from plugin_client.wire.messages import (
    Blend,
    ClientMessage,
    DaemonMessage,
    EmbedsItem,
    Failed,
    JobInfo,
    JobList,
    Picture,
    PictureItem,
    Ping,
    Pong,
    Progress,
    Result,
    Submit,
    TextItem,
)
from tests.wire.strategies import client_messages, daemon_messages, request_ids

JOB = str(uuid.UUID(int=7))
PICTURE = Picture(2, 1, 3, b"abcdef")
BLEND = Blend((TextItem("a cat", 0.5), PictureItem(PICTURE, 0.5), EmbedsItem(b"\0\0\x80\x3f" * 2, 1.0)))


def header(**changes: Any) -> bytes:
    packed: bytes = msgpack.packb({"v": 1, "kind": "ping", "id": 3, "body": {}} | changes)
    return packed


def submit_body(**changes: Any) -> dict[str, Any]:
    """The body of a submit, as another program would write it: only what has no default."""
    return {"job": JOB, "blend": {"items": [{"kind": "text", "text": "a cat", "weight": 1}], **changes}}


def refusal(frames: list[bytes]) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        codec.decode_client(frames)
    return caught.value


# --- there and back ----------------------------------------------------------------------------------------------


@given(client_messages, request_ids)
def test_a_client_message_survives_the_wire(message: ClientMessage, request_id: int) -> None:
    assert codec.decode_client(codec.encode(message, request_id)) == (request_id, message)


@given(daemon_messages, request_ids)
def test_a_daemon_message_survives_the_wire(message: DaemonMessage, request_id: int) -> None:
    assert codec.decode_daemon(codec.encode(message, request_id)) == (request_id, message)


def test_every_kind_has_a_name_of_its_own() -> None:
    kinds = [cls.kind for cls in (*get_args(ClientMessage), *get_args(DaemonMessage))]
    assert len(set(kinds)) == len(kinds)


def test_pixels_travel_in_frames_of_their_own() -> None:
    head, *pixels = codec.encode(Submit(JOB, BLEND), 1)
    assert pixels == [PICTURE.pixels]
    assert PICTURE.pixels not in head


def test_fields_with_a_default_may_be_left_out() -> None:
    _, message = codec.decode_client([header(kind="submit", body=submit_body())])
    assert message == Submit(JOB, Blend((TextItem("a cat", 1.0),)))


def test_a_whole_number_is_taken_where_a_float_belongs() -> None:
    _, message = codec.decode_client([header(kind="submit", body=submit_body(guidance=3))])
    assert isinstance(message, Submit)
    assert message.blend.guidance == 3.0
    assert type(message.blend.guidance) is float


def test_the_largest_blend_fits_into_a_header() -> None:
    embeds = EmbedsItem(b"\0" * 4 * limits.MAX_EMBEDS_WIDTH, 1.0, "\N{CAT}" * limits.MAX_NAME_CHARS)
    text = "\N{CAT}" * limits.MAX_TEXT_CHARS
    blend = Blend((embeds,) * limits.MAX_ITEMS, negative=text, decoder_prompt=text)
    codec.encode(Submit(JOB, blend), 1)


def test_the_longest_job_list_fits_into_a_header() -> None:
    cat = "\N{CAT}"
    info = JobInfo(JOB, "failed", "queued", 1, 1, 0, 1.0, 1.0, cat * limits.MAX_NAME_CHARS, cat * limits.MAX_NOTE_CHARS)
    codec.encode(JobList((info,) * limits.MAX_JOBS), 1)


# --- what is refused, by name ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": 15}, "submit.blend.width is 15: must be a whole number from 16 to 2048"),
        ({"width": 64, "height": 0}, "submit.blend.height is 0: must be a whole number from 16 to 2048, or 0"),
        ({"width": True}, "submit.blend.width is True"),
        ({"width": 768.0}, "submit.blend.width is 768.0"),
        ({"width": "768"}, "submit.blend.width is '768'"),
        ({"height": 2049}, "submit.blend.height is 2049"),
        ({"steps": 0}, "submit.blend.steps is 0"),
        ({"guidance": float("nan")}, "submit.blend.guidance is nan"),
        ({"guidance": float("inf")}, "submit.blend.guidance is inf"),
        ({"guidance": False}, "submit.blend.guidance is False"),
        ({"seed": -1}, "submit.blend.seed is -1"),
        ({"seed": 2**53}, "submit.blend.seed is 9007199254740992"),
        ({"negative": None}, "submit.blend.negative is None: must be text"),
        ({"negative": b"bytes"}, "submit.blend.negative is 5 bytes: must be text"),
        ({"negative": "x" * 4001}, "submit.blend.negative is 'xxx"),
        ({"blending": "cubic"}, "submit.blend.blending is 'cubic': must be one of linear, spherical"),
        ({"normalise": 1}, "submit.blend.normalise is 1: must be true or false"),
        ({"colour": "red"}, "submit.blend has an unknown field 'colour'"),
        ({"items": []}, "submit.blend.items has 0 entries, must have from 1 to 32"),
        ({"items": {}}, "submit.blend.items is {}: must be a list"),
        ({"items": [7]}, "submit.blend.items[0] is 7: must be a map"),
        ({"items": [{"kind": "sound"}]}, "submit.blend.items[0].kind is 'sound': must be one of text, picture, embeds"),
        ({"items": [{"kind": []}]}, "submit.blend.items[0].kind is []"),
        ({"items": [{"text": "x", "weight": 1}]}, "submit.blend.items[0].kind is None"),
        ({"items": [{"kind": "text", "text": "x"}]}, "submit.blend.items[0] lacks the field 'weight'"),
        ({"items": [{"kind": "text", "text": "x", "weight": 1001}]}, "submit.blend.items[0].weight is 1001"),
        ({"items": [{"kind": "text", "text": "x", "weight": 0}]}, "submit.blend.items have no weight"),
        ({"items": [{"kind": "embeds", "embeds": b"abcde", "weight": 1}]}, "items[0].embeds has 5 bytes"),
        ({"items": [{"kind": "embeds", "embeds": b"\xff" * 4, "weight": 1}]}, "a value that is not finite"),
        ({"items": [{"kind": "embeds", "embeds": "text", "weight": 1}]}, "items[0].embeds is 'text': must be bytes"),
        ({"width": 2048, "height": 2048, "count": 64}, "submit.blend.count is 64: so many pictures of 2048 x 2048"),
    ],
)  # fmt: skip
def test_a_bad_blend_is_refused_with_its_field_and_value(change: dict[str, Any], said: str) -> None:
    error = refusal([header(kind="submit", body=submit_body(**change))])
    assert said in str(error)
    assert len(str(error)) < 400
    assert error.request_id == 3


def test_weights_that_sum_to_nothing_cannot_be_normalised() -> None:
    items = (TextItem("a", 0.5), TextItem("b", -0.5))
    codec.check_blend(Blend(items))
    with pytest.raises(ProtocolError, match="sum to 0"):
        codec.check_blend(Blend(items, normalise=True))


@pytest.mark.parametrize(
    ("weights", "normalise", "said"),
    [
        ((1.0, -1.0 + 1e-7), True, "cannot be normalised"),
        ((1000.0, -999.9995), True, "cannot be normalised"),
        ((1.0, -1.0), False, "spherical blending needs a positive sum"),
        ((0.5, -1.0), False, "sum to -0.5"),
        ((1.0, -1.0 + 1e-7), False, "sum to 1e-07"),
    ],
)
def test_a_spherical_blend_without_a_fitting_sum_is_refused(
    weights: tuple[float, ...], normalise: bool, said: str
) -> None:
    items = tuple(TextItem("a", weight) for weight in weights)
    with pytest.raises(ProtocolError, match=said):
        codec.check_blend(Blend(items, normalise=normalise, blending="spherical"))


@pytest.mark.parametrize("weights", [(1e-10, 1e-10), (1.0, -1.0 + 1e-5), (-1.0, -2.0)])
def test_weights_with_a_sum_are_normalised_however_small_or_negative_it_is(weights: tuple[float, ...]) -> None:
    items = tuple(TextItem("a", weight) for weight in weights)
    codec.check_blend(Blend(items, normalise=True, blending="spherical"))


def test_embeddings_of_two_widths_are_refused() -> None:
    with pytest.raises(ProtocolError, match="different widths"):
        codec.check_blend(Blend((EmbedsItem(bytes(4), 1.0), EmbedsItem(bytes(8), 1.0))))


@pytest.mark.parametrize("job", ["", "x" * 36, JOB.upper().replace("0", "A"), JOB + "\n", f"../{JOB}"[:36]])
def test_a_job_id_is_a_canonical_uuid_and_nothing_else(job: str) -> None:
    assert "watch.job is" in str(refusal([header(kind="watch", body={"job": job})]))


@pytest.mark.parametrize(
    ("frames", "said", "request_id"),
    [
        ([], "no frames", None),
        ([b""], "not readable msgpack", None),
        ([b"\x93\x01"], "not readable msgpack", None),
        ([b"\xc1"], "not readable msgpack", None),
        ([header() + b"\x00"], "not readable msgpack", None),
        ([b"\xa2\xff\xff"], "utf-8", None),
        ([b"\x81" * 5000], "not readable msgpack", None),
        ([b"\x91" * 5000], "not readable msgpack", None),
        ([b"\xdd\xff\xff\xff\xff"], "not readable msgpack", None),
        ([b"\xd6\xff\0\0\0\0"], "not readable msgpack", None),  # a timestamp
        ([b"\xc7\x00\x05"], "must be a map", None),  # an extension of no bytes
        ([b"\x81\x01\x02"], "not readable msgpack", None),  # a key that is a number
        ([b"\x81\xc4\x01a\x02"], "a key that is not text", None),
        ([b"\x82\xa1v\x01\xa1v\x01"], "the same key twice", None),
        ([msgpack.packb([1])], "must be a map", None),
        ([header(body=[0] * 257)], "257 exceeds max_array_len", None),
        ([header(body=dict.fromkeys(map(str, range(257))))], "257 exceeds max_map_len", None),
        ([header(id=-1)], "id is -1", None),
        ([header(id=2**53)], "id is 9007199254740992", None),
        ([header(id=True)], "id is True", None),
        ([header(kind="dance")], "kind is 'dance': must be one of ping, submit", 3),
        ([header(kind="pong")], "kind is 'pong'", 3),
        ([header(kind=None)], "kind is None", 3),
        ([header(body=[])], "ping is []: must be a map", 3),
        ([header(body={"x": 1})], "ping has an unknown field 'x'", 3),
        ([header(extra=1)], "unknown field 'extra'", 3),
        ([msgpack.packb({"v": 1, "kind": "ping", "id": 3})], "lacks 'body'", 3),
        ([header(), b"pixels"], "pixel frame 1 belongs to no picture", 3),
        ([header() + b" " * limits.MAX_HEADER_BYTES], "may have 1048576", None),
        ([header(), bytes(limits.MAX_PICTURE_BYTES + 1)], "may have 67108864", None),
        ([header(), *[bytes(limits.MAX_PICTURE_BYTES)] * 5], "may have 268435456", None),
    ],
)  # fmt: skip
def test_a_broken_message_is_refused_with_its_id_where_that_is_readable(
    frames: list[bytes], said: str, request_id: int | None
) -> None:
    error = refusal(frames)
    assert said in str(error)
    assert error.request_id == request_id


@pytest.mark.parametrize("version", [0, 2, "1", None, True, 1.0])
def test_another_version_is_named_before_anything_else(version: object) -> None:
    error = refusal([header(v=version, kind="unheard of", more="fields")])
    assert isinstance(error, VersionError)
    assert repr(version) in str(error)
    assert error.request_id == 3


def picture_frames(picture: dict[str, Any], *pixels: bytes) -> list[bytes]:
    item = {"kind": "picture", "picture": {"width": 2, "height": 1, "channels": 3, "frame": 1} | picture, "weight": 1}
    return [header(kind="submit", body=submit_body(items=[item])), *pixels]


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (picture_frames({}, b"12345"), "of 2 x 1 x 3 has 5 bytes of pixels, must have 6"),
        (picture_frames({}), "picture.pixels is 1: must be the number of a pixel frame"),
        (picture_frames({"frame": 0}, b"123456"), "picture.pixels is 0"),
        (picture_frames({"frame": 2}, b"123456"), "picture.pixels is 2"),
        (picture_frames({"frame": True}, b"123456"), "picture.pixels is True"),
        (picture_frames({"frame": [1]}, b"123456"), "picture.pixels is [1]"),
        (picture_frames({}, b"123456", b"123456"), "pixel frame 2 belongs to no picture"),
        (picture_frames({"channels": 2}, b"1234"), "picture.channels is 2"),
        (picture_frames({"width": 0}, b""), "picture.width is 0"),
        (picture_frames({"width": 8193}, b""), "picture.width is 8193"),
    ],
)  # fmt: skip
def test_a_picture_must_have_exactly_its_own_frame(frames: list[bytes], said: str) -> None:
    assert said in str(refusal(frames))


def test_two_pictures_cannot_share_a_frame() -> None:
    picture = {"width": 2, "height": 1, "channels": 3, "frame": 1}
    items = [{"kind": "picture", "picture": picture, "weight": 1}] * 2
    assert "items[1].picture.pixels is 1" in str(
        refusal([header(kind="submit", body=submit_body(items=items)), b"123456"])
    )


@pytest.mark.parametrize(
    "blend",
    [
        replace(BLEND, width=5),
        replace(BLEND, items=[TextItem("x", 1.0)]),
        replace(BLEND, items=("x",)),
        replace(BLEND, negative="\ud800"),
        replace(BLEND, items=(PictureItem(replace(PICTURE, width=3), 1.0),)),
        replace(BLEND, items=(PictureItem(replace(PICTURE, pixels=bytearray(6)), 1.0),)),
        replace(BLEND, items=(PictureItem(PICTURE, 1.0, backdrop=(0, 0)),)),
        replace(BLEND, items=(TextItem("x", float("inf")),)),
    ],
)
def test_the_sender_learns_of_its_own_mistakes(blend: Blend) -> None:
    with pytest.raises(ProtocolError, match=r"submit\.blend"):
        codec.encode(Submit(JOB, blend), 1)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({}, "must have from 1 to 256|must be a map, with from 1 to 256 entries"),
        ({"x": float("nan")}, "recipe.x is nan"),
        ({"x": 2**60}, "recipe.x is 1152921504606846976"),
        ({"x": b"bytes"}, "recipe.x is 5 bytes"),
        ({"x": "\ud800"}, "surrogate"),
        ({1: 2}, "a key of result.recipe is 1"),
        ({"x": [[[[[[[[0]]]]]]]]}, "nested too deeply"),
        ({"x": [0] * 257}, "has 257 entries"),
    ],
)  # fmt: skip
def test_a_recipe_holds_only_what_json_can_say(recipe: dict[Any, Any], said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        codec.encode(Result(JOB, (PICTURE,), recipe), 1)


def test_an_unknown_failure_code_is_refused() -> None:
    with pytest.raises(ProtocolError, match=r"failed\.code is 'bored'"):
        codec.encode(Failed(JOB, "bored", "..."), 1)  # type: ignore[arg-type]


# --- hostile bytes -----------------------------------------------------------------------------------------------


def what_is_said(frames: list[bytes]) -> str:
    """The refusals of both readers, if any. Everything else that is raised fails the test."""
    said = ""
    for decode in (codec.decode_client, codec.decode_daemon):
        try:
            decode(frames)
        except ProtocolError as error:
            said += str(error)
    return said


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_arbitrary_bytes_raise_nothing_but_protocol_errors(frames: list[bytes]) -> None:
    for decode in (codec.decode_client, codec.decode_daemon):
        with pytest.raises(ProtocolError):
            decode(frames)


@given(client_messages | daemon_messages, st.data())
def test_a_damaged_message_is_read_or_refused(message: ClientMessage | DaemonMessage, data: st.DataObject) -> None:
    frames = codec.encode(message, 1)
    damaged = bytearray(frames[0])
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert len(what_is_said([bytes(damaged), *frames[1:]])) < 2000


plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(client_messages | daemon_messages, plain_values, st.data())
def test_a_field_of_another_type_is_read_or_refused(
    message: ClientMessage | DaemonMessage, value: object, data: st.DataObject
) -> None:
    frames = codec.encode(message, 1)
    plain = msgpack.unpackb(frames[0])
    place: Any = plain
    while True:
        key = data.draw(st.sampled_from(range(len(place)) if isinstance(place, list) else sorted(place)))
        if not (isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans())):
            break
        place = place[key]
    place[key] = value
    assert len(what_is_said([msgpack.packb(plain), *frames[1:]])) < 2000


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x90" * (limits.MAX_HEADER_BYTES - 10),
        b"\xdc\x01\x00" * 300_000,  # lists of 256 lists of 256 ...
        (b"\xdc\x01\x00" + b"\x90" * 256) * 4000,
        b"\xdf\xff\xff\xff\xff" * 1000,
        b"\xdb\xff\xff\xff\xff" * 1000,
    ],
)
def test_a_header_that_promises_much_costs_little(bomb: bytes) -> None:
    tracemalloc.start()
    try:
        refusal([b"\x81\xa1x" + bomb])
        assert tracemalloc.get_traced_memory()[1] < 40 * limits.MAX_HEADER_BYTES
    finally:
        tracemalloc.stop()


# --- limits ------------------------------------------------------------------------------------------------------


def test_every_bound_belongs_to_a_field() -> None:
    for name in limits.BOUNDS:
        cls, field = name.removesuffix("[]").split(".")
        assert field in {f.name for f in fields(getattr(messages, cls))}, name


def test_a_ping_is_the_bytes_that_the_document_shows() -> None:
    assert codec.encode(Ping(), 1) == [bytes.fromhex("84a17601a46b696e64a470696e67a2696401a4626f647980")]


def test_a_preview_travels_with_progress() -> None:
    progress = Progress(JOB, "denoising", 1, 2, 0, 1.0, -1.0, PICTURE)
    assert codec.decode_daemon(codec.encode(progress, 5)) == (5, progress)


def test_an_empty_daemon_answers_a_ping() -> None:
    pong = Pong("0.1.0", 12, 3.5, "", "", 0, 0, 0)
    assert codec.decode_daemon(codec.encode(pong, 5)) == (5, pong)
