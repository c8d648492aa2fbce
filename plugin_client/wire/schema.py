"""Reads and writes the dataclasses of messages.py as plain values, driven by their field types alone.

Plain values are what msgpack carries: maps with text keys, lists, text, bytes, numbers, booleans and None. The same
checks run in both directions, so that what this side sends is what the other side accepts. Every error carries the
path to the value: ("submit", "request", "items", 1, "weight").
"""

from __future__ import annotations

import math
import re
import types
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from plugin_client.wire import checks
from plugin_client.wire.errors import BadValue, Path, ProtocolError
from plugin_client.wire.faults import Fault
from plugin_client.wire.limits import BOUNDS, MAX_DEPTH, MAX_ENTRIES, MAX_HEADER_BYTES, MAX_SEED
from plugin_client.wire.messages import Tagged
from plugin_client.wire.settings import Bounds, Setting


class Frames:
    """The pixel frames of one message. Number 0 is the header, which is not among them."""

    def __init__(self, received: list[bytes]) -> None:
        self.pixels = received
        self._unclaimed = set(range(1, len(received) + 1))

    def add(self, pixels: bytes) -> int:
        """Append a frame to be sent and return its number."""
        self.pixels.append(pixels)
        return len(self.pixels)

    def claim(self, number: object, where: Path) -> bytes:
        """Return the pixels of a received frame, which belong to one picture only."""
        if type(number) is not int or number not in self._unclaimed:
            raise BadValue(where, number, Fault.NO_FRAME)
        self._unclaimed.remove(number)
        return self.pixels[number - 1]

    def check_all_claimed(self) -> None:
        if self._unclaimed:
            raise ProtocolError.of(Fault.UNCLAIMED_FRAME, number=min(self._unclaimed))


class Schema(ABC):
    """Reads the values of one type from plain values, and writes them as such."""

    @abstractmethod
    def read(self, plain: object, where: Path, frames: Frames) -> Any: ...

    @abstractmethod
    def write(self, value: Any, where: Path, frames: Frames) -> object: ...


class Scalar(Schema):
    """A type whose values are plain values already."""

    @abstractmethod
    def check(self, value: object, where: Path) -> Any: ...

    def read(self, plain: object, where: Path, frames: Frames) -> Any:
        return self.check(plain, where)

    def write(self, value: Any, where: Path, frames: Frames) -> object:
        return self.check(value, where)


@dataclass(frozen=True)
class Flag(Scalar):
    def check(self, value: object, where: Path) -> bool:
        if type(value) is not bool:
            raise BadValue(where, value, Fault.NOT_TRUE_OR_FALSE)
        return value


@dataclass(frozen=True)
class Whole(Scalar):
    bounds: Bounds

    def check(self, value: object, where: Path) -> int:
        if type(value) is not int or not _within(value, self.bounds):
            raise BadValue(where, value, Fault.NOT_WHOLE_IN_RANGE, **_span(self.bounds))
        return value


@dataclass(frozen=True)
class Real(Scalar):
    bounds: Bounds

    def check(self, value: object, where: Path) -> float:
        # NaN compares false with everything, so it is out of every range.
        if type(value) not in (int, float) or not _within(value, self.bounds):  # type: ignore[arg-type]
            raise BadValue(where, value, Fault.NOT_IN_RANGE, **_span(self.bounds))
        return float(value)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Text(Scalar):
    bounds: Bounds
    pattern: re.Pattern[str] | None = None

    def check(self, value: object, where: Path) -> str:
        if type(value) is not str:
            raise BadValue(where, value, Fault.NOT_TEXT)
        if not _within(len(value), self.bounds):
            raise BadValue(where, value, Fault.LENGTH_OF_TEXT, count=len(value), **_span(self.bounds))
        if self.pattern and not self.pattern.fullmatch(value):
            raise BadValue(where, value, Fault.NOT_THE_PATTERN, pattern=self.pattern.pattern)
        if not _is_unicode(value):
            raise BadValue(where, value, Fault.NOT_UNICODE)
        return value


@dataclass(frozen=True)
class Bytes(Scalar):
    bounds: Bounds

    def check(self, value: object, where: Path) -> bytes:
        if type(value) is not bytes:
            raise BadValue(where, value, Fault.NOT_BYTES)
        if not _within(len(value), self.bounds):
            raise BadValue(where, value, Fault.LENGTH_OF_BYTES, count=len(value), **_span(self.bounds))
        return value


@dataclass(frozen=True)
class Choice(Scalar):
    choices: tuple[str, ...]

    def check(self, value: object, where: Path) -> str:
        if type(value) is not str or value not in self.choices:
            raise BadValue(where, value, Fault.NOT_A_CHOICE, choices=", ".join(self.choices))
        return value


