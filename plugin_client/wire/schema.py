"""Reads and writes the dataclasses of messages.py as plain values, driven by their field types alone.

Plain values are what msgpack carries: maps with text keys, lists, text, bytes, numbers, booleans and None. The same
checks run in both directions, so that what this side sends is what the other side accepts. Every error names the
field and the value: `submit.blend.items[1].weight is 5000.0: must be from -1000 to 1000`.
"""

from __future__ import annotations

import math
import re
import reprlib
import types
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from plugin_client.wire import checks
from plugin_client.wire.errors import ProtocolError
from plugin_client.wire.limits import BOUNDS, MAX_DEPTH, MAX_ENTRIES, MAX_HEADER_BYTES, MAX_SEED

Bounds = tuple[float, float]


class Frames:
    """The pixel frames of one message. Number 0 is the header, which is not among them."""

    def __init__(self, received: list[bytes]) -> None:
        self.pixels = received
        self._unclaimed = set(range(1, len(received) + 1))

    def add(self, pixels: bytes) -> int:
        """Append a frame to be sent; its number."""
        self.pixels.append(pixels)
        return len(self.pixels)

    def claim(self, number: object, where: str) -> bytes:
        """The pixels of a received frame, which belong to one picture only."""
        if type(number) is not int or number not in self._unclaimed:
            raise _bad(where, number, "must be the number of a pixel frame of this message that no other picture has")
        self._unclaimed.remove(number)
        return self.pixels[number - 1]

    def check_all_claimed(self) -> None:
        if self._unclaimed:
            raise ProtocolError(f"pixel frame {min(self._unclaimed)} belongs to no picture of the message")


class Schema(ABC):
    """How the values of one type are read from plain values and written to them."""

    @abstractmethod
    def read(self, plain: object, where: str, frames: Frames) -> Any: ...

    @abstractmethod
    def write(self, value: Any, where: str, frames: Frames) -> object: ...


class Scalar(Schema):
    """A type whose values are plain values already."""

    @abstractmethod
    def check(self, value: object, where: str) -> Any: ...

    def read(self, plain: object, where: str, frames: Frames) -> Any:
        return self.check(plain, where)

    def write(self, value: Any, where: str, frames: Frames) -> object:
        return self.check(value, where)


@dataclass(frozen=True)
class Flag(Scalar):
    def check(self, value: object, where: str) -> bool:
        if type(value) is not bool:
            raise _bad(where, value, "must be true or false")
        return value


@dataclass(frozen=True)
class Whole(Scalar):
    bounds: Bounds

    def check(self, value: object, where: str) -> int:
        if type(value) is not int or not _within(value, self.bounds):
            raise _bad(where, value, f"must be a whole number {_span(self.bounds)}")
        return value


@dataclass(frozen=True)
class Real(Scalar):
    bounds: Bounds

    def check(self, value: object, where: str) -> float:
        # NaN compares false with everything, so it is out of every range.
        if type(value) not in (int, float) or not _within(value, self.bounds):  # type: ignore[arg-type]
            raise _bad(where, value, f"must be a number {_span(self.bounds)}")
        return float(value)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Text(Scalar):
    bounds: Bounds
    pattern: re.Pattern[str] | None = None

    def check(self, value: object, where: str) -> str:
        if type(value) is not str:
            raise _bad(where, value, "must be text")
        if not _within(len(value), self.bounds):
            raise _bad(where, value, f"has {len(value)} characters, must have {_span(self.bounds)}")
        if self.pattern and not self.pattern.fullmatch(value):
            raise _bad(where, value, f"must match {self.pattern.pattern}")
        if not _is_unicode(value):
            raise _bad(where, value, "holds half of a surrogate pair, which UTF-8 cannot carry")
        return value


@dataclass(frozen=True)
class Bytes(Scalar):
    bounds: Bounds

    def check(self, value: object, where: str) -> bytes:
        if type(value) is not bytes:
            raise _bad(where, value, "must be bytes")
        if not _within(len(value), self.bounds):
            raise _bad(where, value, f"has {len(value)} bytes, must have {_span(self.bounds)}")
        return value


@dataclass(frozen=True)
class Choice(Scalar):
    choices: tuple[str, ...]

    def check(self, value: object, where: str) -> str:
        if type(value) is not str or value not in self.choices:
            raise _bad(where, value, f"must be one of {', '.join(self.choices)}")
        return value


