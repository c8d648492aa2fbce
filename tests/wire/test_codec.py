from __future__ import annotations

import uuid
from dataclasses import fields, replace
from typing import Any, get_args

import msgpack
import pytest
from hypothesis import given

from plugin_client.wire import codec, limits, messages, recipe, schema
from plugin_client.wire.errors import BadValue, ProtocolError, VersionError
from plugin_client.wire.faults import Fault
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
    packed: bytes = msgpack.packb({"v": 2, "kind": "ping", "id": 3, "body": {}} | changes)
    return packed


def submit_body(**changes: Any) -> dict[str, Any]:
    """The body of a submit, as another program would write it: only what has no default."""
    return {
        "job": JOB,
        "request": {"kind": "blend", "items": [{"kind": "text", "text": "a cat", "weight": 1}], **changes},
    }


def refusal(frames: list[bytes]) -> ProtocolError:
    with pytest.raises(ProtocolError) as caught:
        codec.decode_client(frames)
    assert str(caught.value)  # all that the sentence names is there
    return caught.value


def bad_value(frames: list[bytes]) -> BadValue:
    error = refusal(frames)
    assert isinstance(error, BadValue)
    return error


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
    assert message.request.guidance == 3.0
    assert type(message.request.guidance) is float


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


BLEND_PATH = ("submit", "request")
ITEM = (*BLEND_PATH, "items", 0)


def text(**changes: Any) -> dict[str, Any]:
    return {"items": [{"kind": "text", "text": "x", "weight": 1} | changes]}


def embeds(packed: object) -> dict[str, Any]:
    return {"items": [{"kind": "embeds", "embeds": packed, "weight": 1}]}


@pytest.mark.parametrize(
    ("change", "path", "fault"),
    [
        ({"width": 15}, ("width",), Fault.SIDE),
        ({"width": 64, "height": 0}, ("height",), Fault.SIDE),
        ({"width": True}, ("width",), Fault.NOT_WHOLE_IN_RANGE),
        ({"width": 768.0}, ("width",), Fault.NOT_WHOLE_IN_RANGE),
        ({"width": "768"}, ("width",), Fault.NOT_WHOLE_IN_RANGE),
        ({"height": 2049}, ("height",), Fault.NOT_WHOLE_IN_RANGE),
        ({"steps": -1}, ("steps",), Fault.NOT_WHOLE_IN_RANGE),
        ({"guidance": float("nan")}, ("guidance",), Fault.NOT_IN_RANGE),
        ({"guidance": float("inf")}, ("guidance",), Fault.NOT_IN_RANGE),
        ({"guidance": False}, ("guidance",), Fault.NOT_IN_RANGE),
        ({"seed": -1}, ("seed",), Fault.NOT_WHOLE_IN_RANGE),
        ({"seed": 2**53}, ("seed",), Fault.NOT_WHOLE_IN_RANGE),
        ({"negative": None}, ("negative",), Fault.NOT_TEXT),
        ({"negative": b"bytes"}, ("negative",), Fault.NOT_TEXT),
        ({"negative": "x" * 4001}, ("negative",), Fault.LENGTH_OF_TEXT),
        ({"blending": "cubic"}, ("blending",), Fault.NOT_A_CHOICE),
        ({"normalise": 1}, ("normalise",), Fault.NOT_TRUE_OR_FALSE),
        ({"items": {}}, ("items",), Fault.NOT_A_LIST),
        ({"items": [7]}, ("items", 0), Fault.NOT_A_MAP),
        ({"items": [{"kind": "sound"}]}, ("items", 0, "kind"), Fault.NOT_A_CHOICE),
        ({"items": [{"kind": []}]}, ("items", 0, "kind"), Fault.NOT_A_CHOICE),
        (text(weight=1001), ("items", 0, "weight"), Fault.NOT_IN_RANGE),
        (embeds("text"), ("items", 0, "embeds"), Fault.NOT_BYTES),
        (embeds(b"abcde"), ("items", 0, "embeds"), Fault.PARTIAL_VALUES),
        (embeds(b"\xff" * 4), ("items", 0, "embeds"), Fault.NOT_FINITE),
        ({"kind": "redraw"}, ("kind",), Fault.NOT_A_CHOICE),
        ({"kind": None}, ("kind",), Fault.NOT_A_CHOICE),
    ],
)  # fmt: skip
def test_a_bad_blend_is_refused_with_its_field_and_value(
    change: dict[str, Any], path: tuple[str | int, ...], fault: Fault
) -> None:
    error = bad_value([header(kind="submit", body=submit_body(**change))])
    assert (error.path, error.fault) == ((*BLEND_PATH, *path), fault)
    sent: Any = submit_body(**change)["request"]
    for step in path:
        sent = sent[step]
    assert error.value is sent or error.value == sent or sent != sent
    assert len(str(error)) < 400
    assert error.request_id == 3


