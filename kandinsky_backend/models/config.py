"""Reading a published config.json: strict about sizes, and about values that a model does not implement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def size(config: Mapping[str, Any], key: str) -> int:
    """The whole number above zero at `key`.

    Raises:
        ValueError: `key` is missing, or holds anything else.
    """
    if key not in config:
        raise ValueError(f"the model's config.json has no {key!r}: it must be a whole number above 0")
    value = config[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"the model's config.json has {key!r}: {value!r}: it must be a whole number above 0")
    return value


def token_id(config: Mapping[str, Any], key: str, default: int) -> int:
    """The whole number of at least zero at `key`; `default`, the publishing library's own, where it is left out.

    Raises:
        ValueError: `key` holds anything else.
    """
    value = config.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"the model's config.json has {key!r}: {value!r}: it must be a token id, 0 or above")
    return value


def epsilon(config: Mapping[str, Any], key: str, default: float) -> float:
    """The number between 0 and 1 at `key`; `default`, the publishing library's own, where it is left out.

    Raises:
        ValueError: `key` holds anything else.
    """
    value = config.get(key, default)
    if not isinstance(value, float) or not 0 < value < 1:
        raise ValueError(f"the model's config.json has {key!r}: {value!r}: it must be a number between 0 and 1")
    return value


def check_supported(config: Mapping[str, Any], supported: Mapping[str, tuple[Any, ...]]) -> None:
    """Check that each key which is there holds one of the values that the model implements.

    A key that is left out stands for the publishing library's default, which every model here implements.

    Raises:
        ValueError: a value is not implemented; the message names the key and the value.
    """
    for key, values in supported.items():
        if key in config and config[key] not in values:
            raise ValueError(
                f"the model's config.json has {key!r}: {config[key]!r}, which is not implemented here; "
                f"this program runs {' or '.join(map(repr, values))}"
            )


def sizes(config: Mapping[str, Any], key: str) -> tuple[int, ...]:
    """The list of whole numbers above zero at `key`.

    Raises:
        ValueError: `key` is missing, or holds anything else.
    """
    values = config.get(key)
    if not isinstance(values, (list, tuple)) or not values:
        raise ValueError(f"the model's config.json has {key!r}: {values!r}: it must be a list of whole numbers above 0")
    return tuple(size({key: value}, key) for value in values)


def attention_levels(config: Mapping[str, Any], key: str, attends: Mapping[str, bool], levels: int) -> tuple[bool, ...]:
    """True for each level of a down or up path with attention, by the names of their blocks at `key`.

    `attends` says it for every block that the model implements.

    Raises:
        ValueError: there are not `levels` names, or a block is not implemented.
    """
    blocks = config.get(key)
    if not isinstance(blocks, (list, tuple)) or len(blocks) != levels:
        raise ValueError(f"the model's config.json has {key!r}: {blocks!r}: it must be a list of {levels} block names")
    for block in blocks:
        check_supported({key: block}, {key: tuple(attends)})
    return tuple(attends[block] for block in blocks)
