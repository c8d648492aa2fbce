"""Place each buffer of a plan in its arena: buffers that are never needed at the same time may share a place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kandinsky_backend.ops.plans.regions import Buffer
from kandinsky_backend.ops.plans.steps import Step

ALIGNMENT = 256  # bytes


class Arena(NamedTuple):
    """Offsets in bytes of the buffers that lie in the arena, and its size."""

    offsets: Mapping[Buffer, int]
    nbytes: int


class _Life(NamedTuple):
    first: int  # step that writes the buffer
    last: int  # step that reads it for the last time

    def meets(self, other: _Life) -> bool:
        return self.first <= other.last and other.first <= self.last


def lay_out(steps: Sequence[Step]) -> Arena:
    """Place the largest buffers first, each at the lowest offset where nothing lies that is needed meanwhile."""
    lives = _lives(steps)
    offsets: dict[Buffer, int] = {}
    for buffer in sorted(lives, key=lambda buffer: -buffer.nbytes):
        meeting = sorted(
            (offsets[other], offsets[other] + _rounded(other.nbytes))
            for other in offsets
            if lives[other].meets(lives[buffer])
        )
        offsets[buffer] = _lowest_gap(meeting, _rounded(buffer.nbytes))
    return Arena(offsets, max((offset + _rounded(buffer.nbytes) for buffer, offset in offsets.items()), default=0))


def _lives(steps: Sequence[Step]) -> dict[Buffer, _Life]:
    lives: dict[Buffer, _Life] = {}
    for number, step in enumerate(steps):
        for buffer in sorted(step.buffers(), key=id):
            if buffer.in_arena:
                lives[buffer] = _Life(lives[buffer].first if buffer in lives else number, number)
    return lives


def _lowest_gap(taken: Sequence[tuple[int, int]], nbytes: int) -> int:
    """The lowest offset at which `nbytes` lie between places (start, end) that are sorted."""
    offset = 0
    for start, end in taken:
        if start - offset >= nbytes:
            break
        offset = max(offset, end)
    return offset


def _rounded(nbytes: int) -> int:
    return (nbytes + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