@pytest.mark.parametrize(
    ("change", "path", "fault", "value"),
    [
        ({"colour": "red"}, BLEND_PATH, Fault.UNKNOWN_FIELD, "colour"),
        ({"items": []}, (*BLEND_PATH, "items"), Fault.LENGTH_OF_LIST, []),
        ({"items": [{"text": "x", "weight": 1}]}, (*ITEM, "kind"), Fault.NOT_A_CHOICE, None),
        ({"items": [{"kind": "text", "text": "x"}]}, ITEM, Fault.MISSING_FIELD, "weight"),
        (text(weight=0), (*BLEND_PATH, "items"), Fault.NO_WEIGHT, [0.0]),
        ({"width": 2048, "height": 2048, "count": 64}, (*BLEND_PATH, "count"), Fault.TOO_MANY_PIXELS, 64),
    ],
)
def test_a_blend_whose_parts_do_not_fit_is_refused(
    change: dict[str, Any], path: tuple[str | int, ...], fault: Fault, value: object
) -> None:
    error = bad_value([header(kind="submit", body=submit_body(**change))])
    assert (error.path, error.fault, error.value) == (path, fault, value)
    assert error.request_id == 3


def test_a_request_says_which_kind_it_is() -> None:
    body = submit_body()
    del body["request"]["kind"]
    assert bad_value([header(kind="submit", body=body)]).path == (*BLEND_PATH, "kind")


def request_fault(blend: Blend) -> BadValue:
    with pytest.raises(BadValue) as caught:
        codec.check_request(blend)
    assert str(caught.value)
    return caught.value


def test_weights_that_sum_to_nothing_cannot_be_normalised() -> None:
    items = (TextItem("a", 0.5), TextItem("b", -0.5))
    codec.check_request(Blend(items))
    assert request_fault(Blend(items, normalise=True)).fault is Fault.NO_SUM


@pytest.mark.parametrize(
    ("weights", "normalise", "fault", "total"),
    [
        ((1.0, -1.0 + 1e-7), True, Fault.NO_SUM, None),
        ((1000.0, -999.9995), True, Fault.NO_SUM, None),
        ((1.0, -1.0), False, Fault.NO_POSITIVE_SUM, 0.0),
        ((0.5, -1.0), False, Fault.NO_POSITIVE_SUM, -0.5),
        ((1.0, -1.0 + 1e-7), False, Fault.NO_POSITIVE_SUM, pytest.approx(1e-7)),
    ],
)
def test_a_spherical_blend_without_a_fitting_sum_is_refused(
    weights: tuple[float, ...], normalise: bool, fault: Fault, total: float | None
) -> None:
    items = tuple(TextItem("a", weight) for weight in weights)
    error = request_fault(Blend(items, normalise=normalise, blending="spherical"))
    assert (error.path, error.fault, error.value) == (("items",), fault, list(weights))
    assert error.data.get("total") == total


@pytest.mark.parametrize("weights", [(1e-10, 1e-10), (1.0, -1.0 + 1e-5), (-1.0, -2.0)])
def test_weights_with_a_sum_are_normalised_however_small_or_negative_it_is(weights: tuple[float, ...]) -> None:
    items = tuple(TextItem("a", weight) for weight in weights)
    codec.check_request(Blend(items, normalise=True, blending="spherical"))


def test_embeddings_of_two_widths_are_refused() -> None:
    items = (EmbedsItem(bytes(4), 1.0), EmbedsItem(bytes(8), 1.0))
    assert request_fault(Blend(items)).fault is Fault.DIFFERENT_WIDTHS


@pytest.mark.parametrize("job", ["", "x" * 36, JOB.upper().replace("0", "A"), JOB + "\n", f"../{JOB}"[:36]])
def test_a_job_id_is_a_canonical_uuid_and_nothing_else(job: str) -> None:
    error = bad_value([header(kind="watch", body={"job": job})])
    assert (error.path, error.fault, error.value) == (("watch", "job"), Fault.NOT_THE_PATTERN, job)


