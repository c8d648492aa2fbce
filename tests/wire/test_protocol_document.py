"""PROTOCOL.md is the authority; what it says in tables is held against the code."""

from __future__ import annotations

import json
import re
import types
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from plugin_client.wire import codec, document, limits, messages
from plugin_client.wire.limits import BOUNDS
from plugin_client.wire.messages import ClientMessage, DaemonMessage, Item
from plugin_client.wire.settings import SETTINGS, Setting

DOCUMENT = (Path(messages.__file__).parent / "PROTOCOL.md").read_text(encoding="utf-8")

PARTS = {
    "picture": messages.Picture,
    "item `text`": messages.TextItem,
    "item `picture`": messages.PictureItem,
    "item `embeds`": messages.EmbedsItem,
    "request `blend`": messages.Blend,
    "request `refine`": messages.Refine,
    "request `repaint`": messages.Repaint,
    "request `upscale`": messages.Upscale,
    "model": messages.ModelInfo,
    "machine": messages.MachineInfo,
    "stored model": messages.StoredModel,
}
KINDS = {f"`{cls.kind}`": cls for cls in (*get_args(ClientMessage), *get_args(DaemonMessage))}
NAMES = {cls: heading for heading, cls in PARTS.items()} | {messages.JobInfo: "job", Item: "item"}
BUILT_IN = {int: "int", float: "float", str: "text", bool: "bool", bytes: "bin"}


def section(heading: str) -> str:
    match = re.search(rf"^###? {re.escape(heading)}\n(.*?)(?=^##|\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert match, f"no section {heading}"
    return match[1]


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows; a head is followed by a line of dashes."""
    bodies = re.sub(r"^\|.*\n\|-.*\n", "", text, flags=re.MULTILINE)
    lines = re.findall(r"^\|(.*)\|$", bodies, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def type_name(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if hint in NAMES:
        return NAMES[hint]
    if origin is Annotated and isinstance(args[1], Setting):
        return BUILT_IN[args[0]]
    if origin is Annotated:
        return "request" if isinstance(args[1], messages.Tagged) else "uuid"
    if origin is Literal:
        return "text"
    if origin is dict:
        return "map"
    if origin is tuple:
        return f"list of {type_name(args[0])}" if args[-1] is ... else f"list of {len(args)} {type_name(args[0])}"
    if origin in (Union, types.UnionType):
        return f"{type_name(args[0])} or nil"
    return BUILT_IN[hint]


def bounds(hint: Any, name: str) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        return bounds(get_args(hint)[0], name)
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return (
            "see Codes"
            if choices in (messages.REFUSALS, messages.FAILURES, messages.LIBRARY_FAULTS)
            else ", ".join(choices)
        )
    if get_origin(hint) is Annotated and isinstance(note := get_args(hint)[1], Setting):
        return f"{note.bounds[0]:.0f}..{note.bounds[1]:.0f}"
    found = BOUNDS.get(name) or BOUNDS.get(f"{name}[]")
    return f"{found[0]:.0f}..{found[1]:.0f}" if found else ""


def default(field: Field[Any]) -> str:
    return "" if field.default is MISSING else json.dumps(field.default).replace("null", "nil")


def described(cls: type) -> list[list[str]]:
    """The rows that a dataclass should have, their meaning excepted."""
    hints = get_type_hints(cls, include_extras=True)
    expected = []
    for field in fields(cls):
        if field.name in SETTINGS and issubclass(cls, messages.BlendSettings):
            continue  # in the section of their own
        name = f"{cls.__name__}.{field.name}"
        hint = hints[field.name]
        expected.append([field.name, type_name(hint), bounds(hint, name), default(field)])
    return expected


@pytest.mark.parametrize("heading", [*PARTS, *KINDS])
def test_the_table_of_a_message_is_its_dataclass(heading: str) -> None:
    expected = described((PARTS | KINDS)[heading])
    if heading == "picture":
        expected[-1] = ["frame", "int", "", ""]  # the pixels themselves are in a frame
    assert [row[:4] for row in rows(section(heading))] == expected


def test_the_table_of_the_settings_is_made_of_them() -> None:
    assert document.with_settings(DOCUMENT) == DOCUMENT, "run python -m plugin_client.wire.document"
    assert [row[0] for row in rows(section("settings"))] == list(SETTINGS)


def test_every_section_is_of_a_message_or_part() -> None:
    headings = re.findall(r"^### (.*)$", DOCUMENT, re.MULTILINE)
    assert sorted(headings) == sorted([*PARTS, *KINDS, "Limits", "settings", "recipe"])


def test_the_limits_are_the_code_s() -> None:
    for name, value, _ in rows(section("Limits")):
        assert getattr(limits, name) == int(value)


def test_the_codes_are_the_code_s() -> None:
    codes = [row[0] for row in rows(section("Codes"))]
    assert codes == [*messages.REFUSALS, *messages.FAILURES, *messages.LIBRARY_FAULTS]


def test_the_version_is_the_code_s() -> None:
    assert DOCUMENT.startswith(f"# The Kandinsky Blend protocol, version {messages.PROTOCOL_VERSION}\n")


def test_the_shown_bytes_are_a_ping() -> None:
    shown = re.search(r"```\n((?:[0-9a-f]{2} ?)+)\n```", DOCUMENT)
    assert shown
    frame = bytes.fromhex(shown[1])
    assert codec.encode(messages.Ping(), 1) == [frame]
    assert f"one frame of {len(frame)} bytes" in DOCUMENT
