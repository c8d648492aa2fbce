"""Arbitrary valid messages, small enough to be quick."""

from __future__ import annotations

import struct
import types
from dataclasses import fields
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import assume
from hypothesis import strategies as st

from plugin_client.wire.limits import BOUNDS, MAX_SIDE, MIN_SIDE
from plugin_client.wire.messages import (
    AnyRequest,
    Blend,
    ClientMessage,
    DaemonMessage,
    EmbedsItem,
    Picture,
    Refine,
    Repaint,
    Tagged,
    Upscale,
)
from plugin_client.wire.settings import Setting

MOST_ENTRIES = 4
MOST_CHARS = 20
SIDES = {f"{cls.__name__}.{side}" for cls in get_args(AnyRequest) for side in ("width", "height")}

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
    """Colours; masks belong to the picture that they mask."""
    width, height, channels = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.sampled_from((3, 4)))
    size = width * height * channels
    return Picture(width, height, channels, draw(st.binary(min_size=size, max_size=size)))


def embeds_items() -> st.SearchStrategy[EmbedsItem]:
    values = st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3)
    packed = values.map(lambda three: struct.pack("<3f", *three))
    return st.builds(EmbedsItem, packed, _of_type(float, "EmbedsItem.weight"), texts)


def is_meaningful(request: AnyRequest) -> bool:
    weights = [item.weight for item in request.items]
    if not weights:
        return True
    return (
        any(weights)
        and sum(weights) > 1e-6 * max(map(abs, weights))
        and request.width * request.height * 3 * request.count <= 2**28
    )


@st.composite
def repaints(draw: st.DrawFn) -> Repaint:
    """Some of the picture is to be drawn anew, and where nothing says what, not all of it."""
    source = draw(pictures())
    size = source.width * source.height
    mask = Picture(source.width, source.height, 1, draw(st.binary(min_size=size, max_size=size).filter(any)))
    repaint: Repaint = draw(_built(Repaint, source=st.just(source), mask=st.just(mask)).filter(is_meaningful))
    assume(repaint.items or 0 in mask.pixels)
    return repaint


@st.composite
def upscales(draw: st.DrawFn) -> Upscale:
    """Neither side becomes smaller."""
    source = draw(pictures())
    width, height = (st.integers(side, 9 * side) for side in (source.width, source.height))
    return draw(_built(Upscale, source=st.just(source), target_width=width, target_height=height).filter(is_meaningful))


def records(cls: type) -> st.SearchStrategy[Any]:
    """Arbitrary valid objects of a dataclass of messages.py."""
    if cls is Picture:
        return pictures()
    if cls is EmbedsItem:
        return embeds_items()
    if cls is Repaint:
        return repaints()
    if cls is Upscale:
        return upscales()
    return _built(cls).filter(is_meaningful) if cls in (Blend, Refine) else _built(cls)


def _built(cls: type, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(cls, include_extras=True)
    others = [f.name for f in fields(cls) if f.name not in given]
    return st.builds(cls, **given, **{name: _of_type(hints[name], f"{cls.__name__}.{name}") for name in others})


def _of_type(hint: Any, name: str) -> st.SearchStrategy[Any]:
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _annotated(*args, name)
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
        return st.one_of(*(st.none() if arg is type(None) else _of_type(arg, name) for arg in args))
    if hint is bool:
        return st.booleans()
    return _bounded(hint, *BOUNDS[name]) if hint in (str, int, float) else records(hint)


def _annotated(hint: Any, note: object, name: str) -> st.SearchStrategy[Any]:
    if isinstance(note, Tagged):
        return st.one_of(*map(records, get_args(hint)))
    if not isinstance(note, Setting):
        return st.uuids().map(str)
    if hint in (str, int, float):
        return _bounded(hint, *((MIN_SIDE, MAX_SIDE) if name in SIDES else note.bounds))
    return _of_type(hint, name)


def _bounded(hint: Any, low: float, high: float) -> st.SearchStrategy[Any]:
    if hint is str:
        return st.text(max_size=int(min(high, MOST_CHARS)))
    return st.integers(int(low), int(high)) if hint is int else st.floats(low, high)


client_messages = st.one_of(*map(records, get_args(ClientMessage)))
daemon_messages = st.one_of(*map(records, get_args(DaemonMessage)))
request_ids = st.integers(0, 2**53 - 1)
