"""Rehearsals: a thread has plans made ahead of the one that runs them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
_here = threading.local()


class RehearsalOver(RuntimeError):
    """Nobody wants the plan any more that is being made."""


@contextmanager
def rehearsing(is_over: Callable[[], bool]) -> Iterator[None]:
    """Let planned methods in this block, in this thread, make their plans and run none: their results are zeros.

    Raises:
        RehearsalOver: `is_over` said so in the midst of a plan.
    """
    _here.is_over = is_over
    try:
        yield
    finally:
        del _here.is_over


def is_rehearsal() -> bool:
    """Whether this thread is in a rehearsal."""
    return hasattr(_here, "is_over")


def while_wanted(parts: Iterable[T]) -> Iterator[T]:
    """The parts of a plan, one after the other.

    Raises:
        RehearsalOver: see rehearsing.
    """
    is_over: Callable[[], bool] = getattr(_here, "is_over", lambda: False)
    for part in parts:
        if is_over():
            raise RehearsalOver("the rehearsal of a plan was given up")
        yield part
