"""Arbitrary valid messages, small enough to be quick."""

from __future__ import annotations

import struct
import types
from dataclasses import fields
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from plugin_client.wire.limits import BOUNDS, MAX_SIDE, MIN_SIDE
from plugin_client.wire.messages import Blend, ClientMessage, DaemonMessage, EmbedsItem, Picture

MOST_ENTRIES = 4
MOST_CHARS = 20
SIDES = {"Blend.width", "Blend.height"}

texts = st.text(max_size=MOST_CHARS)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    width, height, channels = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.sampled_from((3, 4)))
    size = width * height * channels
    return Picture(width, height, channels, draw(st.binary(min_size=size, max_size=size)))


def embeds_items() -> st.SearchStrategy[EmbedsItem]:
    values = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3)
    packed = values.map(lambda three: struct.pack("<3f", *three))
    return st.builds(EmbedsItem, packed, _of_type(float, "EmbedsItem.weight"), texts)


def is_meaningful(blend: Blend) -> bool:
    weights = [item.weight for item in blend.items]
    return (
        any(weights)
        and sum(weights) > 1e-6 * max(map(abs, weights))
        and blend.width * blend.height * 3 * blend.count <= 2**28
    )


def records(cls: type) -> st.SearchStrategy[Any]:
    """Arbitrary valid objects of a dataclass of messages.py."""
    if cls is Picture:
        return pictures()
    if cls is EmbedsItem:
        return embeds_items()
    hints = get_type_hints(cls, include_extras=True)
    built = st.builds(cls, **{f.name: _of_type(hints[f.name], f"{cls.__name__}.{f.name}") for f in fields(cls)})
    return built.filter(is_meaningful) if cls is Blend else built


def _of_type(hint: Any, name: str) -> st.SearchStrategy[Any]:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return st.uuids().map(str)
    if origin is Literal:
        return st.sampled_from(args)
    if origin is dict:
        return st.dictionaries(texts, json_values, min_size=1, max_size=3)
    if origin is tuple:
        entries = _of_type(args[0], f"{name}[]")
        if args[-1] is not ...:
            return st.tuples(*[entries] * len(args))
        low, high = BOUNDS[name]
        return st.lists(entries, min_size=int(low), max_size=int(min(high, MOST_ENTRIES))).map(tuple)
    if origin in (Union, types.UnionType):
        return st.one_of(*(st.none() if arg is type(None) else records(arg) for arg in args))
    if hint is bool:
        return st.booleans()
    if hint is str:
        return st.text(max_size=int(min(BOUNDS[name][1], MOST_CHARS)))
    if hint is int:
        low, high = (MIN_SIDE, MAX_SIDE) if name in SIDES else BOUNDS[name]
        return st.integers(int(low), int(high))
    if hint is float:
        return st.floats(*BOUNDS[name])
    return records(hint)


client_messages = st.one_of(*map(records, get_args(ClientMessage)))
daemon_messages = st.one_of(*map(records, get_args(DaemonMessage)))
request_ids = st.integers(0, 2**53 - 1)
