"""The kinds of values that the options of kandinsky-blend take: how each is read, and what is said of a bad one."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from plugin_client.launch import full_name
from plugin_client.picture_names import is_address
from plugin_client.wire.errors import EndpointError
from plugin_client.wire.limits import MAX_SIDE, MIN_SIDE
from plugin_client.wire.paths import parse_endpoint
from plugin_client.wire.settings import Bounds

FASTEST, SLOWEST = 20, 60_000  # ms a frame; many programs slow down what is faster
MOST_ASPECT = 10
ANIMATIONS = (".gif", ".webp")  # how the names of files end that hold all frames of a sweep

# argparse takes a text that begins with "-" for an option. Behind this mark, which no argument of a process can hold,
# it does not; AddItem takes the mark away.
GUARD = "\0"


class AddItem(argparse.Action):
    """Collects prompts and images in the order in which they stand."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        assert values is not None
        source, given = map(str, values)
        source = source.removeprefix(GUARD)
        try:
            number = weight(given)
        except argparse.ArgumentTypeError as exc:
            raise argparse.ArgumentError(self, f"the weight of {source!r}: {exc}") from exc
        kind = self.option_strings[0].lstrip("-")
        try:
            item = (kind, str(path(source)) if kind == "image" else source, number)
        except argparse.ArgumentTypeError as exc:
            raise argparse.ArgumentError(self, str(exc)) from exc
        setattr(namespace, self.dest, [*getattr(namespace, self.dest, []), item])


_NUMBERS: dict[Callable[[str], float], str] = {int: "whole number", float: "number"}


def number(kind: Callable[[str], float], bounds: Bounds) -> Callable[[str], float]:
    """Make the reader of a number within bounds."""
    low, high = bounds

    def read(text: str) -> float:
        value = _parsed(kind, text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is out of range: must be from {low} to {high}")
        return value

    return read


def weight(text: str) -> float:
    """Read a number. The check of the whole blend finds out whether it can be a weight."""
    return _parsed(float, text)


def _parsed(kind: Callable[[str], float], text: str) -> float:
    try:
        return kind(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no {_NUMBERS[kind]}{_with_point(text) if kind is float else ''}"
        ) from exc


def _with_point(text: str) -> str:
    """Suggest a number with a point for one with a decimal comma."""
    return f": write {text.replace(',', '.')}" if re.fullmatch(r"[+-]?\d*,\d+", text) else ""


def weight_behind_the_file(text: str) -> float:
    """Read one of the weights of `again`, an option that takes all that follows it."""
    if text.lower().endswith(".png"):
        raise argparse.ArgumentTypeError(f"the file comes first: again {text} --weights ...")
    return weight(text)


def cell(text: str) -> tuple[int, int]:
    """Read a row and a column, both counted from 1."""
    match = re.fullmatch(r"([1-9]\d?),([1-9]\d?)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no cell: write ROW,COLUMN, like 2,3")
    return int(match[1]), int(match[2])


def job_id(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty: give a job's id, or the beginning of it, from status")
    return text


def endpoint(text: str) -> str:
    try:
        return parse_endpoint(text)
    except EndpointError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def size(low: int, high: int) -> Callable[[str], tuple[int, int]]:
    """Make the reader of a width and a height within bounds."""

    def read(text: str) -> tuple[int, int]:
        match = re.fullmatch(r"(\d{1,9})x(\d{1,9})", text)
        if not match:
            raise argparse.ArgumentTypeError(f"{text!r} is no size: write WIDTHxHEIGHT, like 768x512")
        width, height = int(match[1]), int(match[2])
        if not all(low <= side <= high for side in (width, height)):
            raise argparse.ArgumentTypeError(f"{text} is out of range: sides are {low} to {high} px")
        return width, height

    return read


# Where an option is not what the setting alone makes of it: its name, how argparse reads it, and its help.
SPECIAL: dict[str, tuple[str, dict[str, Any], str]] = {
    "width": (
        "size",
        {"type": size(MIN_SIDE, MAX_SIDE), "metavar": "WxH"},
        f"in pixels, each side from {MIN_SIDE} to {MAX_SIDE}",
    ),
    "model": (
        "model",
        {"type": full_name, "metavar": "NAME"},
        "one of those that `kandinsky-blend models` lists, or its folder",
    ),
}


def aspect(text: str) -> float:
    """Read the ratio of width to height: 16:9, or 1.5."""
    match = re.fullmatch(r"(\d{1,5}(?:\.\d{1,5})?)(?::(\d{1,5}(?:\.\d{1,5})?))?", text)
    width, height = (float(match[1]), float(match[2] or 1)) if match else (0.0, 0.0)
    if not width or not height or not 1 / MOST_ASPECT <= width / height <= MOST_ASPECT:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no aspect: write WIDTH:HEIGHT, like 16:9, with no side more than {MOST_ASPECT} times as long"
        )
    return width / height


def path(text: str) -> Path:
    """Read a file's name; a shell leaves "~/cat.png" in quotes as it is."""
    if is_address(text):
        raise argparse.ArgumentTypeError(f"{text} is an address: download it and give the file")
    try:
        return Path(text).expanduser()
    except RuntimeError:  # "~name" of nobody's: a shell too takes that for a file's name
        return Path(text)


def frame_time(text: str) -> int:
    if not (text.isascii() and text.isdigit() and FASTEST <= int(text) <= SLOWEST):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: must be a whole number from {FASTEST} to {SLOWEST}")
    return int(text)


def frames_file(text: str) -> Path:
    if not text.lower().endswith((".png", *ANIMATIONS)):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .png, {' or '.join(ANIMATIONS)}")
    return path(text)


def png(text: str) -> Path:
    if not text.lower().endswith(".png"):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .png: recipes are kept in PNG files")
    return path(text)