@pytest.mark.parametrize(
    ("frames", "fault", "data"),
    [
        ([], Fault.NO_FRAMES, {}),
        ([header() + b" " * limits.MAX_HEADER_BYTES], Fault.HEADER_TOO_LARGE, {"high": 2**20}),
        ([header(), bytes(limits.MAX_PICTURE_BYTES + 1)], Fault.FRAME_TOO_LARGE, {"high": 2**26}),
        ([header(), *[bytes(limits.MAX_PICTURE_BYTES)] * 5], Fault.MESSAGE_TOO_LARGE, {"high": 2**28}),
        ([b""], Fault.UNREADABLE, {}),
        ([b"\x93\x01"], Fault.UNREADABLE, {}),
        ([b"\xc1"], Fault.UNREADABLE, {}),
        ([header() + b"\x00"], Fault.UNREADABLE, {}),
        ([b"\xa2\xff\xff"], Fault.UNREADABLE, {}),
        ([b"\x81" * 4000], Fault.UNREADABLE, {}),
        ([b"\x91" * 4000], Fault.UNREADABLE, {}),
        ([b"\x81" * 5000], Fault.HEADER_TOO_LARGE, {"high": limits.MAX_SMALL_HEADER_BYTES}),
        ([b"\xdd\xff\xff\xff\xff"], Fault.UNREADABLE, {}),
        ([b"\xd6\xff\0\0\0\0"], Fault.UNREADABLE, {}),  # a timestamp
        ([b"\x81\x01\x02"], Fault.UNREADABLE, {}),  # a key that is a number
        ([b"\x81\xc4\x01a\x02"], Fault.BAD_MAP, {}),
        ([b"\x82\xa1v\x01\xa1v\x01"], Fault.BAD_MAP, {}),
        ([header(body=[0] * 257)], Fault.UNREADABLE, {"reason": "257 exceeds max_array_len(256)"}),
        (
            [header(body=dict.fromkeys(map(str, range(257))))],
            Fault.UNREADABLE,
            {"reason": "257 exceeds max_map_len(256)"},
        ),
    ],
)
def test_bytes_that_are_no_message_are_refused(frames: list[bytes], fault: Fault, data: dict[str, object]) -> None:
    error = refusal(frames)
    assert error.code == fault.code
    assert error.data.items() >= data.items()
    assert error.request_id is None


@pytest.mark.parametrize(
    ("frames", "path", "fault", "value", "request_id"),
    [
        ([b"\xc7\x00\x05"], ("header",), Fault.NOT_A_MAP, msgpack.ExtType(5, b""), None),
        ([msgpack.packb([1])], ("header",), Fault.NOT_A_MAP, [1], None),
        ([header(id=-1)], ("header", "id"), Fault.NOT_WHOLE_IN_RANGE, -1, None),
        ([header(id=2**53)], ("header", "id"), Fault.NOT_WHOLE_IN_RANGE, 2**53, None),
        ([header(id=True)], ("header", "id"), Fault.NOT_WHOLE_IN_RANGE, True, None),
        ([header(kind="dance")], ("kind",), Fault.NOT_A_CHOICE, "dance", 3),
        ([header(kind="pong")], ("kind",), Fault.NOT_A_CHOICE, "pong", 3),
        ([header(kind=None)], ("kind",), Fault.NOT_A_CHOICE, None, 3),
        ([header(body=[])], ("ping",), Fault.NOT_A_MAP, [], 3),
        ([header(body={"x": 1})], ("ping",), Fault.UNKNOWN_FIELD, "x", 3),
        ([header(extra=1)], ("header",), Fault.UNKNOWN_FIELD, "extra", 3),
        ([msgpack.packb({"v": 2, "kind": "ping", "id": 3})], ("header",), Fault.MISSING_FIELD, "body", 3),
    ],
)  # fmt: skip
def test_a_broken_message_is_refused_with_its_id_where_that_is_readable(
    frames: list[bytes], path: tuple[str | int, ...], fault: Fault, value: object, request_id: int | None
) -> None:
    error = bad_value(frames)
    assert (error.path, error.fault, error.value, error.request_id) == (path, fault, value, request_id)


