"""How much of a long piece of work is done at once, so that a window answers between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

AIM = 0.015  # s of a strip
LEAST, MOST = 2**12, 2**22  # pixels of a strip
GROWTH = 2.0  # of a strip over the one before it, at most: one that was quick by chance tells little
SHRINKAGE = 0.25


class Pace:
    """Cuts areas into strips, each as large as AIM allows on this machine: those before it tell.

    Args:
        pixels: of the first strip.
        clock: seconds of a moment.
    """

    def __init__(self, pixels: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._pixels = float(pixels)
        self._clock = clock

    def strips(self, width: int, height: int) -> Iterator[tuple[int, int]]:
        """The first row of each strip of an area, and how many it has."""
        top = 0
        while top < height:
            rows = min(height - top, max(1, round(self._pixels / width)))
            yield top, rows
            top += rows

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Time the work on a strip, and let the next one be larger or smaller."""
        began = self._clock()
        yield
        seconds = max(self._clock() - began, 1e-6)
        factor = min(max(AIM / seconds, SHRINKAGE), GROWTH)
        self._pixels = min(max(self._pixels * factor, LEAST), MOST)