@dataclass(frozen=True)
class PlainMap(Scalar):
    """A map of text keys to whatever JSON can say, as a recipe is."""

    bounds: Bounds

    def check(self, value: object, where: Path) -> dict[str, Any]:
        if type(value) is not dict or not _within(len(value), self.bounds):
            raise BadValue(where, value, Fault.LENGTH_OF_MAP, **_span(self.bounds))
        _check_json(value, where, MAX_DEPTH)
        return value


@dataclass(frozen=True)
class ListOf(Schema):
    """A tuple, carried as a list."""

    entry: Schema
    bounds: Bounds

    def read(self, plain: object, where: Path, frames: Frames) -> tuple[Any, ...]:
        if type(plain) is not list:
            raise BadValue(where, plain, Fault.NOT_A_LIST)
        self._check_length(plain, where)
        return tuple(self.entry.read(entry, (*where, n), frames) for n, entry in enumerate(plain))

    def write(self, value: Any, where: Path, frames: Frames) -> list[object]:
        if type(value) is not tuple:
            raise BadValue(where, value, Fault.NOT_A_TUPLE)
        self._check_length(value, where)
        return [self.entry.write(entry, (*where, n), frames) for n, entry in enumerate(value)]

    def _check_length(self, entries: list[Any] | tuple[Any, ...], where: Path) -> None:
        if not _within(len(entries), self.bounds):
            fault = Fault.EXACT_LENGTH_OF_LIST if self.bounds[0] == self.bounds[1] else Fault.LENGTH_OF_LIST
            raise BadValue(where, entries, fault, count=len(entries), **_span(self.bounds))


@dataclass(frozen=True)
class OrNone(Schema):
    inner: Schema

    def read(self, plain: object, where: Path, frames: Frames) -> Any:
        return None if plain is None else self.inner.read(plain, where, frames)

    def write(self, value: Any, where: Path, frames: Frames) -> object:
        return None if value is None else self.inner.write(value, where, frames)


@dataclass(frozen=True)
class FramePixels(Schema):
    """The pixels of a picture: bytes in a frame of their own, a frame number in the header.

    What was received as a memoryview, and so within bounds, can be sent on.
    """

    def read(self, plain: object, where: Path, frames: Frames) -> bytes:
        return frames.claim(plain, where)

    def write(self, value: Any, where: Path, frames: Frames) -> int:
        if isinstance(value, memoryview):
            return frames.add(cast("bytes", value))
        return frames.add(Bytes(BOUNDS["Picture.pixels"]).check(value, where))


@dataclass(frozen=True)
class Record(Schema):
    """A dataclass, carried as a map. `keys` maps each field to its key in the map; `tag` is its kind in a union."""

    cls: type
    schemas: dict[str, Schema]
    keys: dict[str, str]
    required: frozenset[str]
    meaning: Callable[[Any, Path], None]
    tag: str = ""

    def read(self, plain: object, where: Path, frames: Frames) -> Any:
        present = _map(plain, where)
        if unknown := present.keys() - self.keys.values() - ({"kind"} if self.tag else set()):
            raise BadValue(where, min(unknown), Fault.UNKNOWN_FIELD)
        if missing := self.required - present.keys():
            raise BadValue(where, min(missing), Fault.MISSING_FIELD)
        read = {
            name: self.schemas[name].read(present[key], (*where, name), frames)
            for name, key in self.keys.items()
            if key in present
        }
        value = self.cls(**read)
        self.meaning(value, where)
        return value

    def write(self, value: Any, where: Path, frames: Frames) -> dict[str, object]:
        if type(value) is not self.cls:
            raise BadValue(where, value, Fault.NOT_A_RECORD, record=self.cls.__name__)
        plain = {
            key: self.schemas[name].write(getattr(value, name), (*where, name), frames)
            for name, key in self.keys.items()
        }
        self.meaning(value, where)
        return {"kind": self.tag, **plain} if self.tag else plain


@dataclass(frozen=True)
class OneOf(Schema):
    """A union of dataclasses, told apart by their "kind"."""

    records: dict[str, Record]

    def read(self, plain: object, where: Path, frames: Frames) -> Any:
        kind = _map(plain, where).get("kind")
        return self.records[self._known(kind, where)].read(plain, where, frames)

    def write(self, value: Any, where: Path, frames: Frames) -> object:
        kind = getattr(value, "kind", type(value).__name__)
        return self.records[self._known(kind, where)].write(value, where, frames)

    def _known(self, kind: object, where: Path) -> str:
        return Choice(tuple(self.records)).check(kind, (*where, "kind"))