def test_pixels_that_belong_to_no_picture_are_refused() -> None:
    error = refusal([header(), b"pixels"])
    assert (error.code, error.data, error.request_id) == (Fault.UNCLAIMED_FRAME.code, {"number": 1}, 3)


@pytest.mark.parametrize("version", [0, 1, "2", None, True, 2.0])
def test_another_version_is_named_before_anything_else(version: object) -> None:
    error = refusal([header(v=version, kind="unheard of", more="fields")])
    assert isinstance(error, VersionError)
    assert error.data == {"value": repr(version), "known": 2}
    assert error.request_id == 3


def picture_frames(picture: dict[str, Any], *pixels: bytes) -> list[bytes]:
    item = {"kind": "picture", "picture": {"width": 2, "height": 1, "channels": 3, "frame": 1} | picture, "weight": 1}
    return [header(kind="submit", body=submit_body(items=[item])), *pixels]


PICTURE_PATH = (*ITEM, "picture")


@pytest.mark.parametrize(
    ("frames", "field", "fault", "value"),
    [
        (picture_frames({}), "pixels", Fault.NO_FRAME, 1),
        (picture_frames({"frame": 0}, b"123456"), "pixels", Fault.NO_FRAME, 0),
        (picture_frames({"frame": 2}, b"123456"), "pixels", Fault.NO_FRAME, 2),
        (picture_frames({"frame": True}, b"123456"), "pixels", Fault.NO_FRAME, True),
        (picture_frames({"frame": [1]}, b"123456"), "pixels", Fault.NO_FRAME, [1]),
        (picture_frames({"channels": 2}, b"1234"), "channels", Fault.NOT_A_CHOICE, 2),
        (picture_frames({"width": 0}, b""), "width", Fault.NOT_WHOLE_IN_RANGE, 0),
        (picture_frames({"width": 8193}, b""), "width", Fault.NOT_WHOLE_IN_RANGE, 8193),
    ],
)  # fmt: skip
def test_a_picture_must_have_exactly_its_own_frame(
    frames: list[bytes], field: str, fault: Fault, value: object
) -> None:
    error = bad_value(frames)
    assert (error.path, error.fault, error.value) == ((*PICTURE_PATH, field), fault, value)


def test_a_frame_holds_exactly_the_pixels_of_its_picture() -> None:
    error = bad_value(picture_frames({}, b"12345"))
    assert (error.path, error.fault) == (PICTURE_PATH, Fault.PIXELS)
    assert (error.data["count"], error.data["expected"]) == (5, 6)


def test_a_frame_that_no_picture_names_is_refused() -> None:
    error = refusal(picture_frames({}, b"123456", b"123456"))
    assert (error.code, error.data) == (Fault.UNCLAIMED_FRAME.code, {"number": 2})


def test_two_pictures_cannot_share_a_frame() -> None:
    picture = {"width": 2, "height": 1, "channels": 3, "frame": 1}
    items = [{"kind": "picture", "picture": picture, "weight": 1}] * 2
    error = bad_value([header(kind="submit", body=submit_body(items=items)), b"123456"])
    assert (error.path, error.fault) == ((*BLEND_PATH, "items", 1, "picture", "pixels"), Fault.NO_FRAME)


MASK = Picture(2, 1, 1, b"ab")


def test_a_mask_has_one_byte_a_pixel() -> None:
    schema.record(Picture).write(MASK, ("mask",), schema.Frames([]))
    with pytest.raises(BadValue) as caught:
        schema.record(Picture).write(replace(MASK, pixels=b"abcdef"), ("mask",), schema.Frames([]))
    assert (caught.value.path, caught.value.fault) == (("mask",), Fault.PIXELS)


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (Submit(JOB, Blend((PictureItem(MASK, 1.0),))), PICTURE_PATH),
        (Result(JOB, (PICTURE, MASK), {"seed": 1}), ("result", "pictures", 1)),
        (Progress(JOB, "denoising", 1, 2, 0, 1.0, -1.0, MASK), ("progress", "preview")),
    ],
)
def test_a_mask_is_no_picture(message: ClientMessage | DaemonMessage, path: tuple[str | int, ...]) -> None:
    with pytest.raises(BadValue) as caught:
        codec.encode(message, 1)
    assert (caught.value.path, caught.value.fault) == ((*path, "channels"), Fault.NOT_A_CHOICE)


