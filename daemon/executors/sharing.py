"""Embeddings are made once for all workers: who makes those of which item, and where they will be found."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Generic, TypeVar

from daemon.framing import digest
from plugin_client.wire.messages import AnyRequest, PictureItem

MAX_KEPT = 1000  # ingredients; the embeddings of one take 1 MB at most

M = TypeVar("M")  # who makes embeddings
F = TypeVar("F")  # where they will be found


def ingredients(request: AnyRequest) -> list[str]:
    """Return a digest of each thing that the model embeds for a request.

    Two of one digest have the same embedding. What is embedded in truth, and under which key, is the model's business.
    """
    common = (request.model, request.model_hash, request.seed, request.prior_steps, request.prior_guidance)
    shown = [
        tuple(getattr(item, field.name) for field in fields(item) if field.name not in ("weight", "label"))
        for item in request.items
        if item.weight or isinstance(item, PictureItem)  # which a recipe holds whatever its weight is
    ]
    things: list[tuple[Any, ...]] = [*shown, ("negative", request.negative), ("decoder", request.decoder_prompt)]
    return [digest([*_bytes(common), *_bytes(thing)]) for thing in things]


@dataclass
class _Entry(Generic[M, F]):
    maker: M
    found: F


class Shared(Generic[M, F]):
    """The embeddings that are being made or were made. Knows no cluster: a maker and a place are whatever they are."""

    def __init__(self, max_kept: int = MAX_KEPT) -> None:
        self._max_kept = max_kept
        self._entries: OrderedDict[str, _Entry[M, F]] = OrderedDict()  # by ingredient, the least recently used first

    def places(self, needed: Sequence[str]) -> list[F]:
        """Return where embeddings of these ingredients are found, now or soon."""
        known = [entry for one in needed if (entry := self._used(one))]
        return list({id(entry.found): entry.found for entry in known}.values())

    def lacks(self, needed: Sequence[str]) -> bool:
        """Return whether nobody makes one of these ingredients or has made it."""
        return any(one not in self._entries for one in needed)

    def expect(self, needed: Sequence[str], maker: M, found: F) -> None:
        """Note that `maker` makes those of the ingredients that nobody else makes or has made."""
        for one in needed:
            self._entries.setdefault(one, _Entry(maker, found))
        while len(self._entries) > self._max_kept:
            self._entries.popitem(last=False)

    def forget(self, maker: M) -> None:
        """Count no more on what `maker` makes or has made."""
        for one in [one for one, entry in self._entries.items() if entry.maker == maker]:
            del self._entries[one]

    def _used(self, ingredient: str) -> _Entry[M, F] | None:
        if ingredient in self._entries:
            self._entries.move_to_end(ingredient)
        return self._entries.get(ingredient)


def _bytes(value: object) -> Iterator[bytes]:
    """The content of a value as frames, of which bytes are not copied."""
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, tuple):
        for entry in value:
            yield from _bytes(entry)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _bytes(getattr(value, field.name))
    else:
        yield repr(value).encode()