@dataclass(frozen=True)
class PlainMap(Scalar):
    """A map of text keys to whatever JSON can say, as a recipe is."""

    bounds: Bounds

    def check(self, value: object, where: str) -> dict[str, Any]:
        if type(value) is not dict or not _within(len(value), self.bounds):
            raise _bad(where, value, f"must be a map, with {_span(self.bounds)} entries")
        _check_json(value, where, MAX_DEPTH)
        return value


@dataclass(frozen=True)
class ListOf(Schema):
    """A tuple, carried as a list."""

    entry: Schema
    bounds: Bounds

    def read(self, plain: object, where: str, frames: Frames) -> tuple[Any, ...]:
        if type(plain) is not list:
            raise _bad(where, plain, "must be a list")
        self._check_length(plain, where)
        return tuple(self.entry.read(entry, f"{where}[{n}]", frames) for n, entry in enumerate(plain))

    def write(self, value: Any, where: str, frames: Frames) -> list[object]:
        if type(value) is not tuple:
            raise _bad(where, value, "must be a tuple")
        self._check_length(value, where)
        return [self.entry.write(entry, f"{where}[{n}]", frames) for n, entry in enumerate(value)]

    def _check_length(self, entries: list[Any] | tuple[Any, ...], where: str) -> None:
        if not _within(len(entries), self.bounds):
            raise ProtocolError(f"{where} has {len(entries)} entries, must have {_span(self.bounds)}")


@dataclass(frozen=True)
class OrNone(Schema):
    inner: Schema

    def read(self, plain: object, where: str, frames: Frames) -> Any:
        return None if plain is None else self.inner.read(plain, where, frames)

    def write(self, value: Any, where: str, frames: Frames) -> object:
        return None if value is None else self.inner.write(value, where, frames)


@dataclass(frozen=True)
class FramePixels(Schema):
    """The pixels of a picture: bytes in a frame of their own, a frame number in the header."""

    def read(self, plain: object, where: str, frames: Frames) -> bytes:
        return frames.claim(plain, where)

    def write(self, value: Any, where: str, frames: Frames) -> int:
        return frames.add(Bytes(BOUNDS["Picture.pixels"]).check(value, where))


@dataclass(frozen=True)
class Record(Schema):
    """A dataclass, carried as a map. `keys` maps each field to its key in the map; `tag` is its kind in a union."""

    cls: type
    schemas: dict[str, Schema]
    keys: dict[str, str]
    required: frozenset[str]
    meaning: Callable[[Any, str], None]
    tag: str = ""

    def read(self, plain: object, where: str, frames: Frames) -> Any:
        present = _map(plain, where)
        if unknown := present.keys() - self.keys.values() - ({"kind"} if self.tag else set()):
            raise ProtocolError(f"{where} has an unknown field {show(min(unknown))}")
        if missing := self.required - present.keys():
            raise ProtocolError(f"{where} lacks the field {min(missing)!r}")
        read = {
            name: self.schemas[name].read(present[key], f"{where}.{name}", frames)
            for name, key in self.keys.items()
            if key in present
        }
        value = self.cls(**read)
        self.meaning(value, where)
        return value

    def write(self, value: Any, where: str, frames: Frames) -> dict[str, object]:
        if type(value) is not self.cls:
            raise _bad(where, value, f"must be a {self.cls.__name__}")
        plain = {
            key: self.schemas[name].write(getattr(value, name), f"{where}.{name}", frames)
            for name, key in self.keys.items()
        }
        self.meaning(value, where)
        return {"kind": self.tag, **plain} if self.tag else plain


@dataclass(frozen=True)
class OneOf(Schema):
    """A union of dataclasses, told apart by their "kind"."""

    records: dict[str, Record]

    def read(self, plain: object, where: str, frames: Frames) -> Any:
        kind = _map(plain, where).get("kind")
        return self.records[self._known(kind, where)].read(plain, where, frames)

    def write(self, value: Any, where: str, frames: Frames) -> object:
        kind = getattr(value, "kind", type(value).__name__)
        return self.records[self._known(kind, where)].write(value, where, frames)

    def _known(self, kind: object, where: str) -> str:
        return Choice(tuple(self.records)).check(kind, f"{where}.kind")