def record(cls: type, tag: str = "") -> Record:
    """Make the schema of a dataclass from its field types, their bounds and its check in checks.py."""
    hints = get_type_hints(cls, include_extras=True)
    schemas = {field.name: _schema(hints[field.name], f"{cls.__name__}.{field.name}") for field in fields(cls)}
    keys = {name: "frame" if isinstance(schema, FramePixels) else name for name, schema in schemas.items()}
    required = {keys[field.name] for field in fields(cls) if field.default is MISSING}
    return Record(cls, schemas, keys, frozenset(required), checks.meaning_of(cls), tag)


def one_of(classes: tuple[type, ...]) -> OneOf:
    """Make the schema of a union of dataclasses that have a `kind`."""
    return OneOf({cls.kind: record(cls, cls.kind) for cls in classes})  # type: ignore[attr-defined]


def of(hint: Any) -> Schema:
    """Make the schema of a type that needs no bounds of its own."""
    return _schema(hint, "")


def _schema(hint: Any, name: str) -> Schema:
    """Make the schema of one field type. `name` is "Class.field", the key of its bounds."""
    origin, args = get_origin(hint), get_args(hint)
    if name == "Picture.pixels":
        return FramePixels()
    if origin is Annotated:
        return _annotated(*args)
    if origin is Literal:
        return Choice(args)
    if origin is dict:
        return PlainMap(BOUNDS[name])
    if origin is tuple:
        length = BOUNDS[name] if args[-1] is ... else (len(args), len(args))
        return ListOf(_schema(args[0], f"{name}[]"), length)
    if origin in (Union, types.UnionType):
        return OrNone(_schema(args[0], name)) if args[1:] == (type(None),) else one_of(args)
    if hint is bool:
        return Flag()
    return _BOUNDED[hint](BOUNDS[name]) if hint in _BOUNDED else record(hint)


def _annotated(hint: Any, note: object) -> Schema:
    """Make the schema of an annotated type: of a setting, a tagged union or an id."""
    match note:
        case Setting():
            return _BOUNDED[hint](note.bounds) if hint in _BOUNDED else _schema(hint, "")
        case Tagged():
            return one_of(_members(hint))
        case re.Pattern():
            return Text((0, MAX_HEADER_BYTES), note)
    raise TypeError(f"{note!r} says nothing about a field")


def _members(hint: Any) -> tuple[type, ...]:
    """Return the classes of a union; Python makes a union of one class that class."""
    return get_args(hint) or (hint,)


_BOUNDED: dict[Any, Callable[[Bounds], Schema]] = {int: Whole, float: Real, str: Text, bytes: Bytes}


def _map(plain: object, where: Path) -> dict[str, object]:
    if type(plain) is not dict:
        raise BadValue(where, plain, Fault.NOT_A_MAP)
    return plain


def _within(value: float, bounds: Bounds) -> bool:
    return bounds[0] <= value <= bounds[1]


def _span(bounds: Bounds) -> dict[str, float]:
    low, high = (int(bound) if bound == int(bound) else bound for bound in bounds)
    return {"low": low, "high": high}


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _check_json(value: object, where: Path, depth: int) -> None:
    """Refuse what JSON or a careful reader of another language cannot carry."""
    if depth == 0:
        raise BadValue(where, value, Fault.TOO_DEEP, high=MAX_DEPTH)
    if type(value) in (dict, list) and len(value) > MAX_ENTRIES:  # type: ignore[arg-type]
        entries = len(value)  # type: ignore[arg-type]
        raise BadValue(where, value, Fault.LENGTH_OF_LIST, count=entries, low=0, high=MAX_ENTRIES)
    if type(value) is dict:
        for key, entry in value.items():
            if type(key) is not str or not _is_unicode(key):
                raise BadValue(where, key, Fault.BAD_KEY)
            _check_json(entry, (*where, key), depth - 1)
    elif type(value) is list:
        for n, entry in enumerate(value):
            _check_json(entry, (*where, n), depth - 1)
    else:
        _check_json_scalar(value, where)


def _check_json_scalar(value: object, where: Path) -> None:
    if value is None or type(value) is bool:
        return
    if type(value) is str:
        _ANY_TEXT.check(value, where)
    elif type(value) is int:
        _ANY_WHOLE.check(value, where)
    elif type(value) is not float or not math.isfinite(value):
        raise BadValue(where, value, Fault.NOT_JSON)


_ANY_TEXT = Text((0, MAX_HEADER_BYTES))
_ANY_WHOLE = Whole((-MAX_SEED, MAX_SEED))