@pytest.mark.parametrize(
    ("blend", "path", "fault"),
    [
        (replace(BLEND, width=5), ("width",), Fault.SIDE),
        (replace(BLEND, items=[TextItem("x", 1.0)]), ("items",), Fault.NOT_A_TUPLE),
        (replace(BLEND, items=("x",)), ("items", 0, "kind"), Fault.NOT_A_CHOICE),
        (replace(BLEND, negative="\ud800"), ("negative",), Fault.NOT_UNICODE),
        (
            replace(BLEND, items=(PictureItem(replace(PICTURE, width=3), 1.0),)),
            ("items", 0, "picture"),
            Fault.PIXELS,
        ),
        (
            replace(BLEND, items=(PictureItem(replace(PICTURE, pixels=bytearray(6)), 1.0),)),
            ("items", 0, "picture", "pixels"),
            Fault.NOT_BYTES,
        ),
        (
            replace(BLEND, items=(PictureItem(PICTURE, 1.0, backdrop=(0, 0)),)),
            ("items", 0, "backdrop"),
            Fault.EXACT_LENGTH_OF_LIST,
        ),
        (replace(BLEND, items=(TextItem("x", float("inf")),)), ("items", 0, "weight"), Fault.NOT_IN_RANGE),
    ],
)
def test_the_sender_learns_of_its_own_mistakes(blend: Blend, path: tuple[str | int, ...], fault: Fault) -> None:
    with pytest.raises(BadValue) as caught:
        codec.encode(Submit(JOB, blend), 1)
    assert (caught.value.path, caught.value.fault) == ((*BLEND_PATH, *path), fault)
    assert (request_fault(blend).path, request_fault(blend).fault) == (path, fault)


@pytest.mark.parametrize(
    ("recipe", "path", "fault"),
    [
        ({}, (), Fault.LENGTH_OF_MAP),
        ({"x": float("nan")}, ("x",), Fault.NOT_JSON),
        ({"x": 2**60}, ("x",), Fault.NOT_WHOLE_IN_RANGE),
        ({"x": b"bytes"}, ("x",), Fault.NOT_JSON),
        ({"x": "\ud800"}, ("x",), Fault.NOT_UNICODE),
        ({1: 2}, (), Fault.BAD_KEY),
        ({"\ud800": 2}, (), Fault.BAD_KEY),
        ({"x": [[[[[[[[0]]]]]]]]}, ("x", *[0] * 7), Fault.TOO_DEEP),
        ({"x": [0] * 257}, ("x",), Fault.LENGTH_OF_LIST),
    ],
)
def test_a_recipe_holds_only_what_json_can_say(
    recipe: dict[Any, Any], path: tuple[str | int, ...], fault: Fault
) -> None:
    with pytest.raises(BadValue) as caught:
        codec.encode(Result(JOB, (PICTURE,), recipe), 1)
    assert (caught.value.path, caught.value.fault) == (("result", "recipe", *path), fault)


def test_an_unknown_failure_code_is_refused() -> None:
    with pytest.raises(BadValue) as caught:
        codec.encode(Failed(JOB, "bored", "..."), 1)  # type: ignore[arg-type]
    assert (caught.value.path, caught.value.fault) == (("failed", "code"), Fault.NOT_A_CHOICE)


# --- limits ------------------------------------------------------------------------------------------------------


def test_every_bound_belongs_to_a_field() -> None:
    for name in limits.BOUNDS:
        cls, field = name.removesuffix("[]").split(".")
        assert field in {f.name for f in fields(getattr(messages, cls, None) or getattr(recipe, cls))}, name


def test_a_ping_is_the_bytes_that_the_document_shows() -> None:
    assert codec.encode(Ping(), 1) == [bytes.fromhex("84a17602a46b696e64a470696e67a2696401a4626f647980")]


def test_a_preview_travels_with_progress() -> None:
    progress = Progress(JOB, "denoising", 1, 2, 0, 1.0, -1.0, PICTURE)
    assert codec.decode_daemon(codec.encode(progress, 5)) == (5, progress)


def test_an_empty_daemon_answers_a_ping() -> None:
    pong = Pong("0.1.0", 12, 3.5, "", "", 0, 0, 0)
    assert codec.decode_daemon(codec.encode(pong, 5)) == (5, pong)