def record(cls: type, tag: str = "") -> Record:
    """The schema of a dataclass, from its field types, its bounds in limits.py and its meaning in checks.py."""
    hints = get_type_hints(cls, include_extras=True)
    schemas = {field.name: _schema(hints[field.name], f"{cls.__name__}.{field.name}") for field in fields(cls)}
    keys = {name: "frame" if isinstance(schema, FramePixels) else name for name, schema in schemas.items()}
    required = {keys[field.name] for field in fields(cls) if field.default is MISSING}
    return Record(cls, schemas, keys, frozenset(required), checks.meaning_of(cls), tag)


def one_of(classes: tuple[type, ...]) -> OneOf:
    """The schema of a union of dataclasses that have a `kind`."""
    return OneOf({cls.kind: record(cls, cls.kind) for cls in classes})  # type: ignore[attr-defined]


def _schema(hint: Any, name: str) -> Schema:
    """The schema of one field type. `name` is "Class.field", the key of its bounds."""
    origin, args = get_origin(hint), get_args(hint)
    if name == "Picture.pixels":
        return FramePixels()
    if origin is Annotated:
        return Text((0, MAX_HEADER_BYTES), args[1])
    if origin is Literal:
        return Choice(args)
    if origin is dict:
        return PlainMap(BOUNDS[name])
    if origin is tuple:
        length = BOUNDS[name] if args[-1] is ... else (len(args), len(args))
        return ListOf(_schema(args[0], f"{name}[]"), length)
    if origin in (Union, types.UnionType):
        return OrNone(_schema(args[0], name)) if args[1:] == (type(None),) else one_of(args)
    return _BUILT_IN[hint](name) if hint in _BUILT_IN else record(hint)


_BUILT_IN: dict[Any, Callable[[str], Schema]] = {
    bool: lambda name: Flag(),
    int: lambda name: Whole(BOUNDS[name]),
    float: lambda name: Real(BOUNDS[name]),
    str: lambda name: Text(BOUNDS[name]),
    bytes: lambda name: Bytes(BOUNDS[name]),
}


def show(value: object) -> str:
    """`value` for an error message: short, however large it is."""
    return f"{len(value)} bytes" if isinstance(value, bytes) else _BRIEF.repr(value)


_BRIEF = reprlib.Repr()
_BRIEF.maxstring = _BRIEF.maxother = 60


def _bad(where: str, value: object, why: str) -> ProtocolError:
    return ProtocolError(f"{where} is {show(value)}: {why}")


def _map(plain: object, where: str) -> dict[str, object]:
    if type(plain) is not dict:
        raise _bad(where, plain, "must be a map")
    return plain


def _within(value: float, bounds: Bounds) -> bool:
    return bounds[0] <= value <= bounds[1]


def _span(bounds: Bounds) -> str:
    low, high = (int(bound) if bound == int(bound) else bound for bound in bounds)
    return f"exactly {low}" if low == high else f"from {low} to {high}"


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _check_json(value: object, where: str, depth: int) -> None:
    """Refuse what JSON or a careful reader of another language cannot carry."""
    if depth == 0:
        raise ProtocolError(f"{where} is nested too deeply: {MAX_DEPTH} levels are allowed")
    if type(value) in (dict, list) and len(value) > MAX_ENTRIES:  # type: ignore[arg-type]
        raise ProtocolError(f"{where} has {len(value)} entries, may have {MAX_ENTRIES}")  # type: ignore[arg-type]
    if type(value) is dict:
        for key, entry in value.items():
            _ANY_TEXT.check(key, f"a key of {where}")
            _check_json(entry, f"{where}.{key}", depth - 1)
    elif type(value) is list:
        for n, entry in enumerate(value):
            _check_json(entry, f"{where}[{n}]", depth - 1)
    else:
        _check_json_scalar(value, where)


def _check_json_scalar(value: object, where: str) -> None:
    if value is None or type(value) is bool:
        return
    if type(value) is str:
        _ANY_TEXT.check(value, where)
    elif type(value) is int:
        _ANY_WHOLE.check(value, where)
    elif type(value) is not float or not math.isfinite(value):
        raise _bad(where, value, "must be text, a finite number, true, false, null, a list or a map")


_ANY_TEXT = Text((0, MAX_HEADER_BYTES))
_ANY_WHOLE = Whole((-MAX_SEED, MAX_SEED))
