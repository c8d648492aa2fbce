"""Rehearsals: a thread has plans made ahead of the one that runs them, or asks what their weights will take."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import prod
from typing import TypeVar

from kandinsky_backend.ops.plans.regions import Dtype
from kandinsky_backend.ops.plans.steps import Step, WeightPart

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


class Weighed:
    """The weights of plans, each counted once."""

    def __init__(self) -> None:
        self.nbytes = 0
        self._counted: set[object] = set()

    def add(self, steps: Iterable[Step], dtype: Dtype) -> None:
        """Count the weights of steps whose products are of `dtype`."""
        for step in steps:
            part = getattr(step, "weight", None)
            if isinstance(part, WeightPart) and part.key not in self._counted:
                self._counted.add(part.key)
                self.nbytes += prod(part.shape) * dtype.nbytes


@contextmanager
def weighing() -> Iterator[Weighed]:
    """Let planned methods in this block, in this thread, read and pack no weight: their results are zeros.

    What is yielded counts the weights that their plans would pack, as long as their models are kept.
    """
    _here.weighed = Weighed()
    try:
        yield _here.weighed
    finally:
        del _here.weighed


def weighed() -> Weighed | None:
    """What counts weights in this thread now."""
    return getattr(_here, "weighed", None)
