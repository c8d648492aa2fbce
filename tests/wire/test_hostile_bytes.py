"""Whatever bytes come, they are read or refused: nothing else is raised, and nothing costs much memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_client.wire import codec, limits
from plugin_client.wire.errors import ProtocolError
from plugin_client.wire.messages import ClientMessage, DaemonMessage
from tests.refusals import refused
from tests.wire.strategies import client_messages, daemon_messages


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
        with pytest.raises(ProtocolError):
            codec.decode_client([b"\x81\xa1x" + bomb])
        assert tracemalloc.get_traced_memory()[1] < 40 * limits.MAX_HEADER_BYTES
    finally:
        tracemalloc.stop()


NESTED = {"a": {"b": {}}}


def header(kind: str, body: object) -> bytes:
    return msgpack.packb({"v": 2, "kind": kind, "id": 7, "body": body})


def test_a_large_header_of_a_small_kind_is_refused_without_being_unpacked() -> None:
    large = header("ping", {str(n): [NESTED] * 200 for n in range(200)})
    tracemalloc.start()
    try:
        with refused(ProtocolError, "header-too-large", high=limits.MAX_SMALL_HEADER_BYTES) as caught:
            codec.decode_client([large])
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.request_id == 7
    assert held < 2 * limits.MAX_HEADER_BYTES  # to unpack it takes eight times as much


def test_a_submit_of_nothing_but_maps_is_refused_before_all_are_unpacked() -> None:
    body = {str(n): [NESTED] * 250 for n in range(250)}
    with refused(ProtocolError, "too-many-entries", high=limits.MAX_HEADER_ENTRIES):
        codec.decode_client([header("submit", body)])


@pytest.mark.parametrize("large", [b"\x83" + b"\xa4kind" + bytes(8000), b"\xc1" * 8000, b"\x90" * 8000])
def test_a_large_header_without_a_kind_is_refused(large: bytes) -> None:
    with refused(ProtocolError, "header-too-large", high=limits.MAX_SMALL_HEADER_BYTES):
        codec.decode_client([large])
