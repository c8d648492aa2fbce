"""The plain values of what scripts give, that the wire carries: numbers and text of NumPy and of other libraries too.

Nothing is checked here but whether it is of the kind that is wanted; the wire's checks say what is wrong with a value.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Set
from dataclasses import replace
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

from plugin_client.wire.errors import UsageError, show
from plugin_client.wire.marking import N_
from plugin_client.wire.messages import Item, TextItem
from plugin_client.wire.settings import SETTINGS

_SIZE = re.compile(r"\s*([0-9]{1,9})\s*[xX×]\s*([0-9]{1,9})\s*")


def plain(value: Any, kind: type) -> Any:
    """`value` as a str, int, float or bool where it is one of another library; else as it is."""
    value = _unwrapped(value)
    if type(value) in (bool, int, float, str):
        return value
    if kind is int and isinstance(value, Integral):
        return int(value)
    if kind is float and isinstance(value, Real | Decimal):
        return _as_float(value)
    if kind is str and isinstance(value, str):
        return str.__str__(value)
    return value


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a blend by their names, each as plain() makes it for its type."""
    return {name: plain(value, SETTINGS[name].type) for name, value in settings.items()}


def plain_item(item: Item) -> Item:
    """An item with a plain weight, and plain text."""
    weight = plain(item.weight, float)
    return (
        replace(item, weight=weight, text=plain(item.text, str))
        if isinstance(item, TextItem)
        else replace(item, weight=weight)
    )


def job_id_of(text: str) -> str:
    """The id of a job as the wire has it.

    Raises:
        UsageError: it is none.
    """
    try:
        return str(uuid.UUID(text))
    except (ValueError, TypeError, AttributeError) as exc:  # the latter two of what is no text
        raise UsageError(
            N_("{job!r} is no job id: `kandinsky-blend status` lists the jobs"), "no-job-id", job=text
        ) from exc


def sides(size: Any) -> tuple[Any, Any]:
    """Width and height of a size: two numbers, or text such as "768x512".

    Raises:
        UsageError: it is neither.
    """
    if isinstance(size, str) and (match := _SIZE.fullmatch(size)):
        return int(match[1]), int(match[2])
    if isinstance(size, str | bytes | Mapping | Set):  # which have no order, or another meaning
        raise _no_size(size)
    try:
        width, height = size
    except (TypeError, ValueError) as exc:
        raise _no_size(size) from exc
    return width, height


def _no_size(size: object) -> UsageError:
    return UsageError(
        N_('size is {value}: give width and height in pixels, such as (768, 512) or "768x512"'),
        "no-size",
        value=show(size),
    )


def _as_float(value: Real | Decimal) -> float:
    """As near as can be; what is too large for a float, or no number at all, is out of every range anyhow."""
    try:
        return float(value)
    except (OverflowError, ValueError):
        return float("inf")


def _unwrapped(value: Any) -> Any:
    """The value in a scalar of a library, such as a NumPy bool, or an array without dimensions."""
    if isinstance(value, str | Real) or getattr(value, "shape", None) != () or not hasattr(value, "item"):
        return value
    return value.item()
